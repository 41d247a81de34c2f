"""Compose, check and explain configurations, and make objects of them."""
