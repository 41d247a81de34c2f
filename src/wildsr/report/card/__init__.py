"""The report card, which compares generated LR images with real LR images."""
