"""Pipeline steps that add noise and compress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from wildsr.degradation import isp
from wildsr.degradation.bayer import demosaic, mosaic
from wildsr.degradation.jpeg.chrominance import SUBSAMPLINGS
from wildsr.degradation.jpeg.jpeg import jpeg
from wildsr.degradation.noise import correlated, gaussian, speckle
from wildsr.degradation.pipeline.canvas import Canvas
from wildsr.degradation.pipeline.pipeline import Step, frequencies, pick
from wildsr.degradation.pipeline.ranges import Range, ordered, share, uniform
from wildsr.degradation.sensor_noise import poisson, poisson_gauss, poisson_normal
from wildsr.error import UserError, unknown

KINDS = ("gaussian", "covariance", "poisson", "exact_poisson", "poisson_gauss", "speckle")


class Noise(Step):
    """Adds one random kind of noise to each sample and clamps to [0, 1].

    Args:
        kinds: name -> frequency; of gaussian, covariance (correlated between channels, as BSRGAN),
            poisson (its normal approximation), exact_poisson (four times slower on a CPU),
            poisson_gauss (as in a linear sensor), speckle.
        sigma: range of the standard deviation, in 1/255. For covariance it is the largest one; for
            poisson_gauss both the noise at black and the part that white adds are drawn from it.
        poisson: range of the factor on Poisson noise; with 1 it is the shot noise of an image whose
            number of photons is its number of distinct levels (Real-ESRGAN).
        gray: probability that gaussian or Poisson noise is the same in all channels.
        probability: that a sample gets noise.

    Raises:
        UserError: an unknown kind; a range or probability that cannot be.
    """

    def __init__(
        self,
        kinds: Mapping[str, float],
        sigma: Range = (0, 0),
        poisson: Range = (1, 1),
        gray: float = 0.0,
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability)
        self.kinds, self.gray = frequencies("kinds", kinds, KINDS), share("gray", gray)
        self.ranges = ordered(least=0, sigma=sigma, poisson=poisson)

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Draw a kind and a strength for each sample; samples of one kind are batched."""
        kinds, levels, gray, seconds = [], [], [], []
        for draw in canvas.draws:
            kind = pick(draw, self.kinds)
            of_poisson = kind in ("poisson", "exact_poisson")
            bounds = self.ranges["poisson" if of_poisson else "sigma"]
            kinds.append(kind)
            levels.append(uniform(draw, bounds) / (1 if of_poisson else 255))
            seconds.append(uniform(draw, bounds) / 255)  # shot noise of poisson_gauss
            may = of_poisson or kind == "gaussian"
            gray.append(bool(may and draw.random() < self.gray))
        channels = canvas.image.shape[1]
        matrices = torch.tensor(
            np.stack([_covariance(draw, channels) for draw in canvas.draws]), dtype=torch.float64
        )
        generators = canvas.generators()
        image = canvas.image.clone() if len(canvas) > 1 else canvas.image
        for kind in dict.fromkeys(kinds):
            chosen = [i for i, other in enumerate(kinds) if other == kind]
            part = canvas.image[chosen]
            own = None if generators is None else [generators[i] for i in chosen]
            strength = canvas.numbers([levels[i] for i in chosen])
            same = torch.tensor([gray[i] for i in chosen])
            add = {
                "gaussian": partial(gaussian, part, strength, same, generators=own),
                "poisson": partial(poisson_normal, part, strength, gray=same, generators=own),
                "exact_poisson": partial(poisson, part, strength, gray=same, generators=own),
                "speckle": partial(speckle, part, strength, generators=own),
                "poisson_gauss": partial(
                    poisson_gauss,
                    part,
                    canvas.numbers([seconds[i] for i in chosen]),
                    strength,
                    generators=own,
                ),
                "covariance": partial(
                    correlated,
                    part,
                    matrices[chosen] * strength.cpu().double().view(-1, 1, 1) ** 2,
                    generators=own,
                ),
            }[kind]
            noisy = add().clamp(0, 1)
            if len(chosen) == len(canvas):
                image = noisy
            else:
                image[chosen] = noisy
        canvas.image = image
        canvas.note(
            "noise",
            kind=[f"gray {kind}" if same else kind for kind, same in zip(kinds, gray, strict=True)],
            level=[
                round(level if "poisson" in kind and kind != "poisson_gauss" else 255 * level, 2)
                for kind, level in zip(kinds, levels, strict=True)
            ],
        )
        return canvas


