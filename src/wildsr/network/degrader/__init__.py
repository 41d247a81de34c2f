"""Degraders: networks from HR to LR."""
