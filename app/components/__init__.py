"""Browser-side parts: the live threshold canvas, and the frame of the page."""
