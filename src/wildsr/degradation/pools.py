"""Degrade with blur kernels and noise taken from real photos, without training (RealSR)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from wildsr.argument import check_counts, check_integer, shuffle_factors
from wildsr.degradation.bicubic import downscale
from wildsr.degradation.blur import blur_and_sample, centred_grid
from wildsr.degradation.flat import Flat, Photos, flat_patches
from wildsr.degradation.interpolant import cubic
from wildsr.degradation.kernel import cascaded
from wildsr.error import UserError
from wildsr.pixels import to_8_bit, unit

PHOTOS = 100  # largest number of photos that are searched for noise
KERNEL = 13  # side of a kernel that downscales by 2

Draws = tuple[Tensor, Tensor]
Estimate = Callable[..., Tensor]  # as wildsr.training.kernel_estimate.estimate_kernel


class Pools(nn.Module):
    """Degrades by kernels and noise patches drawn from pools of real photos.

    ``lr = clamp(down(hr, k) + n)`` in 8 bits, k and n drawn from the pools.

    RealSR (Ji et al. 2020, CVPR workshops, "Real-world super-resolution via kernel estimation and
    noise injection"), eqs. 1 to 4. The pools are filled once, by :meth:`harvest`, from the real LR
    photos: kernels by KernelGAN, noise from flat patches minus their mean. They are buffers of
    fixed size, so that checkpoints hold them. Before that, the kernel is a box of scale x scale
    pixels, and there is no noise.

    Args:
        scale: 1, 2, 3, 4 or 8.
        patch: side of a noise patch in LR pixels; larger images get a mosaic of patches.
        noises: largest number of noise patches.
        kernels: how many kernels, from as many photos; 0: downscaling by antialiased bicubic, as
            the authors did for NTIRE 2020's track 1.
        flat: quantile of the patches' content up to which they are flat; see
            :func:`~wildsr.degradation.flat.flat_patches`.
        calm: quantile of their noise that is taken for the noise level without texture.
        few: with fewer noise patches than this a warning is given.
        kernel_iterations: of KernelGAN, for each kernel.
        kernel_crop: side of its crops; smaller photos give no kernel.
        kernel_features: channels of its networks.

    Shapes:
        hr (B, 3, scale h, scale w) in [0, 1] -> LR (B, 3, h, w) in [0, 1].

    Raises:
        UserError: a scale, count or share that does not exist; kernels for scale 1 or 3.
    """

    noise: Tensor
    kernel_pool: Tensor
    filled: Tensor

    def __init__(
        self,
        scale: int,
        patch: int,
        noises: int = 512,
        kernels: int = 0,
        flat: float = 0.2,
        calm: float = 0.1,
        few: int = 32,
        kernel_iterations: int = 600,
        kernel_crop: int = 64,
        kernel_features: int = 64,
    ) -> None:
        super().__init__()
        halvings = len(shuffle_factors(scale))
        check_counts(patch=patch, noises=noises)
        check_integer("Argument `kernels`", kernels, 0)
        if kernels and scale not in (2, 4, 8):
            raise UserError(
                f"Argument `kernels` must be 0 (bicubic) at scale {scale}, because KernelGAN's "
                f"kernel halves (scales 2, 4 and 8), but got {kernels}."
            )
        for name, share in (("flat", flat), ("calm", calm)):
            if not 0 < share <= 1:
                raise UserError(
                    f"Argument `{name}` must be a share above 0 and at most 1, but got {share!r}."
                )
        self.scale, self.patch, self.halvings = scale, patch, halvings
        self.kernels, self.flat, self.calm, self.few = kernels, flat, calm, few
        self.kernel_options = (kernel_iterations, kernel_crop, kernel_features)
        self.register_buffer("noise", torch.zeros(noises, 3, patch, patch, dtype=torch.uint8))
        box = torch.zeros(1, KERNEL, KERNEL)
        box[:, KERNEL // 2 : KERNEL // 2 + 2, KERNEL // 2 : KERNEL // 2 + 2] = 0.25
        start = cascaded(box, max(halvings, 1))
        self.register_buffer("kernel_pool", start.repeat(kernels, 1, 1))
        self.register_buffer("filled", torch.zeros(2, dtype=torch.int64))  # noises, kernels

    def draws(self, hr: Tensor) -> Draws:
        """Draw indices for ``hr`` (B, 3, H, W): kernels (B,), noise patches (B, rows, columns)."""
        batch, _, height, width = hr.shape
        rows, columns = (-(-side // (self.scale * self.patch)) for side in (height, width))
        noises, kernels = self.filled.clamp_min(1).tolist()
        return (
            torch.randint(kernels, (batch,), device=hr.device),
            torch.randint(noises, (batch, rows, columns), device=hr.device),
        )

    def forward(self, hr: Tensor, draws: Draws | None = None) -> Tensor:
        """Degrade ``hr`` (B, 3, scale h, scale w) to (B, 3, h, w), with given draws or new ones."""
        kernel, noise = self.draws(hr) if draws is None else draws
        if self.kernels:
            small = blur_and_sample(hr, self.kernel_pool[kernel].to(hr.dtype), self.scale, offset=0)
        else:
            small = downscale(hr, self.scale)
        height, width = small.shape[-2:]
        tiles = self.noise_patches(noise.flatten(), hr.dtype).unflatten(0, noise.shape)
        mosaic = tiles.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)
        return to_8_bit((small + mosaic[..., :height, :width]).clamp(0, 1))

    def noise_patches(self, index: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Noise patches (N, 3, patch, patch) of these indices (N,), in [0, 1] units, of mean 0."""
        patches = unit(self.noise[index], dtype)
        return patches - patches.mean((2, 3), keepdim=True)

    def harvest(self, photos: Photos, generator: torch.Generator, estimate: Estimate) -> Flat:
        """Fill the pools with noise patches and kernels from the real photos.

        Args:
            photos: real LR, uint8 (H, W, 3).
            generator: of all random choices.
            estimate: estimates the kernel of one photo; called as
                ``estimate(photo, iterations, crop, features=, seed=)``.

        Returns:
            The flat patches that the noise was taken from.

        Raises:
            UserError: no photo is large enough, or all are black or white.
        """
        order = torch.randperm(len(photos), generator=generator).tolist()
        seen = [photos[i] for i in order[:PHOTOS]]
        flat = flat_patches(seen, self.patch, self.flat, self.calm, len(self.noise), generator)
        self.noise[: len(flat.patches)] = flat.patches
        self.filled[0] = len(flat.patches)
        iterations, crop, features = self.kernel_options
        large = [photos[i] for i in order if min(photos[i].shape[:2]) >= crop][: self.kernels]
        if self.kernels and not large:
            raise UserError(
                f"Argument `data.lr` must hold a photo of at least {crop}x{crop} pixels to "
                "estimate a kernel from, but holds none; use `degradation.kernels=0` (bicubic)."
            )
        for number, photo in enumerate(large):
            seed = int(torch.randint(2**31, (), generator=generator))
            found = estimate(photo, iterations, crop, features=features, seed=seed)
            self.kernel_pool[number] = cascaded(found, self.halvings)[0]
        self.filled[1] = len(large)
        return flat

    def kernel(self) -> Tensor:
        """The mean kernel, (1, k, k), summing to 1; without kernels that of antialiased bicubic."""
        if self.kernels:
            return self.kernel_pool[: max(int(self.filled[1]), 1)].mean(0, keepdim=True)
        x, y = centred_grid(4 * self.scale + 1, self.scale) / self.scale
        weights: Tensor = cubic(x) * cubic(y)
        return (weights / weights.sum())[None]

    def noise_std(self, brightness: Tensor) -> Tensor:
        """Standard deviation of the noise at each brightness (N,), both in [0, 1]; the same shape.

        The root of the patches' mean variance, weighted by their closeness in brightness (a
        Gaussian of standard deviation 0.1).
        """
        count = int(self.filled[0])
        if not count:
            return torch.zeros_like(brightness)
        patches = unit(self.noise[:count].to(brightness), brightness.dtype)
        variance = patches.var((2, 3)).mean(1)
        distance = (brightness[:, None] - patches.mean((1, 2, 3))) / 0.1
        shares = torch.softmax(-distance.square() / 2, 1)
        return (shares @ variance).sqrt()

    def sentence(self) -> str:
        """Describe the degradation in words."""
        noises, kernels = self.filled.tolist()
        how = f"{kernels} kernels by KernelGAN" if self.kernels else "bicubic"
        middle = 255 * float(self.noise_std(torch.tensor([0.5], device=self.noise.device)))
        return f"{how}, {noises} noise patches, {middle:.1f}/255 at middle brightness"
