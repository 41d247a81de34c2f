"""A buffer of earlier generated images, so that a critic does not forget them."""

from __future__ import annotations

import torch
from torch import Tensor


class ImagePool:
    """Image pool (Shrivastava et al. 2017, sec. 2.3, as in CycleGAN).

    Until the pool is full it stores every image. Then each image, with probability 1/2, is swapped
    with a random stored one.

    Args:
        size: how many images are stored; 0 passes everything through.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: list[Tensor] = []

    def __call__(self, images: Tensor) -> Tensor:
        """Swap some of ``images`` (B, C, H, W) for older ones; returns them without gradient."""
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
        """The stored images for a checkpoint, (C, H, W) each, on the CPU."""
        return [image.cpu() for image in self.images]

    def restore(self, images: list[Tensor], device: torch.device) -> None:
        """Restore the images (C, H, W) that ``state`` returned."""
        self.images = [image.to(device) for image in images]
