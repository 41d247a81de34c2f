"""Match the moments of local features of generated LR with those of real LR."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wildsr.error import UserError
from wildsr.loss.local_features import CROP, local_features
from wildsr.network.padding import pad_to
from wildsr.pixels import as_rgb

STEP = CROP // 2  # pixels from one crop to the next
SMALLEST = 1e-3  # standard deviation of a feature
FARTHEST = 5.0  # standard deviations from the mean of real crops, beyond which a feature is cut


class LocalMoments(nn.Module):
    """Squared distance between the moments of local features of real and of generated LR.

    Mean and mean square of each feature (noise, sharpness, coding; little of the scene) over crops
    of 16x16 pixels, in standard deviations of real crops: moment matching (Li et al. 2015,
    "Generative moment matching networks", arXiv:1502.02761) with explicit features in place of a
    kernel. Each half of the batch gives an estimate of the difference, and their product is one of
    its square without the bias that chance adds. Smaller images are continued by their border; one
    channel is repeated, of more than three the first three are taken.

    Shapes:
        real, fake (B, C, H, W) in [0, 1], B at least 2 -> ().

    Raises:
        UserError: a batch of one image.
    """

    def forward(self, real: Tensor, fake: Tensor) -> Tensor:
        """The distance, a scalar tensor, which chance makes negative at times."""
        if min(len(real), len(fake)) < 2:
            raise UserError(
                "The loss `moments` compares the halves of a batch: `data.batch` must be 2 at "
                f"least, but is {min(len(real), len(fake))}."
            )
        real = real.detach()
        crops = torch.cat([_features(photo) for photo in real])
        mean, spread = crops.mean(0), crops.std(0).clamp(min=SMALLEST)

        def moments(images: Tensor) -> Tensor:
            found = torch.cat([_features(image) for image in images])
            plain = ((found - mean) / spread).clamp(-FARTHEST, FARTHEST)
            return torch.cat([plain.mean(0), plain.square().mean(0) / 2])

        halves = zip(fake.tensor_split(2), real.tensor_split(2), strict=True)
        first, second = (moments(one) - moments(other) for one, other in halves)
        return (first * second).mean().to(fake.dtype)


def _features(image: Tensor) -> Tensor:
    return local_features(255 * pad_to(as_rgb(image), 1, CROP), STEP)
