"""A camera model of fourteen parameters: blur, noise, denoising and sharpening.

A camera is a vector of ``len(PARAMETERS)`` numbers (P in shapes), in units in which equal steps
have similar effects, so that cameras can be fitted, averaged and perturbed:

- ``width``: logarithm of the geometric mean of the blur's two standard deviations, in LR pixels;
- ``stretch_x``, ``stretch_d``: logarithm of the ratio of the two, times the cosine and the sine of
  twice the angle of the longer axis (a direction has no sign, and a round blur no direction);
- ``noise``: logarithm of the noise's standard deviation at half brightness, in 1/255;
- ``shot``: logit of the share of that variance which grows with brightness;
- ``correlation``: standard deviation in LR pixels of the Gaussian that filtered the noise;
- ``gray``: share of the noise's variance that is the same in red, green and blue;
- ``sharpen``: amount of unsharp masking, radius one LR pixel, after noise and denoising;
- ``shape``: logarithm of the exponent of a generalised Gaussian: 0 for a Gaussian, higher for a
  plateau with steep sides (a defocus disc, a pixel's box, linear motion);
- ``bicubic``: weight, 0 to 1, of the kernel of antialiased bicubic downscaling in place of the blur
  above;
- ``denoise``: blending weight, 0 to 1, of an edge-preserving filter applied to the noisy image;
- ``lift``: effect of a tone curve on the noise: at black its standard deviation is exp(lift) times
  what ``noise`` and ``shot`` say, at white exp(-lift) times;
- ``blotch``: how much coarser the noise of single channels (chroma noise) is than the shared one,
  as the logarithm of the ratio of the two filter widths; the coarser, the less it shows in luma;
- ``patches``: 1 if the filter of ``denoise`` compares patches (non-local means), 0 if it compares
  pixels (bilateral).

The image is blurred and sampled, gets noise, is denoised, then sharpened: :func:`seen` does the
latter three.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from wildsr.degradation import interpolant
from wildsr.degradation.blur import centred_grid
from wildsr.network.degrader.processing import RADIUS, denoised, sharpened

# Of each parameter: lowest and highest value, mean and standard deviation of the prior. The mean
# blur is the Gaussian nearest to bicubic downscaling.
_TABLE = {
    "width": (math.log(0.13), math.log(1.1), math.log(0.38), 0.7),
    "stretch_x": (-1.3, 1.3, 0.0, 0.6),
    "stretch_d": (-1.3, 1.3, 0.0, 0.6),
    "noise": (math.log(0.12), math.log(22.0), math.log(2.0), 1.7),
    "shot": (-4.0, 4.0, 0.0, 1.5),
    "correlation": (0.2, 1.1, 0.35, 0.35),
    "gray": (0.0, 0.95, 0.2, 0.35),
    "sharpen": (-0.3, 1.2, 0.0, 0.5),
    "shape": (-0.4, 1.4, 0.0, 0.5),
    "bicubic": (0.0, 1.0, 0.0, 0.5),
    "denoise": (0.0, 1.0, 0.0, 0.7),
    "lift": (-0.6, 1.2, 0.0, 0.5),
    "blotch": (0.0, 2.0, 0.0, 0.8),
    "patches": (0.0, 1.0, 0.0, 1.0),
}
PARAMETERS = tuple(_TABLE)
LOWEST, HIGHEST, PRIOR, PRIOR_SPREAD = torch.tensor(list(_TABLE.values())).T.contiguous()
POINTS = (-1 / 3, 0.0, 1 / 3)  # sampling points within a pixel, each direction
SPREAD = 2 / 27  # variance of these points; subtracted, so that the sum has the stated variance
NARROWEST = 0.02  # squared HR pixels
FARTHEST = 60.0  # beyond, exp(-x) is 0; numbers below 1e-38 are slow to compute with
MARGIN = 4  # LR pixels to each side that filtering the noise uses up
COARSEST = 2.0  # LR pixels, standard deviation of the widest filter of noise
WHITE = 0.25  # LR pixels; noise filtered by a narrower Gaussian is white


def kernel_size(scale: int) -> int:
    """The kernel size, in HR pixels a side, that holds the blur of any camera."""
    return 8 * scale + 1


def covariance(camera: Tensor, scale: int) -> Tensor:
    """Covariance of the blur before sharpening, (..., 3): xx, yy, xy in squared HR pixels.

    Args:
        camera: (..., P).
        scale: HR pixels for each LR pixel.
    """
    width, x, d = camera[..., 0], camera[..., 1], camera[..., 2]
    ratio = torch.sqrt(x.square() + d.square() + 1e-12)
    square = (scale * width.exp()) ** 2
    even, odd = square * torch.cosh(ratio), square * torch.sinh(ratio) / ratio
    return torch.stack([even + odd * x, even - odd * x, odd * d], -1)


def kernels(camera: Tensor, scale: int, moved: Tensor | None = None) -> Tensor:
    r"""The blur kernel of each camera before sharpening, (B, k, k), summing to 1.

    .. math:: B_{\Sigma,\beta}(x) \propto \exp(-(x^T \Sigma^{-1} x / c_\beta)^\beta), \quad
        c_\beta = 2 \Gamma(1 / \beta) / \Gamma(2 / \beta)

    a generalised Gaussian scaled so that its covariance is Sigma for every exponent (Gomez et al.
    1998, "A multivariate generalization of the power exponential family"). It is averaged over 3 x
    3 points of each HR pixel, because kernels with a high exponent have sharp edges.

    Args:
        camera: (B, len(PARAMETERS)).
        scale: HR pixels for each LR pixel.
        moved: (B, 2) how far the picture lies to the right and down, in LR pixels; None for 0.
    """
    grid = centred_grid(kernel_size(scale), scale).to(camera)[None]
    if moved is not None:  # a picture lies where its kernel looks to the other side
        grid = grid + scale * moved.to(camera)[:, :, None, None]
    blur = _bells(covariance(camera, scale), camera[:, 8].exp(), grid)
    cubic = interpolant.cubic(grid / scale)
    cubic = cubic[:, 0] * cubic[:, 1]
    cubic = cubic / cubic.sum((1, 2), keepdim=True)
    return torch.lerp(blur, cubic, camera[:, 9, None, None])


def whole_kernels(camera: Tensor, scale: int) -> Tensor:
    """Blur and sharpening of each camera as one kernel, (B, k, k), summing to 1, for reports.

    The blurred image of unsharp masking is approximated by a Gaussian, whose covariance is the sum
    of those of blur and mask.

    Args:
        camera: (B, P).
        scale: HR pixels for each LR pixel.
    """
    grid = centred_grid(kernel_size(scale), scale).to(camera)
    mask = camera.new_tensor([1.0, 1.0, 0.0]) * (scale * RADIUS) ** 2
    soft = _bells(covariance(camera, scale) + mask, torch.ones_like(camera[:, 8]), grid[None])
    return torch.lerp(kernels(camera, scale), soft, -camera[:, 7, None, None])


def noise_levels(camera: Tensor) -> tuple[Tensor, Tensor]:
    """Standard deviation of the noise at black, and of the part that white adds, in 1/255.

    Args:
        camera: (..., P); both results have the shape (...).
    """
    middle, share = (2 * camera[..., 3]).exp(), camera[..., 4].sigmoid()
    return (middle * (1 - share)).sqrt(), (2 * middle * share).sqrt()


def with_noise(
    clean: Tensor, camera: Tensor, normal: Tensor, black: float | Tensor = 0.0
) -> Tensor:
    """Add each camera's noise to ``clean`` (B, C, H, W) in [0, 1]; the result is not clamped.

    Args:
        clean: the image without noise; no gradient flows through the noise level.
        camera: (B, P).
        normal: standard normal (B, C + 1, H + 2 MARGIN, W + 2 MARGIN): noise of each channel, and
            last the noise that all channels share.
        black: the black level, above which shot noise grows.
    """
    blotch = camera[:, 12]
    if bool((blotch > 0).any()):
        coarser = (camera[:, 5] * blotch.exp()).clamp(max=COARSEST)
        own = _without_luma(_filtered(normal[:, :-1], coarser), blotch)
        shared = _filtered(normal[:, -1:], camera[:, 5])
    else:
        own, shared = _filtered(normal, camera[:, 5]).split([clean.shape[1], 1], 1)
    gray = camera[:, 6].clamp(0, 1)[:, None, None, None]
    noise = (1 - gray + 1e-12).sqrt() * own + (gray + 1e-12).sqrt() * shared
    read, shot = (level[:, None, None, None] / 255 for level in noise_levels(camera))
    light = clean.detach().clamp(0, 1)
    lit = light if isinstance(black, float) and black == 0 else (light - black).clamp(min=0)
    deviation = (read.square() + shot.square() * lit).sqrt()
    lift = camera[:, 11, None, None, None]
    return clean + noise * deviation * (lift * (1 - 2 * light)).exp()


def seen(clean: Tensor, camera: Tensor, normal: Tensor, black: float | Tensor = 0.0) -> Tensor:
    """Apply each camera's noise, denoising and sharpening to ``clean`` (B, C, H, W).

    The arguments are those of :func:`with_noise`.
    """
    noisy = with_noise(clean, camera, normal, black)
    quiet = denoised(noisy, camera[:, 10], camera[:, 3].exp() / 255, camera[:, 13])
    return sharpened(quiet, camera[:, 7])


def physical(camera: Tensor, scale: int) -> dict[str, float]:
    """One camera's parameters in report units: HR pixels, degrees, 1/255, LR pixels, shares."""
    xx, yy, xy = covariance(camera.double(), scale).tolist()
    variance, axes = torch.linalg.eigh(torch.tensor([[xx, xy], [xy, yy]], dtype=torch.float64))
    read, shot = noise_levels(camera.double())
    return {
        "blur_major": math.sqrt(float(variance[1])),
        "blur_minor": math.sqrt(float(variance[0])),
        "blur_angle": math.degrees(math.atan2(float(axes[1, 1]), float(axes[0, 1]))) % 180,
        "noise_read": float(read),
        "noise_shot": float(shot),
        "noise_correlation": float(camera[5]),
        "noise_gray": float(camera[6]),
        "sharpening": float(camera[7]),
        "blur_exponent": float(camera[8].exp()),
        "bicubic": float(camera[9]),
        "denoising": float(camera[10]),
        "noise_lift": float(camera[11].exp()),
        "noise_blotch": float(camera[12].exp()),
        "denoising_patches": float(camera[13]),
    }


