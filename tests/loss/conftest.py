"""Weight files with random numbers: see support/trunk_weights.py."""

from support.trunk_weights import (  # noqa: F401  (fixtures)
    no_network,
    no_weights,
    on_disk,
    random_weights,
)
