"""Degradations put together from steps."""