def _bells(covariances: Tensor, exponent: Tensor, grid: Tensor) -> Tensor:
    """Generalised Gaussians (B, k, k) of covariances (B, 3) and exponents (B,), summing to 1.

    The grid is that of all, (1, 2, k, k), or of each (B, 2, k, k).
    """
    xx, yy, xy = covariances.unbind(-1)
    xx, yy = ((entry - SPREAD).clamp(min=NARROWEST) for entry in (xx, yy))
    # What is left of the shear must not exceed what is left of the widths.
    limit = 0.98 * (xx * yy).sqrt()
    xy = torch.minimum(torch.maximum(xy, -limit), limit)
    xx, yy, xy = (entry[:, None, None, None] for entry in (xx, yy, xy))
    points = torch.tensor(POINTS, device=grid.device, dtype=grid.dtype)
    x = grid[:, :1] + points.repeat(len(POINTS))[:, None, None]
    y = grid[:, 1:] + points.repeat_interleave(len(POINTS))[:, None, None]
    distance = (yy * x * x - 2 * xy * x * y + xx * y * y) / (xx * yy - xy * xy)
    size = 2 * torch.exp(torch.lgamma(1 / exponent) - torch.lgamma(2 / exponent))
    size, power = (value[:, None, None, None] for value in (size, exponent))
    distance = distance / size + 1e-12
    if exponent.requires_grad or bool((exponent != 1).any()):  # a power takes long
        distance = distance**power
    height = torch.exp(-distance.clamp(max=FARTHEST)).sum(1)
    return height / height.sum((1, 2), keepdim=True)


