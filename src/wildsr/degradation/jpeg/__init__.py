"""JPEG: differentiable, by tables, and by libjpeg."""
