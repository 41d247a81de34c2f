"""Degradations composed of steps with random parameters."""
