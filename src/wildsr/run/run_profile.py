"""The camera of a run as ``camera.json``: what it degrades with now, and what it had measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wildsr.config.make import sensor_of
from wildsr.config.plain import read_json
from wildsr.error import UserError
from wildsr.network.degrader.measured import MeasuredCamera
from wildsr.run.folder import config_of
from wildsr.run.load import load_degrader
from wildsr.run.profile import FILE, LARGEST, of_camera


def profile_of_run(run: Path, trust: bool = False) -> dict[str, Any]:
    """The document of a run's newest checkpoint.

    The population is the checkpoint's. What else the run wrote of its measurement (its photos'
    codings, the cameras of its groups, the sentence) is taken over where it is still there.

    Args:
        run: its folder.
        trust: let the run name code that is not wildsr's, which is run.

    Raises:
        UserError: the folder is no run, or its method has no measured camera.
    """
    degrader = load_degrader(run, None, trust)
    camera = next((m for m in degrader.modules() if isinstance(m, MeasuredCamera)), None)
    if camera is None:
        raise UserError(
            f"`format=camera` is for runs whose camera was measured, as method=wild does, but the "
            f"method of {run} is {degrader.method.__name__} with another degradation."
        )
    own = of_camera(camera, sensor_of(config_of(run, trust)))
    try:
        kept = read_json(run / FILE, LARGEST)
    except UserError:  # gone, or damaged: what is needed to use the camera is in the checkpoint
        kept = None
    told = {"sentence": str, "codings": dict, "cameras": list}
    if not isinstance(kept, dict) or kept.get("population") != own["population"]:
        return own
    return own | {key: kept[key] for key, kind in told.items() if isinstance(kept.get(key), kind)}
