"""JPEG compression: differentiable, with given tables, and by libjpeg itself."""
