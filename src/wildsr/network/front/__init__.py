"""What a critic sees of an image."""
