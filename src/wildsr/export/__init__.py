"""Export weights for other tools: formats, comparison, model card."""
