"""Draw and describe the degradation that a run has learned."""
