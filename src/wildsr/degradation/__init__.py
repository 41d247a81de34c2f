"""Degradations with given or random parameters, on batches of images."""
