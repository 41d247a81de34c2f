"""Weights for other tools: formats, comparison, model card."""
