"""Measure a camera before any training: simulated moments of LR photos."""
