"""Blur and sampling as a sensor does them, with one kernel or one for each image."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from wildsr.error import UserError


def centred_grid(size: int, scale: int) -> Tensor:
    """Offsets (2, k, k), x then y, of the taps from an output pixel's middle, in HR pixels.

    The middle of output pixel ``i`` lies at HR coordinate ``scale * i + (scale - 1) / 2``, between
    two HR pixels for an even scale; the kernel's middle tap is HR pixel ``scale * i + (scale - 1)
    // 2`` (see ``blur_and_sample``).
    """
    if size % 2 == 0 or size < 1:
        raise UserError(f"Argument `kernel_size` must be an odd number, but got {size}.")
    taps = torch.arange(size, dtype=torch.float32) - size // 2
    taps = taps - ((scale - 1) / 2 - (scale - 1) // 2)
    y, x = torch.meshgrid(taps, taps, indexing="ij")
    return torch.stack([x, y])


def gaussian_kernel(a: Tensor, b: Tensor, c: Tensor, offsets: Tensor) -> Tensor:
    """Gaussian (k, k) summing to 1, of covariance ``L L^T`` with ``L = [[a, 0], [b, c]]``.

    Args:
        a: standard deviation along x, in pixels; positive.
        b: shear.
        c: the remaining standard deviation along y; positive.
        offsets: (2, k, k), x then y, of the taps from the centre.
    """
    x, y = offsets
    u = x / a
    v = (y - b * u) / c
    return torch.softmax(-0.5 * (u * u + v * v).flatten(), 0).view(x.shape)


def blur_and_sample(hr: Tensor, kernel: Tensor, scale: int, offset: int | None = None) -> Tensor:
    r"""Correlate each image with its kernel and keep every ``scale``-th pixel.

    .. math:: lr_{b,c,i,j} = \sum_{u,v} kernel_{b,u,v} \; hr_{b,c,\, si+o+u-r,\, sj+o+v-r}

    with s = ``scale``, o = ``offset``, r = k // 2: a correlation, not a flipped convolution. The
    kernel is centred on the sampled pixel, and borders are reflected (d c b | a b c d | c b a).
    Nothing is normalised or shifted: an output pixel's own centre lies (s - 1) / 2 - o to the
    right of and below the kernel's centre, and a caller who wants the centre of mass there puts it
    there (see :func:`pinned_softmax`).

    Computed by FFT in float32 at least, also under autocast: bfloat16 has fewer levels than 8
    bits. On a CPU, forward and backward of a 21 x 21 kernel for each image take about the time of a
    strided grouped convolution at scale 4, a third of it at scale 2 and a sixth at scale 1.

    Args:
        hr: (B, C, H, W), its sides multiples of ``scale``; of any size, borders reflect as often
            as needed.
        kernel: (B, k, k), or (1, k, k) for all images, with k odd.
        scale: the factor between the two grids.
        offset: the pixel of each scale x scale block that the kernel is centred on; by default
            (scale - 1) // 2, the nearest one to the block's centre from above left.

    Returns:
        (B, C, H / scale, W / scale); differentiable in ``hr`` and in ``kernel``.

    Raises:
        UserError: shapes or an offset that do not fit the above.
    """
    offset = (scale - 1) // 2 if offset is None else offset
    _check(hr, kernel, scale, offset)
    height, width = hr.shape[-2:]
    radius = kernel.shape[-1] // 2
    dtype = torch.promote_types(torch.promote_types(hr.dtype, kernel.dtype), torch.float32)
    padded = _reflect(_reflect(hr.to(dtype), radius, -1), radius, -2)
    size = [_fast_length(side) for side in padded.shape[-2:]]
    # The conjugate makes it a correlation; nothing that is kept reaches past the padding.
    spectrum = torch.fft.rfft2(kernel.to(dtype), s=size).conj()[:, None]  # (B, 1, h, w // 2 + 1)
    blurred = torch.fft.irfft2(torch.fft.rfft2(padded, s=size) * spectrum, s=size)
    return blurred[..., offset:height:scale, offset:width:scale]


def separable_blur(image: Tensor, sigma: Tensor, size: int) -> Tensor:
    """Blur each image by an isotropic Gaussian of its own: (B, C, H, W), (B,) -> (B, C, H, W)."""
    dtype = torch.promote_types(torch.promote_types(image.dtype, sigma.dtype), torch.float32)
    batch, channels, height, width = image.shape
    taps = torch.arange(size, device=sigma.device, dtype=dtype) - size // 2
    kernel = torch.softmax(-0.5 * (taps / sigma.to(dtype)[:, None]) ** 2, 1)
    kernel = kernel.repeat_interleave(channels, 0)[:, None, None]
    padded = _reflect(_reflect(image.to(dtype), size // 2, -1), size // 2, -2)
    with torch.autocast(image.device.type, enabled=False):
        rows = F.conv2d(padded.flatten(0, 1)[None], kernel, groups=batch * channels)
        both = F.conv2d(rows, kernel.transpose(2, 3), groups=batch * channels)
    return both.view(batch, channels, height, width)


def pinned_softmax(logits: Tensor, centre: float) -> Tensor:
    r"""A softmax over kernel taps whose centre of mass stays where it is put.

    .. math:: kernel_{u,v} \propto \exp(logits_{u,v} + a u + b v)

    with the tilt (a, b) for which the mean position is ``centre`` in both directions. A tilt keeps
    every tap positive, and shifts a Gaussian without changing its shape. An adversarial loss on
    patches cannot see a shift, so a free kernel drifts, and whatever is trained on its images
    learns the drift.

    Args:
        logits: (B, k, k), k odd.
        centre: pixels from the middle tap, to the right and down.

    Returns:
        (B, k, k), each kernel positive with sum 1; differentiable in ``logits``.
    """
    size = logits.shape[-1]
    flat = logits.flatten(1).to(torch.promote_types(logits.dtype, torch.float32))
    taps = torch.arange(size, device=flat.device, dtype=flat.dtype) - size // 2 - centre
    v, u = (grid.flatten() for grid in torch.meshgrid(taps, taps, indexing="ij"))
    with torch.no_grad():
        tilted = flat
        shares = _SHARES.to(flat)[:, None]
        for _ in range(_NEWTON_STEPS):
            a, b = _newton_step(tilted, u, v)
            step = a.clamp(-100, 100) * u + b.clamp(-100, 100) * v
            # Of the convex log-partition that it descends, the share of the step that is lowest.
            partition = torch.logsumexp(tilted[:, None] - shares * step[:, None], dim=2)
            tilted = tilted - shares[partition.argmin(1)] * step
    # One more step outside: at the solution its derivative is that of the solution itself (implicit
    # function theorem), so that the steps before it need no graph.
    tilted = flat + (tilted - flat).detach()
    a, b = _newton_step(tilted, u, v)
    return torch.softmax(tilted - a * u - b * v, dim=1).view_as(logits)


_NEWTON_STEPS = 12  # enough for a lone tap of e^25 in a corner
_SHARES = 0.4 ** torch.arange(8)


def _newton_step(logits: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Covariance^-1 mean of the position (u, v): Newton's step for a mean of 0, (B, 1) each."""
    # Sums and no matrix products, which autocast and TF32 would compute coarsely.
    kernel = torch.softmax(logits, dim=1)
    mean_u, mean_v = (kernel * u).sum(1, keepdim=True), (kernel * v).sum(1, keepdim=True)
    with torch.no_grad():  # a constant at first order, because the mean is 0 at the solution
        du, dv = u - mean_u, v - mean_v
        uu = (kernel * du * du).sum(1, keepdim=True) + 1e-6
        vv = (kernel * dv * dv).sum(1, keepdim=True) + 1e-6
        uv = (kernel * du * dv).sum(1, keepdim=True)
        determinant = uu * vv - uv * uv
    return (vv * mean_u - uv * mean_v) / determinant, (uu * mean_v - uv * mean_u) / determinant


