"""Decode images once into one flat file, which later starts and workers map into memory.

A store is a folder ``<cache>/stores/<key>`` of two files::

    pixels.bin    pixels of all images in one type, one after the other, without gaps: 8-bit RGB,
                  or the type and channels of the photos
    index.json    size (height, width) and checksum by name, the reason by name for unreadable
                  files, and a checksum of all this

The key is a hash of the files' content: a store never goes stale, and a moved data set is not
decoded again. ``<cache>/listings`` maps a list of files, sizes and dates to its key, so that a
start need not read the data set only to hash it. A store appears by one rename of a finished
folder, so builders may race or be killed, and a store is never seen half written.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from wildsr.atomic import alive, machine, write_text
from wildsr.data.packed import VERSION, PackedStore, digest_of, digest_of_index
from wildsr.error import UserError
from wildsr.photo.image import LIMIT, UnreadableImage, read_image, relative_names
from wildsr.photo.samples import Samples, read_samples
from wildsr.photo.sensor import RGB, Sensor, made_into
from wildsr.photo.unreadable import unreadable

_UNREADABLE = "unreadable"
_TOGETHER = 1024  # files whose checksums are computed at a time
_ABANDONED = 24 * 3600.0  # seconds without a write after which any unfinished build is dead

Progress = Callable[[int, int], None]
PERCENTILES = (0, 0.1, 99.9, 100)  # of the values of an image of more than 8 bits


def default_cache() -> Path:
    """The cache folder: ``$WILDSR_CACHE``, ``$XDG_CACHE_HOME/wildsr`` or ``~/.cache/wildsr``."""
    shared = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("WILDSR_CACHE") or f"{shared}/wildsr").expanduser()


def open_store(
    paths: Sequence[Path],
    cache: Path | None,
    argument: str,
    workers: int = 2,
    progress: Progress | None = None,
    limit: float | None = LIMIT,
    sensor: Sensor = RGB,
) -> PackedStore:
    """Open the packed store of these files; build it if the cache does not have it.

    Memory does not grow with the data set: at most ``workers + 1`` images are decoded at a time.

    Args:
        paths: image files, in the order of the store.
        cache: folder for stores; ``None`` for :func:`default_cache`.
        argument: what the user calls this data set, for error messages.
        workers: decoding threads, at least 1.
        progress: called with (files done, files in all) while a store is built.
        limit: megapixels of a photo; larger ones are left out, like unreadable ones.
        sensor: channels and depth that all photos are converted to.

    Raises:
        UserError: no file, too many unreadable ones, files that change meanwhile, or no disk space.
    """
    if not paths:
        raise UserError(f"Argument `{argument}` must name at least one image, but got none.")
    paths = list(dict.fromkeys(paths))  # twice the same name would hide one
    listing = _listing(paths, limit, sensor)
    cache = default_cache() if cache is None else Path(cache).expanduser()
    note = cache / "listings" / listing
    with contextlib.suppress(OSError, ValueError):
        if known := _load(cache / "stores" / note.read_text("ascii"), argument):
            return known
    with ThreadPoolExecutor(workers) as pool:
        # Some at a time: a file that waits in the pool takes a hundred times its checksum.
        steps = range(0, len(paths), _TOGETHER)
        digests = [d for at in steps for d in pool.map(_digest, paths[at : at + _TOGETHER])]
    parts = [VERSION, digests, relative_names(paths), limit, *_kind(sensor)]
    folder = cache / "stores" / _hash(parts)
    try:
        store = _load(folder, argument)
        store = store or _build(folder, paths, listing, argument, workers, progress, limit, sensor)
    except OSError as error:
        raise UserError(
            f"Argument `{argument}`: its decoded images cannot be kept in {cache} "
            f"({error.strerror or error}). Make room there, or name another folder by "
            "`data.cache` or the environment variable WILDSR_CACHE."
        ) from error
    # A file that cannot be opened today may be readable tomorrow with the same date.
    if _UNREADABLE not in digests and _listing(paths, limit, sensor) == listing:
        with contextlib.suppress(UserError):  # Only a shortcut: without it the store is found.
            write_text(note, folder.name)
    return store


def _hash(parts: list[Any]) -> str:
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def listing_note(paths: Sequence[Path], cache: Path | None, limit: float | None) -> Path:
    """Where to cache facts about a list of files, valid while their sizes and dates stay."""
    cache = default_cache() if cache is None else Path(cache).expanduser()
    return cache / "listings" / f"{_listing(list(dict.fromkeys(paths)), limit, RGB)}.kinds"


def _kind(sensor: Sensor) -> list[Any]:
    """What of a sensor decides on the stored pixels; nothing for 8-bit RGB."""
    plain = (sensor.channels, sensor.depth) == (RGB.channels, RGB.depth)
    return [] if plain else [sensor.channels, sensor.depth]


def _listing(paths: Sequence[Path], limit: float | None, sensor: Sensor) -> str:
    parts: list[Any] = []
    for path in paths:
        parts.append(os.path.abspath(path))
        with contextlib.suppress(OSError):
            state = os.stat(path)
            parts += [state.st_size, state.st_mtime_ns]
    return _hash([VERSION, parts, limit, *_kind(sensor)])


def _digest(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError:
        return _UNREADABLE


def _load(folder: Path, argument: str) -> PackedStore | None:
    """The store in ``folder``; None if there is none, or it is damaged."""
    try:
        return PackedStore(folder, argument)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _build(
    folder: Path,
    paths: list[Path],
    listing: str,
    argument: str,
    workers: int,
    progress: Progress | None,
    limit: float | None,
    sensor: Sensor,
) -> PackedStore:
    host = machine()
    private = folder.parent / f".{folder.name}.{host}.{os.getpid()}.{uuid.uuid4().hex}"
    _sweep(folder.parent, host)
    private.mkdir(parents=True)
    try:
        sizes: dict[str, tuple[int, ...]] = {}
        skipped: dict[str, str] = {}
        digests: dict[str, str] = {}
        ranges: list[list[float]] = []
        with open(private / "pixels.bin", "wb") as file:
            images = zip(
                relative_names(paths), _decoded(paths, workers, limit, sensor), strict=True
            )
            for done, (name, image) in enumerate(images, start=1):
                if isinstance(image, str):
                    skipped[name] = image
                else:
                    sizes[name] = image.shape[:2]
                    digests[name] = digest_of(image)
                    if image.dtype != np.uint8:
                        ranges.append(np.percentile(image, PERCENTILES).tolist())
                    file.write(image.data)
                if progress is not None:
                    progress(done, len(paths))
            file.flush()
            os.fsync(file.fileno())
        if _listing(paths, limit, sensor) != listing:  # The key would promise another content.
            raise UserError(f"Argument `{argument}`: its files changed while they were being read.")
        _judge(skipped, len(paths), argument)
        index: dict[str, Any] = {
            "version": VERSION,
            "sizes": sizes,
            "skipped": skipped,
            "digests": digests,
        }
        if _kind(sensor):
            index |= {"channels": sensor.channels, "depth": sensor.depth}
        if sensor.depth != "8":
            index["ranges"] = ranges
        index["check"] = digest_of_index(index)
        with open(private / "index.json", "w", encoding="utf-8") as written:
            json.dump(index, written)
            written.flush()
            os.fsync(written.fileno())
        return _publish(private, folder, argument)
    finally:
        shutil.rmtree(private, ignore_errors=True)


def _decoded(
    paths: list[Path], workers: int, limit: float | None, sensor: Sensor
) -> Iterator[Samples | str]:
    """Images in order, or the reason why not, never more than ``workers + 1`` in memory."""

    def decode(path: Path) -> Samples | str:
        try:
            if not _kind(sensor):
                return read_image(path, limit)
            return read_kind(path, limit, sensor)
        except UnreadableImage as error:
            return error.reason

    waiting: deque[Future[Samples | str]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for path in paths:
            waiting.append(pool.submit(decode, path))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        yield from (future.result() for future in waiting)


def read_kind(path: Path, limit: float | None, sensor: Sensor) -> Samples:
    """Decode a photo and convert it to the channels and depth of its data set.

    Returns:
        (H, W, channels), uint8, uint16 or float32.

    Raises:
        UnreadableImage: it cannot be decoded or converted.
    """
    pixels = read_samples(path, limit)
    try:
        made = made_into(pixels, sensor.channels, sensor.dtype)
    except ValueError as error:
        raise unreadable(path, str(error)) from error
    if made.dtype.kind == "f" and not np.isfinite(made).all():
        raise unreadable(path, "values that are NaN or infinite")
    return made


def _judge(skipped: dict[str, str], count: int, argument: str) -> None:
    bad = len(skipped)
    if 2 * bad > count:
        few = "; ".join(f"{name}: {reason}" for name, reason in list(skipped.items())[:3])
        raise UserError(
            f"Argument `{argument}`: {bad} of {count} images cannot be read, too many ({few})."
        )


def _publish(private: Path, folder: Path, argument: str) -> PackedStore:
    """Give the finished store its name; if another builder was faster, use theirs."""
    for _ in range(40):
        failure = OSError(f"store {folder} cannot be opened")
        try:
            os.rename(private, folder)
        except OSError as error:
            failure = error
        if store := _load(folder, argument):
            return store
        # A damaged store is in the way. Renamed, not deleted: others may race to replace it.
        aside = private.with_name(f"{private.name}-damaged")
        with contextlib.suppress(FileNotFoundError):
            os.rename(folder, aside)
        shutil.rmtree(aside, ignore_errors=True)
        time.sleep(0.05)  # that may have been another builder's good store; try again
    raise failure


def _sweep(stores: Path, host: str) -> None:
    """Remove what killed builders left behind."""
    for leftover in stores.glob(".*.*.*.*"):
        with contextlib.suppress(OSError, ValueError):
            _, _, builder, process, _ = leftover.name.split(".")
            newest = max(part.stat().st_mtime for part in [leftover, *leftover.iterdir()])
            if time.time() - newest > _ABANDONED or (builder == host and not alive(int(process))):
                shutil.rmtree(leftover, ignore_errors=True)
