"""Inference: networks applied to whole photos, folders and videos."""
