"""How the blur of each channel differs from that of all: each one measured alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wildsr.calibration.calibrate import calibrate
from wildsr.calibration.simulate import Photo
from wildsr.degradation.coding import Coding
from wildsr.error import UserError

BLUR = 3  # the first parameters of a camera: its width, and its stretch in two directions


def channel_blurs(
    lr: Sequence[Photo],
    codings: Sequence[Coding | None],
    hr: Sequence[Photo],
    scale: int,
    seed: int = 0,
) -> Tensor:
    """What each channel's blur has beside the common one, on the scales of a camera's parameters.

    Each channel is taken for a gray photo, and its camera measured as that of any
    (:func:`~wildsr.calibration.calibrate.calibrate`). The mean over the channels is 0: what they
    have in common is the common camera's.

    Args:
        lr: real photos (H, W, C), as for ``calibrate``, as the next ones.
        codings: theirs.
        hr: sharp photos of anything.
        scale: HR pixels for each LR pixel.
        seed: of all draws.

    Returns:
        (C, 3): of ``width``, ``stretch_x`` and ``stretch_d``.

    Raises:
        UserError: photos with a lossy coding, whose colours are coded coarser than their
            luma; no photo is large enough.
    """
    if any(coding is not None for coding in codings):
        raise UserError(
            "lossy coding keeps less of what channels differ in than of what they share"
        )
    found = []
    for channel in range(lr[0].shape[2]):
        one = slice(channel, channel + 1)
        alone = [[photo[..., one] for photo in side] for side in (lr, hr)]
        made = calibrate(alone[0], codings, alone[1], scale, seed)
        shares = torch.tensor([float(len(members)) for members in made.members])
        cameras = torch.stack([group.solution.camera[:BLUR] for group in made.groups])
        found.append((cameras * (shares / shares.sum())[:, None]).sum(0))
    blurs = torch.stack(found)
    return blurs - blurs.mean(0)
