"""Critics (discriminators)."""
