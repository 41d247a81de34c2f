"""Metrics of image quality, each with its protocol (channel, border, libraries, ...)."""
