"""What photos went through, before any training: the verb `look`."""
