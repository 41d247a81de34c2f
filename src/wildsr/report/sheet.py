"""Contact sheets: the same crop of each photo in each version, side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from wildsr.atomic import writing
from wildsr.error import UserError
from wildsr.pixels import array_of

PANEL = 240  # pixels a side; a multiple of every scale, so that each pixel is enlarged evenly
GAP = 12
PAPER, INK, FAINT, EMPTY = (255, 255, 255), (25, 25, 25), (105, 105, 105), (215, 215, 215)

Row = Mapping[str, Tensor | None]


def crop_of_interest(image: Tensor, size: int) -> tuple[int, int]:
    """Find the square of an image with the most gradient energy, the sum of ``dx^2 + dy^2``.

    Args:
        image: (3, H, W) or (1, 3, H, W), [0, 1].
        size: side of the square in pixels; reduced to the image's shorter side.

    Returns:
        (top, left) of the square; the topmost, then leftmost of equal ones.
    """
    gray = _plain(image).double().mean(dim=0)
    height, width = gray.shape
    size = min(size, height, width)
    energy = torch.zeros_like(gray)
    energy[:, 1:] += gray.diff(dim=1).square()
    energy[1:] += gray.diff(dim=0).square()
    # Sums of squares from an integral image: their cost does not depend on the size.
    integral = F.pad(energy, (1, 0, 1, 0)).cumsum(0).cumsum(1)
    above = integral[:-size, size:] - integral[:-size, :-size]
    sums = integral[size:, size:] - integral[size:, :-size] - above
    # The integral's rounding must not decide between squares that are equal.
    best = int((sums >= sums.max() - 1e-9 * integral[-1, -1]).flatten().nonzero()[0])
    return best // sums.shape[1], best % sums.shape[1]


def contact_sheet(
    rows: Sequence[Row],
    path: str | Path,
    title: str,
    captions: Mapping[str, str] | None = None,
) -> None:
    """Write a PNG with one row per photo and one labelled column per key.

    Images of a row whose sizes are integer multiples of each other are taken for versions of one
    photo, and show the same region of it (chosen in the smallest by :func:`crop_of_interest`);
    other images get their own region. Everything is enlarged by nearest neighbour, never smoothed.

    Args:
        rows: images, (3, H, W) or (1, 3, H, W), [0, 1], by the names of their columns, as in
            ``{"real LR": lr, "bicubic": sr0, "SR": sr, "truth": None}``. Missing ones are gray.
        path: of the PNG; its folder is made if need be.
        title: above the table.
        captions: a second, smaller line under a column's name.

    Raises:
        UserError: nothing to show, or an image of another shape.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if not columns:
        raise UserError("Argument `rows` must hold at least one image, but got none.")
    total = GAP + len(columns) * (PANEL + GAP)
    captions = captions or {}
    heading = _wrapped(title, _font(22), total - 2 * GAP)
    labels = [_wrapped(name, _font(17), PANEL) for name in columns]
    notes = [_wrapped(captions.get(name, ""), _font(14), PANEL) for name in columns]
    label_height = max(_height(label, 17) for label in labels)
    head = 2 * GAP + _height(heading, 22)
    table = head + label_height + max(_height(note, 14) for note in notes) + 4

    sheet = Image.new("RGB", (total, table + len(rows) * (PANEL + GAP)), PAPER)
    draw = ImageDraw.Draw(sheet)
    _write(draw, (GAP, GAP), heading, 22, INK)
    for column, (label, note) in enumerate(zip(labels, notes, strict=True)):
        left = GAP + column * (PANEL + GAP)
        _write(draw, (left, head), label, 17, INK)
        _write(draw, (left, head + label_height), note, 14, FAINT)
    for line, row in enumerate(rows):
        panels = _panels(row)
        for column, name in enumerate(columns):
            place = (GAP + column * (PANEL + GAP), table + line * (PANEL + GAP))
            sheet.paste(panels.get(name) or _empty(), place)
    with writing(Path(path)) as partial:
        sheet.save(partial, format="PNG")


def _panels(row: Row) -> dict[str, Image.Image]:
    """The images of a row, cropped and enlarged to panels."""
    images = {name: _plain(image) for name, image in row.items() if image is not None}
    if not images:
        return {}
    photos: list[list[str]] = []  # names of images of one photo, the smallest first
    for name in sorted(images, key=lambda name: images[name].shape[1]):
        for photo in photos:
            if _factor(images[name], images[photo[0]]):
                photo.append(name)
                break
        else:
            photos.append([name])
    # One field of view in the row: the smallest image of a photo is taken for LR, unless its size
    # is nearer to the row's largest image.
    areas = [image[0].numel() for image in images.values()]
    between = math.sqrt(min(areas) * max(areas))
    widest = max(_factor(images[name], images[photo[0]]) for photo in photos for name in photo)
    shown: dict[str, Image.Image] = {}
    for photo in photos:
        smallest = images[photo[0]]
        is_lr = len(photos) == 1 or smallest[0].numel() <= between
        own = max(_factor(images[name], smallest) for name in photo)
        wanted = PANEL // (max(own, widest) if is_lr else own)
        most = max(min(wanted, *smallest.shape[1:]), 1)
        # The largest square whose pixels fill the panel evenly.
        side = next((n for n in range(most, most // 2, -1) if PANEL % (n * own) == 0), most)
        top, left = crop_of_interest(smallest, side)
        for name in photo:
            times = _factor(images[name], smallest)
            rows = slice(top * times, (top + side) * times)
            crop = images[name][:, rows, left * times : (left + side) * times]
            panel = Image.fromarray(array_of(crop[None]))
            shown[name] = panel.resize((PANEL, PANEL), Image.Resampling.NEAREST)
    return shown


def _factor(image: Tensor, smaller: Tensor) -> int:
    """How many times larger an image is in both directions; 0 if that is no whole number."""
    (height, width), (small_height, small_width) = image.shape[1:], smaller.shape[1:]
    times = height // small_height
    return times if (height, width) == (times * small_height, times * small_width) else 0


def _plain(image: Tensor) -> Tensor:
    """(3, H, W) float32 on the CPU within [0, 1], NaN as black."""
    plain = image.detach()[0] if image.ndim == 4 and len(image) == 1 else image.detach()
    if plain.ndim != 3 or plain.shape[0] != 3 or 0 in plain.shape:
        raise UserError(
            "Argument `rows` must hold images of shape (3, H, W) or (1, 3, H, W), "
            f"but got {tuple(image.shape)}."
        )
    return plain.float().cpu().nan_to_num(0, 1, 0).clamp(0, 1)


def _empty() -> Image.Image:
    panel = Image.new("RGB", (PANEL, PANEL), EMPTY)
    middle = (PANEL / 2, PANEL / 2)
    ImageDraw.Draw(panel).text(middle, "n/a", fill=FAINT, font=_font(20), anchor="mm")
    return panel


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


def _wrapped(
    text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> list[str]:
    """Break the text into lines no wider than ``width``; longer words are broken, too."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if font.getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return [line for line in lines if line]


def _height(lines: Sequence[str], size: int) -> int:
    return len(lines) * (size + 6)


def _write(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    lines: Sequence[str],
    size: int,
    colour: tuple[int, int, int],
) -> None:
    for index, line in enumerate(lines):
        where = (place[0], place[1] + index * (size + 6))
        draw.text(where, line, fill=colour, font=_font(size))
