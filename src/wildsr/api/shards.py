"""Evaluation split over several processes: each measures a part, the last one writes the table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from wildsr.archive.shard import Shard, shard_of
from wildsr.atomic import write_text
from wildsr.config.plain import read_json
from wildsr.error import UserError
from wildsr.evaluation.outcome import Measured
from wildsr.evaluation.parts import FOLDER, complete, join_parts, part_file, write_part
from wildsr.run.folder import plain_config
from wildsr.run.lock import Lock
from wildsr.run.together import FOLDER as LOCKS
from wildsr.run.together import writing_together

SETTINGS = "settings.json"  # in the folder of the parts
TABLES = "results.json"
FREE = (
    "shard",
    "output",
    "overwrite",
    "device",
    "logger",
    "trust",
    "cluster",
    "workers",
    "cores",
)  # may differ between parts
LONG = 3600.0  # seconds that the last one may take for tables and pages


def chosen_shard(config: DictConfig) -> Shard:
    """The shard (part of the photos) that this process measures, from the configuration.

    Without an ``output`` folder to share there is a single shard, unless one was asked for by
    number.

    Raises:
        UserError: a shard was asked for by number, but no output folder was given.
    """
    shard = shard_of(config.shard)
    if shard.count == 1 or config.output is not None:
        return shard
    if config.shard == "auto":
        return Shard()
    raise UserError("`output` must be given with `shard`: the folder that all shards write into.")


@contextmanager
def alone_in(output: Path, shard: Shard, config: DictConfig) -> Iterator[None]:
    """Hold the lock of one shard within the block, so that no other process measures it too.

    Args:
        output: the folder that all shards write into.
        shard: of this process.
        config: of this evaluation; must agree with that of the other shards (but for :data:`FREE`).

    Raises:
        UserError: another process measures this shard, or the folder holds other things.
    """

    def settle(alone: Callable[[], None]) -> None:
        if shard.count == 1:
            check_new(output, config.overwrite)
            return
        settings = _settings(config, shard)
        path = output / FOLDER / SETTINGS
        earlier: Any = read_json(path) if path.exists() else None
        if earlier == settings:
            return
        if earlier is not None and not config.overwrite:
            raise UserError(
                f"`output` is a folder of an evaluation with other settings ({output}); "
                "overwrite=true measures anew."
            )
        if earlier is None:
            check_new(output, config.overwrite)
        alone()
        for part in (output / FOLDER).glob("*.safetensors"):
            part.unlink()
        write_text(path, json.dumps(settings, indent=1))

    with writing_together(output, shard, settle):
        yield


def check_new(folder: Path, overwrite: bool) -> None:
    """Refuse a folder with visible files in it, unless ``overwrite``.

    Raises:
        UserError: the folder is not empty, or is a file.
    """
    there = folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())
    used = there or (folder.exists() and not folder.is_dir())
    if used and not (overwrite and folder.is_dir()):
        raise UserError(
            f"`output` must be a new folder, but {folder} exists; overwrite=true replaces the "
            "tables and pictures in it."
            if folder.is_dir()
            else f"`output` must be a folder, but {folder} is a file."
        )


@contextmanager
def measured_by_all(
    output: Path,
    shard: Shard,
    overwrite: bool,
    measure: Callable[[], list[Measured]],
    order: Sequence[tuple[str, str, str]],
    exchange: Callable[[], None] = lambda: None,
) -> Iterator[list[Measured] | None]:
    """Measure this shard; yield the measurements of all shards if this process completes them.

    Yields None while others are still missing. The lock on joining is held within the block.

    Args:
        output: the folder that all shards write into.
        shard: of this process.
        overwrite: measure, even if the part is there.
        measure: measures the part.
        order: row, set and photo of all measurements.
        exchange: called when the part is written, before it is asked which others are.
    """
    if shard.count == 1:
        yield measure()
        return
    new = overwrite or not part_file(output, shard).exists()
    measured = measure() if new else []
    with Lock(output, "joined", f"{LOCKS}/join").take(LONG):
        if new:
            write_part(output, shard, measured)
            exchange()
        last = complete(output, shard) and (new or not (output / TABLES).exists())
        yield join_parts(output, shard, order) if last else None


def _settings(config: DictConfig, shard: Shard) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(plain_config(config)))
    return {key: value for key, value in plain.items() if key not in FREE} | {"shards": shard.count}
