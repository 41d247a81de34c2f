"""Degradation pipelines: steps in sequence, in random order, or one of several."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from wildsr.argument import check_counts, check_integer
from wildsr.degradation.depth import stored
from wildsr.degradation.pipeline.canvas import Canvas, Drawn, join
from wildsr.degradation.pipeline.ranges import is_number, share
from wildsr.error import UserError, unknown


class Step(nn.Module):
    """Base class of a pipeline step: draws each sample's parameters and applies them.

    Args:
        probability: that a sample goes through it.

    Raises:
        UserError: a probability outside [0, 1].
    """

    def __init__(self, probability: float = 1.0) -> None:
        super().__init__()
        self.probability = share("probability", probability)

    def forward(self, canvas: Canvas) -> Canvas:
        """Apply the step to each sample with its probability; others pass unchanged."""
        if self.probability == 1:
            return self.apply_to(canvas)
        chosen = [draw.random() < self.probability for draw in canvas.draws]
        return _each(canvas, [self.apply_to if yes else None for yes in chosen])

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Apply the step to all samples of the canvas; subclasses implement this."""
        raise NotImplementedError


class Steps(Step):
    """Applies several steps in sequence, as one step.

    Args:
        steps: by name, in their order; None entries are skipped.
        probability: that a sample goes through them.

    Raises:
        UserError: no step, or something that is not a step.
    """

    def __init__(self, steps: Mapping[str, Step], probability: float = 1.0) -> None:
        super().__init__(probability)
        self.steps = _modules(steps)

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Apply all steps, in their order."""
        for step in self.steps.values():
            canvas = step(canvas)
        return canvas


class RandomOrder(Step):
    """Applies steps in a random order, drawn for each sample.

    Args:
        steps: by name.
        before: pairs of names of which the first has to come before the second (BSRGAN's two
            resizings); if they are drawn in the wrong order they are swapped.
        probability: that a sample goes through them.

    Raises:
        UserError: a name in ``before`` that is not a step.
    """

    def __init__(
        self,
        steps: Mapping[str, Step],
        before: Sequence[Sequence[str]] = (),
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability)
        self.steps = _modules(steps)
        self.before = [tuple(pair) for pair in before]
        for pair in self.before:
            if len(pair) != 2 or not set(pair) <= set(self.steps):
                raise UserError(
                    f"Argument `before` must be pairs of {list(self.steps)}, but got {pair!r}."
                )

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Apply all steps; samples with the same order are processed together."""
        orders = [self._order(draw) for draw in canvas.draws]
        found: dict[tuple[str, ...], list[int]] = {}
        for index, order in enumerate(orders):
            found.setdefault(order, []).append(index)
        parts = []
        for order, indices in found.items():
            part = canvas.part(indices)
            for name in order:
                part = self.steps[name](part)
            parts.append((indices, part))
        return parts[0][1] if len(parts) == 1 else join(parts)

    def _order(self, draw: np.random.Generator) -> tuple[str, ...]:
        order = [list(self.steps)[i] for i in draw.permutation(len(self.steps))]
        for first, second in self.before:
            i, j = order.index(first), order.index(second)
            if i > j:
                order[i], order[j] = order[j], order[i]
        return tuple(order)


class Choice(Step):
    """Applies one of several steps, drawn for each sample.

    Args:
        steps: by name.
        weights: name -> relative frequency; None: equal frequencies.
        probability: that a sample goes through any.

    Raises:
        UserError: weights of other names, or that are negative or all 0.
    """

    def __init__(
        self,
        steps: Mapping[str, Step],
        weights: Mapping[str, float] | None = None,
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability)
        self.steps = _modules(steps)
        self.weights = frequencies("weights", weights or dict.fromkeys(self.steps, 1.0))
        if set(self.weights) != set(self.steps):
            raise UserError(
                f"Argument `weights` must name {list(self.steps)}, but got {list(self.weights)}."
            )

    def apply_to(self, canvas: Canvas) -> Canvas:
        """Apply the drawn step; samples with the same step are processed together."""
        return _each(canvas, [self.steps[pick(draw, self.weights)] for draw in canvas.draws])


