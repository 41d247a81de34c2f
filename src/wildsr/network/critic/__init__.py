"""Networks that tell real from generated."""
