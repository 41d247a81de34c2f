"""An evaluation on a Ray cluster: tasks measure parts of the photos, one process joins them."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from wildsr.api.plan import measure_part
from wildsr.archive.mirror import elsewhere
from wildsr.archive.shard import Shard
from wildsr.error import UserError
from wildsr.evaluation.outcome import Measured
from wildsr.inference.cluster import connected, sentence

RETRIES = 3  # of a part whose node dies


def measure_on_cluster(
    config: DictConfig, overrides: list[str], folder: Path, shard: Shard, photos: int
) -> list[Measured]:
    """Measure the photos of a shard, as many parts at once as the cluster has room for.

    Photos and the folder must be where every node finds them. A part whose node dies is measured
    again.

    Args:
        config: of the evaluation.
        overrides: as typed.
        folder: where pictures go.
        shard: of this process.
        photos: in it.

    Raises:
        UserError: an output that nodes do not share; whatever the cluster says.
    """
    if config.output is not None and elsewhere(str(config.output)):
        raise UserError(
            f"`cluster` needs an `output` on a disk that all nodes share, but got {config.output}."
        )
    ray = connected(str(config.cluster))
    try:
        there = ray.cluster_resources()
        gpus = 1 if there.get("GPU", 0) >= 1 else 0
        room = int(there["GPU"] if gpus else there.get("CPU", 1) // config.cores)
        count = max(1, min(config.workers or room, photos))
        task = ray.remote(num_cpus=config.cores, num_gpus=gpus, max_retries=RETRIES)(measure_part)
        parts = [f"{number + 1}/{count}" for number in range(count)]
        made = [task.remote(overrides, str(folder), str(shard), one) for one in parts]
        return [measured for some in ray.get(made) for measured in some]
    except ray.exceptions.RayError as error:
        raise sentence(error) from error
