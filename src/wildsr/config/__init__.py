"""Compose, check and explain configurations, and create objects from them."""
