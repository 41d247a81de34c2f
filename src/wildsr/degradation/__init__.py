"""Image formation with fixed parameters, on batches."""
