"""Model cards: Markdown files on an upscaler's architecture, training data, quality and use."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from wildsr.config.plain import read_json
from wildsr.error import UserError
from wildsr.photo.sensor import RGB, Sensor

TAGS = "tags: [super-resolution, image-restoration, wildsr]"
STRENGTH = "- **Strength:** {:g}, of 0 (the faithful upscaler) to 1 (the finished one)"
UNKNOWN = "- **Method:** not known"  # on the card of weights without a run


@dataclass(frozen=True)
class File:
    """An exported file, with its deviation from the PyTorch network.

    Attributes:
        name: of the file.
        about: format, precision and which tools open it.
        largest: largest difference from PyTorch's output, in [0, 1]; None if not measured.
        mean: the mean difference.
    """

    name: str
    about: str
    largest: float | None = None
    mean: float | None = None


@dataclass(frozen=True)
class ModelCard:
    """The contents of a model card.

    Attributes:
        name: such as ``4x_Leaves``.
        scale: HR size / LR size.
        architecture: of the network, or of each in order, in words.
        parameters: their number.
        files: the files that the card describes.
        method: the name of the method, and the sentence that describes it; None for weights of
            unknown origin.
        results: contents of the run's ``results.json``.
        pictures: caption -> path relative to the card.
        licence: as the user states it; None if not stated.
        note: how the files are used, if that is not evident.
        others: rows of the table about further files, see
            :func:`wildsr.export.card_file.kept_files`.
        sensor: the kind of photos that it was trained on.
        strength: of the finish; None where there is none, or the files have several.
    """

    name: str
    scale: int
    architecture: str
    parameters: int
    files: Sequence[File]
    method: tuple[str, str] | None = None
    results: Mapping[str, Any] = field(default_factory=dict)
    pictures: Mapping[str, str] = field(default_factory=dict)
    licence: str | None = None
    note: str = ""
    others: Sequence[str] = ()
    sensor: Sensor = RGB
    strength: float | None = None


def markdown_card(card: ModelCard) -> str:
    """Format the card as Markdown, with the front matter that model hubs read."""
    protocol = dict(card.results.get("protocol", {}))
    trained_on = protocol.pop("trained_on", None)
    licence = card.licence or "not stated"
    lines = [
        "---",
        f"license: {json.dumps(card.licence or 'unknown')}",
        "pipeline_tag: image-to-image",
        TAGS,
        "---",
        "",
        f"# {card.name}",
        "",
        f"An upscaler of photos by {card.scale}, made with wildsr {version('wildsr')}."
        if card.scale > 1
        else f"A restorer of photos, made with wildsr {version('wildsr')}.",
        "",
        f"- **Scale:** {card.scale}",
        f"- **Method:** {card.method[0]}: {card.method[1]}" if card.method else UNKNOWN,
        f"- **Architecture:** {card.architecture}, {card.parameters:,} parameters",
        *([STRENGTH.format(card.strength)] if card.strength is not None else []),
        f"- **Training data:** {_data(trained_on)}",
        f"- **Training:** {_training(protocol)}",
        f"- **Licence:** {licence}",
        f"- **Input, output:** {_images(card.sensor)}; the output is "
        f"{card.scale} times as high and wide and is to be clipped to [0, 1]",
        "",
        *([card.note, ""] if card.note else []),
        "## Files",
        "",
        "| file | what | largest difference to torch | mean |",
        "| --- | --- | ---: | ---: |",
        *(
            f"| {f.name} | {f.about} | {_difference(f.largest)} | {_difference(f.mean)} |"
            for f in card.files
        ),
        *card.others,
        "",
        "Differences are in [0, 1]; a level of 8 bits is 0.0039.",
        "",
        *_measured(card.results.get("rows", []), protocol, card.strength),
    ]
    if card.pictures:
        lines += ["## Pictures", ""]
        lines += [f"![{caption}]({path})\n" for caption, path in card.pictures.items()]
    return "\n".join(lines).rstrip() + "\n"


def _images(sensor: Sensor) -> str:
    """What the network takes and gives."""
    shape = f"(batch, {sensor.channels}, height, width)"
    if sensor.plain:
        return f"RGB in [0, 1], {shape}"
    return f"{sensor.sentence()}: black is 0 and white is 1, {shape}"


def results_of(folder: Path) -> dict[str, Any]:
    """Read the results of a run; empty if it has none yet.

    Raises:
        UserError: the file is damaged.
    """
    path = folder / "results.json"
    if not path.exists():
        return {}
    found = read_json(path)
    if not _sound(found):
        raise UserError(f"{path} is damaged: it holds no table of results.")
    results: dict[str, Any] = found
    return results


def _sound(found: Any) -> bool:
    """Whether it has what a card takes from the results of a run, each of its type."""
    if not isinstance(found, dict):
        return False
    rows, protocol = found.get("rows", []), found.get("protocol", {})
    if not (isinstance(rows, list) and isinstance(protocol, dict)):
        return False
    numbers = (int, float, type(None))
    photos = protocol.get("trained_on")
    return (photos is None or (isinstance(photos, dict) and {"lr", "hr"} <= photos.keys())) and all(
        isinstance(row, dict)
        and isinstance(row.get("name"), str)
        and all(isinstance(v, numbers) for k, v in row.items() if k not in ("name", "images"))
        for row in rows
    )


def architecture(network: nn.Module) -> str:
    """The name of a network's architecture."""
    return str(getattr(network, "architecture", type(network).__name__))


