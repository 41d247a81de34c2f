"""Degradations with fixed or drawn parameters, on batches of images."""
