"""Metrics of image quality; each states its protocol."""
