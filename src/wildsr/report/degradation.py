"""What a degrader, learned or known, does to a picture: its kernel and its noise."""

from __future__ import annotations

from itertools import chain

import torch
from torch import Tensor, nn

from wildsr.network.camera import sentence
from wildsr.report.camera import CameraState, kernel_statistics

LEVELS = 17  # brightness levels at which noise is stated


def describe(degrader: nn.Module) -> CameraState | None:
    """The kernel and the noise of a degrader, in the form that ``camera_figure`` draws.

    A camera states its own (the median kernel of one whose blur differs, the noise before JPEG), as
    does whatever has ``kernel()`` and ``noise_std(brightness)``; a network that returns (LR,
    kernel, noise), as PDM's does, is sampled: the mean of its kernels, and the spread of its noise
    on flat patches.

    Returns:
        {"kernel": (k, k), "brightness": (L,), "noise_std": (L,) in [0, 1] units, "summary": str};
        None for a degrader that has neither.
    """
    brightness = torch.linspace(0, 1, LEVELS)
    if hasattr(degrader, "noise_std"):
        device = next(chain(degrader.buffers(), degrader.parameters())).device
        kernel = degrader.kernel()[0].detach().cpu()  # type: ignore[operator]
        std = degrader.noise_std(brightness.to(device)).detach().cpu()  # type: ignore[operator]
    elif hasattr(degrader, "draws"):
        kernel, std = _sampled(degrader, brightness)
    else:
        return None
    own = hasattr(degrader, "sentence")
    summary = degrader.sentence() if own else sentence(_measured(kernel, std))  # type: ignore[operator]
    return {
        "kernel": kernel,
        "brightness": brightness,
        "noise_std": std,
        "summary": summary,
    }


def _measured(kernel: Tensor, std: Tensor) -> dict[str, float]:
    found = kernel_statistics(kernel)
    return {
        "blur_major": found["sigma_major"],
        "blur_minor": found["sigma_minor"],
        "blur_angle": found["angle_degrees"],
        "noise_read": 255 * float(std[0]),
        "noise_shot": 255 * float((std[-1] ** 2 - std[0] ** 2).clamp(min=0).sqrt()),
    }


@torch.no_grad()
def _sampled(degrader: nn.Module, brightness: Tensor) -> tuple[Tensor, Tensor]:
    parameter = next(degrader.parameters())
    side = 32 * int(degrader.scale)  # type: ignore[arg-type]
    flat = brightness.to(parameter)[:, None, None, None].expand(-1, 3, side, side).contiguous()
    training = degrader.training
    degrader.eval()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        _, kernel, noise = degrader(flat, *degrader.draws(flat))  # type: ignore[operator]
    degrader.train(training)
    return kernel.mean(0).float().cpu(), noise.flatten(1).std(1).float().cpu()
