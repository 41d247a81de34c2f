"""Estimate the blur kernel of one photo by KernelGAN, in a small fixed budget."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wildsr.argument import check_counts
from wildsr.degradation.bicubic import downscale
from wildsr.error import UserError
from wildsr.loss.adversarial import fool, judge
from wildsr.loss.kernel import kernel_boundaries, kernel_centre, kernel_sparsity, kernel_sum
from wildsr.network.critic.kernelgan import KernelGANCritic
from wildsr.network.degrader.kernelgan import KernelGAN
from wildsr.pixels import floats_of

ALIGN = 5  # one in this many iterations is spent on initialising the kernel to bicubic
RATES = 1e-3, 2e-4  # learning rates of the initialisation and after it
QUANTUM = 1 / 255


def estimate_kernel(
    photo: npt.NDArray[np.uint8],
    iterations: int,
    crop: int = 64,
    batch: int = 4,
    features: int = 64,
    seed: int = 0,
) -> Tensor:
    """Estimate the kernel for which patches of the photo downscaled by 2 look like its own patches.

    The first two stages of ``method=kernelgan_zssr`` with its weights; the first is faster (a fifth
    of the iterations, five times the learning rate), the second has no schedule.

    Args:
        photo: uint8 (H, W, 3), at least ``crop`` pixels a side.
        iterations: of the network and its critic each.
        crop: side of the crops that are downscaled, at least 32.
        batch: crops at a time.
        features: channels of both networks.
        seed: of all random draws; the global generator is not changed.

    Returns:
        (1, 13, 13), of sum 1, centred as in
        :meth:`~wildsr.network.degrader.kernelgan.KernelGAN.cleaned`.

    Raises:
        UserError: a photo or crop that is too small, a count below 1.
    """
    check_counts(iterations=iterations, crop=crop, batch=batch)
    if crop < 32 or min(photo.shape[:2]) < crop:
        raise UserError(
            "Argument `crop` must be at least 32 pixels and no larger than the photo, but got "
            f"{crop} for {photo.shape[1]}x{photo.shape[0]}."
        )
    whole = floats_of(photo)[0]
    choose = np.random.default_rng(seed)

    def crops(side: int) -> Tensor:
        top, left = (choose.integers(0, n - side + 1, batch) for n in whole.shape[1:])
        return torch.stack(
            [whole[:, t : t + side, x : x + side] for t, x in zip(top, left, strict=True)]
        )

    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(seed)
        network, critic = KernelGAN(2, features), KernelGANCritic(features)
        small = (crop - network.size) // 2 + 1
        cut = (network.size - 1) // 4
        shrinks, judges = (
            torch.optim.Adam(part.parameters(), RATES[1], (0.5, 0.999))
            for part in (network, critic)
        )
        for iteration in range(iterations):
            large, real = crops(crop), crops(small)
            kernel = network.filter()
            fake = network.halve(large, kernel)
            loss = fool(critic, fake, kind="absolute")
            loss = loss + 0.5 * kernel_sum(kernel) + 0.5 * kernel_boundaries(kernel)
            aligning = iteration * ALIGN < iterations
            shrinks.param_groups[0]["lr"] = RATES[0] if aligning else RATES[1]
            if aligning:
                target = downscale(large, 2)[..., cut : cut + small, cut : cut + small]
                loss = loss + 100 * (fake - target).square().mean()
            else:
                loss = loss + 5 * kernel_sparsity(kernel) + kernel_centre(kernel)
            shrinks.zero_grad()
            loss.backward()
            shrinks.step()

            fake = fake.detach() + QUANTUM * torch.randn_like(fake)
            real = real + QUANTUM * torch.randn_like(real)
            judges.zero_grad()
            judge(critic, real, fake, "absolute").backward()
            judges.step()
        return network.cleaned().detach()
