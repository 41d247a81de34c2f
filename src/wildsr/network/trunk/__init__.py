"""Pretrained classifiers, frozen: their weights files, and their features."""