def _reflect(image: Tensor, radius: int, dim: int) -> Tensor:
    """Reflect the borders along one dimension, however short it is."""
    length = image.shape[dim]
    position = torch.arange(-radius, length + radius, device=image.device)
    position = position.remainder(max(2 * length - 2, 1))  # there and back again
    return image.index_select(dim, torch.minimum(position, 2 * length - 2 - position))


def _fast_length(length: int) -> int:
    """The next length without prime factors above 5, for which an FFT is quick."""
    rest = length
    for prime in (2, 3, 5):
        while rest % prime == 0:
            rest //= prime
    return length if rest == 1 else _fast_length(length + 1)


def _check(hr: Tensor, kernel: Tensor, scale: int, offset: int) -> None:
    if hr.ndim != 4 or hr.shape[2] % scale or hr.shape[3] % scale:
        raise UserError(
            f"Argument `hr` must be (B, C, H, W) with sides that are multiples of {scale}, but "
            f"got {tuple(hr.shape)}."
        )
    square = kernel.ndim == 3 and kernel.shape[1] == kernel.shape[2] and kernel.shape[1] % 2 == 1
    if not square or kernel.shape[0] not in (1, hr.shape[0]):
        raise UserError(
            f"Argument `kernel` must be ({hr.shape[0]}, k, k) or (1, k, k) with k odd, "
            f"but got {tuple(kernel.shape)}."
        )
    if not 0 <= offset < scale:
        raise UserError(
            f"Argument `offset` must be one of {list(range(scale))}, but got {offset!r}."
        )
