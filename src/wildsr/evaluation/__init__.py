"""Measure upscalers on sets of photos: rows, sets, outcomes, summary."""
