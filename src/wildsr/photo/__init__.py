"""Read and write photo files, whole or in strips, with their metadata."""
