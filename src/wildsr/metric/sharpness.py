"""Sharpness of a result, by how much a further blur changes it."""

from __future__ import annotations

from torch import Tensor

from wildsr.metric.kind import NEITHER, Setting, Single, at_least
from wildsr.pixels import luma

TAPS = 11  # of the blur, as in the paper


def sharpness(setting: Setting) -> Single:
    """Sharpness, 1 minus the blur effect of Crete et al. 2007, by scikit-image; 0 to 1.

    The luma is blurred once more, by a box of 11 pixels along one axis; the blur effect is the
    share of the differences between neighbours that remains, on the axis where it is larger. It is
    independent of contrast and brightness. Noise and halos raise the sharpness, too: compare with
    the value of sharp photos of the same kind, and read it together with noise residue and ringing.
    """

    def measure(sr: Tensor, lr: Tensor) -> float:
        from skimage.measure import blur_effect  # slow to import

        at_least(sr, TAPS, "The sharpness")
        gray = luma(sr.double())[0, 0].cpu().numpy()
        if gray.max() == gray.min():  # 0 / 0: nothing is sharp
            return 0.0
        return 1 - float(blur_effect(gray, h_size=TAPS))

    return Single(
        title="sharpness",
        better=NEITHER,
        decimals=3,
        protocol={"method": "1 - blur effect, 11 taps", "pixels": "luma", "border": 0},
        libraries=("scikit-image",),
        measure=measure,
    )
