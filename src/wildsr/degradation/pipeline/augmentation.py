"""The pipeline step that wraps any augmentation of Kornia."""

from __future__ import annotations

import inspect
import threading
from typing import Any

import kornia.augmentation as library
import torch
from kornia.augmentation import GeometricAugmentationBase2D, IntensityAugmentationBase2D
from torch import Tensor, nn

from wildsr.degradation.pipeline.canvas import Canvas, join
from wildsr.degradation.pipeline.pipeline import Step
from wildsr.error import UserError, first_line, unknown

OURS = {  # Kornia's arguments that are replaced here, or have no meaning for single samples
    "p": "`probability` says how often",
    "p_batch": "`probability` says how often",
    "same_on_batch": "every sample draws its own",
    "keepdim": "a pipeline knows no other shape than (B, C, H, W)",
}
UNTOLD = ("batch_prob", "idx")  # Kornia's parameters that are not recorded
_GLOBAL = threading.Lock()  # Kornia draws from torch's global generator


class Kornia(Step):
    """Applies one augmentation of the Kornia library, by its name there.

        {_target_: wildsr.degradation.pipeline.augmentation.Kornia,
         augmentation: RandomMotionBlur, kernel_size: [3, 9], angle: [-45, 45], direction: [-1, 1]}

    Each sample is processed alone, on its device, with random numbers that depend on its seed only;
    the state of torch's global generator is restored. Results are clamped to [0, 1].

    Args:
        augmentation: the class's name in ``kornia.augmentation``: RandomMotionBlur,
            RandomSaltAndPepperNoise, ColorJitter, ...; not those that mix several samples.
        probability: that a sample is augmented (Kornia's ``p``).
        moves: allow an augmentation that moves pixels (RandomAffine, RandomElasticTransform, ...).
            LR and HR are then no longer aligned.
        arguments: Kornia's own, by name; lists instead of tuples are converted.

    Raises:
        UserError: no such augmentation; an argument that is unknown, missing or refused; an
            augmentation that moves pixels without ``moves``.
    """

    def __init__(
        self, augmentation: str, probability: float = 1.0, moves: bool = False, **arguments: Any
    ) -> None:
        super().__init__(probability)
        kinds = augmentations()
        if augmentation not in kinds:
            raise unknown("Argument `augmentation`", augmentation, kinds)
        made = kinds[augmentation]
        if issubclass(made, GeometricAugmentationBase2D) and not moves:
            raise UserError(
                f"Argument `augmentation`: {augmentation} moves pixels, so that LR no longer lies "
                "where its HR does; `moves: true` allows it."
            )
        self.name = augmentation
        # Not a submodule: on a GPU it would draw other random numbers than on a CPU.
        self._held = (self._made(made, arguments),)

    def _made(self, made: type[nn.Module], arguments: dict[str, Any]) -> nn.Module:
        """The augmentation, applied to every sample that comes to it."""
        theirs = inspect.signature(made).parameters
        taken = [name for name in theirs if name not in OURS]
        for name in arguments:
            if name in OURS:
                raise UserError(f"Argument `{name}` of Kornia's is left out here: {OURS[name]}.")
            if name not in taken:
                raise unknown(f"Argument of Kornia's {self.name}:", name, taken)
        lacking = [n for n in taken if theirs[n].default is inspect.Parameter.empty]
        lacking = [name for name in lacking if name not in arguments]
        if lacking:
            raise UserError(f"Kornia's {self.name} needs the arguments {lacking}.")
        always = {"p": 1.0} if "p" in theirs else {}
        try:
            return made(**always, **{name: _tuples(value) for name, value in arguments.items()})
        except (
            Exception
        ) as error:  # assertions, TypeError, errors of its own: each class has others
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> UserError:
        return UserError(f"Kornia's {self.name} refuses: {first_line(error)}")

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Augment each sample separately, at its own size and with its own random numbers."""
        parts, drawn = [], []
        for index in range(len(canvas)):
            part = canvas.part([index])
            part.image, parameters = self._one(part.image, int(part.draws[0].integers(2**63)))
            part.sizes = [(int(part.image.shape[2]), int(part.image.shape[3]))]
            parts.append(([index], part))
            drawn.append(parameters)
        canvas = parts[0][1] if len(parts) == 1 else join(parts)
        for history, parameters in zip(canvas.drawn, drawn, strict=True):
            history.append({"step": self.name, **parameters})
        return canvas

    def _one(self, image: Tensor, seed: int) -> tuple[Tensor, dict[str, float]]:
        augmentation: Any = self._held[0]
        devices = [image.device] if image.device.type == "cuda" else []
        with _GLOBAL, torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            try:
                out: Tensor = augmentation(image)
            except Exception as error:
                raise self._refused(error) from error
            single = {
                name.removesuffix("_factor"): float(value)
                for name, value in augmentation._params.items()
                if isinstance(value, Tensor) and value.numel() == 1 and name not in UNTOLD
            }
        return out.to(image.dtype).clamp(0, 1), single


def augmentations() -> dict[str, type[nn.Module]]:
    """Kornia's augmentations of single images, by name."""
    bases = (IntensityAugmentationBase2D, GeometricAugmentationBase2D)
    return {
        name: made
        for name, made in vars(library).items()
        if isinstance(made, type) and issubclass(made, bases) and made not in bases
    }


def _tuples(value: Any) -> Any:
    """Lists, which a configuration has, as the tuples that Kornia asks for."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value
