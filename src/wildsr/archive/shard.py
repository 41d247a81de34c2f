"""Split the photos by their names into shards, for several processes on one or many machines."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from wildsr.error import UserError, shortened

MUST = "`shard` must be k/n with 1 <= k <= n (3/10: the third of ten), auto or null"
_ARRAY = "SLURM_ARRAY_TASK_"


@dataclass(frozen=True)
class Shard:
    """The ``number``-th of ``count`` parts of the photos, counted from 1.

    The part of a photo depends on its name alone: so photos that are added later do not move others
    between parts, and processes need not know of each other.

    Raises:
        UserError: there is no such part.
    """

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise UserError(f"{MUST}, but got {self}.")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def __contains__(self, name: str) -> bool:
        return self.count == 1 or place(name) % self.count == self.number - 1


def place(name: str) -> int:
    """A 64-bit hash of a photo's path below its folder, the same on every machine.

    The first 8 bytes of its BLAKE2b hash, with ``/`` between folders.
    """
    text = os.fsencode(name.replace(os.sep, "/"))
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def shard_of(value: object, environment: Mapping[str, str] = os.environ) -> Shard:
    """The shard that the user asks for.

    Args:
        value: "k/n"; None for all; "auto" to take it from the environment: the index in a SLURM
            array (``SLURM_ARRAY_TASK_ID``, ``_COUNT``, ``_MIN``, ``_STEP``), the rank set by
            torchrun (``RANK``, ``WORLD_SIZE``), or both, with ranks within the task.
        environment: environment variables.

    Raises:
        UserError: another value, or a SLURM array with gaps, in which positions are unknown.
    """
    if value is None:
        return Shard()
    if value == "auto":
        return _automatic(environment)
    found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", value) if isinstance(value, str) else None
    if found is None:
        raise UserError(f"{MUST}, but got {shortened(value)}.")
    return Shard(int(found[1]), int(found[2]))


def _automatic(environment: Mapping[str, str]) -> Shard:
    place, count = _array(environment)
    rank, ranks = _numbers(environment, "RANK", "WORLD_SIZE") or (0, 1)
    if not 0 <= rank < ranks:
        rank, ranks = 0, 1  # not started by torchrun
    return Shard(place * ranks + rank + 1, count * ranks)


def _array(environment: Mapping[str, str]) -> tuple[int, int]:
    """The place of this task in a SLURM array, from 0 on, and the number of tasks."""
    found = _numbers(environment, f"{_ARRAY}ID", f"{_ARRAY}COUNT")
    if found is None:
        return 0, 1
    number, count = found
    least = int(environment.get(f"{_ARRAY}MIN", "0"))
    step = max(int(environment.get(f"{_ARRAY}STEP", "1") or 1), 1)
    most = int(environment.get(f"{_ARRAY}MAX", str(least + (count - 1) * step)))
    place, rest = divmod(number - least, step)
    if most - least != (count - 1) * step or rest or not 0 <= place < count:
        raise UserError(
            f"`shard=auto`: the place of task {number} in this SLURM array is not to be known, for "
            f"its {count} numbers have gaps; give it (shard=k/n), or start an array without gaps."
        )
    return place, count


def _numbers(environment: Mapping[str, str], *names: str) -> tuple[int, int] | None:
    """Two variables, where both are whole numbers."""
    values = [environment.get(name, "") for name in names]
    if not all(value.isdecimal() for value in values):
        return None
    return int(values[0]), int(values[1])
