"""LUD-VAE's network: one latent model of clean and of real LR images."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from wildsr.argument import check_counts
from wildsr.error import UserError


class _Block(nn.Module):
    """Four convolutions of 3 x 3 with ReLU between them."""

    def __init__(self, features: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(features, features, 3, 1, 1)]
        for _ in range(3):
            layers += [nn.ReLU(inplace=True), nn.Conv2d(features, features, 3, 1, 1)]
        self.net = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out


class _Gaussian(nn.Module):
    """Mean and logarithm of the standard deviation of a normal variable at every place."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.m = nn.Conv2d(features, features, 1)
        self.v = nn.Conv2d(features, features, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.m(x), self.v(x)


class _Merge(nn.Module):
    """One map of two, pixel by pixel."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(2 * features, features, 1)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        merged: Tensor = self.proj(torch.cat([one, other], dim=1))
        return merged


class LUDVAE(nn.Module):
    r"""The joint model of clean and real LR of LUD-VAE (Zheng et al. 2022, arXiv:2204.10090).

    A clean image x and a real one y of the same scene share a latent **content** z; y also has a
    latent **degradation** z_n, and given both, x and y are independent:

    .. math:: p(x, y \mid z, z_n) = p(x \mid z) \, p(y \mid z, z_n)

    There are no pairs to infer z from, so it is inferred from either image alone, after adding
    noise (``clean_noise`` to x, ``real_noise`` to y): enough that the content of both domains
    looks alike (the paper's inference invariance, q(z | x) = q(z | y)). One decoder serves both
    domains: with z_n = 0 it makes clean images. z_n has ``levels`` maps, each conditioned on the
    content and on the levels above it; their priors are learned, except the topmost, which is
    standard normal. To degrade a clean image, its content is inferred, z_n is sampled from the
    prior, and both are decoded.

    z is a deterministic function of the noisy image, as in the authors' code; all maps have the
    size of the image. The keys are those of the authors' code (NTIRE 2020).

    Args:
        features: channels of all layers and of the latent maps.
        levels: number of maps of z_n.
        clean_noise: standard deviation of the noise on a clean image, in 1/255.
        real_noise: the same on a real image.
        temperature: factor of the sampled z_n in ``forward``; below 1 the degradation is weaker,
            with 0 there is none.
        channels: of the images.

    Shapes:
        lr (B, 3, H, W) in [0, 1] and ``draws`` -> (B, 3, H, W), not clamped.

    Raises:
        UserError: a count below 1; a negative noise or temperature.
    """

    def __init__(
        self,
        features: int = 128,
        levels: int = 3,
        clean_noise: float = 10.0,
        real_noise: float = 5.0,
        temperature: float = 1.0,
        channels: int = 3,
    ) -> None:
        super().__init__()
        check_counts(features=features, levels=levels, channels=channels)
        named = {"clean_noise": clean_noise, "real_noise": real_noise, "temperature": temperature}
        for name, value in named.items():
            if not value >= 0:
                raise UserError(f"Argument `{name}` must be 0 or more, but got {value!r}.")
        self.features, self.levels, self.temperature = features, levels, float(temperature)
        self.clean_noise, self.real_noise = float(clean_noise), float(real_noise)
        self.inconv, self.inconv_n = (nn.Conv2d(channels, features, 1) for _ in range(2))
        for level in range(1, levels + 1):
            for name in ("enc", "enc_n", "dec"):
                self.add_module(f"{name}_{level}", _Block(features))
            self.add_module(f"Gauconv_q_{level}", _Gaussian(features))
            self.add_module(f"proj_{level}", _Merge(features))
            if level < levels:
                self.add_module(f"Gauconv_p_{level}", _Gaussian(features))
                self.add_module(f"proj_c_{level}", _Merge(features))
                self.add_module(f"proj_n_{level}", _Merge(features))
        self.outconv = nn.Conv2d(features, channels, 1)

    def draws(self, lr: Tensor) -> tuple[Tensor, ...]:
        """Draw standard normal numbers for one ``forward`` of ``lr`` (B, 3, H, W).

        (B, 3, H, W) for the noise before the content is inferred; then (B, features, H, W) for each
        level of z_n, the topmost first.
        """
        batch, channels, height, width = lr.shape
        counts = (channels, *[self.features] * self.levels)
        return tuple(lr.new_empty(batch, count, height, width).normal_() for count in counts)

    def forward(self, lr: Tensor, grain: Tensor, *latents: Tensor) -> Tensor:
        """Degrade clean ``lr`` (B, 3, H, W), with the numbers of ``draws``; not clamped."""

        def prior(level: int, x: Tensor) -> Tensor:
            mean, log_std = self._prior(level, x)
            return self.temperature * (mean + log_std.exp() * self._of(latents, level))

        return self._decode(self._content(lr, grain, self.clean_noise), prior)

    def clean(self, lr: Tensor, grain: Tensor) -> Tensor:
        """Reconstruct a clean image, (B, 3, H, W), from its content alone.

        Args:
            lr: clean (B, 3, H, W) in [0, 1].
            grain: standard normal, the same shape.
        """
        return self._decode(
            self._content(lr, grain, self.clean_noise), lambda level, x: torch.zeros_like(x)
        )

    def real(
        self, lr: Tensor, grain: Tensor, *latents: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Reconstruct a real image from its content and its degradation, both inferred from it.

        Args:
            lr: real (B, 3, H, W) in [0, 1].
            grain: standard normal, the same shape.
            latents: standard normal (B, features, H, W), for each level, the topmost first.

        Returns:
            The image; mean and log standard deviation of q(z_n | y, z); the same of p(z_n | z):
            (B, levels * features, H, W) each, the topmost level first.
        """
        degradation = self._encode("enc_n", self.inconv_n(lr))
        inferred: list[tuple[Tensor, ...]] = []

        def posterior(level: int, x: Tensor) -> Tensor:
            own = degradation[level - 1]
            if level < self.levels:
                own = self.get_submodule(f"proj_n_{level}")(x, own)
            mean, log_std = self.get_submodule(f"Gauconv_q_{level}")(own)
            inferred.append((mean, log_std, *self._prior(level, x)))
            found: Tensor = mean + log_std.exp() * self._of(latents, level)
            return found

        image = self._decode(self._content(lr, grain, self.real_noise), posterior)
        q_mean, q_log_std, p_mean, p_log_std = (
            torch.cat(maps, dim=1) for maps in zip(*inferred, strict=True)
        )
        return image, q_mean, q_log_std, p_mean, p_log_std

    def _content(self, lr: Tensor, grain: Tensor, noise: float) -> list[Tensor]:
        """The content of each level, from the image with its noise."""
        return self._encode("enc", self.inconv(lr + noise / 255 * grain.to(lr.dtype)))

    def _encode(self, name: str, x: Tensor) -> list[Tensor]:
        found = []
        for level in range(1, self.levels + 1):
            x = self.get_submodule(f"{name}_{level}")(x)
            found.append(x)
        return found

    def _prior(self, level: int, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the standard deviation of p(z_n | z) at a level."""
        if level == self.levels:
            return torch.zeros_like(x), torch.zeros_like(x)
        mean, log_std = self.get_submodule(f"Gauconv_p_{level}")(x)
        return mean, log_std

    def _of(self, latents: tuple[Tensor, ...], level: int) -> Tensor:
        return latents[self.levels - level]

    def _decode(
        self, content: list[Tensor], degradation: Callable[[int, Tensor], Tensor]
    ) -> Tensor:
        """Down the levels; ``degradation`` makes z_n of a level from what is known above it."""
        x = content[-1]
        for level in range(self.levels, 0, -1):
            if level < self.levels:
                x = self.get_submodule(f"proj_c_{level}")(x, content[level - 1])
            x = self.get_submodule(f"proj_{level}")(x, degradation(level, x))
            x = self.get_submodule(f"dec_{level}")(x)
        # bfloat16 has steps of a whole level of 255 near white.
        with torch.autocast(x.device.type, enabled=False):
            image: Tensor = self.outconv(x.to(self.outconv.weight.dtype))
        return image
