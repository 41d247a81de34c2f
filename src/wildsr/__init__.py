"""Super-resolution GANs learned without pairs."""

__version__ = "0.1.0"
