"""Losses, each as a function and as an ``nn.Module`` for configurations."""
