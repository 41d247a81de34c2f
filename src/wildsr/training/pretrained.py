"""List the published weights that the losses of a training use, for the log and the results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wildsr.network.trunk.files import fingerprint, missing_trunk, trunk_file
from wildsr.training.objective import Objective


def pretrained(objective: Objective) -> dict[str, dict[str, Any]]:
    """For each loss with an encoder: its trunk, the trunk it replaces, layers, file and SHA-256.

    In plain types, for ``protocol["losses"]`` of ``results.json``.
    """
    stated: dict[str, dict[str, Any]] = {}
    for term in objective.terms:
        loss: Any = term.loss
        encoder = getattr(loss, "encoder", None)
        if encoder is None:
            continue
        file, layers = trunk_file(encoder.name), loss.layers
        wanted = getattr(loss, "trunk", encoder.name)
        stated[term.name] = {
            "trunk": encoder.name,
            "instead of": wanted if wanted != encoder.name else None,
            "layers": dict(layers) if isinstance(layers, Mapping) else dict.fromkeys(layers, 1.0),
            "weights": {file.name: fingerprint(file) if file.is_file() else "gone"},
        }
    return stated


def stand_ins(objective: Objective) -> list[str]:
    """One line for each trunk that is replaced by another because its weights are missing."""
    terms: dict[tuple[str, str], list[str]] = {}
    for name, stated in pretrained(objective).items():
        if stated["instead of"] is not None:
            terms.setdefault((stated["instead of"], stated["trunk"]), []).append(name)
    return [
        f"Without {trunk_file(wanted)} the terms {', '.join(names)} look through ST-LPIPS' VGG16 "
        f"({trunk}) instead of {wanted}. {missing_trunk(wanted) or ''}".rstrip()
        for (wanted, trunk), names in terms.items()
    ]
