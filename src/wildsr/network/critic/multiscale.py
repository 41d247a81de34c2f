"""The multi-scale critic of pix2pixHD: patch critics on ever smaller copies of the image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from wildsr.argument import check_counts
from wildsr.error import UserError
from wildsr.network.critic.patch import PatchCritic


class MultiScaleCritic(nn.Module):
    """Critics of the same layout at several sizes (Wang et al. 2018, arXiv:1711.11585, sec. 3.2).

    Critic k judges the image after k average poolings (3 pixels, stride 2, padding not counted),
    so that the first sees texture and the last sees structure. Each has its own weights, and each
    has the front-end before it, after the pooling: a high-pass of a smaller image is another
    frequency band. The paper's are three of ``kernel=4, stride=2, first_stride=2``; the defaults
    are for small LR crops.

    Args:
        scales: how many critics.
        features: see PatchCritic, as for all that follow.
        layers: convolutions before the one to the logits.
        kernel: side of every convolution.
        stride: of the inner layers.
        norm: "instance", "batch", "spectral" or "none".
        in_channels: of the image.
        first_stride: of the first layer.
        front: what each copy of the image passes first (see wildsr.network.front.front).

    Shapes:
        image (B, in_channels, H, W), [0, 1] -> a tuple of logits (B, 1, h, w), one for each scale,
        the largest first.

    Raises:
        UserError: a count, norm or front that does not exist; an image too small for its
            normalisation at the last scale.
    """

    def __init__(
        self,
        scales: int = 3,
        features: int = 64,
        layers: int = 4,
        kernel: int = 3,
        stride: int = 1,
        norm: str = "instance",
        in_channels: int = 3,
        first_stride: int = 1,
        front: nn.Module | Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        check_counts(scales=scales)
        self.critics = nn.ModuleList(
            PatchCritic(features, layers, kernel, stride, norm, in_channels, first_stride, front)
            for _ in range(scales)
        )

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Judge ``image`` (B, in_channels, H, W) at each scale: logits (B, 1, h, w) each."""
        return tuple(stages[-1] for stages in self._stages(image))

    def features(self, image: Tensor) -> tuple[Tensor, ...]:
        """The outputs of all critics' layers but the last for ``image`` (B, in_channels, H, W).

        (B, channels, h, w) each.
        """
        return tuple(stage for stages in self._stages(image) for stage in stages[:-1])

    def _scales(self) -> Iterable[PatchCritic]:
        return cast(Iterable[PatchCritic], self.critics)

    def _stages(self, image: Tensor) -> list[list[Tensor]]:
        found = []
        for index, critic in enumerate(self._scales()):
            if index:
                image = F.avg_pool2d(image, 3, 2, 1, count_include_pad=False)
            try:
                found.append(critic.stages(critic.front(image)))
            except UserError as error:
                raise UserError(f"Scale {index + 1} of {len(self.critics)}: {error}") from error
        return found
