"""One file a screen: read the widgets, call the core, draw."""
