"""Upscale a whole image as a stream, tile by tile: rows are read, strips of rows are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wildsr.error import UserError
from wildsr.inference import alpha as transparency
from wildsr.inference.tile import SMALLEST_TILE, out_of_memory, whole_cells
from wildsr.inference.upscaler import Upscaler
from wildsr.inference.windows import Overlap, Span, span, spans
from wildsr.photo.rows import Array, Rows, Still, Window
from wildsr.pixels import luma, round_into, white, whole_numbers

STRIP = 96 << 20  # bytes that a strip of output may take, or as little as the smallest tile gives
EIGHT_BITS = np.dtype(np.uint8)


def strips(
    upscaler: Upscaler,
    rows: Rows,
    dtype: np.dtype,
    progress: Callable[[int, int], None] = lambda done, all: None,
    depth: np.dtype[Any] | None = None,
) -> Iterator[Array]:
    """Upscale an image from top to bottom, in memory bounded by one strip and one tile.

    Where the overlap of tiles covers the network's receptive radius, the result is the network's
    output on the whole image, up to rounding. Otherwise neighbouring tiles are blended linearly.

    Args:
        upscaler: network and tiles.
        rows: the LR image; read once, no further than needed. Where half precision was chosen
            automatically, patches of it are read once more before, to check the precision.
        dtype: uint8, uint16 or float32 of the strips.
        progress: called after each strip with the output pixels done and their total.
        depth: data type of the final result, where ``dtype`` is an intermediate one; it decides
            whether half precision is enough.

    Yields:
        Strips (rows, scale * width, channels) of ``dtype``, from top to bottom.

    Raises:
        UserError: even the smallest tile does not fit into memory, or the output is not finite.
    """
    upscaler = upscaler.suited(rows, depth or dtype)
    scale, whole = upscaler.scale, rows.height * rows.width * upscaler.scale**2
    single = max(rows.height, rows.width) <= upscaler.side
    overlap = Overlap(0, 0) if single else _seams(upscaler, rows.channels)
    side, start, window = upscaler.side, 0, Window(rows)
    carry: npt.NDArray[np.float32] | None = None
    while start < rows.height:
        low = span(start, rows.height, _height(side, rows, scale, dtype, overlap), overlap)
        try:
            strip = _strip(upscaler, window.get(low.first, low.last), low, side, overlap, dtype)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            strip = None
        if strip is None:  # outside the handler, whose traceback keeps the tile's tensors alive
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            largest = min(side, whole_cells(max(rows.height, rows.width)))
            if largest <= SMALLEST_TILE:
                raise UserError(
                    f"An image of {rows.height} x {rows.width} pixels does not fit into memory, "
                    f"even with tiles of {largest}."
                )
            side = max(largest // 2, SMALLEST_TILE)
            if single:
                single, overlap = False, _seams(upscaler, rows.channels)
            continue
        if overlap.feather:
            mixed = _fade(strip, carry, low, overlap.feather, scale)
            next_fresh = max(low.stop - overlap.feather, 0) if low.stop < rows.height else low.stop
            kept = (next_fresh - low.fresh) * scale
            carry, strip = mixed[kept:], whole_numbers(mixed[:kept], dtype)
        start = low.stop
        if len(strip):  # the feather may have kept all of it back
            yield strip
        del strip
        progress(min(start * rows.width * scale**2, whole), whole)


def upscale_image(
    upscaler: Upscaler, image: npt.NDArray[Any], dtype: np.dtype[Any] = EIGHT_BITS
) -> npt.NDArray[Any]:
    """Upscale a whole image in memory, to the same pixels that ``wildsr upscale`` writes.

    Tiles are the same, are joined in the same way, and become smaller when memory runs out.

    Args:
        upscaler: network and tiles.
        image: (H, W, channels) of uint8, uint16 or floats in [0, 1]; one or three colour channels;
            a second or fourth channel is alpha.
        dtype: uint8, uint16 or float32 of the result.

    Returns:
        (scale * H, scale * W, channels) of ``dtype``.

    Raises:
        UserError: an empty image, one that does not fit into memory even in the smallest tiles, a
            result that is not finite.
    """
    if image.ndim != 3 or image.size == 0:
        raise UserError(
            f"Argument `image` must be pixels (H, W, channels), but got the shape {image.shape}."
        )
    height, width, channels = image.shape
    scale, row = upscaler.scale, 0
    whole = np.empty((height * scale, width * scale, channels), dtype)
    for strip in strips(upscaler, Still(image), dtype):
        whole[row : row + len(strip)] = strip
        row += len(strip)
    return whole


def _seams(upscaler: Upscaler, channels: int) -> Overlap:
    """The upscaler's overlap; for images with alpha also the reach of the colour fill behind it."""
    seams = upscaler.seams
    if colours_of(upscaler, channels) == channels or seams.margin == 0:
        return seams
    return Overlap(whole_cells(seams.hidden + transparency.REACH), seams.feather)


