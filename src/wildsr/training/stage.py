"""The stages of a method: consecutive parts of a run."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wildsr.config.updates import stages_of
from wildsr.error import UserError


@dataclass(frozen=True)
class Stage:
    """One stage of a run.

    Attributes:
        share: of the rest of the run when it begins, relative to the shares of the following
            stages; only the ratios matter.
        until_settled: the network at whose convergence it ends, if that comes first; see
            :class:`~wildsr.training.settling.Settling`.
        starts: network -> the network from whose average it is initialised when the stage begins.
    """

    share: float
    until_settled: str | None = None
    starts: Mapping[str, str] = field(default_factory=dict)


class Stages:
    """The stages of a run, as shares of its iterations or of its time.

    Each stage has its share of the iterations, and if ``seconds`` limits the run, its share of the
    seconds: it ends when either is used up, or when :meth:`end` is called because a network has
    converged. What it does not use is divided among the following stages. Where each began is part
    of a checkpoint, so that a resumed run stays in its stage; if it is resumed with other
    iterations, they are divided anew among this stage and the following ones.

    Args:
        stages: name -> share, or {share, until_settled, starts}, in their order. Empty, or None,
            for a method without stages.
        iterations: of the run.
        seconds: of training; None for no limit.

    Raises:
        UserError: a share that is not a positive number, an unknown key; fewer iterations than
            stages.
    """

    def __init__(
        self, stages: Mapping[str, Any] | None, iterations: int, seconds: float | None = None
    ) -> None:
        shares = stages_of(stages, iterations)
        self.stages = {name: Stage(*shares[name]) for name in shares}
        self.iterations, self.seconds = iterations, seconds
        self.starts = self._plan(list(self.stages), 0)
        self.began = 0.0  # seconds of training when the present stage began

    def _plan(self, names: list[str], first: int) -> dict[str, int]:
        """Where each of these stages begins, if the first of them begins at iteration ``first``."""
        ends = list(itertools.accumulate(self.stages[name].share for name in names))
        count, left = len(ends), self.iterations - first
        # Each has one iteration at least, however small its share is.
        rounded = [first + round(left * end / ends[-1]) for end in ends]
        starts = [first, *rounded[:-1]] if ends else []
        for index in range(1, count):
            starts[index] = max(starts[index], starts[index - 1] + 1)
        for index in reversed(range(1, count)):
            starts[index] = min(starts[index], self.iterations - (count - index))
        return dict(zip(names, starts, strict=True))

    def at(self, iteration: int) -> str | None:
        """The stage of an iteration, counted from 0; None for a method without stages."""
        begun = [name for name, start in self.starts.items() if start <= iteration]
        return begun[-1] if begun else None

    def out_of_time(self, iteration: int, seconds: float) -> bool:
        """Whether the stage of ``iteration`` has used its share of the run's seconds."""
        name = self.at(iteration)
        if name is None or self.seconds is None:
            return False
        ahead = list(self.stages)[list(self.stages).index(name) :]
        share = self.stages[name].share / sum(self.stages[other].share for other in ahead)
        return seconds - self.began >= (self.seconds - self.began) * share

    def end(self, iteration: int) -> None:
        """Let the next stage begin with the iteration after ``iteration``, if there is one."""
        name = self.at(iteration)
        ahead = [] if name is None else list(self.stages)[list(self.stages).index(name) + 1 :]
        if ahead and iteration + len(ahead) < self.iterations:
            self.starts |= self._plan(ahead, iteration + 1)

    def begin(self, iteration: int, seconds: float) -> bool:
        """Record the time if a stage begins with ``iteration``; returns whether one does."""
        begins = iteration > 0 and self.at(iteration) != self.at(iteration - 1)
        if begins:
            self.began = seconds
        return begins

    def ahead(self, iteration: int) -> dict[str, str]:
        """The networks that later stages initialise -> the network they are initialised from."""
        later = [s for s, start in self.starts.items() if start > iteration]
        return {name: origin for s in later for name, origin in self.stages[s].starts.items()}

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        return {"starts": dict(self.starts), "began": self.began, "iterations": self.iterations}

    def restore(self, state: Mapping[str, Any], iteration: int) -> None:
        """Restore what :meth:`state` returned.

        Args:
            state: of a checkpoint.
            iteration: that follows it, counted from 0.

        Raises:
            UserError: it is of other stages, or the iterations are used up before they have begun.
        """
        starts = dict(state["starts"])
        if list(starts) != list(self.starts):
            raise UserError(
                f"The checkpoint's stages are {list(starts)}, but `method.stages` has "
                f"{list(self.starts)}."
            )
        planned = state.get("iterations", self.iterations)  # earlier checkpoints lack it
        self.starts, self.began = starts, float(state["began"])
        ahead = [name for name, start in starts.items() if start > iteration]
        if ahead and (planned != self.iterations or starts[ahead[-1]] >= self.iterations):
            self._replan(ahead, iteration)

    def _replan(self, ahead: list[str], iteration: int) -> None:
        """Divide other iterations than were planned among the stage of ``iteration`` and these."""
        if iteration + len(ahead) > self.iterations:
            raise UserError(
                f"`iterations={self.iterations}`: the run has had {iteration}, and its stages "
                f"{ahead} have yet to begin; it takes {iteration + len(ahead)} at least."
            )
        present = self.at(iteration)
        assert present is not None  # the first begins with the first iteration
        again = self._plan([present, *ahead], self.starts[present])
        for index, name in enumerate(ahead):
            self.starts[name] = max(again[name], iteration + index)
