"""Seeds for random numbers."""

from __future__ import annotations


def mix_seeds(seed: int, iteration: int, rank: int) -> int:
    """A different seed for each (seed, iteration, rank): splitmix64 over the three."""
    mixed = 0
    for part in (seed, iteration, rank):
        mixed = (mixed + (part & (2**64 - 1)) + 0x9E3779B97F4A7C15) & (2**64 - 1)
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
        mixed ^= mixed >> 31
    return mixed >> 1
