"""A history of generated images, so that a critic does not forget what it rejected."""

from __future__ import annotations

import torch
from torch import Tensor


class ImagePool:
    """Image pool (Shrivastava et al. 2017, sec. 2.3; CycleGAN's form).

    Until the pool is full it stores what passes. From then on each image, with probability 1/2, is
    replaced by a random stored one and takes its place.

    Args:
        size: how many images are remembered; 0 passes everything through.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: list[Tensor] = []

    def __call__(self, images: Tensor) -> Tensor:
        """Exchange some of ``images`` (B, C, H, W) for older ones; the result is a constant."""
        images = images.detach()
        if self.size == 0:
            return images
        chosen = []
        for image in images:
            if len(self.images) < self.size:
                self.images.append(image.clone())
            elif torch.rand(()) < 0.5:
                slot = int(torch.randint(self.size, ()))
                old, self.images[slot] = self.images[slot], image.clone()
                image = old
            chosen.append(image)
        return torch.stack(chosen)

    def state(self) -> list[Tensor]:
        """What a checkpoint must hold."""
        return [image.cpu() for image in self.images]

    def restore(self, images: list[Tensor], device: torch.device) -> None:
        """Take back what ``state`` gave."""
        self.images = [image.to(device) for image in images]
