"""Networks from LR to HR."""
