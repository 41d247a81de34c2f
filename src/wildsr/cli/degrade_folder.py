"""The folder, or tar or zip file, of pairs: new, or made with the same settings."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from wildsr.archive.address import place_of, split_place
from wildsr.archive.manifest import FOLDER as MANIFESTS
from wildsr.archive.store import Store
from wildsr.atomic import check_output, write_text
from wildsr.config.plain import read_json
from wildsr.error import UserError, first_line
from wildsr.inference.work import Work
from wildsr.run.together import FOLDER as LOCKS

SETTINGS = "degrade.json"  # in the folder of the pairs: their settings


def settle_folder(
    out: Path, settings: dict[str, Any], overwrite: bool, alone: Callable[[], None]
) -> None:
    """Create the folder of the pairs, or check that it was made with the same settings.

    Args:
        out: the folder.
        settings: of the pairs.
        overwrite: whether pairs with other settings may be replaced.
        alone: raises if another process is writing; called before settings are replaced.

    Raises:
        UserError: it holds other things, and ``overwrite`` is not set; or its settings must not be
            replaced because another process is using them.
    """
    if same_settings(out, settings, overwrite):
        return
    alone()
    check_output(out)
    for side in ("hr", "lr"):
        (out / side).mkdir(parents=True, exist_ok=True)
    write_text(out / SETTINGS, json.dumps(settings, indent=1))


def same_settings(out: Path, settings: dict[str, Any], overwrite: bool) -> bool:
    """Whether the folder was made with the same settings.

    Raises:
        UserError: it holds other things, and ``overwrite`` is not set.
    """
    path = out / SETTINGS
    if path.exists():
        try:
            earlier = read_json(path)
        except UserError:
            earlier = None
        earlier = earlier if isinstance(earlier, dict) else {}
        if earlier == settings and all((out / side).is_dir() for side in ("hr", "lr")):
            return True
        if not overwrite:
            _check_same(str(out), earlier, settings)
    elif out.exists() and (not out.is_dir() or not _empty(out)) and not overwrite:
        raise UserError(
            f"Argument `output` must be a new folder, but {out} holds other files; overwrite=true "
            "writes beside them."
        )
    return False


def _empty(out: Path) -> bool:
    """Whether a folder holds nothing, but for what a start that was cut off has made."""
    made = {out / "hr", out / "lr", out / MANIFESTS, out / LOCKS}
    inside = [path for path in out.iterdir() if path.suffix != ".part"]
    return set(inside) <= made and not any(
        any(folder.iterdir()) for folder in inside if not folder.name.startswith(".")
    )


def settle_store(
    out: Store, settings: dict[str, Any], overwrite: bool, alone: Callable[[], None]
) -> None:
    """Make the folder of the pairs in a store, or see that it is one of the same settings.

    Args:
        out: the store.
        settings: of the pairs.
        overwrite: whether pairs with other settings may be replaced.
        alone: raises if another process is writing; called before settings are replaced.

    Raises:
        UserError: it was made with others, or cannot be written to; or another process is using
            settings that would be replaced.
    """
    try:
        earlier = json.loads(out.fs.cat_file(out.path(SETTINGS)))
    except (OSError, ValueError, KeyError):
        earlier = None
    if isinstance(earlier, dict) and not overwrite:
        _check_same(str(out), earlier, settings)
    if earlier != settings:
        if earlier is not None:
            alone()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / SETTINGS
            path.write_text(json.dumps(settings, indent=1), "utf-8")
            try:
                out.deliver(path, SETTINGS)
            except Exception as error:  # each store has errors of its own
                raise UserError(
                    f"`output`: nothing can be written into {out}: {first_line(error)}."
                ) from error


def settled_files(
    works: Iterator[Work], settings: dict[str, Any], overwrite: bool, retry: bool
) -> Iterator[Work]:
    """See that tar and zip files that exist have the same settings, and record those of new ones.

    Args:
        works: what goes to each file; asked for the next one, it completes the last.
        settings: of the pairs.
        overwrite: whether a file with other settings may be replaced.
        retry: whether a file keeps the pairs that it holds.

    Raises:
        UserError: a file has other settings, or unknown ones; its settings cannot be recorded.
    """
    last: tuple[Work, dict[str, Any]] | None = None
    try:
        for work in works:
            _record(last)
            own = settings | {"hr": name_of(work.source)}
            if work.exists and (retry or not overwrite):
                _check_recorded(work, own, retry)
            last = work, own
            yield work
    finally:  # also where the next one cannot be begun
        _record(last)


def name_of(source: str) -> str:
    """What the settings call sharp photos: the whole path, or the URL."""
    place = place_of(source, "hr")
    return str(place.resolve()) if isinstance(place, Path) else source


def _record_of(work: Work) -> str:
    return f"{split_place(work.name)[1]}.json"


def _check_recorded(work: Work, settings: dict[str, Any], retry: bool) -> None:
    place, name = work.output, _record_of(work)
    try:
        if isinstance(place, Store):
            earlier = json.loads(place.fs.cat_file(place.path(f"{MANIFESTS}/{name}")))
        elif place is not None:
            earlier = read_json(place / MANIFESTS / name)
    except (UserError, OSError, ValueError, KeyError):
        earlier = None
    remedy = "overwrite=true makes its pairs anew"
    remedy = f"without `retry`, {remedy}" if retry else remedy
    if not isinstance(earlier, dict):
        raise UserError(
            f"Argument `output` must be a new file or one of the same settings, but {work.name} "
            f"exists, and no record beside it says with which it was made; {remedy}."
        )
    _check_same(work.name, earlier, settings, "file", remedy)


def _record(made: tuple[Work, dict[str, Any]] | None) -> None:
    if made is None or not made[0].complete:
        return
    work, settings = made
    place, name, text = work.output, _record_of(work), json.dumps(settings, indent=1)
    if isinstance(place, Path):
        write_text(place / MANIFESTS / name, text)
    elif place is not None:
        try:
            place.put(name, text.encode())
        except OSError as error:
            raise UserError(
                f"`output`: nothing can be written into {place}: {first_line(error)}."
            ) from error


def _check_same(
    out: str,
    earlier: dict[str, Any],
    settings: dict[str, Any],
    kind: str = "folder",
    remedy: str = "overwrite=true makes its pairs anew",
) -> None:
    keys = dict.fromkeys((*settings, *earlier))
    changed = [key for key in keys if earlier.get(key) != settings.get(key)]
    if changed:
        raise UserError(
            f"Argument `output` must be a new {kind} or one of the same settings, but {out} "
            f"was made with another {' and '.join(changed)}; {remedy}."
        )
