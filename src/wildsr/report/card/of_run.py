"""The report card of a run, preferably from photos that it was not trained on."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape
from torch import Tensor, nn

from wildsr.data.module import Folders
from wildsr.error import UserError
from wildsr.photo.image import UnreadableImage
from wildsr.pixels import as_rgb, floats, levels
from wildsr.report.card.card import LARGEST, Card, card
from wildsr.report.card.sheet import write_card
from wildsr.run.folder import config_of
from wildsr.run.load import load_degrader
from wildsr.run.photos import opened_data

CPU = torch.device("cpu")
MOST = 32  # photos of each set
ENOUGH = 16  # held-out photos; where there are fewer, photos of the training complete them


@dataclass(frozen=True)
class Photos:
    """The photos of a report card, (3, H, W) uint8.

    Attributes:
        lr: real LR images.
        hr: HR images, of other scenes.
        held_out: how many of each were not trained on.
    """

    lr: list[Tensor]
    hr: list[Tensor]
    held_out: tuple[int, int]


def card_of_run(
    folder: Path, console: Console, device: torch.device = CPU, trust: bool = False
) -> Card | None:
    """Make the report card of a finished run from its own photos.

    Args:
        folder: of the run.
        console: where the reason is printed if no card can be made.
        device: where the degrader runs.
        trust: allow the run's configuration to name and run code outside of wildsr.

    Returns:
        The card, or None if it cannot be made.

    Raises:
        UserError: the folder is not a run, or its photos are gone.
    """
    config = config_of(folder, trust)
    data = opened_data(folder, trust)
    try:
        degrader = load_degrader(folder, trust=trust).to(device)
        return card_of(degrader, data, config.seed, MOST)
    except UserError as error:
        console.print(f"No report card: {escape(str(error))}", highlight=False)
        return None


def report(
    folder: Path,
    output: Path,
    console: Console,
    device: torch.device = CPU,
    trust: bool = False,
) -> None:
    """Make the card of the run in ``folder``, write it into ``output`` and print it.

    Raises:
        UserError: the folder is not a run, or its photos are gone.
    """
    made = card_of_run(folder, console, device, trust)
    if made is not None:
        path = write_card(made, output)
        console.print(f"report card: {path}\n{made.headline}", markup=False, highlight=False)
        for entry in made.entries:
            console.print(f"  {entry.state:7}  {escape(entry.verdict)}", highlight=False)


def card_of(degrader: nn.Module, data: Folders, seed: int, most: int) -> Card:
    """Make the card of a degrader.

    Args:
        degrader: (1, 3, sH, sW) in [0, 1] to (1, 3, H, W); draws random numbers from torch.
        data: set up.
        seed: of all random choices; the global random state is left unchanged.
        most: maximum number of photos of each set.

    Raises:
        UserError: all photos are too small.
    """
    began = time.perf_counter()
    photos = photos_of(data, seed, most)
    fake = []
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        device = next((t.device for t in degrader.state_dict().values()), torch.device("cpu"))
        for hr in photos.hr:
            fake.append(eight_bits(degrader(floats(hr).to(device))[0]))
    named = {
        "real_held_out": photos.held_out[0],
        "fake_held_out": photos.held_out[1],
        "scale": data.scale,
    }
    made = card([eight_bits(lr) for lr in photos.lr], fake, seed, named)
    return Card(made.entries, {**made.protocol, "seconds": round(time.perf_counter() - began, 1)})


def eight_bits(image: Tensor) -> Tensor:
    """Convert an image (C, H, W) of any sensor to uint8 (3, H, W), black to white of its range."""
    if image.dtype == torch.uint8:
        return as_rgb(image)
    return levels(as_rgb(image)[None])


def photos_of(data: Folders, seed: int, most: int) -> Photos:
    """Crop squares of at most 256 LR pixels from real LR and from HR photos.

    Validation photos come first; of pairs, every other LR and the HR of the rest, so that no scene
    is in both sets. If that gives fewer than 16 of a kind, training photos complete them.

    Args:
        data: set up.
        seed: of the crops and the choice of training photos.
        most: maximum number of photos of each set.
    """
    generator = torch.Generator().manual_seed(seed)
    scale = data.scale
    real, sharp = _held_out(data, most)
    squares: list[list[Tensor]] = []
    counts = []
    for paths, store, factor in ((real, data.lr_store, 1), (sharp, data.hr_store, scale)):
        found = [_square(photo, factor, generator) for photo in paths]
        counts.append(len(found))
        for index in torch.randperm(len(store), generator=generator).tolist():
            if len(found) >= (most if not counts[-1] else min(ENOUGH, most)):
                break
            photo = torch.from_numpy(store.image(index).copy()).permute(2, 0, 1)
            found.append(_square(photo, factor, generator))
        squares.append(found)
    return Photos(squares[0], squares[1], (counts[0], counts[1]))


def _held_out(data: Folders, most: int) -> tuple[Iterable[Tensor], Iterable[Tensor]]:
    """Validation photos: LR of some, HR of others."""
    if not data.val_lr:
        return [], []
    if not data.val_hr:
        return _read(data, range(min(len(data.photos), most)), "lr"), []
    count = min(len(data.photos), 2 * most)
    return _read(data, range(0, count, 2), "lr"), _read(data, range(1, count, 2), "hr")


def _read(data: Folders, which: range, key: str) -> Iterator[Tensor]:
    for index in which:
        try:
            yield data.photos[index][key]
        except UnreadableImage:
            continue


def _square(photo: Tensor, factor: int, generator: torch.Generator) -> Tensor:
    """A random part of at most 256 pixels of LR a side, whole pixels of LR."""
    for dim in (1, 2):
        side = min(photo.shape[dim] // factor, LARGEST) * factor
        start = int(torch.randint(photo.shape[dim] - side + 1, (), generator=generator))
        photo = photo.narrow(dim, start, side)
    return photo
