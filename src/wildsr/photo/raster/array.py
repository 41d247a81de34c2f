"""Read and write NumPy files: .npy, one array, and .npz, a zip of several."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from wildsr.photo.folder import say_once
from wildsr.photo.raster.base import (
    ROOM,
    Page,
    PageRows,
    Plan,
    Raster,
    Values,
    Writer,
    allow_pages,
)

MOST_BANDS = 64  # of the last or first axis of an array of three axes
COLOUR = 3  # bands that are taken for red, green and blue where they come last
_LONGEST_HEADER = 10_000  # characters; NumPy's own limit against hostile ones


@dataclass(frozen=True)
class Layout:
    """Which axes of an array are pages, rows, columns and bands.

    Attributes:
        shape: of the array.
        dtype: of the array.
        axes: "HW", "NHW", "HWC", "CHW", "NHWC" or "NCHW": N pages, H rows, W columns, C bands.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    axes: str

    @property
    def page(self) -> Page:
        """The description of its pages, which are all alike."""
        sizes = dict(zip(self.axes, self.shape, strict=True))
        bands = sizes.get("C", 1)
        # Three bands on the last axis are RGB, as in image files; those on the first may be any.
        colour = (0, 1, 2) if bands == COLOUR and self.axes.endswith("C") else ()
        kind = self.dtype.newbyteorder("=")
        return Page(sizes["H"], sizes["W"], bands, kind, colour)

    @property
    def count(self) -> int:
        """The number of pages."""
        return self.shape[0] if self.axes[0] == "N" else 1

    def picture(self, array: Values, number: int) -> Values:
        """Page ``number`` of the array as (H, W, bands)."""
        one = array[number] if self.axes[0] == "N" else array
        if self.axes.endswith("CHW"):
            one = np.moveaxis(one, 0, -1)
        return one.reshape(*one.shape[:2], -1)

    def put(self, pictures: list[Values]) -> Values:
        """The inverse of :meth:`picture`: pages (H, W, bands) of any size as one array."""
        turned = [np.moveaxis(p, -1, 0) if self.axes.endswith("CHW") else p for p in pictures]
        if "C" not in self.axes:
            turned = [p[..., 0] if p.shape[-1] == 1 else p for p in turned]
        return np.stack(turned) if self.axes[0] == "N" else turned[0]


def layout_of(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Layout:
    """Decide which axes of an array are rows, columns, bands and pages.

    Two axes are rows and columns. Of three, the last is bands if it is the shortest and has at most
    64 entries, else the first if it is; otherwise the first is pages of one band. Of four, the
    first is pages, and the others are treated as three.

    Raises:
        ValueError: not a picture: another number of axes, not numbers, or complex numbers.
    """
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise ValueError(f"an array of {dtype}, only real numbers of up to 64 bits are pictures")
    if len(shape) not in (2, 3, 4) or 0 in shape:
        raise ValueError(f"an array of the shape {shape}, a picture has two, three or four axes")
    if len(shape) == 2:
        return Layout(shape, dtype, "HW")
    first, _, last = shape[-3:]
    short = min(shape[-3:])
    if last == short and last <= MOST_BANDS:
        axes = "HWC"
    elif first == short and first <= MOST_BANDS:
        axes = "CHW"
    elif len(shape) == 3:
        return Layout(shape, dtype, "NHW")
    else:
        raise ValueError(f"an array of the shape {shape}, of which no axis holds the bands")
    return Layout(shape, dtype, axes if len(shape) == 3 else f"N{axes}")


class ArrayRaster(Raster):
    """The arrays of a .npy or .npz file as pages.

    In a .npz file all arrays of two, three or four axes are pictures; others are copied unchanged.
    Nothing is unpickled.

    Args:
        path: the file.
        format: "npy" or "npz".
        limit: see :func:`wildsr.photo.raster.base.allow_pages`.

    Raises:
        ValueError: no picture in it, or too large other arrays.
        TooLarge: pages larger than ``limit``.
    """

    def __init__(self, path: Path, format: str, limit: float | None) -> None:
        self.path, self.format, self.suffix = path, format, format
        self.layouts: dict[str, Layout] = {}
        self.others: list[str] = []
        if format == "npy":
            with path.open("rb") as file:
                shape, dtype = _header(file)
            self.layouts[""] = layout_of(shape, dtype)
        else:
            self._list_members(path, limit)
        self.pages = []
        self.where: list[tuple[str, int]] = []
        for channel, (name, layout) in enumerate(self.layouts.items()):
            page = replace(layout.page, channel=channel)
            self.pages += [page] * layout.count
            self.where += [(name, number) for number in range(layout.count)]
        allow_pages(path, self.pages, limit)
        self._held: tuple[str, Values] | None = None

    def _list_members(self, path: Path, limit: float | None) -> None:
        room = 0
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                with archive.open(entry) as file:
                    shape, dtype = _header(file)
                try:
                    self.layouts[entry.filename] = layout_of(shape, dtype)
                except ValueError:
                    if dtype.hasobject:
                        say_once(f"{path}: {entry.filename} holds Python objects and is left out")
                        continue
                    self.others.append(entry.filename)
                    room += entry.file_size
        if limit is not None and room > limit * 1e6 * ROOM:
            raise ValueError(f"{room / 1e6:.3g} MB of other arrays, more than `limit` allows")
        if not self.layouts:
            raise ValueError("none of its arrays is a picture (two, three or four axes of numbers)")

    def array(self, name: str) -> Values:
        """Load an array of the file by its name."""
        if self._held is None or self._held[0] != name:
            self._held = None  # frees it before the next one is loaded
            self._held = name, _load(self.path, name)
        return self._held[1]

    def rows(self, page: int) -> PageRows:
        """The values of a page."""
        name, number = self.where[page]
        values = self.layouts[name].picture(self.array(name), number)
        return PageRows(np.ascontiguousarray(values, self.pages[page].dtype))


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """(shape, type) of an array, by its header."""
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file, max_header_size=_LONGEST_HEADER)
    return shape, dtype


