"""HR to LR for arrays and tensors: the degradation a run has learned, or a known pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from wildsr.api.draws import drawn_from
from wildsr.api.images import GREEN, Back, Image, channels_in, planes_of, tensor_of
from wildsr.api.overrides import overrides_of
from wildsr.argument import check_scale
from wildsr.config.choice import CONF
from wildsr.config.compose import configure
from wildsr.config.help import choices
from wildsr.config.make import make, sensor_of
from wildsr.config.plain import read_yaml
from wildsr.config.trust import check_targets
from wildsr.degradation.depth import deepen
from wildsr.error import UserError, unknown
from wildsr.inference.raster import own_range
from wildsr.photo.samples import Range
from wildsr.photo.sensor import RGB, Sensor
from wildsr.pixels import to_8_bit
from wildsr.report.degradation.camera import CameraState
from wildsr.report.degradation.describe import describe
from wildsr.run import load
from wildsr.run.folder import config_of


class Degradation:
    """Base class: a torch module that degrades HR images to LR, called on arrays and tensors.

    See :class:`Pipeline` for known degradations and :func:`load_degrader` for learned ones.

    Attributes:
        module: the torch module that does it.
        scale: HR size / LR size, s.
        sensor: the kind of photos that it was learned from; 8-bit RGB of known ones.
    """

    def __init__(self, module: nn.Module, scale: int, sensor: Sensor = RGB) -> None:
        self.module, self.scale, self.sensor = deepen(module.eval()), scale, sensor

    def __call__(self, hr: Image, seed: int | None = None) -> Image:
        """Degrade an HR image to LR; an array gives an array, a tensor gives a tensor.

        Args:
            hr: a numpy array, (H, W) or (H, W, C), uint8, uint16 or floats in [0, 1]; or a torch
                tensor, (C, H, W) or (B, C, H, W), uint8 or floats in [0, 1]. C is that of the run's
                sensor, of gray and RGB ones 1 or 3; known degradations take one by one what they do
                not take together. Where the sensor has a range of its own, arrays of its type are
                in the numbers of its sharp photos. Rows and columns beyond a multiple of s are left
                out, at the bottom and on the right.
            seed: the same one draws the same blur, noise, ...; None draws from torch's generator.

        Returns:
            The same type and channels, (h / s, w / s) pixels, in the numbers of the sensor's LR
            photos. uint16 has all of its levels, floats have whole 255ths unless the sensor has
            more. Of a gray image, which goes through RGB as three equal channels, it is the green
            one: with the noise of one channel. There is no gradient.

        Raises:
            UserError: another type, shape or range, sides below 2 s, or a negative seed.
        """
        pixels, back = self._taken(hr)
        height, width = (side // self.scale * self.scale for side in pixels.shape[2:])
        if min(height, width) < 2 * self.scale:
            raise UserError(
                f"Argument `hr` must have sides of at least {2 * self.scale} pixels, "
                f"but got {pixels.shape[2]} x {pixels.shape[3]}."
            )
        with drawn_from(seed), torch.no_grad():
            lr = self._degraded(pixels[..., :height, :width])
        floats = hr.is_floating_point() if isinstance(hr, Tensor) else hr.dtype.kind == "f"
        made: Image = back(lr if self.sensor.deep or not floats else to_8_bit(lr))
        return made

    def _taken(self, hr: Image) -> tuple[Tensor, Back]:
        """The image as the module takes it, and the way back."""
        channels, own = channels_in(hr), self.sensor.channels
        spans: list[Range | None] = [None, None]
        if isinstance(hr, np.ndarray):
            kind = hr.dtype if hr.dtype in (np.uint8, np.uint16) else np.dtype(np.float32)
            spans = [own_range(self.sensor, kind, side) for side in ("hr", "lr")]
        if own == 3 and channels in (1, 3) and spans == [None, None]:
            return tensor_of(hr, "hr", GREEN)
        known = type(self) is not Degrader and self.sensor == RGB
        if channels not in {0, own} and not known and not {channels, own} <= {1, 3}:
            said = "1 or 3" if own in (1, 3) else str(own)
            raise UserError(
                f"Argument `hr` must have {said} channel{'s' * (said != '1')}, as the photos that "
                f"the degradation was learned from, but got {channels} (shape {tuple(hr.shape)})."
            )
        return planes_of(hr, "hr", spans[0], spans[1])

    def _degraded(self, hr: Tensor) -> Tensor:
        """The module on (B, C, sH, sW), of other channels than it takes one by one."""
        channels, own = hr.shape[1], self.sensor.channels
        if channels == own or (channels == 1 and own == 3):
            three = hr if channels == own else hr.expand(-1, 3, -1, -1)
            made: Tensor = self.module(three)
            return made if channels == own else made[:, 1:2]
        parts = [self._degraded(hr[:, band : band + 1]) for band in range(channels)]
        return torch.cat(parts, 1)


class Degrader(Degradation):
    """A degradation that a run has learned; made by :func:`load_degrader`."""

    def describe(self) -> str:
        """Describe the learned blur and noise in a sentence; "" for a method without them."""
        state = self._state()
        return "" if state is None else str(state["summary"])

    def kernel(self) -> npt.NDArray[np.float32] | None:
        """The learned blur kernel, (k, k) in HR pixels, summing to 1; None if there is none."""
        state = self._state()
        return None if state is None else state["kernel"].float().numpy()

    def _state(self) -> CameraState | None:
        states = (describe(m) for m in self.module.modules() if m is not self.module)
        return next((state for state in states if state is not None), None)


def load_degrader(run: str | Path, *, tile: int | None = 1024, trust: bool = False) -> Degrader:
    """Load the degradation (HR to LR) of a run: the learned one, or the fixed one it trained with.

    Args:
        run: the run's folder.
        tile: side in HR pixels above which images are degraded in tiles; None: never in tiles.
        trust: allow the run's configuration to name classes outside wildsr, whose code then runs.

    Raises:
        UserError: the folder is no run, has no readable checkpoint, its method has no degradation,
            or it names code outside wildsr without ``trust``.

    Examples:
        >>> import numpy, wildsr
        >>> degrade = wildsr.load_degrader("runs/first")
        >>> sharp = numpy.full((64, 96, 3), 0.5)
        >>> degrade(sharp, seed=0).shape
        (16, 24, 3)
        >>> degrade.describe().startswith("blur")
        True
    """
    loaded = load.load_degrader(Path(run).expanduser(), tile, trust)
    sensor = sensor_of(config_of(Path(run).expanduser(), trust))
    return Degrader(loaded, loaded.scale, sensor)


class Pipeline(Degradation):
    """A known degradation (HR to LR), by its name in ``conf/degradation`` or from a configuration.

    Args:
        degradation: a name ("bicubic", "classical", "bsrgan", "realesrgan", ...), the path of a
            YAML file such as those in ``conf/degradation``, or the content of such a file as a
            mapping.
        scale: HR size / LR size: 1, 2, 3, 4 or 8.
        trust: allow a YAML file to name classes outside wildsr, whose code then runs.
        settings: values to change in a named degradation; dots reach nested keys:
            ``**{"steps.jpeg.quality": [60, 95]}``.

    Raises:
        UserError: an unknown name, scale or setting, or a configuration that makes no torch module.

    Examples:
        >>> import numpy, wildsr
        >>> degrade = wildsr.Pipeline("realesrgan", scale=4)
        >>> sharp = numpy.full((64, 96, 3), 128, numpy.uint8)
        >>> lr = degrade(sharp, seed=0)
        >>> lr.shape, lr.dtype
        ((16, 24, 3), dtype('uint8'))
        >>> degrade.describe()[0].split(",")[0]
        'sharpen (weight 0.5)'
    """

    def __init__(
        self,
        degradation: str | Path | Mapping[str, Any],
        *,
        scale: int,
        trust: bool = False,
        **settings: Any,
    ) -> None:
        check_scale("Argument `scale`", scale)
        node = _node(degradation, scale, trust, settings)
        module = make(node, "degradation")
        if not isinstance(module, nn.Module):
            raise UserError(
                "Argument `degradation` must make a torch module of HR to LR, but makes a "
                f"{type(module).__name__}."
            )
        super().__init__(module, scale, getattr(module, "sensor", RGB))

    def describe(self) -> list[str]:
        """The random steps drawn in the last call, a line for each image; empty if none are."""
        said = getattr(self.module, "describe", None)
        return list(said()) if callable(said) else []


def _node(
    degradation: str | Path | Mapping[str, Any],
    scale: int,
    trust: bool,
    settings: Mapping[str, Any],
) -> DictConfig:
    """The configuration of a degradation, with its scale."""
    names = choices(CONF, "degradation")
    if isinstance(degradation, str) and degradation in names:
        inside = {f"degradation.{key}": value for key, value in settings.items()}
        chosen = overrides_of({"degradation": degradation, "scale": scale}, inside, "degrade")
        found: DictConfig = configure("degrade", chosen).degradation
        for key in sorted(OmegaConf.missing_keys(found)):
            missing = key.removeprefix("degradation.")
            raise UserError(
                f"Argument `{missing}` must be given: Pipeline({degradation!r}, {missing}=...)."
            )
        return found
    if settings:
        raise UserError(
            f"Arguments {sorted(settings)} are changes of a named degradation ({names}); change "
            "the configuration itself instead."
        )
    if isinstance(degradation, str | Path):
        path = Path(degradation).expanduser()
        degradation = _file(path, str(degradation), names)
        check_targets(degradation, str(path), trust)
    if not isinstance(degradation, Mapping) or "_target_" not in degradation:
        raise UserError(
            "Argument `degradation` must be a name, a YAML file or a mapping with `_target_`, "
            f"but got {degradation!r}."
        )
    both = OmegaConf.create({"scale": scale, "degradation": dict(degradation)})
    return both.degradation


def _file(path: Path, typed: str, names: list[str]) -> Any:
    if not path.is_file():
        raise unknown("Argument `degradation`", typed, names)
    try:
        return read_yaml(path)
    except UserError as error:
        raise UserError(f"Argument `degradation`: {error}") from error
