"""The page docs/gpu.md, made of what benchmarks/gpu.py measured; without figures it says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from machine import sentence

HEAD = """# On a GPU

    make gpu                                              # the tests marked `gpu`, then 8 minutes
    python benchmarks/gpu.py --hr bsds500/train --lr bsds500/test         # photos of your own

This command writes one JSON file and regenerates this page: speed and memory of upscaling,
speed of training compared with a plain loop over the same networks, speed of degrading
compared with Real-ESRGAN's implementation and with Kornia, and, in the remaining time,
methods with known ground truth at their published sizes.
"""
NONE = """
**No figures have been measured by this command yet.** Those of the other pages are from a CPU. If
you have a GPU for a quarter of an hour, please run it and send `docs/gpu.json` and `docs/gpu.md`.
"""


def page(found: dict[str, Any] | None) -> str:
    """The whole page, from the JSON file's content; None where nothing was measured."""
    if found is None:
        return HEAD + NONE
    return HEAD + "\n".join(("", *_sections(found))) + "\n"


def _sections(found: dict[str, Any]) -> Iterator[str]:
    said = f"{found['minutes']:.0f} minutes, {found['date']}. On {sentence(found['machine'])}."
    if found["quick"]:
        said += " **A dry run, on tiny networks: no figure of it means anything.**"
    yield said
    tests = found.get("tests")
    yield f"\nTests marked `gpu`: {tests or 'not run'}."
    for title, key, make in (
        ("Upscaling", "upscaling", _upscaling),
        ("Training", "training", _training),
        ("Degradations", "degradation", _degradation),
        ("Known truth", "known_truth", _known_truth),
    ):
        yield f"\n## {title}\n"
        part = found.get(key)
        if not part:
            yield "Not measured: the time was up."
        elif "failed" in part:
            yield f"Not measured: {part['failed']}"
        else:
            yield from make(part)


def _table(head: list[str], rows: Iterator[list[Any]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "| --- |" + " ---: |" * (len(head) - 1)
    for row in rows:
        cells = ["" if c is None else f"{c:.3g}" if isinstance(c, float) else str(c) for c in row]
        yield "| " + " | ".join(cells) + " |"


def _upscaling(part: dict[str, Any]) -> Iterator[str]:
    yield (
        f"x4 from {part['size']}, pixels in memory to pixels in memory, random weights; medians of "
        f"{part['rounds']}. TF32 in fp32 convolutions: {'on' if part['tf32'] else 'off'}. Peak "
        "memory: what torch held at most on the device. Network alone: the tensor is on the device "
        "before and after, in one piece.\n"
    )
    head = ["network", "precision", "engine", "tile", "MPix/s", "network alone", "peak GB"]
    keys = ("network", "precision", "engine", "tile", "mpix_per_s", "alone_mpix_per_s", "peak_gb")
    rows = (
        [row.get(key) for key in keys] if "failed" not in row else [*row_head(row), row["failed"]]
        for row in part["rows"]
    )
    yield from _table(head, rows)


def row_head(row: dict[str, Any]) -> list[Any]:
    """What was tried, where it failed."""
    return [row[key] for key in ("network", "precision", "engine", "tile")]


def _training(part: dict[str, Any]) -> Iterator[str]:
    yield "Beside a bare loop of the same networks in turns (`benchmarks/training.py`).\n"
    head = ["iteration", "precision", "ms", "bare loop, ms", "ratio", "steps/s", "images/s"]
    keys = ("ours_ms", "bare_ms", "ratio", "steps_per_s", "images_per_s")
    rows = ([r["case"], r["precision"], *(r[key] for key in keys)] for r in part["rows"])
    yield from _table(head, rows)


def _degradation(part: dict[str, Any]) -> Iterator[str]:
    figures = part["figures"]
    size = f"{part['batch']}x3x{part['side']}x{part['side']}"
    yield f"Batches of {size} (`benchmarks/degradation.py`).\n"
    names = [key.removesuffix("_ratio") for key in figures if key.endswith("_ratio")]
    rows = ([n.replace("_", " "), figures[f"{n}_ms"], figures[f"{n}_ratio"]] for n in names)
    yield from _table(["part", "ms", "times as fast as the other side"], rows)
    yield ""
    names = [key.removesuffix("_images_per_s") for key in figures if "_images_per_s" in key]
    rows = ([n, figures[f"{n}_images_per_s"], figures[f"{n}_over_reference"]] for n in names)
    yield from _table(["pipeline", "images/s", "times the naive reference"], rows)


def _known_truth(part: dict[str, Any]) -> Iterator[str]:
    yield (
        f"Upscaler {part['upscaler']}, {part['seconds']:.0f} s for each row, {part['jobs']} at a "
        f"time, on {part['photos']}; {'published' if part['full'] else 'small'} networks "
        f"(`benchmarks/known_truth.py`). Rows that the time did not reach: "
        f"{', '.join(part['missing']) or 'none'}.\n"
    )
    yield from part["table"]
