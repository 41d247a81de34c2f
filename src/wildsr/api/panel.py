"""A panel of metrics for arrays and tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from wildsr.api.images import AnyImage, is_gray
from wildsr.api.prepared import prepared
from wildsr.error import UserError
from wildsr.metric import panel
from wildsr.metric.panel import DEFAULT
from wildsr.photo.raster.ranges import check_wish
from wildsr.photo.samples import Range


class Panel:
    """Several metrics computed with the same settings, for arrays and tensors.

    Args:
        metrics: names; :data:`wildsr.metric.catalogue.CATALOGUE` has them all.
        channel: "rgb", or "y" for the Y of BT.601, for the metrics that compare pixels.
        border: pixels cut from every side, for the same; the classical benchmarks cut the scale.
        degrader: HR to LR, a learned degradation, for the metrics that need one.
        range: black and white of arrays that hold numbers of their own; None for those of the type.

    Raises:
        UserError: an unknown metric or channel, a negative border, a range that is none.

    Examples:
        >>> from skimage.data import astronaut
        >>> panel = wildsr.Panel(["psnr", "sharpness"], channel="y", border=4)
        >>> hr = astronaut()[:96, :96]
        >>> panel.measure(sr=hr, hr=hr, lr=hr[::4, ::4])["psnr"]
        inf
        >>> panel.protocol()["channel"]
        'y'
    """

    def __init__(
        self,
        metrics: Sequence[str] = DEFAULT,
        channel: str = "rgb",
        border: int = 0,
        degrader: Callable[[Tensor], Tensor] | None = None,
        range: tuple[float, float] | None = None,
    ) -> None:
        span = check_wish(range)
        if isinstance(span, str):
            raise UserError(f"Argument `range` must be [low, high] or None, but got {range!r}.")
        self._span: Range | None = span
        self._panel = panel.Panel(channel, border, metrics, degrader)

    def measure(
        self, sr: AnyImage, hr: AnyImage | None = None, lr: AnyImage | None = None
    ) -> dict[str, float | None]:
        """Compute the metrics of one image; None for those that need an input that was not given.

        Args:
            sr: the result, (H, W) or (H, W, C) array of uint8, uint16 or floats in [0, 1] (or of
                the panel's range), or (C, H, W) tensor of uint8 or floats in [0, 1]. uint8 and
                floats of gray and RGB are rounded to 8 bits, as a file would hold them; beside
                uint16, in a range, and of other numbers of channels nothing is.
            hr: the truth, of the same size, for the metrics that need it.
            lr: the photo that `sr` was made from, for the metrics that need it.

        Raises:
            UserError: another shape, sizes that differ, or an image smaller than the border.
        """
        images = prepared({"sr": sr, "hr": hr, "lr": lr}, self._span)
        panel = self._panel.take(images.sensor)
        gray = hr is not None and is_gray(hr)
        return panel.measure(images["sr"], images.get("hr"), images.get("lr"), gray)

    def compare(
        self, results: Sequence[AnyImage], sharp: Sequence[AnyImage]
    ) -> dict[str, float | None]:
        """Compute the metrics between a set of results and a set of sharp images.

        The two sets need not show the same scenes.

        Args:
            results: images as in :meth:`measure`; images too small for a metric are left out.
            sharp: likewise.

        Raises:
            UserError: another shape.
        """
        ours, theirs = self._panel.gather(), self._panel.gather()
        for gathering, images, name in ((ours, results, "results"), (theirs, sharp, "sharp")):
            for image in images:
                seen = prepared({name: image}, self._span)
                gathering.sensor = seen.sensor
                gathering.add(seen[name])
        return self._panel.compare(ours, theirs)

    def missing(self) -> dict[str, str]:
        """What is missing for each metric that cannot be computed: a weights file or a package."""
        return {name: needs.how for name, needs in self._panel.missing().items()}

    def protocol(self) -> dict[str, object]:
        """The settings behind the numbers, in plain types: channel, border, rounding, versions."""
        return self._panel.protocol()
