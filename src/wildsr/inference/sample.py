"""The first photos of an input, for measurements before the work begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from wildsr.error import UserError
from wildsr.photo.folder import SUFFIXES, walk_images
from wildsr.photo.own_results import Results
from wildsr.photo.stream import Photo

MOST = 16  # photos


def first_photos(source: str | Path, output: str | Path | None = None) -> list[Path]:
    """Find the first 16 photos of a folder, in the order of their names; or the single photo.

    Args:
        source: a folder or a photo; for anything else (stores, archives) the result is empty.
        output: files below it are results and are left out.
    """
    root = Path(source).expanduser()
    if root.is_file():
        return [root] if root.suffix.lower() in SUFFIXES else []
    if not root.is_dir():
        return []
    found: list[Path] = []
    results = None if output is None else Results(Path(output).expanduser())
    try:
        for names in walk_images(root, "input"):
            paths = [root / name for name in names]
            found += [path for path in paths if results is None or path not in results]
            if len(found) >= MOST:
                break
    except UserError:  # there are none; reported when they are upscaled
        pass
    return found[:MOST]


def opened(photos: Sequence[Path]) -> Iterator[Photo]:
    """Open those photos that can be opened; others are skipped."""
    for path in photos:
        try:
            yield Photo(path)
        except UserError:
            continue
