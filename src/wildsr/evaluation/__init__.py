"""Upscalers measured on sets of photos: rows, sets, outcomes, summary."""
