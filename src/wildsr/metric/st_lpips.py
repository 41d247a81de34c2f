"""ST-LPIPS of whole photos, computed in tiles with the same result as in one piece."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from wildsr.loss.st_lpips import NETS, STLPIPS
from wildsr.metric.kind import LOWER, Couple, Needs, Pair, Setting, at_least, same
from wildsr.network.trunk import shift_tolerant
from wildsr.network.trunk.encoder import Features
from wildsr.network.trunk.files import MissingWeights, trunk_file

SMALLEST = 32  # pixels, as for LPIPS
LARGEST = 768  # pixels: largest side that is processed in one piece
# At least the receptive field's radius; the networks' strides divide both (test_st_lpips.py).
MARGIN = 128
SIDE = LARGEST - 2 * MARGIN  # of a tile without its margins


class Measure:
    """Computes ST-LPIPS of two images of any size with the memory of 768 x 768 pixels.

    Args:
        network: the loss module, without a random shift.
    """

    def __init__(self, network: STLPIPS) -> None:
        self.network = network
        self._strides = {layer: network.encoder.stride(layer) for layer in network.layers}
        self._target: tuple[Tensor, Features] | None = None

    @torch.no_grad()
    def __call__(self, x: Tensor, y: Tensor) -> float:
        """The distance of two images (1, 3, H, W) in [0, 1]; 0 for equal images.

        The features of ``y``, if it fits in one piece, are cached until another ``y`` comes: all
        upscalers of a table are compared with the same ground truth.
        """
        encoder = self.network.encoder
        height, width = x.shape[2:]
        if max(height, width) <= LARGEST:
            if self._target is None or not same(self._target[0], y):
                self._target = (y, encoder(y))
            maps = self.network.maps(encoder(x), self._target[1])
            return torch.stack([distance.mean() for distance in maps.values()]).sum().item()
        sums, counts = dict.fromkeys(self._strides, 0.0), dict.fromkeys(self._strides, 0)
        for top, bottom in _spans(height):
            for left, right in _spans(width):
                rows = slice(max(top - MARGIN, 0), bottom + MARGIN)
                columns = slice(max(left - MARGIN, 0), right + MARGIN)
                a, b = (encoder(image[:, :, rows, columns]) for image in (x, y))
                for layer, distance in self.network.maps(a, b).items():
                    stride = self._strides[layer]
                    own = distance[
                        :,
                        _own(top, bottom, rows.start, stride, height),
                        _own(left, right, columns.start, stride, width),
                    ]
                    sums[layer] += own.double().sum().item()
                    counts[layer] += own.numel()
        return sum(sums[layer] / counts[layer] for layer in sums)


def st_lpips(net: str, title: str) -> Callable[[Setting], Pair]:
    """Make the metric ST-LPIPS on the network ``net`` for a panel."""

    def build(setting: Setting) -> Pair:
        file = trunk_file(NETS[net])
        needs, measured = None, None
        try:
            measured = Measure(STLPIPS(net).eval())
        except MissingWeights as missing:
            needs = Needs(shift_tolerant.PACKAGE, str(missing))

        def measure(couple: Couple) -> float:
            assert measured is not None
            x, y = couple.whole
            at_least(x, SMALLEST, title)
            return measured(x, y)

        return Pair(
            title=title,
            better=LOWER,
            protocol={
                "net": net,
                "trunk": NETS[net],
                "version": shift_tolerant.VERSION,
                "border": 0,
                "pixels": "RGB, -1 to 1 before the trunk's own scaling",
                "smallest side": SMALLEST,
            },
            libraries=(shift_tolerant.PACKAGE,),
            weights=(file,),
            needs=needs,
            measure=measure,
        )

    return build


def _spans(side: int) -> list[tuple[int, int]]:
    """From where to where the tiles reach, without their margins."""
    return [(start, min(start + SIDE, side)) for start in range(0, side, SIDE)]


def _own(start: int, end: int, origin: int, stride: int, side: int) -> slice:
    """The features of a tile that no other one has; the last tile has those beyond the image."""
    return slice((start - origin) // stride, None if end == side else (end - origin) // stride)
