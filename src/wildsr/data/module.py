"""The data module: from folders to training crops and validation photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule
from rich.console import Console
from rich.progress import Progress, TaskID
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from wildsr.argument import check_integer, check_scale
from wildsr.data.batches import Batches
from wildsr.data.inspect import Lines, inspect
from wildsr.data.store import open_store
from wildsr.degradation.camera import KnownCamera
from wildsr.error import UserError
from wildsr.photo.image import (
    LIMIT,
    bare_stem,
    list_images,
    one_channel,
    read_image,
    relative_names,
)
from wildsr.photo.unreadable import check_limit

_THREADS = 2  # that decode


class ValidationPhotos(Dataset[dict[str, Any]]):
    """Validation photos, read when asked for: ``{"name": str, "lr": uint8 (3, h, w)}``.

    Where there is a truth, ``"hr"`` is uint8 (3, sh, sw); up to ``s - 1`` spare rows at the bottom
    and columns at the right are cut off; ``"gray"`` says whether its file has one channel.

    Args:
        photos: LR files and their HR files, or None where there is no truth.
        scale: HR pixels per LR pixel, s.
        arguments: what the user calls the LR and the HR folder, for error messages.
        limit: megapixels of a photo that is read; None for any number.
    """

    def __init__(
        self,
        photos: Sequence[tuple[Path, Path | None]],
        scale: int,
        arguments: tuple[str, str] = ("data.val_lr", "data.val_hr"),
        limit: float | None = LIMIT,
    ) -> None:
        self.photos, self.scale, self.arguments = list(photos), scale, arguments
        self.limit = limit
        paths = [lr for lr, _ in self.photos]
        self.names = [path.stem for path in paths]
        if len({name.lower() for name in self.names}) < len(paths):
            self.names = [name.replace("/", "_") for name in relative_names(paths)]

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> dict[str, Any]:
        lr_path, hr_path = self.photos[index]
        lr = read_image(lr_path, self.limit)
        item: dict[str, Any] = {
            "name": self.names[index],
            "lr": torch.from_numpy(lr).permute(2, 0, 1),
        }
        if hr_path is not None:
            hr = read_image(hr_path, self.limit)
            height, width = self.scale * lr.shape[0], self.scale * lr.shape[1]
            extra = (hr.shape[0] - height, hr.shape[1] - width)
            if min(extra) < 0 or max(extra) >= self.scale:
                raise self._mismatch(index, lr.shape, hr.shape)
            item["hr"] = torch.from_numpy(hr[:height, :width]).permute(2, 0, 1)
            item["gray"] = one_channel(hr_path)
        return item

    def _mismatch(self, index: int, lr: tuple[int, ...], hr: tuple[int, ...]) -> UserError:
        lr_path, hr_path = self.photos[index]
        turned = [small - self.scale * large for small, large in zip(lr[:2], hr[:2], strict=True)]
        swapped = self.scale > 1 and min(turned) >= 0 and max(turned) < self.scale
        hint = f" `{self.arguments[0]}` and `{self.arguments[1]}` look swapped." if swapped else ""
        return UserError(
            f"At scale {self.scale} an HR photo must be {self.scale} times as large as its LR "
            f"photo, but {lr_path} has {lr[1]}x{lr[0]} pixels and {hr_path} has "
            f"{hr[1]}x{hr[0]}.{hint}"
        )


def pair(
    lr_paths: Sequence[Path], hr_paths: Sequence[Path], lr_argument: str, hr_argument: str
) -> list[tuple[Path, Path]]:
    """Find the HR photo of every LR photo by file name.

    Names are compared without folder, suffix and case; if that does not place every LR photo,
    also without endings such as ``x4``, ``_lr`` and ``_hr``.

    Raises:
        UserError: an LR photo has no HR photo, or two photos of a folder have the same name.
    """

    def whole(path: Path) -> str:
        return path.stem.lower()

    # First as they are: `frame_x2` and `frame_x4` may well be two photos.
    exact = {whole(path) for path in lr_paths} <= {whole(path) for path in hr_paths}
    name: Callable[[Path], str] = whole if exact else bare_stem
    lr_names = _by_name(lr_paths, name, lr_argument)
    hr_names = _by_name(hr_paths, name, hr_argument)
    missing = [path.name for key, path in lr_names.items() if key not in hr_names]
    if missing:
        few = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise UserError(
            f"Argument `{hr_argument}` must hold the HR photo of every photo of `{lr_argument}`, "
            f"but {len(missing)} of {len(lr_paths)} have none: {few}."
        )
    return [(path, hr_names[key]) for key, path in lr_names.items()]


def _by_name(paths: Sequence[Path], name: Callable[[Path], str], argument: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        other = found.setdefault(name(path), path)
        if other is not path:
            raise UserError(
                f"Argument `{argument}` must hold one photo of a name, but {other} and {path} "
                "cannot be told apart."
            )
    return found


class Folders(LightningDataModule):
    """Two unrelated folders of photos for training, and photos for validation.

    The caller sets ``iterations`` (where training ends), ``start`` (where it resumes) and
    ``other_hr`` (whether the method is given a second draw of sharp crops) before fitting;
    ``report`` is there after ``setup``. The folders are not touched before.

    Args:
        lr: folder of real LR photos.
        hr: folder of sharp photos, unrelated to ``lr``.
        scale: HR pixels per LR pixel: 1, 2, 3, 4 or 8.
        patch: side of an LR patch in LR pixels.
        batch: patches of each kind in a batch, on every device.
        seed: of the crops.
        val_lr: LR photos for validation; without it the first ``preview`` photos of ``lr``.
        val_hr: the truth for ``val_lr``, paired by file name.
        cache: where decoded images are kept, else :func:`wildsr.data.store.default_cache`.
        workers: processes that cut crops; cutting is so quick that 0 is usually best.
        trust: let pass folders that look swapped or wrongly scaled.
        preview: number of photos to look at when there is no ``val_lr``.
        limit: megapixels of a photo; larger ones are left out with a word. None for any number.

    Raises:
        UserError: a number out of range, or ``val_hr`` without ``val_lr``.
    """

    camera: KnownCamera | None = None  # that made the LR photos, where it is known

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
        self.iterations = 0
        self.start = 0
        self.other_hr = False
        self.report: Lines | None = None

    def prepare_data(self) -> None:
        """Decode both folders into the cache, unless they are there (one process a machine)."""
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
            for folder, argument in ((self.lr, "data.lr"), (self.hr, "data.hr")):
                bar = bars.add_task(f"decoding {argument}", total=None, visible=False)

                def show(done: int, total: int, bar: TaskID = bar) -> None:
                    bars.update(bar, completed=done, total=total, visible=True)

                paths = list_images(folder, argument)
                open_store(paths, self.cache, argument, _THREADS, show, self.limit)

    def setup(self, stage: str | None = None) -> None:
        """Open both folders, inspect them and find the validation photos."""
        if self.report is not None:
            return
        lr_paths, hr_paths = list_images(self.lr, "data.lr"), list_images(self.hr, "data.hr")
        self.lr_store = open_store(lr_paths, self.cache, "data.lr", _THREADS, limit=self.limit)
        self.hr_store = open_store(hr_paths, self.cache, "data.hr", _THREADS, limit=self.limit)
        self.photos = self._validation(lr_paths)
        self.report = inspect(self.lr_store, self.hr_store, self.scale, self.patch, self.trust)

    def _validation(self, lr_paths: list[Path]) -> ValidationPhotos:
        photos: list[tuple[Path, Path | None]]
        if self.val_lr and self.val_hr:
            lr = list_images(self.val_lr, "data.val_lr")
            hr = list_images(self.val_hr, "data.val_hr")
            photos = [*pair(lr, hr, "data.val_lr", "data.val_hr")]
        elif self.val_lr:
            photos = [(path, None) for path in list_images(self.val_lr, "data.val_lr")]
        else:
            names = zip(lr_paths, relative_names(lr_paths), strict=True)
            readable = [path for path, name in names if name not in self.lr_store.skipped]
            photos = [(path, None) for path in readable[: self.preview]]
        return ValidationPhotos(photos, self.scale, limit=self.limit)

    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Batches from ``start`` to ``iterations``."""
        if self.iterations < 1:
            raise RuntimeError("Set `iterations` of the data module before fitting.")
        together = torch.distributed.is_available() and torch.distributed.is_initialized()
        rank = torch.distributed.get_rank() if together else 0
        crops = (self.scale, self.patch, self.batch, self.seed, self.start, self.iterations)
        batches = Batches(self.lr_store, self.hr_store, *crops, rank, self.other_hr)
        return self._loader(batches, self.workers)

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        """One photo at a time, in this process: an unreadable one is then one clear sentence."""
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
