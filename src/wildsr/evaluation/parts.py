"""Store what one of several processes (a shard) has measured, and join all shards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from wildsr.archive.shard import Shard
from wildsr.atomic import writing
from wildsr.error import UserError, first_line
from wildsr.evaluation.outcome import Measured, Outcome

FOLDER = ".parts"  # in the output


def part_file(output: Path, shard: Shard) -> Path:
    """The file with the measurements of a shard."""
    return output / FOLDER / f"{shard.number}-of-{shard.count}.safetensors"


def write_part(output: Path, shard: Shard, measured: Sequence[Measured]) -> None:
    """Write what a shard has measured: numbers as JSON, features for set metrics as tensors.

    Raises:
        UserError: it cannot be written.
    """
    rows: list[dict[str, Any]] = []
    tensors: dict[str, Tensor] = {}
    for number, one in enumerate(measured):
        picture = one.outcome.picture
        where = None if picture is None else picture.relative_to(output).as_posix()
        rows.append({**asdict(one.outcome), "picture": where})
        for place, kept in enumerate(one.described):
            if kept is not None:
                tensors[f"{number}.{place}"] = kept.contiguous()
        rows[-1]["described"] = len(one.described)
    text = json.dumps(rows)
    with writing(part_file(output, shard)) as partial:
        save_file(tensors, partial, {"measured": text})


def complete(output: Path, shard: Shard) -> bool:
    """Whether all shards have written their part."""
    everyone = (Shard(number + 1, shard.count) for number in range(shard.count))
    return all(part_file(output, other).exists() for other in everyone)


def join_parts(output: Path, shard: Shard, order: Sequence[tuple[str, str, str]]) -> list[Measured]:
    """Join the measurements of all shards, in the order in which one process makes them.

    Args:
        output: the folder.
        shard: any of the shards; only their number is used.
        order: row, set and photo of every measurement.

    Raises:
        UserError: a part is damaged, or of other rows or photos.
    """
    found: dict[tuple[str, str, str], Measured] = {}
    for number in range(shard.count):
        path = part_file(output, Shard(number + 1, shard.count))
        try:
            found |= _read(path, output)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is damaged: {first_line(error)}") from error
    if found.keys() != set(order):
        raise UserError(
            f"The parts in {output / FOLDER} are of other photos or rows than there are now; "
            "overwrite=true measures them again."
        )
    return [found[key] for key in order]


def _read(path: Path, output: Path) -> dict[tuple[str, str, str], Measured]:
    found = {}
    with safe_open(path, "pt") as opened:
        there = set(opened.keys())
        rows: list[Mapping[str, Any]] = json.loads(opened.metadata()["measured"])
        for number, row in enumerate(rows):
            values = {key: value for key, value in row.items() if key != "described"}
            if values["picture"] is not None:
                values["picture"] = output / values["picture"]
            names = [f"{number}.{place}" for place in range(row["described"])]
            kept = [opened.get_tensor(name) if name in there else None for name in names]
            outcome = Outcome(**values)
            key = (outcome.row, outcome.photo_set, outcome.image)
            found[key] = Measured(outcome, tuple(kept))
    return found
