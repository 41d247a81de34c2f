"""Folders in, batches out."""
