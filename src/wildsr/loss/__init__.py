"""What a term of an update computes; a function first, an ``nn.Module`` second."""
