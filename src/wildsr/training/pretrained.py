"""List the published weights that losses and critics look through, for log and results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from wildsr.network.trunk.encoder import Encoder
from wildsr.network.trunk.files import fingerprint, missing_trunk, trunk_file
from wildsr.training.objective import Objective


def pretrained(
    objective: Objective, networks: Mapping[str, nn.Module] | None = None
) -> dict[str, dict[str, Any]]:
    """For each loss and network with an encoder: trunk, what it replaces, layers, file, SHA-256.

    In plain types, for ``protocol["losses"]`` of ``results.json``.
    """
    found: dict[str, Any] = {term.name: term.loss for term in objective.terms}
    stated: dict[str, dict[str, Any]] = {}
    for name, viewer in (found | dict(networks or {})).items():
        encoder = getattr(viewer, "encoder", None)
        if not isinstance(encoder, Encoder):
            continue
        file, layers = trunk_file(encoder.name), viewer.layers
        wanted = getattr(viewer, "trunk", encoder.name)
        stated[name] = {
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
