"""Perceptual metrics of whole images: LPIPS and DISTS, if their weights are on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from wildsr.metric.kind import LOWER, Couple, Needs, Pair, Setting, at_least, same
from wildsr.network.trunk.files import MissingWeights, trunk_file
from wildsr.pixels import round8, unit

if TYPE_CHECKING:
    from wildsr.loss.perceptual import LPIPS
    from wildsr.network.trunk.encoder import Features

SMALLEST = 32  # pixels; of smaller images nothing is left after the pooling layers


class Lpips:
    """Learned perceptual distance LPIPS (Zhang et al. 2018, eq. 1), version 0.1.

    0 for equal images. Measured on the whole image without a border, rounded to 8 bits. If the
    weights of the trunk are not on disk, the value is ``None`` and :attr:`reason` says what is
    missing.

    Args:
        net: the trunk: "alex" (the one that papers report), "vgg" or "squeeze".

    Raises:
        UserError: an unknown trunk.
    """

    def __init__(self, net: str = "alex") -> None:
        # Imported here, because it is slow and PSNR does not need it.
        from wildsr.loss.perceptual import LPIPS

        self.net = net
        self.reason: str | None = None  # why there is no value
        self.network: LPIPS | None = None
        self._target: tuple[Tensor, Features] | None = None
        try:
            self.network = LPIPS(net).eval()
        except MissingWeights as missing:
            self.reason = str(missing)

    def __call__(self, prediction: Tensor, target: Tensor) -> float | None:
        """The distance of one pair, averaged over a batch.

        Args:
            prediction: (B, 3, H, W), [0, 1].
            target: (B, 3, H, W), [0, 1].

        Returns:
            The distance, or None: no weights, or a side shorter than 32 pixels.

        Raises:
            UserError: pixels that are not finite floats.
        """
        if self.network is None or min(target.shape[2:]) < SMALLEST:
            return None
        x = unit(round8(prediction, "prediction").to(prediction.device))
        y = unit(round8(target, "target").to(prediction.device))
        return self.of(x, y)

    def of(self, x: Tensor, y: Tensor) -> float:
        """The distance of two images (1, 3, H, W) in [0, 1] that are rounded already.

        Needs the network loaded. The features of ``y`` are cached until another ``y`` comes: all
        upscalers of a table are compared with the same ground truth.
        """
        assert self.network is not None
        with torch.no_grad():
            if self._target is None or not same(self._target[0], y):
                self._target = (y, self.network.encoder(y))
            distance: Tensor = self.network(self.network.encoder(x), self._target[1])
        return distance.item()


def lpips(net: str, title: str) -> Callable[[Setting], Pair]:
    """Make the metric LPIPS on the trunk ``net`` for a panel."""

    def build(setting: Setting) -> Pair:
        from wildsr.loss.perceptual import NETS

        metric, file = Lpips(net), trunk_file(NETS[net][0])

        def measure(couple: Couple) -> float:
            x, y = couple.whole
            at_least(x, SMALLEST, title)
            return metric.of(x, y)

        return Pair(
            title=title,
            better=LOWER,
            protocol={
                "net": net,
                "version": "0.1",
                "border": 0,
                "pixels": "RGB, -1 to 1 before the trunk's own scaling",
                "smallest side": SMALLEST,
            },
            libraries=("lpips", "torchvision"),
            weights=(file,),
            needs=None if metric.reason is None else Needs(file.name, metric.reason),
            measure=measure,
        )

    return build


def dists(setting: Setting) -> Pair:
    """Deep image structure and texture similarity; see :class:`wildsr.loss.dists.DISTS`.

    Of the whole image at its size (the authors' code first resizes its shorter side to 256 pixels).
    """
    from wildsr.loss.dists import DISTS, TRUNK

    file = trunk_file(TRUNK)
    needs, network = None, None
    try:
        network = DISTS()
    except MissingWeights as missing:
        needs = Needs(file.name, str(missing))

    def measure(couple: Couple) -> float:
        assert network is not None
        x, y = couple.whole
        at_least(x, SMALLEST, "DISTS")
        with torch.no_grad():
            value: Tensor = network(x, y)
        return value.item()

    return Pair(
        title="DISTS",
        better=LOWER,
        protocol={"border": 0, "pixels": "RGB, not resized", "smallest side": SMALLEST},
        libraries=("torchmetrics", "torchvision"),
        weights=(file,),
        needs=needs,
        measure=measure,
    )