def _covariance(draw: np.random.Generator, channels: int) -> np.ndarray:
    """A random covariance between channels with eigenvalues up to 1 (BSRGAN, of three)."""
    axes, _ = np.linalg.qr(draw.standard_normal((channels, channels)))
    return axes @ np.diag(draw.random(channels)) @ axes.T


class JPEG(Step):
    """Compresses each sample as JPEG of random quality; the result has 8 bits.

    Args:
        quality: range, 1 to 100; integers are drawn.
        subsampling: "4:2:0", "4:2:2" or "4:4:4".
        probability: that a sample is compressed.

    Raises:
        UserError: an unknown subsampling; a range or probability that cannot be.
    """

    def __init__(
        self, quality: Range, subsampling: str = "4:2:0", probability: float = 1.0
    ) -> None:
        super().__init__(probability)
        if subsampling not in SUBSAMPLINGS:
            raise unknown("Argument `subsampling`", subsampling, SUBSAMPLINGS)
        self.quality, self.subsampling = ordered(quality=quality)["quality"], subsampling
        if not 1 <= self.quality[0] <= self.quality[1] <= 100:
            raise UserError(f"Argument `quality` must be within 1 to 100, but got {quality!r}.")

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Draw a quality for each sample, and compress it."""
        low, high = (round(bound) for bound in self.quality)
        quality = [int(draw.integers(low, high + 1)) for draw in canvas.draws]
        numbers = canvas.numbers([float(q) for q in quality])
        canvas.image = jpeg(canvas.image.clamp(0, 1), numbers, self.subsampling)
        canvas.note("jpeg", quality=quality)
        return canvas


class Sensor(Step):
    """Adds sensor noise before demosaicking and the tone curve (BSRGAN, section 3.3).

    The image is unprocessed to raw sensor values (tone curve, sRGB curve, colour matrix and white
    balance inverted, Bayer mosaic), gets shot and read noise, and is processed again.

    Args:
        read: range of the noise at black, in 1/255 of the linear signal.
        shot: range of the noise that white adds, in 1/255 of the linear signal.
        red: range of the white-balance gain of red.
        blue: range of the white-balance gain of blue.
        probability: that a sample gets this noise.

    Raises:
        UserError: a range or probability that cannot be.
    """

    def __init__(
        self,
        read: Range = (0.2, 4.0),
        shot: Range = (1.0, 16.0),
        red: Range = (1.2, 2.4),
        blue: Range = (1.2, 2.4),
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability)
        self.ranges = ordered(least=0, read=read, shot=shot)
        self.ranges |= ordered(above=0, red=red, blue=blue)

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Draw a sensor's parameters for each sample, and apply them."""
        drawn = [{n: uniform(d, b) for n, b in self.ranges.items()} for d in canvas.draws]

        def column(name: str) -> Tensor:
            return canvas.numbers([values[name] for values in drawn])

        mix = canvas.numbers([m for draw in canvas.draws for m in _matrix(draw)]).view(-1, 3, 3)
        gains = torch.stack([column("red"), torch.ones_like(column("red")), column("blue")], 1)
        linear = isp.to_linear(isp.untone(canvas.image.clamp(0, 1)))
        sensor = isp.colour_matrix(linear, torch.linalg.inv(mix.double()).to(mix))
        raw = mosaic(isp.white_balance(sensor, 1 / gains).clamp(0, 1))
        shot, read = column("shot") / 255, column("read") / 255
        noisy = poisson_gauss(raw, shot, read, generators=canvas.generators()).clamp(0, 1)
        back = isp.colour_matrix(isp.white_balance(demosaic(noisy), gains), mix)
        canvas.image = isp.tone(isp.to_srgb(back.clamp(0, 1)))
        canvas.note("sensor", **{n: [round(v[n], 2) for v in drawn] for n in ("read", "shot")})
        return canvas


def _matrix(draw: np.random.Generator) -> Sequence[float]:
    """A random colour matrix from sensor RGB to sRGB that keeps white (rows sum to 1)."""
    off = -draw.uniform(0, 0.35, (3, 3))
    np.fill_diagonal(off, 0)
    np.fill_diagonal(off, 1 - off.sum(1))
    return [float(value) for value in off.ravel()]
