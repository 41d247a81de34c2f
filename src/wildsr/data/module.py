"""The data module: from folders to training crops and validation photos."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule
from rich.console import Console
from rich.progress import Progress, TaskID
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from wildsr.argument import check_integer, check_scale
from wildsr.atomic import one_at_a_time
from wildsr.data.batches import Batches
from wildsr.data.declared import check_kind
from wildsr.data.inspect import Lines, inspect
from wildsr.data.kinds import channels_of, depth_of, kinds_of, ranges_of
from wildsr.data.packed import PackedStore
from wildsr.data.pairs import Pairs, pair
from wildsr.data.store import Progress as StoreProgress
from wildsr.data.store import default_cache, listing_note, open_store
from wildsr.data.validation import ValidationPhotos
from wildsr.degradation.camera import KnownCamera
from wildsr.error import UserError
from wildsr.photo.image import (
    LIMIT,
    list_images,
    relative_names,
)
from wildsr.photo.samples import Range
from wildsr.photo.sensor import WHITES, Sensor
from wildsr.photo.unreadable import check_limit

_THREADS = 2  # decoding threads


class Folders(LightningDataModule):
    """Two unrelated folders of photos for training, and photos for validation.

    The caller sets ``iterations`` (where training ends), ``start`` (where it resumes) and
    ``other_hr`` (whether the method needs a second draw of sharp crops) before fitting;
    ``report`` is available after ``setup``. Nothing is read before that.

    Args:
        lr: folder of real LR photos.
        hr: folder of sharp photos, unrelated to ``lr``.
        scale: HR pixels per LR pixel: 1, 2, 3, 4 or 8.
        patch: side of an LR patch in LR pixels.
        batch: patches of each kind in a batch, on every device.
        seed: of the crops.
        val_lr: LR photos for validation; without it the first ``preview`` photos of ``lr``.
        val_hr: the ground truth of ``val_lr``, paired by file name.
        cache: where decoded images are kept; None: :func:`wildsr.data.store.default_cache`.
        workers: processes that cut crops; cutting is so fast that 0 is usually best.
        trust: accept folders that look swapped or wrongly scaled.
        preview: number of photos to show if there is no ``val_lr``.
        limit: megapixels of a photo; larger ones are left out, with a warning. None: no limit.
        pairs_lr: LR photos with known ground truth, to train the upscaler on as well.
        pairs_hr: their ground truth, paired by file name.
        pairs_share: share of a batch that comes from these pairs, at least one crop.
        aligned: whether ``lr`` and ``hr`` are themselves pairs.
        channels: of all photos, 1, 3 or any number; "auto" takes what the files have.
        depth: "8", "16" or "float"; "auto" takes what the files have.
        range: values of black and white: [low, high], "type" (0 to 255, 0 to 65535, 0 to 1), or
            "auto" (see :func:`wildsr.data.kinds.range_of`).
        range_hr: those of ``hr``; None takes ``range``.
        bands: of photos with many channels, the three to show and to pass to RGB networks.
        sensor: the kind of photos that a resumed run has recorded; None: determine it.

    Raises:
        UserError: a number out of range, or ``val_hr`` without ``val_lr``.
    """

    camera: KnownCamera | None = None  # the true degradation, where it is known
    pairs: Pairs | None = None  # photos with ground truth
    aligned = False  # whether the folders are pairs
    paired = 0  # number of crops of a batch that come from them
    pairs_lr: str | None = None
    pairs_hr: str | None = None

    label = "folders"  # in the names of runs

    def __init__(
        self,
        lr: str,
        hr: str,
        scale: int,
        patch: int,
        batch: int,
        seed: int,
        val_lr: str | None = None,
        val_hr: str | None = None,
        cache: str | None = None,
        workers: int = 0,
        trust: bool = False,
        preview: int = 8,
        limit: float | None = LIMIT,
        pairs_lr: str | None = None,
        pairs_hr: str | None = None,
        pairs_share: float = 0.25,
        aligned: bool = False,
        channels: int | str = "auto",
        depth: int | str = "auto",
        range: Any = "auto",
        range_hr: Any = None,
        bands: Sequence[int] | None = None,
        sensor: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        check_scale("Argument `scale`", scale)
        numbers = {"data.patch": (patch, 1), "data.batch": (batch, 1), "seed": (seed, 0)}
        numbers |= {"data.workers": (workers, 0), "data.preview": (preview, 0)}
        for argument, (number, least) in numbers.items():
            check_integer(f"Argument `{argument}`", number, least)
        if val_hr and not val_lr:
            raise UserError(
                "Argument `data.val_hr` is the truth for the photos of `data.val_lr`, "
                "but `data.val_lr` is not given."
            )
        self.lr, self.hr, self.val_lr, self.val_hr = lr, hr, val_lr, val_hr
        self.scale, self.patch, self.batch, self.seed = scale, patch, batch, seed
        self.cache = Path(cache) if cache else None
        self.workers, self.trust, self.preview = workers, trust, preview
        check_limit(limit, "data.limit")
        self.limit = limit
        self.aligned = aligned and (pairs_lr, pairs_hr) == (None, None)
        if self.aligned:
            pairs_lr, pairs_hr = lr, hr
        self.pairs_lr, self.pairs_hr = pairs_lr, pairs_hr
        self.paired = _paired(pairs_lr, pairs_hr, pairs_share, batch)
        self.iterations = 0
        self.start = 0
        self.other_hr = False
        self.report: Lines | None = None
        # Listed once, as that takes long for many files.
        self._listed: dict[tuple[str, str], list[Path]] = {}
        self._opened: dict[tuple[str, str], PackedStore] = {}
        check_kind(channels, depth, range, range_hr, bands)
        self.channels, self.depth = channels, str(depth)
        self.ranges = range, range if range_hr is None else range_hr
        self.bands = None if bands is None else tuple(bands)
        self.sensor: Sensor | None = None  # known once the folders have been read
        self.fixed = sensor is not None and bool(sensor["known"])
        if self.fixed:
            self.sensor = Sensor.of(sensor)
        self.said: list[str] = []  # remarks on mixtures of several kinds of photos

    def prepare_data(self) -> None:
        """Decode both folders into the cache, unless they are there; other processes wait."""
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
            for folder, argument in self._folders():
                bar = bars.add_task(f"decoding {argument}", total=None, visible=False)

                def show(done: int, total: int, bar: TaskID = bar) -> None:
                    bars.update(bar, completed=done, total=total, visible=True)

                with one_at_a_time(self._lock(folder)):
                    self._open(folder, argument, show)

    def _lock(self, folder: str) -> Path:
        """The file by which the processes of a training take turns at a folder."""
        whole = os.fsencode(os.path.abspath(folder))
        name = f"{hashlib.blake2b(whole, digest_size=8).hexdigest()}.lock"
        return (self.cache or default_cache()).expanduser() / "locks" / name

    def setup(self, stage: str | None = None) -> None:
        """Open both folders, inspect them and find the validation photos.

        Raises:
            UserError: folders that cannot be trained on; see :func:`wildsr.data.inspect.inspect`.
        """
        if self.report is not None:
            return
        lr_paths = self._paths(self.lr, "data.lr")
        self.lr_store = self._open(self.lr, "data.lr")
        self.hr_store = self._open(self.hr, "data.hr")
        self._take_ranges()
        self.pairs = self._open_pairs() if self.paired else None
        self.photos = self._validation(lr_paths)
        self._opened.clear()  # frees the lists of file names
        trust = self.trust or self.aligned  # of pairs every size has been checked
        self.report = inspect(self.lr_store, self.hr_store, self.scale, self.patch, trust)

    def trained_on(self) -> dict[str, int]:
        """How many LR photos and unrelated sharp ones there are, and how many pairs, if any."""
        pairs = 0 if self.pairs is None else len(self.pairs.truth)
        if pairs and self.aligned:
            return {"lr": 0, "hr": 0, "pairs": pairs}
        found = {"lr": len(self.lr_store), "hr": len(self.hr_store)}
        return {**found, "pairs": pairs} if pairs else found

    def _paths(self, folder: str, argument: str) -> list[Path]:
        """The files of a folder."""
        if (folder, argument) not in self._listed:
            self._listed[folder, argument] = self._list(folder, argument)
        return self._listed[folder, argument]

    def _list(self, folder: str, argument: str) -> list[Path]:
        return list_images(folder, argument)

    def _open(self, folder: str, argument: str, show: StoreProgress | None = None) -> PackedStore:
        """The store of a folder."""
        if (folder, argument) not in self._opened:
            paths, kind = self._paths(folder, argument), self.kind()
            made = open_store(paths, self.cache, argument, _THREADS, show, self.limit, kind)
            self._opened[folder, argument] = made
        return self._opened[folder, argument]

    def kind(self) -> Sensor:
        """Channels and depth of all photos, by the files' headers where they are not given."""
        if self.sensor is None:
            found = {}
            channels, depth = self.channels, self.depth
            if "auto" in (channels, depth):
                for folder, argument in self._folders():
                    paths = self._paths(folder, argument)
                    note = listing_note(paths, self.cache, self.limit)
                    found[f"`{argument}`"] = kinds_of(paths, self.limit, note)
            if channels == "auto":
                channels, said = channels_of(found)
                self.said += said
            if depth == "auto":
                depth, said = depth_of(found)
                self.said += said
            check_kind(int(channels), depth, "auto", None, self.bands)
            self.sensor = Sensor(int(channels), depth, bands=self.bands)
        return self.sensor

    def _take_ranges(self) -> None:
        """Black and white of both folders, from their values where they are not given."""
        sensor = self.kind()
        if not self.fixed:
            given = dict(zip(("lr", "hr"), self.ranges, strict=True))
            *auto, said = ranges_of(self.lr_store, self.hr_store)
            if list(given.values()) == ["auto", "auto"]:
                self.said += said
            spans = [_span(given[s], a, sensor) for s, a in zip(("lr", "hr"), auto, strict=True)]
            self.sensor = sensor = replace(sensor, lr=spans[0], hr=spans[1])
        if sensor.deep:
            self.lr_store.span, self.hr_store.span = sensor.span("lr"), sensor.span("hr")

    def _folders(self) -> list[tuple[str, str]]:
        """Each folder once, and what the user calls it."""
        named = {self.lr: "data.lr", self.hr: "data.hr"}
        if self.pairs_lr and self.pairs_hr:
            named = {self.pairs_lr: "data.pairs_lr", self.pairs_hr: "data.pairs_hr"} | named
        return list(named.items())

    def _open_pairs(self) -> Pairs:
        called = ("data.lr", "data.hr") if self.aligned else ("data.pairs_lr", "data.pairs_hr")
        sides = zip((self.pairs_lr, self.pairs_hr), called, strict=True)
        lr, hr = (self._open(str(folder), argument) for folder, argument in sides)
        if self.kind().deep:  # of one scene, in one unit
            lr.span = hr.span = self.kind().span()
        return Pairs.of(lr, hr, self.scale)

    def _validation(self, lr_paths: list[Path]) -> ValidationPhotos:
        photos: list[tuple[Path, Path | None]]
        if self.val_lr and self.val_hr:
            lr = list_images(self.val_lr, "data.val_lr")
            hr = list_images(self.val_hr, "data.val_hr")
            photos = [*pair(lr, hr, "data.val_lr", "data.val_hr")]
        elif self.val_lr:
            photos = [(path, None) for path in list_images(self.val_lr, "data.val_lr")]
        else:
            readable = lr_paths
            if skipped := self.lr_store.skipped:
                names = zip(lr_paths, relative_names(lr_paths), strict=True)
                readable = [path for path, name in names if name not in skipped]
            photos = [(path, None) for path in readable[: self.preview]]
        return ValidationPhotos(photos, self.scale, limit=self.limit, sensor=self.kind())

    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Batches from ``start`` to ``iterations``."""
        if self.iterations < 1:
            raise RuntimeError("Set `iterations` of the data module before fitting.")
        together = torch.distributed.is_available() and torch.distributed.is_initialized()
        rank = torch.distributed.get_rank() if together else 0
        crops = (self.scale, self.patch, self.batch, self.seed, self.start, self.iterations)
        stores = self.lr_store, self.hr_store
        batches = Batches(*stores, *crops, rank, self.other_hr, self.pairs, self.paired)
        return self._loader(batches, self.workers)

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        """One photo at a time, read in this process, so that errors are clear sentences."""
        return self._loader(self.photos, 0)

    def _loader(self, dataset: Dataset[Any], workers: int) -> DataLoader[Any]:
        return DataLoader(
            dataset,
            batch_size=None,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            # Its own: a loader that starts draws from the global generator, and a resumed run
            # would go on with other random numbers.
            generator=torch.Generator(),
        )


def _span(given: Any, auto: Range | None, sensor: Sensor) -> Range | None:
    """Black and white as a sensor states them: None for those of the type."""
    if given in ("auto", "type"):
        return auto if given == "auto" else None
    low, high = map(float, given)
    return None if (low, high) == (0.0, WHITES[sensor.depth]) else (low, high)


def _paired(lr: str | None, hr: str | None, share: float, batch: int) -> int:
    """Crops of a batch that come from pairs."""
    if (lr is None) != (hr is None):
        missing = "data.pairs_lr" if lr is None else "data.pairs_hr"
        raise UserError(
            "Arguments `data.pairs_lr` and `data.pairs_hr` come together, photos and their truth, "
            f"but `{missing}` is not given."
        )
    good = isinstance(share, int | float) and not isinstance(share, bool)
    if not (good and 0 < share <= 1):
        raise UserError(
            f"Argument `data.pairs_share` must be a number above 0 and up to 1, but got {share!r}."
        )
    return 0 if lr is None else max(1, round(share * batch))
