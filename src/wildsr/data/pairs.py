"""Aligned LR and HR photos, and crops of the same places from both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wildsr.data.crops import large_enough
from wildsr.data.packed import PackedStore
from wildsr.error import UserError
from wildsr.photo.image import bare_stem

Arguments = tuple[str, str]


@dataclass(frozen=True)
class Pairs:
    """LR photos with their ground truth.

    Attributes:
        lr: the LR photos.
        hr: the HR photos.
        truth: for each LR photo, the index of its HR photo.
        scale: HR pixels per LR pixel, s.
    """

    lr: PackedStore
    hr: PackedStore
    truth: tuple[int, ...]
    scale: int

    @classmethod
    def of(cls, lr: PackedStore, hr: PackedStore, scale: int) -> Pairs:
        """Find the HR photo of every LR photo by file name (see :func:`pair`).

        Raises:
            UserError: an LR photo has no HR photo, or one that is not ``scale`` times as large.
        """
        names = [[Path(name) for name in store.names] for store in (lr, hr)]
        found = pair(names[0], names[1], lr.argument, hr.argument)
        place = {path: index for index, path in enumerate(names[1])}
        truth = tuple(place[path] for _, path in found)
        for index, (small, large) in enumerate(found):
            sizes = tuple(lr.sizes[index].tolist()), tuple(hr.sizes[truth[index]].tolist())
            check_pair((small, large), sizes, scale, (lr.argument, hr.argument))
        return cls(lr, hr, truth, scale)

    def draw(self, patch: int, count: int, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Draw random square crops of the same places from LR and HR.

        Args:
            patch: side of an LR crop in LR pixels, P.
            count: how many.
            generator: source of all randomness.

        Returns:
            uint8 tensors (count, 3, P, P) and (count, 3, sP, sP).

        Raises:
            UserError: no LR photo is large enough.
        """
        from_lr = large_enough(self.lr, patch)
        index = generator.choice(from_lr, count)
        top, left = generator.integers(0, self.lr.sizes[index] - patch, endpoint=True).T
        other = np.array(self.truth)[index]
        s = self.scale
        sides = (
            self.lr.gather(index, top, left, patch),
            self.hr.gather(other, s * top, s * left, s * patch),
        )
        small, large = (torch.from_numpy(side).permute(0, 3, 1, 2) for side in sides)
        return small, large


def check_pair(
    paths: tuple[Path, Path],
    sizes: tuple[tuple[int, ...], tuple[int, ...]],
    scale: int,
    arguments: Arguments,
) -> None:
    """Refuse an HR photo that is not ``scale`` times as large as its LR photo.

    Up to ``scale - 1`` spare rows at the bottom and columns at the right are allowed.

    Args:
        paths: LR and HR.
        sizes: (height, width) of both.
        scale: HR pixels per LR pixel.
        arguments: what the user calls the two folders.

    Raises:
        UserError: if it is not, with a hint if the two look swapped.
    """
    (height, width), (tall, wide) = sizes
    extra = (tall - scale * height, wide - scale * width)
    if min(extra) >= 0 and max(extra) < scale:
        return
    turned = (height - scale * tall, width - scale * wide)
    swapped = scale > 1 and min(turned) >= 0 and max(turned) < scale
    hint = f" `{arguments[0]}` and `{arguments[1]}` look swapped." if swapped else ""
    raise UserError(
        f"At scale {scale} an HR photo must be {scale} times as large as its LR photo, but "
        f"{paths[0]} has {width}x{height} pixels and {paths[1]} has {wide}x{tall}.{hint}"
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
