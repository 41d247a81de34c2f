"""The page on which photos are upscaled in a browser, and the guard that nobody passes unasked."""
