"""libvips, which reads and writes photos as streams."""

from __future__ import annotations

import os

# Before libvips starts: the cores are the network's, and one thread keeps up with it.
os.environ.setdefault("VIPS_CONCURRENCY", "1")

import pyvips

# Without its cache of operations, which would return a file as it was before it changed.
pyvips.cache_set_max(0)

__all__ = ["pyvips"]