def _load(path: Path, name: str) -> Values:
    """An array, never by pickle; that of a .npy file stays on the disk until it is read."""
    if not name:
        held: Values = np.load(path, mmap_mode="r", allow_pickle=False)
        return held
    with zipfile.ZipFile(path) as archive, archive.open(name) as file:
        values: Values = npy.read_array(file, allow_pickle=False)
        if file.read(1):  # reading to the end also verifies the checksum
            raise ValueError(f"{name} is longer than its header says")
        return values


class ArrayWriter(Writer):
    """Writes a .npy or .npz file, in the source's layout if it is such a file too.

    A result made from another kind of file is (H, W), (H, W, C), or (N, H, W, C).

    Args:
        path: is overwritten.
        format: "npy" or "npz".
        source: the file that was upscaled.
        plan: see :class:`wildsr.photo.raster.base.Plan`.
    """

    def __init__(self, path: Path, format: str, source: Raster, plan: Plan) -> None:
        self.path, self.format, self.source, self.plan = path, format, source, plan
        self.pages: list[Values] = []

    def page(self, number: int, strips: Iterable[Values]) -> None:
        """Keep a page in memory, (rows, W, bands) strips from top to bottom."""
        self.pages.append(np.concatenate(list(strips)))

    def close(self) -> None:
        """Write all pages."""
        arrays = self._arrays()
        if self.format == "npy":
            (array,) = arrays.values()
            with self.path.open("wb") as file:
                np.save(file, array, allow_pickle=False)
            return
        # Not by numpy.savez_compressed, which takes some names for its own arguments.
        with zipfile.ZipFile(self.path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    npy.write_array(member, array, allow_pickle=False)

    def abandon(self) -> None:
        """Discard the pages."""
        self.pages.clear()

    def _arrays(self) -> dict[str, Values]:
        if isinstance(self.source, ArrayRaster):
            found: dict[str, list[Values]] = {}
            for page, of in zip(self.pages, self.plan.of, strict=True):
                found.setdefault(self.source.where[of][0], []).append(page)
            arrays = {
                name.removesuffix(".npy") or "image": self.source.layouts[name].put(pages)
                for name, pages in found.items()
            }
            if self.format == "npz":
                others = {name: _load(self.source.path, name) for name in self.source.others}
                arrays |= {name.removesuffix(".npy"): one for name, one in others.items()}
            return arrays
        pages = [page[..., 0] if page.shape[-1] == 1 else page for page in self.pages]
        if len({page.shape for page in pages}) == 1:
            return {"image": np.stack(pages) if len(pages) > 1 else pages[0]}
        return {f"page{number + 1}": page for number, page in enumerate(pages)}
