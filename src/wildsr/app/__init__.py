"""The web page for upscaling photos in a browser, and the guard that checks every request."""
