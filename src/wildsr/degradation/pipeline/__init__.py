"""Degradation pipelines: sequences of steps with random parameters."""
