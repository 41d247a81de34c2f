"""Networks that make LR photos of sharp ones."""
