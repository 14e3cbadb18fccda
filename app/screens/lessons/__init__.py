"""The lessons, one file a page."""
