"""Files of figures that a benchmark keeps between its calls."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def keep(path: Path, figures: dict[str, Any]) -> str:
    """Write a file of figures, whole or not at all, in as many digits as anybody reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".partial").write_text(json.dumps(short(figures)))
    path.with_suffix(".partial").rename(path)
    return str(path)


def check_photos(path: Path, test: list[str]) -> None:
    """Refuse kept figures of other photos than these.

    Args:
        path: a file of figures, whose ``images`` name the photos that they are means of.
        test: names of the test photos, in the order in which they are restored.
    """
    names = [image["image"] for image in json.loads(path.read_text())["images"]]
    if sorted(names) != sorted(test[: len(names)]):
        sys.exit(f"{path} is of other photos: choose another folder with --kept.")


def short(figures: Any) -> Any:
    """Figures of four decimals, in whatever holds them."""
    if isinstance(figures, dict):
        return {name: short(value) for name, value in figures.items()}
    if isinstance(figures, list):
        return [short(value) for value in figures]
    return round(figures, 4) if isinstance(figures, float) else figures
