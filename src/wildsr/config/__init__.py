"""Configurations: composed, checked, explained, and made into objects."""
