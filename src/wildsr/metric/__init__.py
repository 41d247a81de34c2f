"""How good an image is; each metric states its protocol."""