def first_sentence(text: str | None) -> str:
    """The first sentence of a docstring, on one line."""
    return " ".join((text or "").strip().split("\n\n")[0].split())


def _data(counts: Mapping[str, int] | None) -> str:
    if not counts:
        return "not known"
    lr, hr, pairs = counts["lr"], counts["hr"], counts.get("pairs", 0)
    paired = f"{_count(pairs, 'pair')} of an LR photo and its truth"
    if pairs and not lr:
        return paired
    unpaired = _count(lr, "real LR photo")
    if not hr:
        return f"{unpaired}, which it restores, and no sharp ones"
    sharp = _count(hr, "unrelated sharp photo")
    return f"{unpaired} and {sharp}, {paired if pairs else 'no pairs'}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _training(protocol: dict[str, Any]) -> str:
    iterations, seconds = protocol.pop("iterations", None), protocol.pop("training_seconds", None)
    return "not known" if iterations is None else f"{iterations} iterations in {seconds} s"


def _difference(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


def _measured(
    rows: Sequence[Mapping[str, Any]], protocol: Mapping[str, Any], strength: float | None
) -> list[str]:
    """The table of a run's results, with that of the exported strength marked, and its protocol."""
    metrics = list(dict.fromkeys(k for row in rows for k in row if k not in ("name", "images")))
    if not any(row.get(metric) is not None for row in rows for metric in metrics):
        return ["## Quality", "", "Nothing was measured: there was no ground truth.", ""]
    decimals = {"psnr": 2}
    table = ["| upscaler | " + " | ".join(_title(metric, protocol) for metric in metrics) + " |"]
    table += ["| --- |" + " ---: |" * len(metrics)]
    exported = _row_of(strength, [str(row["name"]) for row in rows])
    for row in rows:
        values = [
            "n/a" if row.get(m) is None else f"{row[m]:.{decimals.get(m, 4)}f}" for m in metrics
        ]
        name = f"**{exported}** (this card's)" if row["name"] == exported else row["name"]
        table.append(f"| {name} | " + " | ".join(values) + " |")
    if strength is not None and exported is None:
        table += ["", f"Strength {strength:g} itself was not measured."]
    stated = [f"- {name}: {_plain(value)}" for name, value in protocol.items()]
    return ["## Quality", "", *table, "", "Protocol:", "", *stated, ""]


def _row_of(strength: float | None, names: Sequence[str]) -> str | None:
    """The row of a strength, called as :func:`wildsr.evaluation.rows.strength_label` does."""
    if strength is None:
        return None
    ends = {0.0: "", 1.0: " finished"}
    finished = [name.removesuffix(" finished") for name in names if name.endswith(" finished")]
    wanted = [f"{own}{ends.get(strength, f' strength {strength:g}')}" for own in finished]
    return next((name for name in wanted if name in names), None)


def _title(metric: str, protocol: Mapping[str, Any]) -> str:
    stated = protocol.get(metric)
    title = stated.get("title") if isinstance(stated, dict) else None
    return title if isinstance(title, str) else metric.upper()


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        if value.get("available") is False:
            return "not available"
        return ", ".join(f"{name} {_plain(item)}" for name, item in value.items())
    return str(value)
