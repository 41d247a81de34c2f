"""The page on which photos are upscaled in a browser."""
