"""Networks from HR to LR."""
