"""What a photo's pixels and its file say about how it came to be."""
