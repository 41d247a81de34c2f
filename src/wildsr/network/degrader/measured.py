"""A camera model whose parameters were measured on the photos of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from wildsr.argument import check_counts
from wildsr.degradation.blur import blur_and_sample
from wildsr.degradation.coding import UNIT, Coding, coded_each
from wildsr.degradation.defects import SOUND, Defects, draw_defects, spoiled
from wildsr.degradation.fringes import NONE, Fringes, places
from wildsr.error import unknown
from wildsr.network.degrader.physics import (
    HIGHEST,
    LOWEST,
    MARGIN,
    PARAMETERS,
    PRIOR,
    kernels,
    noise_levels,
    physical,
    seen,
    whole_kernels,
)
from wildsr.network.degrader.sensor import QUIET, SensorNoise, by_channel
from wildsr.network.degrader.stored import (
    WEBP,
    coding_of,
    defects_of,
    fringes_of,
    numbers_of_coding,
    numbers_of_defects,
    numbers_of_fringes,
)
from wildsr.network.degrader.words import blurs_sentence, sentence

SHARED, CHANNEL = BLURS = ("shared", "channel")  # whose a blur is
POPULATION = 256  # cameras to be drawn from
DEFECTS = ("impulses", "stripes_rows", "stripes_columns")
Draws = tuple[Tensor, ...]


class MeasuredCamera(nn.Module):
    """Degrades each image with camera parameters measured on one of a folder's photos.

    ``lr = coding(defects(process(sample(blur(hr)) + noise)))``.

    Each image is degraded by one camera drawn from a population
    (:mod:`wildsr.network.degrader.physics`) and compressed with that camera's coding, with a
    random phase of the block grid. Impulses and stripes, where they were found, come before that.
    Nothing here is trained: :mod:`wildsr.calibration` measures the
    population before the first iteration. Before that, every camera is the prior mean, without
    JPEG. The population has a fixed size, so that the checkpoints of all runs have the same shapes.

    Of other sensors than 8-bit cameras, noise begins at a black level, which is measured as well,
    and of two or more than three channels each has a level of noise of its own. Blur is that of
    all channels, or, where that is asked for, of each its own: the camera's, wider or narrower and
    stretched by what was measured of the channel. Channels that lie beside each other (colour
    fringes) are displaced by the blur; each camera of the population takes another place of a
    photo, on which lateral chromatic aberration depends.

    Args:
        scale: HR pixels for each LR pixel and direction.
        channels: of the images.
        deep: they have more than 8 bits.
        blur: "shared" by all channels, or "channel": of each its own.

    Raises:
        UserError: another blur.

    Shapes:
        hr (B, C, scale h, scale w) in [0, 1] -> LR (B, C, h, w), not clamped unless there is JPEG.
    """

    ADDED = ("fringes_of_channels",)  # entries of its weights that earlier runs lack
    cameras: Tensor  # (POPULATION, P)
    tables: Tensor  # (POPULATION, 2, 64), of JPEG; 0 without
    subsampling: Tensor  # (POPULATION,) indices of SUBSAMPLINGS, or WEBP; -1 without a coding
    black: Tensor | None  # () in [0, 1]
    noise_of: Tensor | None  # (C,) each channel's level of noise, in those of all
    defects_of: Tensor  # impulses: share, together; stripes: of rows, columns; 16 values
    fringes_of_channels: Tensor  # (C, 3) displacement in LR pixels: right, down, outwards
    blur_of: Tensor | None  # (C, 3) what each channel adds to the first three parameters

    def __init__(
        self, scale: int, channels: int = 3, deep: bool = False, blur: str = SHARED
    ) -> None:
        super().__init__()
        check_counts(scale=scale, channels=channels)
        if blur not in BLURS:
            raise unknown("Argument `blur`", blur, BLURS)
        own = torch.zeros(channels, 3) if blur == CHANNEL else None
        self.register_buffer("blur_of", own)
        self.scale, self.channels = scale, channels
        self.register_buffer("black", torch.zeros(()) if deep else None)
        self.register_buffer("noise_of", torch.ones(channels) if channels not in (1, 3) else None)
        self.register_buffer("cameras", PRIOR.repeat(POPULATION, 1))
        self.register_buffer("tables", torch.zeros(POPULATION, 2, 64, dtype=torch.int32))
        self.register_buffer("subsampling", torch.full((POPULATION,), -1))
        self.register_buffer("defects_of", numbers_of_defects(SOUND))
        self.register_buffer("fringes_of_channels", torch.zeros(channels, 3))
        self._codings: list[Coding | None] | None = None
        self._defects: Defects | None = None
        self._fringes: Fringes | None = None
        self._kernels: dict[int | None, Tensor] = {}

    @torch.no_grad()
    def set(
        self,
        cameras: Tensor,
        codings: Sequence[Coding | None],
        sensor: SensorNoise = QUIET,
        blurs: Tensor | None = None,
        defects: Defects = SOUND,
        fringes: Fringes = NONE,
    ) -> None:
        """Store measured cameras, repeated until there are ``POPULATION``.

        Args:
            cameras: (n, P), drawn with equal probability.
            codings: the lossy coding of each; None for none.
            sensor: the black level and the channels' noise, where they are measured.
            blurs: (C, 3) what each channel adds to the blur of all; None for nothing.
            defects: impulses and stripes.
            fringes: displacements of the channels.
        """
        self.fringes_of_channels.copy_(numbers_of_fringes(fringes, self.channels))
        if self.blur_of is not None:
            self.blur_of.copy_(torch.zeros_like(self.blur_of) if blurs is None else blurs)
        if self.black is not None:
            self.black.fill_(sensor.black)
        if self.noise_of is not None:
            self.noise_of.copy_(torch.tensor(sensor.of_channels or (1.0,) * self.channels))
        self.defects_of.copy_(numbers_of_defects(defects))
        places = torch.arange(POPULATION) % len(cameras)
        self.cameras.copy_(cameras[places].clamp(LOWEST, HIGHEST))
        for place, index in enumerate(places.tolist()):
            self.tables[place], self.subsampling[place] = numbers_of_coding(codings[index])
        self._forget()

    def draws(self, hr: Tensor) -> Draws:
        """Draw the random numbers of one ``forward`` of ``hr`` (B, C, H, W).

        Index of the camera (B,); standard normal (B, C + 1, h, w) for the noise, ``MARGIN`` pixels
        larger on each side than the LR; phase of the grid of blocks (B, 2). With defects those
        of :func:`~wildsr.degradation.defects.draw_defects` as well.
        """
        count, channels, height, width = hr.shape
        which = torch.randint(POPULATION, (count,), device=hr.device)
        size = (height // self.scale + 2 * MARGIN, width // self.scale + 2 * MARGIN)
        noise = torch.randn(count, channels + 1, *size, device=hr.device, dtype=hr.dtype)
        drawn = which, noise, torch.randint(0, UNIT, (count, 2))
        if not self.defects():
            return drawn
        small = hr.new_empty(count, channels, height // self.scale, width // self.scale)
        return *drawn, *draw_defects(small)

    def redraw(self, hr: Tensor, draws: Draws) -> Draws:
        """New noise for another photo of ``hr`` by the same cameras.

        Images that pass a lossy coding keep theirs (behind it two photos differ in blocks as well);
        if all do, these are ``draws`` themselves.
        """
        which, noise, *others = draws
        plain = torch.tensor([self.codings()[index] is None for index in which.tolist()])
        if not plain.any():
            return draws
        fresh = self.draws(hr)[1]
        return which, torch.where(plain.to(hr.device).view(-1, 1, 1, 1), fresh, noise), *others

    def forward(self, hr: Tensor, draws: Draws) -> Tensor:
        """Degrade ``hr`` (B, C, H, W) in [0, 1] to LR (B, C, H/s, W/s), with given ``draws``.

        Differentiable in ``hr``; the gradient through the coding is that of the identity
        (straight-through).
        """
        return self.coded(self.taken(hr, draws), draws)

    def taken(self, hr: Tensor, draws: Draws) -> Tensor:
        """The image (B, C, H/s, W/s) that the camera's sensor takes of ``hr``, before a coding."""
        which, noise, _, *more = draws
        which = which.to(self.cameras.device)
        clean = self._blurred(hr, which)
        if self.noise_of is not None:
            noise = by_channel(noise, SensorNoise(of_channels=tuple(self.noise_of.tolist())))
        black = 0.0 if self.black is None else self.black.to(hr.dtype)
        lr = seen(clean, self.cameras[which].to(hr.dtype), noise, black)
        if self.defects():
            lr = spoiled(lr, self.defects(), (more[0], more[1], more[2], more[3]))
        return lr

    def coded(self, lr: Tensor, draws: Draws) -> Tensor:
        """Each image of ``lr`` (B, C, H, W) through its camera's coding."""
        which, phase = draws[0], draws[2]
        codings = [self.codings()[index] for index in which.tolist()]
        if all(coding is None for coding in codings):
            return lr
        with torch.no_grad():
            made = coded_each(lr, codings, [(int(y), int(x)) for y, x in phase.tolist()])
        return lr + (made - lr).detach() if lr.requires_grad else made

    def _blurred(self, hr: Tensor, which: Tensor) -> Tensor:
        """Each picture through the blur of its camera, each channel through its own."""
        alike = self.blur_of is None and not self.fringes()
        if alike or hr.shape[1] != self.channels:  # gray photos by a camera of colours
            return blur_and_sample(hr, self._blurs(which).to(hr.dtype), self.scale)
        parts = [
            blur_and_sample(one, self._blurs(which, channel).to(hr.dtype), self.scale)
            for channel, one in enumerate(hr.split(1, 1))
        ]
        return torch.cat(parts, 1)

    @torch.no_grad()
    def kernel(self) -> Tensor:
        """The mean kernel of blur and sharpening over all cameras, (1, k, k), summing to 1."""
        parts = self.cameras.float().split(32)
        every = torch.cat([whole_kernels(part, self.scale) for part in parts])
        return every.mean(0, keepdim=True)

    @torch.no_grad()
    def noise_std(self, brightness: Tensor) -> Tensor:
        """Standard deviation of the noise at each brightness, before denoising and sharpening.

        Args:
            brightness: (N,), in [0, 1]; the result has the same shape and units.
        """
        read, shot = (level / 255 for level in noise_levels(self.cameras))
        light = brightness.clamp(0, 1)[:, None]
        lit = light if self.black is None else (light - self.black).clamp(min=0)
        lift = (2 * self.cameras[:, PARAMETERS.index("lift")] * (1 - 2 * light)).exp()
        return ((read.square() + shot.square() * lit) * lift).mean(1).sqrt()

    def physical(self) -> dict[str, float]:
        """The median parameters by name, in report units: HR pixels, degrees, 1/255, shares.

        With ``jpeg_share`` and ``webp_share``, of cameras that compress so, the latter if it is
        above 0, ``black`` if it is, and ``impulses`` (a share), ``stripes_rows`` and
        ``stripes_columns`` (1/255), each if it is above 0.
        """
        said = physical(self.cameras.median(0).values.cpu(), self.scale)
        if self.black is not None and self.black > 0:
            said["black"] = float(self.black)
        webp = float((self.subsampling == WEBP).float().mean())
        if webp > 0:
            said["webp_share"] = webp
        flaws = self.defects()
        sizes = (flaws.impulses, 255 * flaws.rows, 255 * flaws.columns)
        said |= {n: v for n, v in zip(DEFECTS, sizes, strict=True) if v > 0}
        return {**said, "jpeg_share": float((self.subsampling >= 0).float().mean()) - webp}

    def sentence(self) -> str:
        """Describe the median camera in words."""
        said = sentence(self.physical())
        if self.defects():
            said += f"; {self.defects()}"
        if self.fringes():
            said += f"; {self.fringes()}"
        return said if self.blur_of is None else f"{said}; {blurs_sentence(self.blur_of)}"

    def _apply(self, fn: Any, recurse: bool = True) -> MeasuredCamera:
        self._forget()  # cached kernels are on the old device
        return super()._apply(fn, recurse)

    def _load_from_state_dict(self, *arguments: Any) -> None:
        super()._load_from_state_dict(*arguments)
        self._forget()

    def _forget(self) -> None:
        self._codings, self._defects, self._fringes = None, None, None
        self._kernels = {}

    def _blurs(self, which: Tensor, channel: int | None = None) -> Tensor:
        """The kernels (B, k, k) of some cameras, of all channels together or of one.

        All of them are made once.
        """
        if channel not in self._kernels:
            cameras = self.cameras.float()
            if self.blur_of is not None and channel is not None:
                cameras = cameras.clone()
                cameras[:, :3] += self.blur_of[channel]
                cameras = cameras.clamp(LOWEST.to(cameras), HIGHEST.to(cameras))
            moved: list[Tensor | None] = [None] * POPULATION
            if self.fringes() and channel is not None:
                moved = list(self.fringes().at(places(POPULATION))[:, channel].split(32))
            parts = [
                kernels(part, self.scale, by)
                for part, by in zip(cameras.split(32), moved, strict=False)
            ]
            self._kernels[channel] = torch.cat(parts)
        made = self._kernels[channel]
        return made[which.to(made.device)]

    def defects(self) -> Defects:
        """Impulses and stripes that images get."""
        if self._defects is None:
            self._defects = defects_of(self.defects_of)
        return self._defects

    def fringes(self) -> Fringes:
        """Displacements of the channels."""
        if self._fringes is None:
            self._fringes = fringes_of(self.fringes_of_channels)
        return self._fringes

    def codings(self) -> list[Coding | None]:
        """The lossy coding of each camera; None for none."""
        if self._codings is None:
            chosen = zip(self.tables.cpu(), self.subsampling.tolist(), strict=True)
            self._codings = [coding_of(tables, index) for tables, index in chosen]
        return self._codings
