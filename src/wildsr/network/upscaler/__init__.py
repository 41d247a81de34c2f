"""Upscalers: networks from LR to HR."""