class Pipeline(nn.Module):
    """Degrades by a sequence of steps, with parameters drawn for each sample.

    ``lr = round(steps(hr))``.

    On a CPU the samples are processed one by one, each at its own size: this is faster there, and a
    sample depends on its own seed only, however a batch is split. On other devices a batch is
    processed as a whole, on a canvas as large as the largest sample.

    Args:
        scale: HR size / LR size, s.
        steps: by name, in their order; None entries are skipped.
        chunk: samples that are processed together; None: 1 on a CPU, all on other devices.

    Raises:
        UserError: no step; a chunk below 1.
    """

    deep = False  # see :func:`wildsr.degradation.depth.deepen`

    def __init__(self, scale: int, steps: Mapping[str, Step], chunk: int | None = None) -> None:
        super().__init__()
        check_counts(scale=scale)
        check_integer("Argument `chunk`", chunk, 1, null=True)
        self.scale, self.chunk = scale, chunk
        self.steps = _modules(steps)
        self.drawn: list[list[Drawn]] = []  # of the last batch

    def forward(self, hr: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Degrade (B, 3, H, W) in [0, 1] to 8-bit values (B, 3, H / s, W / s) in [0, 1].

        Args:
            hr: (B, 3, H, W), sides of at least s.
            seeds: one for each sample; the same seed gives the same parameters and, on a CPU, the
                same image. None draws seeds from torch's global generator, which training seeds
                for each iteration.

        Raises:
            UserError: sides below s; another number of seeds than samples.
        """
        count, _, height, width = hr.shape
        lr = (height // self.scale, width // self.scale)
        if min(lr) < 1:
            raise UserError(
                f"Argument `hr` must have sides of at least {self.scale}, but got {height}x{width}."
            )
        if seeds is None:
            seeds = torch.randint(2**62, (count,)).tolist()
        if len(seeds) != count:
            raise UserError(
                f"Argument `seeds` must hold one seed for each of the {count} samples, "
                f"but got {len(seeds)}."
            )
        cpu = hr.device.type == "cpu"
        chunk = self.chunk or (1 if cpu else count)
        parts = []
        for start in range(0, count, chunk):
            part = hr[start : start + chunk]
            draws = [np.random.default_rng(int(seed)) for seed in seeds[start : start + chunk]]
            drawn: list[list[Drawn]] = [[] for _ in draws]
            sizes = [(height, width)] * len(part)
            parts.append(Canvas(part, sizes, (height, width), lr, draws, drawn))
        done = in_parallel(self._degraded, parts) if cpu else [self._degraded(p) for p in parts]
        self.drawn = [drawn for canvas in done for drawn in canvas.drawn]
        return stored(torch.cat([canvas.image for canvas in done]), self.deep)

    def _degraded(self, canvas: Canvas) -> Canvas:
        for step in self.steps.values():
            canvas = step(canvas)
        height, width = canvas.lr
        if set(canvas.sizes) != {canvas.lr}:
            raise UserError(
                f"The `steps` of a pipeline must end at {height}x{width}, but end at "
                f"{sorted(set(canvas.sizes))}: the last resizing is `ToLR`."
            )
        return replace(canvas, image=canvas.image[..., :height, :width])

    def describe(self) -> list[str]:
        """Describe the random parameters of the last batch, one line for each sample."""
        return [", ".join(_words(drawn) for drawn in sample) for sample in self.drawn]


def in_parallel(work: Callable[[Canvas], Canvas], parts: Sequence[Canvas]) -> list[Canvas]:
    """Run ``work`` on every part, each in one thread, in as many threads at once as torch has.

    For small tensors this is faster than several threads for each, and with one thread sums are
    always in the same order, so that a sample's result does not depend on the rest of the batch.
    """
    threads, gradient = torch.get_num_threads(), torch.is_grad_enabled()

    def alone(part: Canvas) -> Canvas:
        torch.set_num_threads(1)
        with torch.set_grad_enabled(gradient):  # both are each thread's own
            return work(part)

    try:
        if min(threads, len(parts)) == 1:
            return [alone(part) for part in parts]
        with ThreadPoolExecutor(min(threads, len(parts))) as pool:
            return list(pool.map(alone, parts))
    finally:
        torch.set_num_threads(threads)


def frequencies(
    argument: str, weights: Mapping[str, float], choices: Collection[str] | None = None
) -> dict[str, float]:
    """Normalise ``weights`` to probabilities.

    Args:
        argument: what they are called.
        weights: by name.
        choices: the names that there are; None for any.

    Raises:
        UserError: an unknown name, weights that are no numbers or negative, or none above 0.
    """
    for name in weights:
        if choices is not None and name not in choices:
            raise unknown(f"Argument `{argument}`", name, choices)
    total = sum(weights.values()) if all(map(is_number, weights.values())) else 0
    if not total > 0 or min(weights.values()) < 0:
        raise UserError(
            f"Argument `{argument}` must be numbers from 0 on, one of them above 0, "
            f"but got {dict(weights)!r}."
        )
    return {str(name): weight / total for name, weight in weights.items()}


def pick(draw: np.random.Generator, weights: Mapping[str, float]) -> str:
    """Draw a name with its probability."""
    place, total = draw.random(), 0.0
    for name, weight in weights.items():
        total += weight
        if place < total:
            return name
    return name  # rounding errors: the probabilities summed to slightly less than 1


def _each(canvas: Canvas, steps: Sequence[nn.Module | object | None]) -> Canvas:
    """Every sample through its own step; those of the same one together."""
    if all(step is steps[0] or step == steps[0] for step in steps):
        return canvas if steps[0] is None else steps[0](canvas)  # type: ignore[operator]
    parts = []
    for step in dict.fromkeys(steps):
        indices = [i for i, other in enumerate(steps) if other == step]
        part = canvas.part(indices)
        parts.append((indices, part if step is None else step(part)))  # type: ignore[operator]
    return join(parts)


def _modules(steps: Mapping[str, Step]) -> nn.ModuleDict:
    """The steps that are there; a None switches one of a configuration off."""
    kept = {str(name): step for name, step in steps.items() if step is not None}
    strange = [name for name, step in kept.items() if not isinstance(step, Step)]
    if strange or not kept:
        raise UserError(
            "Argument `steps` must be degradation steps by name, but got "
            f"{strange[0] + ': ' + type(kept[strange[0]]).__name__ if strange else 'none'}."
        )
    return nn.ModuleDict(kept)


def _words(drawn: Drawn) -> str:
    """``jpeg (quality 62)``."""
    values = [(name, value) for name, value in drawn.items() if name != "step"]
    said = ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in values
    )
    return f"{drawn['step']} ({said})" if said else str(drawn["step"])
