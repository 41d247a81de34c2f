"""HR to LR for arrays and tensors: the degradation a run has learned, or a known pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from wildsr.api.draws import drawn_from
from wildsr.api.images import GREEN, Image, tensor_of
from wildsr.api.overrides import overrides_of
from wildsr.argument import check_scale
from wildsr.config.compose import CONF, configure
from wildsr.config.help import choices
from wildsr.config.make import make
from wildsr.config.plain import read_yaml
from wildsr.config.trust import check_targets
from wildsr.error import UserError, unknown
from wildsr.report.degradation.camera import CameraState
from wildsr.report.degradation.describe import describe
from wildsr.run import load


class Degradation:
    """Base class: a torch module that degrades HR images to LR, called on arrays and tensors.

    See :class:`Pipeline` for known degradations and :func:`load_degrader` for learned ones.

    Attributes:
        module: the torch module, (B, 3, H, W) to (B, 3, H / s, W / s) in [0, 1].
        scale: the factor s between HR and LR size.
    """

    def __init__(self, module: nn.Module, scale: int) -> None:
        self.module, self.scale = module.eval(), scale

    def __call__(self, hr: Image, seed: int | None = None) -> Image:
        """Degrade an HR image to LR; an array gives an array, a tensor gives a tensor.

        Args:
            hr: a numpy array, (H, W) or (H, W, C), uint8, uint16 or floats in [0, 1]; or a torch
                tensor, (C, H, W) or (B, C, H, W), uint8 or floats in [0, 1]; C = 1 or 3. Sides that
                are not a multiple of s are cropped to one, at the bottom and on the right.
            seed: makes the random blur, noise, ... reproducible; None draws from torch's global
                generator.

        Returns:
            The LR image, H // s x W // s pixels, of the same type, dtype and number of channels. A
            gray
            image is degraded as RGB with three equal channels, and the green channel is returned
            (the
            mean of the three would have less noise than one channel). Computed without gradient.

        Raises:
            UserError: another type, shape or range, sides below 2 s, or a negative seed.
        """
        pixels, back = tensor_of(hr, "hr", GREEN)
        height, width = (side // self.scale * self.scale for side in pixels.shape[2:])
        if min(height, width) < 2 * self.scale:
            raise UserError(
                f"Argument `hr` must have sides of at least {2 * self.scale} pixels, "
                f"but got {pixels.shape[2]} x {pixels.shape[3]}."
            )
        with drawn_from(seed), torch.no_grad():
            made: Image = back(self.module(pixels[..., :height, :width]))
        return made


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
    return Degrader(loaded, loaded.scale)


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
        super().__init__(module, scale)

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
