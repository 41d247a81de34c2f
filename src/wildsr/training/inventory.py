"""Record which photos a run is trained on; compare them when it is resumed."""

from __future__ import annotations

import json
from pathlib import Path

from wildsr.atomic import write_text
from wildsr.config.plain import read_json
from wildsr.data.module import Folders
from wildsr.data.packed import PackedStore
from wildsr.error import UserError

FILE = "photos.json"  # in the run's folder: checksums of the decoded photos, by name
LARGEST = 1 << 28  # bytes; some millions of photos


def changes(folder: Path, data: Folders) -> list[str]:
    """Describe how the photos differ from those when the run was left, a sentence for each folder.

    Args:
        folder: of the run.
        data: set up.

    Returns:
        Nothing if all are the same, or nothing was recorded.
    """
    try:
        known = read_json(folder / FILE, LARGEST)
    except UserError:
        return []
    if not isinstance(known, dict):
        return []
    found = []
    for store in _stores(data):
        before = known.get(store.argument)
        if isinstance(before, dict) and before != store.digests:
            found.append(_said(store, before))
    return found


def write(folder: Path, data: Folders) -> None:
    """Record the photos that the run is trained on."""
    listed = {store.argument: store.digests for store in _stores(data)}
    write_text(folder / FILE, json.dumps(listed, indent=0))


def _stores(data: Folders) -> list[PackedStore]:
    both = {store.argument: store for store in (data.lr_store, data.hr_store)}
    return list(both.values())


def _said(store: PackedStore, before: dict[str, object]) -> str:
    now = store.digests
    counts = {
        "added": len(now.keys() - before.keys()),
        "gone": len(before.keys() - now.keys()),
        "changed": sum(before[name] != now[name] for name in before.keys() & now.keys()),
    }
    # In the order in which photos are drawn.
    what = ", ".join(f"{count} {how}" for how, count in counts.items() if count) or "another order"
    return (
        f"`{store.argument}` holds other photos than when the run was left ({what}): it goes on "
        "with these, and not as it would have"
    )
