"""Settings of how results of upscaling are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wildsr.error import UserError, shortened, unknown
from wildsr.photo.encode import FORMATS
from wildsr.photo.raster.ranges import Wish, check_wish
from wildsr.photo.stream import LIMIT
from wildsr.photo.unreadable import check_limit


@dataclass(frozen=True)
class Settings:
    """How results are written, and which part of a file is upscaled.

    Args:
        outscale: size of the result / size of the photo; None: the network's scale.
        format: "png", "jpg", "webp", "tif", "heic", "avif", "npy", "npz" or "dcm"; None: the
            photo's own (PNG for BMP and GIF, TIFF for camera raw), or for a single file the suffix
            of the result.
        quality: of JPEG, WebP, HEIC and AVIF, 1 to 100.
        depth: 8 or 16 bits, or "float"; None keeps the photo's, if the format supports it.
        limit: megapixels of a photo that is read; None: no limit.
        bands: of files of measured values: numbers from 1, of which three pass the network
            together, as RGB; "all" for every band, each as gray; None for every band, with those
            that the file declares as red, green and blue together.
        page: the page to upscale, from 1; None: all.
        range: values that the network sees as 0 and 1, see
            :func:`wildsr.photo.raster.ranges.ranges`.
        identity: whether a DICOM file keeps data that identifies the patient.

    Raises:
        UserError: an invalid value.
    """

    outscale: float | None = None
    format: str | None = None
    quality: int = 95
    depth: int | str | None = None
    limit: float | None = LIMIT
    bands: Sequence[int] | str | None = None
    page: int | None = None
    range: Wish = None
    identity: bool = False

    def __post_init__(self) -> None:
        if self.outscale is not None and not 0 < self.outscale <= 64:
            raise UserError(f"Argument `outscale` must be in (0, 64], but got {self.outscale}.")
        if self.format is not None and self.format not in FORMATS:
            raise unknown("Argument `format`", self.format, FORMATS)
        if not 1 <= self.quality <= 100:
            raise UserError(f"Argument `quality` must be 1 to 100, but got {self.quality}.")
        if self.depth not in (None, 8, 16, "float"):
            raise UserError(f"Argument `depth` must be 8, 16, float or null, but got {self.depth}.")
        check_limit(self.limit)
        check_bands(self.bands)
        page = self.page
        if page is not None and (isinstance(page, bool) or not isinstance(page, int) or page < 1):
            raise UserError(f"Argument `page` must be 1 or more, or null, but got {page!r}.")
        object.__setattr__(self, "range", check_wish(self.range))


def check_bands(bands: object) -> None:
    """Refuse an invalid choice of bands.

    Raises:
        UserError: it is not null, "all" or a list of numbers from 1.
    """
    if bands is None or bands == "all":
        return
    numbers = isinstance(bands, Sequence) and not isinstance(bands, str) and len(bands) > 0
    if not numbers or not all(
        isinstance(one, int) and not isinstance(one, bool) and one >= 1
        for one in bands  # type: ignore[attr-defined]
    ):
        raise UserError(
            "Argument `bands` must be a list of numbers from 1, such as [3, 2, 1], all or null, "
            f"but got {shortened(bands)}."
        )
