"""Data: folders of photos, packed once into a cache, and batches of random crops."""
