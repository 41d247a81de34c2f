"""Blur and sampling as in a sensor, with one kernel for all images or one for each."""

from __future__ import annotations

import torch
from torch import Tensor

from wildsr.degradation.correlation import along_sides, by_fft, by_matrices, directly
from wildsr.degradation.kernel import gaussian_taps
from wildsr.error import UserError


def centred_grid(size: int, scale: int) -> Tensor:
    """Offsets of kernel taps from the centre of an output pixel, in HR pixels: (2, k, k), x then y.

    The centre of output pixel ``i`` is at HR coordinate ``scale * i + (scale - 1) / 2``, between
    two HR pixels for an even scale; the kernel's middle tap is HR pixel ``scale * i + (scale - 1)
    // 2`` (see ``blur_and_sample``).

    Args:
        size: k, odd.
        scale: HR pixels for each LR pixel.

    Raises:
        UserError: an even size.
    """
    if size % 2 == 0 or size < 1:
        raise UserError(f"Argument `kernel_size` must be an odd number, but got {size}.")
    taps = torch.arange(size, dtype=torch.float32) - size // 2
    taps = taps - ((scale - 1) / 2 - (scale - 1) // 2)
    y, x = torch.meshgrid(taps, taps, indexing="ij")
    return torch.stack([x, y])


def gaussian_kernel(a: Tensor, b: Tensor, c: Tensor, offsets: Tensor) -> Tensor:
    """Anisotropic Gaussian kernel (k, k), summing to 1.

    Its covariance is ``L L^T`` with ``L = [[a, 0], [b, c]]``.

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
    r"""Blur each image with its kernel and keep every ``scale``-th pixel.

    .. math:: lr_{b,c,i,j} = \sum_{u,v} kernel_{b,u,v} \; hr_{b,c,\, si+o+u-r,\, sj+o+v-r}

    with s = ``scale``, o = ``offset``, r = k // 2: a correlation, not a flipped convolution. The
    kernel is centred on the sampled pixel, and borders are reflected (d c b | a b c d | c b a).
    Nothing is normalised or shifted: an output pixel's centre lies (s - 1) / 2 - o to the right of
    and below the kernel's middle tap; to have the kernel's centre of mass there, construct it so
    (see :func:`pinned_softmax`).

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
    _check_image(hr, "hr", scale)
    _check_kernel(kernel, len(hr))
    if not 0 <= offset < scale:
        raise UserError(
            f"Argument `offset` must be one of {list(range(scale))}, but got {offset!r}."
        )
    dtype = torch.promote_types(torch.promote_types(hr.dtype, kernel.dtype), torch.float32)
    blurred = by_fft(hr.to(dtype), kernel.to(dtype))
    return blurred[..., offset::scale, offset::scale]


def blur(image: Tensor, kernel: Tensor) -> Tensor:
    r"""Blur each image with its kernel, by correlation.

    .. math:: out_{b,c,i,j} = \sum_{u,v} kernel_{b,u,v} \; image_{b,c,\, i+u-r,\, j+v-r}

    with r = k // 2: a correlation, as in other toolkits, not a flipped convolution. Borders are
    reflected (d c b | a b c d | c b a), repeatedly if an image is smaller than the kernel.
    Computed in float32 at least, also under autocast: bfloat16 has fewer levels than 8 bits.

    Args:
        image: (B, C, H, W) of any size.
        kernel: (B, k, k), or (1, k, k) for all images, with k odd; not normalised.

    Returns:
        (B, C, H, W), float32 at least; differentiable in ``image`` and in ``kernel``.

    Raises:
        UserError: shapes that do not fit the above.
    """
    _check_image(image, "image", 1)
    _check_kernel(kernel, len(image))
    dtype = torch.promote_types(torch.promote_types(image.dtype, kernel.dtype), torch.float32)
    learned = torch.is_grad_enabled() and kernel.requires_grad
    longest = _DIRECT if image.shape[0] * image.shape[1] >= 16 else _DIRECT_FEW
    direct = kernel.shape[-1] <= (_DIRECT_LEARNED if learned else longest)
    correlate = directly if direct and image.device.type == "cpu" else by_fft
    return correlate(image.to(dtype), kernel.to(dtype))


# Measured on a CPU: time of the direct convolution divided by that of the FFT, for 12 x 3 images of
# 48 to 256 pixels a side (the side hardly matters) and, in brackets, for 1 x 3 of 256: grouped
# convolutions are vectorised over groups, and few groups leave vectors empty.
#     k                              3    5          7          9          15               21
#     forward                        0.2  0.3 (0.3)  0.3 (0.7)  0.5 (0.9)  0.9-1.2 (2+)     1.9
#     and backward to the image      0.2  0.3 (0.2)  0.4 (0.4)  0.5 (0.9)  0.9-1.1 (1.9)    1.0-1.8
#     and backward to the kernel too 0.2  0.7 (1.1)  1.6 (1.8)  2.4 (2.7)  6   (7)          9-13
# On other devices always by FFT, which is never computed in TF32.
_DIRECT, _DIRECT_FEW, _DIRECT_LEARNED = 15, 9, 5


def separable_blur(image: Tensor, sigma: Tensor, size: int) -> Tensor:
    """Blur each image with an isotropic Gaussian, rows and columns one after the other.

    Equal to ``blur(image, isotropic(sigma, size))`` up to rounding, borders and precision included.

    Args:
        image: (B, C, H, W) of any size.
        sigma: standard deviation in pixels, (B,), or (1,) for all images; positive.
        size: taps a side, odd.

    Returns:
        (B, C, H, W), float32 at least; differentiable in ``image`` and in ``sigma``.

    Raises:
        UserError: an even size, a sigma that is not positive, shapes that do not fit.
    """
    _check_image(image, "image", 1)
    taps = gaussian_taps(sigma, size)
    if len(taps) not in (1, len(image)):
        raise UserError(
            f"Argument `sigma` must be ({len(image)},) or (1,), one value for each image, but got "
            f"{tuple(sigma.shape)}."
        )
    dtype = torch.promote_types(image.dtype, taps.dtype)
    image, taps = image.to(dtype), taps.to(dtype).expand(len(image), size)
    on_cpu = image.device.type == "cpu"
    learned = torch.is_grad_enabled() and sigma.requires_grad
    if on_cpu and max(image.shape[-2:]) <= _MATRIX_SIDE * size:
        return by_matrices(image, taps)
    if on_cpu and not (learned and size > _SIDES_LEARNED):
        return along_sides(image, taps)
    return by_fft(image, taps[:, :, None] * taps[:, None, :])


# Milliseconds of forward and backward on a CPU, to the image alone and to sigma as well:
#                          matrices    convolutions   FFT
#     12 x 3 x 64^2,  k 9  1.6   3.0   2.3   4.5      5.7   6.0
#     12 x 3 x 128^2, k 21  17    30    13    50       26    45
#     12 x 3 x 256^2, k 21  63    94    39    86       79   115
#     12 x 3 x 256^2, k 51 128   136   144   304      171   171
#     2 x 3 x 512^2,  k 51 114   170    61   275       87    74
# Time per pixel grows with the side for matrices, with k for convolutions, with neither for FFT.
_MATRIX_SIDE, _SIDES_LEARNED = 8, 21


def pinned_softmax(logits: Tensor, centre: float) -> Tensor:
    r"""Softmax over kernel taps with the centre of mass fixed at a given place.

    .. math:: kernel_{u,v} \propto \exp(logits_{u,v} + a u + b v)

    with the exponential tilt (a, b) for which the mean position is ``centre`` in both directions,
    found by Newton's method. A tilt keeps every tap positive, and shifts a Gaussian without
    changing its shape. A patch critic cannot see a shift, so a free kernel would drift, and an
    upscaler trained on its images would learn the shift.

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
            # Line search: the share of the step with the lowest (convex) log-partition function.
            partition = torch.logsumexp(tilted[:, None] - shares * step[:, None], dim=2)
            tilted = tilted - shares[partition.argmin(1)] * step
    # One more step with gradient: at the solution its derivative is that of the solution itself
    # (implicit function theorem), so that the steps before it need no graph.
    tilted = flat + (tilted - flat).detach()
    a, b = _newton_step(tilted, u, v)
    return torch.softmax(tilted - a * u - b * v, dim=1).view_as(logits)


_NEWTON_STEPS = 12  # enough even for a single tap of e^25 in a corner
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


def _check_image(image: Tensor, name: str, multiple: int) -> None:
    if image.ndim != 4 or image.shape[2] % multiple or image.shape[3] % multiple:
        sides = f" with sides that are multiples of {multiple}" if multiple > 1 else ""
        raise UserError(
            f"Argument `{name}` must be (B, C, H, W){sides}, but got {tuple(image.shape)}."
        )


def _check_kernel(kernel: Tensor, batch: int) -> None:
    square = kernel.ndim == 3 and kernel.shape[1] == kernel.shape[2] and kernel.shape[1] % 2 == 1
    if not square or kernel.shape[0] not in (1, batch):
        raise UserError(
            f"Argument `kernel` must be ({batch}, k, k) or (1, k, k) with k odd, "
            f"but got {tuple(kernel.shape)}."
        )
