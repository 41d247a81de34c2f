"""The public Python API: what ``import wildsr`` hands out, for scripts and notebooks."""
