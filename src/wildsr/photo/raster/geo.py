"""Read and write GeoTIFFs by rasterio, with georeference, nodata and band names."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from wildsr.extra import needed
from wildsr.photo.folder import say_once
from wildsr.photo.raster.base import Page, PageRows, Plan, Raster, Values, Writer, allow_pages
from wildsr.photo.tiff_strips import check_strips

BLOCK = 256  # pixels a side of the tiles that are written
COLOURS = ("red", "green", "blue")
# Metadata that describes the source's pixels only, or that GDAL writes itself.
_STALE = ("STATISTICS_", "TIFFTAG_XRESOLUTION", "TIFFTAG_YRESOLUTION", "OVR_", "LAYOUT")
# Nothing but the file itself is opened: no world files, no statistics beside it.
_ALONE = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_CACHEMAX": 64,
}


def rasterio() -> Any:
    """Import rasterio.

    Raises:
        UserError: it is not installed; the message says how to install it.
    """
    return needed("rasterio", "geo", "A GeoTIFF")


def opened(path: Path, mode: str = "r", **options: Any) -> Any:
    """Open a file by GDAL's TIFF driver only.

    Other drivers may open further files that the file names.
    """
    package = rasterio()
    with package.Env(**_ALONE), warnings.catch_warnings():
        warnings.simplefilter("ignore", package.errors.NotGeoreferencedWarning)
        if mode != "r":
            return package.open(os.path.abspath(path), mode, driver="GTiff", **options)
        # Through /proc/self/fd GDAL sees only digits as the name, whatever bytes the real name
        # has. (The names of new files are chosen by this program.)
        with path.open("rb") as file:
            name = f"/proc/self/fd/{file.fileno()}"
            known = name if os.path.exists(name) else os.path.abspath(path)
            return package.open(known, driver="GTiff", sharing=False)


class GeoRaster(Raster):
    """A GeoTIFF, read as a stream of rows.

    Bands declared as red, green and blue form a colour image; a mask of the whole file becomes
    alpha.

    Args:
        path: the file.
        limit: see :func:`wildsr.photo.raster.base.allow_pages`.

    Raises:
        UserError: rasterio is not installed.
        ValueError: classes with a colour table, which cannot be interpolated; complex numbers.
    """

    def __init__(self, path: Path, limit: float | None) -> None:
        self.path, self.format, self.suffix = path, "geotiff", "tif"
        with opened(path) as file:
            names = [kind.name for kind in file.colorinterp]
            if "palette" in names:
                raise ValueError(
                    "it holds classes with a colour table, between which there are no others"
                )
            dtype = np.dtype(file.dtypes[0])
            if dtype.kind not in "uif":
                raise ValueError(f"pixels of {file.dtypes[0]}, only real numbers are read")
            colour = tuple(names.index(one) for one in COLOURS if one in names)
            alpha = names.index("alpha") if "alpha" in names else None
            self.masked = alpha is None and _has_mask(file)
            bands = file.count + self.masked
            alpha = file.count if self.masked else alpha
            colour = colour if len(colour) == 3 else ()
            self.pages = [Page(file.height, file.width, bands, dtype, colour, alpha)]
            self.names = tuple(name or "" for name in file.descriptions)
            missing = [_in_type(value, dtype) for value in file.nodatavals]
            self.nodata = (*missing, *([None] * self.masked))
            if file.subdatasets:
                say_once(f"{path}: the first of {len(file.subdatasets)} pictures is taken")
        allow_pages(path, self.pages, limit)

    def rows(self, page: int) -> PageRows:
        """Read the values row by row, as they are needed."""
        check_strips(self.path)
        return _GeoRows(self)


def _has_mask(file: Any) -> bool:
    flags = {flag.name for flags in file.mask_flag_enums for flag in flags}
    return "per_dataset" in flags and not flags & {"alpha", "nodata"}


def _in_type(value: float | None, dtype: np.dtype[Any]) -> float | None:
    """The value for "not measured" where pixels can have it."""
    if value is None or dtype.kind == "f":
        return value
    room = np.iinfo(dtype)
    return value if room.min <= value <= room.max and value == int(value) else None


class _GeoRows(PageRows):
    """Rows of a GeoTIFF, which stays open until they are closed."""

    def __init__(self, raster: GeoRaster) -> None:
        kind = raster.pages[0]
        self.height, self.width, self.channels = kind.height, kind.width, kind.bands
        self.dtype, self._raster, self._row = kind.dtype, raster, 0
        self._file = opened(raster.path)

    def read(self, count: int) -> Values:
        """The next ``count`` rows."""
        window = rasterio().windows.Window(0, self._row, self.width, count)
        self._row += count
        values = self._file.read(window=window)
        if self._raster.masked:
            most = 1 if self.dtype.kind == "f" else np.iinfo(self.dtype).max
            mask = (self._file.dataset_mask(window=window) > 0).astype(self.dtype) * most
            values = np.concatenate([values, mask[None].astype(self.dtype)])
        return np.ascontiguousarray(np.moveaxis(values, 0, -1))

    def again(self) -> PageRows:
        """The same from the first row."""
        return _GeoRows(self._raster)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class GeoWriter(Writer):
    """Writes a GeoTIFF (tiled, Deflate) with its source's georeference.

    The transform, ground control points and RPCs are scaled; the coordinate system, nodata, band
    names, units, scales, offsets and metadata are kept; statistics and overviews are not.

    Args:
        path: is overwritten.
        source: the file that was upscaled.
        plan: of one page.
    """

    def __init__(self, path: Path, source: GeoRaster, plan: Plan) -> None:
        self.source, self.made, self.given = source, plan.pages[0], source.pages[0]
        self.bands = [band for band in plan.bands[0] if band < self.given.bands - source.masked]
        self.mask = source.masked and len(self.bands) < len(plan.bands[0])
        self.factors = plan.factors(0, source)
        with opened(source.path) as file:
            self._file = opened(path, "w", **self._options(file))
            try:
                self._describe(file)
            except BaseException:
                self.abandon()
                raise

    def _options(self, file: Any) -> dict[str, Any]:
        made = self.made
        across, down = self.factors
        options: dict[str, Any] = {
            "width": made.width,
            "height": made.height,
            "count": len(self.bands),
            "dtype": made.dtype.name,
            "nodata": self._nodata(file),
            "compress": "deflate",
            "predictor": 3 if made.dtype.kind == "f" else 2,
            "interleave": "pixel",
            "bigtiff": "if_safer",
            "photometric": "rgb" if made.colour == (0, 1, 2) else "minisblack",
        }
        if made.width > BLOCK or made.height > BLOCK:
            options |= {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK}
        points, system = file.gcps
        if points:
            kind = type(points[0])
            options["gcps"] = [
                kind(p.row * down, p.col * across, p.x, p.y, p.z, p.id, p.info) for p in points
            ]
            options["crs"] = system
        elif file.crs is not None or not file.transform.is_identity:
            options["crs"] = file.crs
            t = file.transform
            steps = (t.a / across, t.b / down, t.c, t.d / across, t.e / down, t.f)
            options["transform"] = type(t)(*steps)
        return options

    def _nodata(self, file: Any) -> float | None:
        same = self.made.dtype == self.given.dtype or self.made.dtype.kind == "f"
        holes = file.nodata is not None or self.given.dtype.kind == "f"
        if same:
            return _in_type(file.nodata, self.made.dtype)
        return 0.0 if holes else None

    def _describe(self, file: Any) -> None:
        made, numbers = self._file, [band + 1 for band in self.bands]
        made.update_tags(**_fresh(file.tags()))
        for place, number in enumerate(numbers, 1):
            made.update_tags(place, **_fresh(file.tags(number)))
            if file.descriptions[number - 1]:
                made.set_band_description(place, file.descriptions[number - 1])
            if file.units[number - 1]:
                made.set_band_unit(place, file.units[number - 1])
        if self.made.dtype == self.given.dtype or self.made.dtype.kind == "f":
            made.scales = [file.scales[number - 1] for number in numbers]
            made.offsets = [file.offsets[number - 1] for number in numbers]
        if self.made.colour != (0, 1, 2) or self.given.colour:
            made.colorinterp = [file.colorinterp[number - 1] for number in numbers]
        if file.rpcs is not None:
            rpcs, (across, down) = file.rpcs, self.factors
            rpcs.line_off, rpcs.samp_off = (
                (rpcs.line_off + 0.5) * down - 0.5,
                (rpcs.samp_off + 0.5) * across - 0.5,
            )
            rpcs.line_scale, rpcs.samp_scale = rpcs.line_scale * down, rpcs.samp_scale * across
            made.rpcs = rpcs

    def page(self, number: int, strips: Iterable[Values]) -> None:
        """Write the page from strips (rows, W, bands), by whole rows of TIFF tiles."""
        row, rest = 0, None
        for strip in strips:
            rest = strip if rest is None else np.concatenate([rest, strip])
            whole = len(rest) // BLOCK * BLOCK
            if whole:
                self._write(rest[:whole], row)
                row, rest = row + whole, rest[whole:]
        if rest is not None and len(rest):
            self._write(rest, row)

    def _write(self, rows: Values, row: int) -> None:
        window = rasterio().windows.Window(0, row, rows.shape[1], len(rows))
        count = len(self.bands)
        values = np.ascontiguousarray(np.moveaxis(rows[..., :count], -1, 0))
        self._file.write(values, window=window)
        if self.mask:
            most = 1 if rows.dtype.kind == "f" else np.iinfo(rows.dtype).max
            self._file.write_mask(rows[..., count] >= most / 2, window=window)

    def close(self) -> None:
        """Complete the file."""
        self._file.close()

    def abandon(self) -> None:
        """Close the incomplete file."""
        self._file.close()


def _fresh(tags: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in tags.items() if not name.startswith(_STALE)}
