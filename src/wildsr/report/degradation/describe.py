"""Describe the blur kernel and noise of a degrader, learned or known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wildsr.network.degrader.camera import sentence
from wildsr.network.protocol import Physical, Sampled, Stated, Worded
from wildsr.report.degradation.camera import CameraState, kernel_statistics

LEVELS = 17  # brightness levels at which noise is stated


def describe(degrader: nn.Module) -> CameraState | None:
    """Describe the blur kernel and noise of a degrader, for ``camera_figure``.

    A degrader with ``kernel()`` and ``noise_std(brightness)`` is asked for them (a camera with
    varying blur gives its median kernel, and its noise before JPEG). A network that returns (LR,
    kernel, noise), as PDM's does, is sampled: the mean of its kernels, and the standard deviation
    of its noise on flat patches.

    Returns:
        {"kernel": (k, k), "brightness": (L,), "noise_std": (L,) in [0, 1] units, "summary": str};
        None for other degraders.
    """
    brightness = torch.linspace(0, 1, LEVELS)
    if isinstance(degrader, Stated):
        device = next(chain(degrader.buffers(), degrader.parameters())).device
        kernel = degrader.kernel()[0].detach().cpu()
        std = degrader.noise_std(brightness.to(device)).detach().cpu()
    elif isinstance(degrader, Sampled):
        kernel, std = _sampled(degrader, brightness)
    else:
        return None
    if isinstance(degrader, Worded):
        summary = degrader.sentence()
    elif isinstance(degrader, Physical):
        summary = sentence(degrader.physical())
    else:
        summary = sentence(_measured(kernel, std))
    return {"kernel": kernel, "brightness": brightness, "noise_std": std, "summary": summary}


def _measured(kernel: Tensor, std: Tensor) -> dict[str, float]:
    found = kernel_statistics(kernel)
    return {
        "blur_major": found["sigma_major"],
        "blur_minor": found["sigma_minor"],
        "blur_angle": found["angle_degrees"],
        "noise_read": 255 * float(std[0]),
        "noise_shot": 255 * float((std[-1] ** 2 - std[0] ** 2).clamp(min=0).sqrt()),
    }


def measured_kernel(
    hr: Sequence[Tensor], lr: Sequence[Tensor], scale: int, size: int = 21, ridge: float = 1e-3
) -> Tensor:
    """Estimate any degrader's blur kernel by least squares from HR and LR images.

    Minimises ``sum |lr - (hr * k) sampled|^2 + ridge n |k|^2`` over random LR pixels of all
    channels (means subtracted), with hr's values in [0, 1]. Noise averages out, and nonlinear
    effects are ignored.

    Args:
        hr: (1, 3, sh, sw) each, [0, 1].
        lr: (1, 3, h, w), of the same photos.
        scale: s.
        size: side of the kernel in HR pixels, odd; for an even scale its middle lies half a pixel
            left of and above the middle of the LR pixel.
        ridge: regularises directions in which the photos have hardly any detail.

    Returns:
        (size, size), its values summing to 1.
    """
    half, offset, generator = size // 2, (scale - 1) // 2, torch.Generator().manual_seed(0)
    square, product = torch.zeros(size**2, size**2), torch.zeros(size**2)
    count = 0
    for sharp, small in zip(hr, lr, strict=True):
        padded = F.pad(sharp, [half] * 4, mode="replicate")[0]
        height, width = small.shape[-2:]
        chosen = torch.randperm(height * width, generator=generator)[:3000]
        y, x = chosen // width, chosen % width
        windows = padded.unfold(1, size, 1).unfold(2, size, 1)
        seen = windows[:, y * scale + offset, x * scale + offset].flatten(2).flatten(0, 1)
        means = sharp.mean((0, 2, 3)).repeat_interleave(len(chosen))
        seen = seen - means[:, None]
        values = small[0, :, y, x].flatten() - means
        square += seen.T @ seen
        product += seen.T @ values
        count += len(values)
    kernel = torch.linalg.solve(square + ridge * count * torch.eye(size**2), product)
    kernel = kernel.view(size, size)
    return kernel / kernel.sum()


@torch.no_grad()
def _sampled(degrader: nn.Module, brightness: Tensor) -> tuple[Tensor, Tensor]:
    held = chain(degrader.parameters(), degrader.buffers())  # of a frozen one all are buffers
    parameter = next(values for values in held if values.is_floating_point())
    side = 32 * int(degrader.scale)  # type: ignore[arg-type]
    flat = brightness.to(parameter)[:, None, None, None].expand(-1, 3, side, side).contiguous()
    training = degrader.training
    degrader.eval()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        _, kernel, noise = degrader(flat, *degrader.draws(flat))  # type: ignore[operator]
    degrader.train(training)
    return kernel.mean(0).float().cpu(), noise.flatten(1).std(1).float().cpu()
