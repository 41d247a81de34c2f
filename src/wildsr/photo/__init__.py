"""Photo files: read whole or in strips, written with all that they carried."""
