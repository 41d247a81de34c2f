"""Losses: each a function first, an ``nn.Module`` for configurations second."""
