"""The degradation of a run as ``camera.json``: its present state, and what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wildsr.config.plain import read_json
from wildsr.error import UserError
from wildsr.network.degrader.measured import MeasuredCamera
from wildsr.run.load import load_degrader
from wildsr.run.profile import FILE, LARGEST, of_camera


def profile_of_run(run: Path, trust: bool = False) -> dict[str, Any]:
    """The ``camera.json`` document of a run's newest checkpoint.

    The population of cameras is the checkpoint's. The other results of the run's measurement
    (codings of its photos, cameras of its groups, the sentence) are taken over if they are still
    there.

    Args:
        run: its folder.
        trust: allow the run's configuration to name and run code outside of wildsr.

    Raises:
        UserError: the folder is not a run, or its method has no measured degradation.
    """
    degrader = load_degrader(run, None, trust)
    camera = next((m for m in degrader.modules() if isinstance(m, MeasuredCamera)), None)
    if camera is None:
        raise UserError(
            f"`format=camera` is for runs whose camera was measured, as method=wild does, but the "
            f"method of {run} is {degrader.method.__name__} with another degradation."
        )
    own = of_camera(camera)
    try:
        kept = read_json(run / FILE, LARGEST)
    except UserError:  # gone, or damaged: what is needed to use the camera is in the checkpoint
        kept = None
    told = {"sentence": str, "codings": dict, "cameras": list}
    if not isinstance(kept, dict) or kept.get("population") != own["population"]:
        return own
    return own | {key: kept[key] for key, kind in told.items() if isinstance(kept.get(key), kind)}
