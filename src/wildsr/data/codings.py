"""JPEG codings of the photos of a packed store, read once and cached beside it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

from wildsr.atomic import write_text
from wildsr.data.packed import PackedStore
from wildsr.error import UserError
from wildsr.forensics.coding import Coding
from wildsr.forensics.photo import read_coding
from wildsr.photo.image import relative_names

VERSION = 5  # of the file, and of how codings are read


def codings_of(store: PackedStore, paths: Sequence[Path], indices: Sequence[int]) -> list[Coding]:
    """Read the JPEG codings of some photos of a store.

    Args:
        store: of the decoded photos.
        paths: of all their files, in the order in which the store was built.
        indices: of the photos to read.

    Returns:
        One record for each index, from the file's header if it states a coding, else from the
        pixels.
    """
    kept = store.folder / "codings.json"
    known = _known(kept)
    files = dict(zip(relative_names(list(paths)), paths, strict=True))
    found, before = [], len(known)
    for index in indices:
        name = store.names[index]
        if name not in known:
            known[name] = read_coding(files[name], store.image(index))
        found.append(known[name])
    if len(known) > before:
        records = {name: coding.to_dict() for name, coding in known.items()}
        with contextlib.suppress(UserError):  # a cache that cannot be written costs time only
            write_text(kept, json.dumps({"version": VERSION, "codings": records}))
    return found


def _known(path: Path) -> dict[str, Coding]:
    try:
        held = json.loads(path.read_text("utf-8"))
        if held["version"] != VERSION:
            return {}
        return {name: Coding.from_dict(record) for name, record in held["codings"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
