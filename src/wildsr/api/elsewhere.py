"""Evaluations whose photos or results lie in stores, zip files or tar files."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from wildsr.archive.address import local, place_of, split_place
from wildsr.archive.container import Container
from wildsr.archive.mirror import Mirror, elsewhere
from wildsr.archive.shard import Shard
from wildsr.archive.store import Store
from wildsr.atomic import Partial
from wildsr.error import UserError, first_line
from wildsr.run.lease import Lease

PHOTOS = ("data.lr", "data.hr", "results", "sharp")  # keys that name folders of photos
LATER = ("data.lr", "data.hr")  # whose photos are fetched when they are read


def photos_here(config: DictConfig, mirror: Mirror) -> dict[str, Any]:
    """What stands on this machine for the photos that lie elsewhere, by their keys."""
    found: dict[str, Any] = {}
    for key in PHOTOS:
        value = OmegaConf.select(config, key)
        plain = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
        named = plain.values() if isinstance(plain, Mapping) else plain
        several = [named] if isinstance(named, str) else list(named or ())
        if any(elsewhere(str(place)) for place in several):
            found[key] = _of(plain, key, mirror)
    return found


def _of(value: Any, key: str, mirror: Mirror) -> Any:
    if isinstance(value, Mapping):
        return {name: _of(place, key, mirror) for name, place in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_of(place, key, mirror) for place in value]
    folder = mirror.folder(str(value), key)
    if key not in LATER:
        mirror.need_all(Path(folder))
    return folder


def with_photos(config: DictConfig, here: Mapping[str, Any]) -> DictConfig:
    """The configuration with the folders of this machine."""
    for key, value in here.items():
        OmegaConf.update(config, key, value, merge=False)
    return config


class Output:
    """The place of an evaluation: a folder here, or one that is taken to a store or a file.

    Args:
        typed: the argument ``output``.
        shard: the part of this process.
        overwrite: whether what is there may be replaced.

    Attributes:
        folder: of this machine; what is elsewhere is taken there from it.

    Raises:
        UserError: an output that exists, or that parts cannot share.
    """

    def __init__(self, typed: str, shard: Shard, overwrite: bool) -> None:
        self.shard = shard
        zipped = typed.lower().endswith(".zip")
        self.typed = local(typed.removeprefix("zip://::") if zipped else typed)
        self.store: Store | None = None
        self.file: str | None = None
        if not elsewhere(self.typed):
            self.folder = Path(self.typed).expanduser()
            return
        if os.path.splitext(self.typed)[1].lower() in (".tar", ".zip"):
            self.file = self.typed
            if shard.count > 1:
                raise UserError(
                    f"`output` must be a folder or a store for several shards, but got {typed}."
                )
        folder, name = split_place(self.typed) if self.file else (self.typed, "")
        place = place_of(folder, "output")
        self.store = place if isinstance(place, Store) else None
        there = (
            place.exists(name or "results.json")
            if isinstance(place, Store)
            else ((place / name).exists())
        )
        if there and not overwrite and shard.count == 1:
            raise UserError(
                f"`output`: {typed} holds an evaluation; overwrite=true replaces its tables and "
                "pictures."
            )
        if isinstance(place, Store) and (reason := place.refusal()) is not None:
            raise UserError(f"`output`: nothing can be written into {place}: {reason}.")
        self.folder = Path(tempfile.mkdtemp(prefix="wildsr-")) / "evaluation"
        atexit.register(shutil.rmtree, self.folder.parent, ignore_errors=True)

    @property
    def here(self) -> bool:
        """Whether it is a folder of this machine."""
        return self.store is None and self.file is None

    def alone(self) -> AbstractContextManager[object]:
        """Within, no other process writes this part into the store; what is here has locks.

        Raises:
            UserError: on entering: another one does.
        """
        return Lease(self.store, self.shard) if self.store and not self.file else nullcontext()

    def pull(self) -> None:
        """Bring what other parts have made."""
        if self.store is None or self.file is not None:
            return
        store = self.store
        for path in store.fs.find(store.root, withdirs=False):
            name = str(path).removeprefix(store.root).lstrip("/")
            target = self.folder / name
            if name.startswith((".parts/", "results/")) or name == "results.json":
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.exists():
                    store.fs.get_file(path, str(target))

    def push(self) -> None:
        """Take everything there.

        Raises:
            UserError: whoever keeps it does not take it.
        """
        files = [
            p for p in sorted(self.folder.rglob("*")) if p.is_file() and _wanted(p, self.folder)
        ]
        if self.file is not None:
            self._pack(self.file, files)
        elif self.store is not None:
            try:
                for path in files:
                    self.store.deliver(path, path.relative_to(self.folder).as_posix())
            except Exception as error:  # each store has errors of its own
                raise UserError(
                    f"`output`: nothing can be written into {self.store}: {first_line(error)}."
                ) from error

    def _pack(self, file: str, files: list[Path]) -> None:
        kind = os.path.splitext(file)[1].lower()
        if self.store is None:
            partial = Partial(Path(file).expanduser())
            path = partial.path
        else:
            path = self.folder.parent / f"packed{kind}"
        container = Container(path, kind)
        for each in files:
            container.add(each.relative_to(self.folder).as_posix(), each.read_bytes())
        container.close()
        if self.store is None:
            partial.keep()
        else:
            self.store.deliver(path, split_place(file)[1])


def _wanted(path: Path, folder: Path) -> bool:
    top = path.relative_to(folder).parts[0]
    return top == ".parts" or not top.startswith(".")


@contextmanager
def mirrored() -> Iterator[Mirror]:
    """A mirror, closed at the end."""
    mirror = Mirror()
    try:
        yield mirror
    finally:
        mirror.close()