def _without_luma(noise: Tensor, share: Tensor) -> Tensor:
    """Noise (B, C, H, W) less a share (B,) of its mean over the channels, of the same variance."""
    if noise.shape[1] == 1:
        return noise
    share = share.clamp(0, 1)[:, None, None, None]
    rest = noise - share * noise.mean(1, keepdim=True)
    return rest / (1 - (2 * share - share.square()) / noise.shape[1]).sqrt()


def _filtered(normal: Tensor, width: Tensor) -> Tensor:
    """Filter each image's noise by a Gaussian of its own width, with unchanged variance."""
    batch, channels, *size = normal.shape
    if not width.requires_grad and bool((width <= WHITE).all()):
        return normal[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
    taps = torch.arange(-MARGIN, MARGIN + 1, device=normal.device, dtype=normal.dtype)
    taps = torch.exp(-0.5 * (taps / width[:, None]) ** 2)
    taps = taps / torch.linalg.vector_norm(taps, dim=1, keepdim=True)
    taps = taps.repeat_interleave(channels, 0)[:, None]  # (BC, 1, taps)
    rows = F.conv2d(normal.reshape(1, -1, *size), taps[..., None], groups=batch * channels)
    filtered = F.conv2d(rows, taps[:, :, None], groups=batch * channels)
    return filtered.view(batch, channels, *filtered.shape[-2:])
