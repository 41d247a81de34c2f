"""LPIPS of whole images, when its weights are on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from wildsr.metric.fidelity import round8

if TYPE_CHECKING:
    from wildsr.loss.perceptual import LPIPS

SMALLEST = 32  # pixels; below it nothing is left of the image after the trunks' poolings


class Lpips:
    """Learned perceptual distance (Zhang et al. 2018, eq. 1), version 0.1; 0 for equal images.

    Measured on the whole image without a border, rounded to 8 bits. The weights of the trunk may
    not be on this machine; then the value is ``None`` and :attr:`reason` says what is missing.

    Args:
        net: the trunk: "alex" (the one that papers report), "vgg" or "squeeze".

    Raises:
        UserError: an unknown trunk.
    """

    def __init__(self, net: str = "alex") -> None:
        # Here and not above: PSNR alone should not wait for the trunks to be imported.
        from wildsr.loss.perceptual import LPIPS, MissingWeights

        self.net = net
        self.reason: str | None = None  # why there is no value
        self.network: LPIPS | None = None
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
        x = round8(prediction, "prediction").div(255).to(prediction.device, torch.float32)
        y = round8(target, "target").div(255).to(prediction.device, torch.float32)
        with torch.no_grad():
            distance: Tensor = self.network(self.network.encoder(x), self.network.encoder(y))
        return distance.item()

    def protocol(self) -> dict[str, object]:
        """What was measured, in words and plain numbers for a results file."""
        return {
            "net": self.net,
            "version": "0.1",
            "available": self.network is not None,
            "needs": self.reason,
            "border": 0,
            "smallest side": SMALLEST,
        }