def _height(side: int, rows: Rows, scale: int, dtype: np.dtype, overlap: Overlap) -> int:
    """LR rows of a strip: a tile's, or fewer where the image is wide."""
    size = 4 if overlap.feather else dtype.itemsize
    row = rows.width * scale**2 * rows.channels * size
    return min(side, max(STRIP // row, SMALLEST_TILE))


@torch.inference_mode()
def _strip(
    upscaler: Upscaler, seen: Array, low: Span, side: int, overlap: Overlap, dtype: np.dtype
) -> npt.NDArray[Any]:
    """Upscale one row of tiles: integers, or floats of the same range if they are blended later."""
    scale, width, channels = upscaler.scale, seen.shape[1], seen.shape[2]
    height = (low.faded - low.fresh) * scale
    kind = np.dtype(np.float32) if overlap.feather else dtype
    strip = np.empty((height, width * scale, channels), kind)
    waiting: list[Span] = []

    def flush() -> None:
        tiles = [seen[:, across.first : across.last] for across in waiting]
        for across, tile in zip(waiting, _tiles(upscaler, tiles, dtype), strict=True):
            top = (low.fresh - low.first) * scale
            left = (across.fresh - across.first) * scale
            piece = tile[top : top + height, left : left + (across.faded - across.fresh) * scale]
            if overlap.feather:
                known = strip[:, across.fresh * scale :] if across.start else None
                turned = None if known is None else known.swapaxes(0, 1)
                piece = _fade(piece.swapaxes(0, 1), turned, across, overlap.feather, scale)
                piece = piece.swapaxes(0, 1)
            columns = slice(across.fresh * scale, across.faded * scale)
            if overlap.feather:
                strip[:, columns] = piece
            else:
                round_into(strip[:, columns], piece)
        waiting.clear()

    for across in spans(width, side, overlap):
        same = not waiting or across.last - across.first == waiting[0].last - waiting[0].first
        if len(waiting) == upscaler.together or not same:
            flush()
        waiting.append(across)
    flush()
    return strip


def together(
    upscaler: Upscaler,
    images: list[Array],
    dtype: np.dtype[Any],
    depth: np.dtype[Any] | None = None,
) -> list[Array]:
    """Upscale several whole images of one size and data type as one batch of the network.

    Args:
        upscaler: the network.
        images: (h, w, channels) each; not larger than a tile.
        dtype: uint8 or uint16 of the results.
        depth: see :func:`strips`.

    Returns:
        The results, (scale * h, scale * w, channels) each, in the order of ``images``.

    Raises:
        UserError: the network's output is not finite.
    """
    suited = [upscaler.suited(Still(image), depth or dtype) for image in images]
    whole: list[Array] = list(images)
    with torch.inference_mode():
        for one in {id(upscaler): upscaler for upscaler in suited}.values():
            where = [number for number, other in enumerate(suited) if other is one]
            made = _tiles(one, [images[number] for number in where], dtype)
            for number, image in zip(where, made, strict=True):
                whole[number] = whole_numbers(image, dtype)
    return whole


def _tiles(
    upscaler: Upscaler, tiles: list[Array], dtype: np.dtype
) -> Iterator[npt.NDArray[np.float32]]:
    """Pass tiles of one size, (h, w, channels), through the network.

    Yields:
        (sh, sw, channels) each, floats in the range of ``dtype``.
    """
    most = white(tiles[0].dtype)
    lr = torch.from_numpy(np.stack(tiles).astype(np.float32) / most).permute(0, 3, 1, 2)
    channels = lr.shape[1]
    colours = colours_of(upscaler, channels)
    colour, alpha = (lr, None) if colours == channels else (lr[:, :-1], lr[:, -1:])
    if upscaler.channels != 3:
        sr, sr_alpha = _of_sensor(upscaler, colour, alpha)
    elif alpha is not None and bool((alpha < 1).any()):
        # Both in one call: two batches of the same size.
        both = torch.cat([_rgb(transparency.fill(colour, alpha)), alpha.expand(-1, 3, -1, -1)])
        sr, sr_alpha = upscaler(both).chunk(2)
        sr_alpha = transparency.settle(sr_alpha.mean(1, keepdim=True), alpha, upscaler.scale)
    else:
        sr = upscaler(_rgb(colour))
        sr_alpha = torch.ones_like(sr[:, :1])
    if colour.shape[1] == 1 and upscaler.channels == 3:
        sr = luma(sr)
    out = sr if alpha is None else torch.cat([sr, sr_alpha], dim=1)
    if not out.sum().isfinite():  # NaN and infinities are kept by a sum, and clamping hides them
        raise UserError(f"The network of {upscaler.name} makes pixels that are NaN or infinite.")
    del sr, sr_alpha, lr, colour, alpha  # a large tile's result is not kept twice
    out = out.clamp(0, 1).mul_(white(dtype))
    yield from out.permute(0, 2, 3, 1).cpu().numpy()


def colours_of(upscaler: Upscaler, channels: int) -> int:
    """Number of an image's channels that are colours, without alpha.

    Raises:
        UserError: the upscaler does not take images of that many channels.
    """
    own = upscaler.channels
    taken = {own, 1, 3} if own in (1, 3) else {own}
    if channels in taken:
        return channels
    if channels - 1 in taken:
        return channels - 1
    raise UserError(
        f"Argument `input`: {upscaler.name} takes images of {own} channel{'s' * (own > 1)}, but "
        f"got one of {channels}."
    )


def _of_sensor(upscaler: Upscaler, colour: Tensor, alpha: Tensor | None) -> tuple[Tensor, Tensor]:
    """The SR image and its alpha from a network whose number of channels is not three."""

    def through(image: Tensor) -> Tensor:
        if image.shape[1] == upscaler.channels:
            return upscaler(image)
        each = upscaler(image.flatten(0, 1)[:, None])  # one channel: colours one by one
        return each.unflatten(0, image.shape[:2])[:, :, 0]

    if alpha is None or not bool((alpha < 1).any()):
        sr = through(colour)
        return sr, torch.ones_like(sr[:, :1])
    sr = through(transparency.fill(colour, alpha))
    grown = through(alpha.expand(-1, upscaler.channels, -1, -1)).mean(1, keepdim=True)
    return sr, transparency.settle(grown, alpha, upscaler.scale)


def _rgb(colour: Tensor) -> Tensor:
    return colour.expand(-1, 3, -1, -1) if colour.shape[1] == 1 else colour


def _fade(
    new: npt.NDArray[np.float32],
    known: npt.NDArray[np.float32] | None,
    where: Span,
    feather: int,
    scale: int,
) -> npt.NDArray[np.float32]:
    """``new``, with its rows around ``where.start`` blended with the ``known`` ones."""
    if known is None:
        return new
    begin = (where.start - feather) * scale
    # The rows from the beginning of the ramp, or of the image, to its end, or that of the image.
    count = min((where.start + feather) * scale - where.fresh * scale, len(new))
    places = np.arange(count, dtype=np.float32) + (where.fresh * scale - begin) + 0.5
    ramp = (places / (2 * feather * scale)).reshape(-1, 1, 1)
    mixed = new.copy()
    mixed[:count] = known[:count] * (1 - ramp) + new[:count] * ramp
    return mixed
