"""A panel of metrics for arrays and tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from wildsr.api.images import AnyImage, is_gray, tensor_of
from wildsr.metric import panel
from wildsr.metric.panel import DEFAULT


class Panel:
    """Several metrics computed with the same settings, for arrays and tensors.

    Args:
        metrics: their names; :data:`wildsr.metric.catalogue.CATALOGUE` lists them.
        channel: "rgb", or "y" for the Y of BT.601; for the metrics that compare pixels.
        border: pixels cut from every side, for the same metrics; super-resolution benchmarks cut as
            many as the scale.
        degrader: a learned degradation, HR (B, 3, H, W) to LR in [0, 1], for the metrics that need
            one.

    Raises:
        UserError: an unknown metric or channel, or a negative border.

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
    ) -> None:
        self._panel = panel.Panel(channel, border, metrics, degrader)

    def measure(
        self, sr: AnyImage, hr: AnyImage | None = None, lr: AnyImage | None = None
    ) -> dict[str, float | None]:
        """Compute the metrics of one image; None for those that need an input that was not given.

        Args:
            sr: the result, (H, W, 3) or (H, W) array, or (3, H, W) tensor; floats in [0, 1] or
                uint8. It is rounded to 8 bits, as a file would hold it.
            hr: the ground truth, of the same size, for the metrics that need it.
            lr: the LR photo that `sr` was made from, for the metrics that need it.

        Raises:
            UserError: another shape, sizes that differ, or an image smaller than the border.
        """
        gray = hr is not None and is_gray(hr)
        given = {"sr": sr, "hr": hr, "lr": lr}
        images = {n: None if v is None else tensor_of(v, n)[0] for n, v in given.items()}
        result = images.pop("sr")
        assert result is not None
        return self._panel.measure(result, images["hr"], images["lr"], gray)

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
                gathering.add(tensor_of(image, name)[0])
        return self._panel.compare(ours, theirs)

    def missing(self) -> dict[str, str]:
        """What is missing for each metric that cannot be computed: a weights file or a package."""
        return {name: needs.how for name, needs in self._panel.missing().items()}

    def protocol(self) -> dict[str, object]:
        """The settings behind the numbers, in plain types: channel, border, rounding, versions."""
        return self._panel.protocol()
