"""A camera model with learned physical parameters: the degrader ``learned_camera``."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from wildsr.argument import check_counts
from wildsr.degradation.blur import blur_and_sample, centred_grid, gaussian_kernel
from wildsr.degradation.isp import gamma, white_balance
from wildsr.error import UserError
from wildsr.network.degrader.camera_jpeg import LearnedJPEG
from wildsr.network.degrader.camera_noise import RADIUS, correlated

FLOOR = 0.4  # HR pixels; a narrower Gaussian covers one pixel, and its width gets no gradient
WHITE = 0.25  # LR pixels; noise filtered by a narrower Gaussian stays white, without gradient

Draws = Tensor | tuple[Tensor, ...]


class Camera(nn.Module):
    """A camera model whose physical parameters are learned.

    ``lr = jpeg(sample(blur(hr)) + noise)``, each stage differentiable in its parameters.

    - blur: an anisotropic Gaussian with covariance ``L L^T``, ``L = [[a, 0], [b, c]]`` (HR pixels).
      Its centre is fixed in the middle of an output pixel, between HR pixels for an even scale: a
      patch critic cannot see a constant shift, so a free centre would drift, and the SR would
      shift with it. With ``blur_spread``, each image has its own blur, ``L exp(spread z)`` with z
      standard normal.
    - noise: Gaussian, independent by channel and, without ``correlation``, by pixel, with variance
      ``read^2 + shot^2 * brightness`` (the signal-dependent noise of a linear sensor, Foi et al.
      2008, eq. 2).
    - JPEG, with ``jpeg``: see :class:`~wildsr.network.degrader.camera_jpeg.LearnedJPEG`.
    - ISP, with ``isp``: gains of red and blue, and a gamma, before the noise. Off by default: if
      one of the two unrelated folders is brighter or warmer, the critic attributes that to the
      camera.

    Args:
        scale: HR pixels for each LR pixel and direction.
        kernel_size: of the blur, in HR pixels; odd.
        blur: the standard deviation at the start, in HR pixels, the same in all directions.
        read: the standard deviation of the noise in the dark at the start, in 1/255.
        shot: the additional standard deviation at full brightness at the start, in 1/255.
        blur_spread: standard deviation of the logarithm of the blur's widths from image to image,
            at the start; None for one blur.
        shift: standard deviation of the centre of the blur, in HR pixels and each direction, from
            image to image; not learned, because a patch critic cannot see it.
        correlation: the width at the start, in LR pixels, of the Gaussian that filters the noise
            (see :func:`~wildsr.network.degrader.camera_noise.correlated`); None for white noise.
        jpeg: the mean quality at the start, None for no JPEG.
        jpeg_spread: standard deviation of the quality from image to image, at the start.
        subsampling: of JPEG's chrominance.
        isp: also learn the gains of red and blue, and the gamma; 1 at the start.

    Shapes:
        hr (B, 3, scale h, scale w) in [0, 1] and ``draws`` -> LR (B, 3, h, w), not clamped unless
        there is JPEG.

    Raises:
        UserError: a start value out of its range.
    """

    offsets: Tensor
    blur_spread: nn.Parameter | None  # log of the spread
    correlation: nn.Parameter | None  # log(width - WHITE)
    isp: nn.Parameter | None  # log of the gains of red and blue, and of gamma

    def __init__(
        self,
        scale: int,
        kernel_size: int = 21,
        blur: float = 1.6,
        read: float = 2.0,
        shot: float = 2.0,
        blur_spread: float | None = None,
        shift: float = 0.0,
        correlation: float | None = None,
        jpeg: float | None = None,
        jpeg_spread: float = 5.0,
        subsampling: str = "4:2:0",
        isp: bool = False,
    ) -> None:
        super().__init__()
        check_counts(scale=scale)
        if blur <= FLOOR or read <= 0 or shot <= 0:
            raise UserError(
                f"Argument `blur` must be above {FLOOR}, `read` and `shot` above 0, "
                f"but got {blur}, {read} and {shot}."
            )
        if blur_spread is not None and blur_spread <= 0:
            raise UserError(
                f"Argument `blur_spread` must be null or above 0, but got {blur_spread}."
            )
        if shift < 0:
            raise UserError(f"Argument `shift` must be 0 or more, but got {shift}.")
        if correlation is not None and correlation <= WHITE:
            raise UserError(
                f"Argument `correlation` must be null or above {WHITE} (white noise), "
                f"but got {correlation}."
            )
        self.scale, self.shift = scale, shift
        start = math.log(blur - FLOOR)
        self.spread = nn.Parameter(torch.tensor([start, start]))  # log(a - FLOOR), log(c - FLOOR)
        self.shear = nn.Parameter(torch.zeros(()))  # b
        self.noise = nn.Parameter(torch.tensor([math.log(read), math.log(shot)]))  # log of 1/255
        self.blur_spread = _logarithm(blur_spread)
        self.correlation = _logarithm(correlation and correlation - WHITE)
        self.isp = nn.Parameter(torch.zeros(3)) if isp else None
        self.jpeg = None if jpeg is None else LearnedJPEG(jpeg, jpeg_spread, subsampling)
        self.register_buffer("offsets", centred_grid(kernel_size, scale), persistent=False)

    def kernel(self) -> Tensor:
        """The blur kernel, (1, k, k), summing to 1; the median one where the blur varies."""
        a, c = self.spread.exp() + FLOOR
        return gaussian_kernel(a, self.shear, c, self.offsets)[None]

    def kernels(self, normal: Tensor) -> Tensor:
        """The kernel of each image, (B, k, k), from standard normal numbers (B, 3).

        The first number widens it, the others move its centre right and down.
        """
        a, c = self.spread.exp() + FLOOR
        size = torch.ones_like(normal[:, 0])
        if self.blur_spread is not None:
            size = torch.exp(self.blur_spread.exp() * normal[:, 0])
        moved = self.offsets - self.shift * normal[:, 1:, None, None]
        return torch.vmap(gaussian_kernel)(size * a, size * self.shear, size * c, moved)

    def noise_std(self, brightness: Tensor) -> Tensor:
        """Standard deviation of the noise at ``brightness``, both in [0, 1] units; same shape."""
        read, shot = self.noise.exp() / 255
        return (read**2 + shot**2 * brightness.clamp(0, 1)).sqrt()

    def draws(self, hr: Tensor) -> Draws:
        """Draw the random numbers of one ``forward`` of ``hr`` (B, 3, H, W).

        Standard normal noise (B, 3, H/s, W/s); with ``correlation``, ``RADIUS`` pixels more on each
        side. If more than the noise is random, a tuple: the noise, (B, 3) for ``kernels``, and with
        JPEG the two of ``LearnedJPEG.draws``.
        """
        b, c, h, w = hr.shape
        margin = 0 if self.correlation is None else 2 * RADIUS
        size = (b, c, h // self.scale + margin, w // self.scale + margin)
        noise = torch.randn(size, device=hr.device, dtype=hr.dtype)
        if self.blur_spread is None and self.shift == 0 and self.jpeg is None:
            return noise
        blur = torch.randn(b, 3, device=hr.device, dtype=hr.dtype)
        return (noise, blur) if self.jpeg is None else (noise, blur, *self.jpeg.draws(b, hr))

    def forward(self, hr: Tensor, draws: Draws) -> Tensor:
        """Degrade ``hr`` (B, 3, H, W) in [0, 1] to LR (B, 3, H/s, W/s), with given ``draws``.

        Not clamped, unless there is JPEG.
        """
        noise, *more = (draws,) if isinstance(draws, Tensor) else draws
        varies = self.blur_spread is not None or self.shift > 0
        kernel = self.kernels(more[0]) if varies else self.kernel()
        clean = blur_and_sample(hr, kernel.to(hr.dtype), self.scale)
        if self.isp is not None:
            red, blue, exponent = self.isp.exp().to(clean.dtype)
            gains = torch.stack([red, torch.ones_like(red), blue]).expand(len(clean), 3)
            clean = gamma(white_balance(clean, gains), exponent)
        if self.correlation is not None:
            noise = correlated(noise, self.correlation.exp() + WHITE)
        # Detached: the blur must not be learned through the noise level.
        lr = clean + noise * self.noise_std(clean.detach()).to(clean.dtype)
        return lr if self.jpeg is None else self.jpeg(lr, *more[1:])

    @torch.no_grad()
    def settling(self) -> Tensor:
        """The parameters (N,), each divided by the smallest change that matters.

        That is 3 % of a blur width, 0.2/255 of noise, 1 point of JPEG quality, and so on; see
        :class:`~wildsr.training.settling.Settling`, which ends a stage when they stop changing.
        """
        widths = (self.spread.exp() + FLOOR) / 0.03 / (self.spread.exp() + FLOOR).mean().clamp(1)
        found = [widths, self.shear[None] / 0.05, self.noise.exp() / 0.2]
        if self.blur_spread is not None:
            found.append(self.blur_spread.exp()[None] / 0.03)
        if self.correlation is not None:
            found.append(self.correlation.exp()[None] / 0.05)
        if self.isp is not None:
            found.append(self.isp / 0.01)
        if self.jpeg is not None:
            found += [100 * self.jpeg.mean.sigmoid()[None], self.jpeg.spread.exp()[None]]
        return torch.cat(found)

    @torch.no_grad()
    def physical(self) -> dict[str, float]:
        """The parameters by name, in the units of a report: HR pixels, degrees, 1/255.

        Optional ones are there if learned: ``blur_spread`` (relative: 0.1 is 10 %),
        ``noise_correlation`` (LR pixels), ``gain_red``, ``gain_blue``, ``gamma``, ``jpeg_quality``
        and ``jpeg_spread``.
        """
        a, c = (self.spread.exp() + FLOOR).double().tolist()
        b = float(self.shear)
        covariance = torch.tensor([[a * a, a * b], [a * b, b * b + c * c]], dtype=torch.float64)
        variance, axes = torch.linalg.eigh(covariance)
        x, y = axes[:, 1].tolist()
        read, shot = self.noise.exp().tolist()
        found = {
            "blur_major": math.sqrt(float(variance[1])),
            "blur_minor": math.sqrt(float(variance[0])),
            "blur_angle": math.degrees(math.atan2(y, x)) % 180,
            "noise_read": read,
            "noise_shot": shot,
        }
        if self.blur_spread is not None:
            found["blur_spread"] = float(self.blur_spread.exp())
        if self.correlation is not None:
            found["noise_correlation"] = float(self.correlation.exp()) + WHITE
        if self.isp is not None:
            found |= zip(("gain_red", "gain_blue", "gamma"), self.isp.exp().tolist(), strict=True)
        if self.jpeg is not None:
            found["jpeg_quality"] = 100 * float(self.jpeg.mean.sigmoid())
            found["jpeg_spread"] = float(self.jpeg.spread.exp())
        return found

    def sentence(self) -> str:
        """Describe the camera in words."""
        return sentence(self.physical())


def sentence(physical: dict[str, float]) -> str:
    """Describe a camera in words, from its parameters as :meth:`Camera.physical` names them."""
    said = f"blur {physical['blur_major']:.2f} x {physical['blur_minor']:.2f} px"
    if "blur_spread" in physical:
        said += f" +- {100 * physical['blur_spread']:.0f} %"
    said += f" along {physical['blur_angle']:.0f} degrees"
    said += f", read noise {physical['noise_read']:.1f}/255"
    said += f", shot noise {physical['noise_shot']:.1f}/255"
    if "noise_correlation" in physical:
        said += f", correlated over {physical['noise_correlation']:.2f} px"
    if "gamma" in physical:
        said += f", gains {physical['gain_red']:.2f} (red) and {physical['gain_blue']:.2f} (blue)"
        said += f", gamma {physical['gamma']:.2f}"
    if "jpeg_quality" in physical:
        said += f", JPEG quality {physical['jpeg_quality']:.0f}"
    if "jpeg_spread" in physical:
        said += f" +- {physical['jpeg_spread']:.0f}"
    return said


def _logarithm(start: float | None) -> nn.Parameter | None:
    return None if start is None else nn.Parameter(torch.tensor(math.log(start)))
