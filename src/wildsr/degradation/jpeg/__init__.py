"""JPEG compression: differentiable, by tables, and by libjpeg itself."""
