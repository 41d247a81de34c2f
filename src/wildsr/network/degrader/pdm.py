"""The probabilistic degradation model: networks that draw a blur kernel and noise."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wildsr.argument import check_counts, shuffle_factors
from wildsr.degradation.blur import blur_and_sample, pinned_softmax
from wildsr.error import UserError


class _ResidualBlock(nn.Module):
    def __init__(self, features: int, kernel: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(features, features, kernel, 1, kernel // 2),
            nn.BatchNorm2d(features),
            nn.ReLU(inplace=True),
            nn.Conv2d(features, features, kernel, 1, kernel // 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def _trunk(inputs: int, outputs: int, features: int, blocks: int, kernel: int) -> nn.Sequential:
    """Convolution, normalisation, residual blocks, and a 1x1 convolution that starts at 0."""
    last = nn.Conv2d(features, outputs, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)  # type: ignore[arg-type]
    return nn.Sequential(
        nn.Conv2d(inputs, features, kernel, 1, kernel // 2),
        nn.BatchNorm2d(features),
        nn.ReLU(inplace=True),
        *[_ResidualBlock(features, kernel) for _ in range(blocks)],
        last,
    )


class KernelNetwork(nn.Module):
    """Generates a blur kernel from a random vector, by 1x1 convolutions and a softmax.

    Initialised as in the authors' code: weights 0 and bias 0 except 1 at the middle tap, which
    after the softmax is nearly a uniform box (middle e / (e + 440) = 0.6 % at 21 x 21), not a
    narrow blur.

    Args:
        kernel_size: side of the kernel, odd.
        kernel_noise: length of the random vector.
        features: channels of the hidden layers.
        blocks: residual blocks.
        centre: where to pin the centre of mass, in pixels from the middle tap; None leaves it free.

    Shapes:
        draw (B, kernel_noise, 1, 1) -> kernel (B, kernel_size, kernel_size), positive, sum 1.

    Raises:
        UserError: an even size, a count below 1; a batch of 1 while training (batch normalisation).
    """

    def __init__(
        self,
        kernel_size: int = 21,
        kernel_noise: int = 64,
        features: int = 64,
        blocks: int = 8,
        centre: float | None = None,
    ) -> None:
        super().__init__()
        check_counts(kernel_size=kernel_size, kernel_noise=kernel_noise)
        check_counts(features=features, kernel_blocks=blocks)
        if kernel_size % 2 == 0:
            raise UserError(f"Argument `kernel_size` must be odd, but got {kernel_size!r}.")
        self.kernel_size, self.centre = kernel_size, centre
        self.body = _trunk(kernel_noise, kernel_size**2, features, blocks, kernel=1)
        with torch.no_grad():
            self.body[-1].bias[kernel_size**2 // 2] = 1  # type: ignore[operator]

    def forward(self, draw: Tensor) -> Tensor:
        """Generate kernels (B, k, k) from ``draw`` (B, kernel_noise, 1, 1).

        Raises:
            UserError: a batch of 1 while training.
        """
        # Using running statistics instead would silently change what is trained.
        if self.training and draw.numel() == draw.shape[1]:
            raise UserError(
                "Argument `kernel_draw` must hold at least 2 images while the degrader trains (it "
                f"normalises over the batch), but got {tuple(draw.shape)}; raise `data.batch`."
            )
        logits = self.body(draw).view(-1, self.kernel_size, self.kernel_size)
        if self.centre is not None:
            return pinned_softmax(logits, self.centre)
        return torch.softmax(logits.flatten(1), dim=1).view_as(logits)


class NoiseNetwork(nn.Module):
    """Generates noise from an LR image and a random map, by 3x3 convolutions.

    Args:
        noise_dim: channels of the random map.
        features: channels of the hidden layers.
        blocks: residual blocks.
        channels: of the images: 3 for RGB, 1 for gray, any number for other sensors.

    Shapes:
        lr (B, C, H, W), draw (B, noise_dim, H, W) -> noise (B, C, H, W); 0 for a fresh network.

    Raises:
        UserError: a count below 1.
    """

    def __init__(
        self, noise_dim: int = 3, features: int = 64, blocks: int = 8, channels: int = 3
    ) -> None:
        super().__init__()
        check_counts(noise_dim=noise_dim, features=features, noise_blocks=blocks)
        self.body = _trunk(channels + noise_dim, channels, features, blocks, kernel=3)

    def forward(self, lr: Tensor, draw: Tensor) -> Tensor:
        """Generate noise (B, C, H, W) from ``lr`` (B, C, H, W), ``draw`` (B, noise_dim, H, W)."""
        noise: Tensor = self.body(torch.cat([lr, draw.to(lr.dtype)], dim=1))
        return noise


class PDMDegrader(nn.Module):
    """The degradation of PDM-SR (Luo et al. 2022, arXiv:2203.04962).

    ``fake_lr = (hr * kernel) sampled + noise`` with ``kernel = KernelNetwork(kernel_draw)``, one
    for each image, and ``noise = NoiseNetwork(detach(blurred), noise_draw)``. The defaults are the
    configuration that the authors call correct (the noise network sees the LR image, and its
    random map varies from pixel to pixel); most of their configuration files have a single noise
    value for each image instead.

    Two deviations, because a patch critic is blind to shifts: the kernel is centred on the pixel
    next to the middle of each scale x scale block, where theirs is on the top left one (1.5 HR
    pixels off at scale 4), and its centre of mass is pinned to the LR grid (``pin_centre``; theirs
    drifts freely).

    Args:
        scale: 1, 2, 3, 4 or 8.
        kernel_size: side of the kernel in HR pixels, odd.
        kernel_noise: channels of ``kernel_draw``.
        features: channels of both networks.
        kernel_blocks: residual blocks of the kernel network.
        noise_blocks: residual blocks of the noise network.
        noise_dim: channels of ``noise_draw``.
        pin_centre: keep the centre of mass of every kernel on the LR grid.
        channels: of the images: 3 for RGB, 1 for gray, any number for other sensors.

    Shapes:
        hr (B, 3, scale h, scale w) in [0, 1] -> fake_lr (B, 3, h, w), not clamped.

    Raises:
        UserError: a scale or count that does not exist; a batch of 1 while training.
    """

    def __init__(
        self,
        scale: int,
        kernel_size: int = 21,
        kernel_noise: int = 64,
        features: int = 64,
        kernel_blocks: int = 8,
        noise_blocks: int = 8,
        noise_dim: int = 3,
        pin_centre: bool = True,
        channels: int = 3,
    ) -> None:
        super().__init__()
        shuffle_factors(scale)  # only the check
        self.scale, self.offset = scale, (scale - 1) // 2
        self.kernel_noise, self.noise_dim = kernel_noise, noise_dim
        centre = (scale - 1) / 2 - self.offset if pin_centre else None
        self.kernel = KernelNetwork(kernel_size, kernel_noise, features, kernel_blocks, centre)
        self.noise = NoiseNetwork(noise_dim, features, noise_blocks, channels)

    def draws(self, hr: Tensor) -> tuple[Tensor, Tensor]:
        """Draw standard normal numbers: (B, kernel_noise, 1, 1) and (B, noise_dim, h, w)."""
        batch, _, height, width = hr.shape
        kernel_draw = hr.new_empty(batch, self.kernel_noise, 1, 1).normal_()
        noise_draw = hr.new_empty(
            batch, self.noise_dim, height // self.scale, width // self.scale
        ).normal_()
        return kernel_draw, noise_draw

    def forward(
        self, hr: Tensor, kernel_draw: Tensor, noise_draw: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Degrade ``hr`` (B, 3, H, W) in [0, 1]; also returns the kernel and the noise.

        Returns:
            LR (B, 3, h, w), not clamped; kernel (B, k, k); noise (B, 3, h, w).
        """
        kernel = self.kernel(kernel_draw)
        blurred = blur_and_sample(hr, kernel, self.scale, self.offset)
        noise = self.noise(blurred.detach(), noise_draw)
        return blurred + noise, kernel, noise
