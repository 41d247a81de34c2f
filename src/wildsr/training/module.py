"""The training loop of all methods: carries out the updates of an objective."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import lightning
import torch
from torch import Tensor, nn

from wildsr.data.crops import draw_flips, flipped
from wildsr.error import UserError, unknown
from wildsr.method.finishing import FINISHED, STAGE
from wildsr.method.part import Method
from wildsr.network.protocol import Settles
from wildsr.pixels import in_unit
from wildsr.seed import mix_seeds
from wildsr.training.ema import EMA, Anchor, copy_weights
from wildsr.training.guard import Guard
from wildsr.training.objective import Objective, Update
from wildsr.training.optimizer import resume
from wildsr.training.rollback import copies, go_back
from wildsr.training.settling import Settling
from wildsr.training.stage import Stages

Schedule = Callable[[int], float]
SHARP = ("hr", "other_hr")  # crops of sharp photos
SETTLING = 150  # iterations over which a network's parameters must not change, to end a stage


class Training(lightning.LightningModule):
    """The training loop: networks, their optimisers and the objective, counted in iterations.

    An iteration is one batch. Every random generator is seeded anew from (seed, iteration, rank) in
    each iteration, so that a resumed run needs no generator state and validation cannot disturb
    training.

    Args:
        objective: the updates.
        networks: one for each that the method declares.
        optimizers: network name -> function of its parameters (one for each trained network).
        schedules: network name -> learning-rate factor by iteration; constant if absent.
        averaged: the networks whose moving average is kept (those that ``restored`` depends on).
        scale: HR size / LR size.
        seed: of all random draws.
        decay: of the moving averages.
        augment: flip and transpose every crop at random: of both photos (True), or of HR alone
            ("hr"), because a flipped LR photo has the blur and grid of another camera.
        stages: of the method; schedules count from the stage in which a network is first trained,
            and networks that a stage does not train are in evaluation mode there.
        guard: of the stage ``finish``; None without one.
        anchors: weights that the moving averages of some networks stay near.

    Raises:
        UserError: an optimiser or schedule of an unknown network, or a missing optimiser.
    """

    def __init__(
        self,
        objective: Objective,
        networks: Mapping[str, nn.Module],
        optimizers: Mapping[str, Callable[[Any], torch.optim.Optimizer]],
        schedules: Mapping[str, Schedule],
        averaged: frozenset[str],
        scale: int,
        seed: int,
        decay: float = 0.999,
        augment: bool | str = False,
        stages: Stages | None = None,
        guard: Guard | None = None,
        anchors: Mapping[str, Anchor] | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.objective, self.scale, self.seed = objective, scale, seed
        self.networks = nn.ModuleDict(networks)
        self.losses = nn.ModuleList([term.loss for term in objective.terms])
        trained = {name for update in objective.updates for name in update.trains}
        for argument, names in (("optimizers", optimizers), ("schedules", schedules)):
            for name in names:
                if name not in networks:
                    raise unknown(f"`method.{argument}`", name, networks)
        for name in sorted(trained - optimizers.keys()):
            raise UserError(f"`method.optimizers` lacks {name!r}, which an update trains.")
        self.optimizer_names = sorted(trained)
        self.make_optimizer, self.schedules = optimizers, schedules
        self.ema = EMA({name: self.networks[name] for name in sorted(averaged)}, decay, anchors)
        self.augment, self.stages = augment, stages or Stages({}, 1)
        self.settling = Settling(SETTLING)
        self.guard = guard
        self.say: Callable[[str], None] = lambda line: None  # prints a remark
        self.iteration = 0
        self.seconds = 0.0  # spent in iterations so far, over all parts of the run
        self.values: dict[str, Tensor] = {}  # losses of the last iteration, by update/term
        self.restored_optimizers: dict[str, Any] = {}

    # Lightning's hooks

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Make one optimiser for each trained network."""
        made = []
        for name in self.optimizer_names:
            optimizer = self.make_optimizer[name](self.networks[name].parameters())
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]
            if name in self.restored_optimizers:
                resume(optimizer, self.restored_optimizers[name])
            made.append(optimizer)
        self.restored_optimizers = {}
        return made

    def on_fit_start(self) -> None:
        """Move the image pools to the device."""
        for term in self.objective.terms:
            term.pool.restore(term.pool.images, self.device)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Run one iteration: every update that is due, then the moving averages.

        Args:
            batch: uint8 or float tensors (B, C, H, W) by name.
            batch_idx: not used.

        Raises:
            UserError: a loss became NaN or infinite.
        """
        start = time.perf_counter()
        torch.manual_seed(mix_seeds(self.seed, self.iteration, self.global_rank))
        step = self.objective.method(
            dict(self.networks.items()),
            self._images(batch),
            self.scale,
            dict(self.ema.networks.items()),
        )
        self.values = {}
        stage = self.stages.at(self.iteration)
        self._set_modes(stage)
        guard = self.guard if stage == STAGE else None
        if guard is not None and not guard.good:
            guard.good = copies(*self._finish())
        wrong: str | None = None
        for update in self.objective.due(stage) if guard is None or not guard.ended else ():
            if self.iteration % update.every == 0:
                step.begin(update.trains)
                wrong = self._carry_out(update, {term.name: term(step) for term in update.terms})
                if wrong is not None:
                    break
        # In the finish stage the faithful upscaler is not trained any more.
        moving = [FINISHED] if stage == STAGE else list(self.ema.networks)
        self.ema.update(dict(self.networks.items()), {n: self._age(n) for n in moving})
        if guard is not None:
            self._keep_sound(guard, step, wrong)
        self.networks.requires_grad_(True)  # as DDP and checkpoints expect them
        self.seconds += time.perf_counter() - start
        self._end_stage(stage)
        self.iteration += 1
        for name, origin in self.stages.ahead(self.iteration - 1).items():
            if name in self.ema.networks:  # before its stage it equals the network it starts from
                copy_weights(self.ema.networks[name], self.ema.networks[origin])
        if self.stages.begin(self.iteration, self.seconds):
            self.settling.forget()
            begun = self.stages.at(self.iteration)
            for name, origin in self.stages.stages[str(begun)].starts.items():
                copy_weights(self.networks[name], self.ema.networks[origin])

    # The parts of an iteration

    def _set_modes(self, stage: str | None) -> None:
        """Training mode for what the stage trains; frozen networks keep their statistics too."""
        trained = self.objective.trained(stage)
        for name, network in self.networks.items():
            learns = any(True for _ in network.parameters())
            network.train(name in trained or not learns)

    def _end_stage(self, stage: str | None) -> None:
        """End a stage whose time is up, or whose network has converged, on all ranks alike."""
        if stage is None or stage == list(self.stages.stages)[-1]:
            return
        ended = self.stages.out_of_time(self.iteration, self.seconds)
        resting = self.stages.stages[stage].until_settled
        if resting is not None:
            network = self.networks[resting]
            assert isinstance(network, Settles)
            ended = self.settling.see(network.settling(), self.iteration) or ended
        # The clocks of two processes differ: one of them decides for all.
        if self.trainer.strategy.broadcast(ended, src=0):
            self.stages.end(self.iteration)

    def _keep_sound(self, guard: Guard, step: Method, wrong: str | None) -> None:
        """If it is due, check the finish with the guard: save it if good, else roll it back."""
        age = self._age(FINISHED)
        if wrong is None and guard.due(age):
            step.begin(frozenset({FINISHED}))  # compute its output anew, after the optimiser step
            parts: Any = step
            with torch.no_grad():
                wrong = guard.look(
                    parts.finished_sr,
                    parts.sr,
                    parts.finished_truth,
                    parts.fake_lr,
                    self.networks["critic_finish"],
                    parts.other_hr,
                )
            self.values |= {f"guard/{n}": torch.tensor(v) for n, v in guard.values.items()}
            wrong = self.trainer.strategy.broadcast(wrong, src=0)  # one process decides for all
            if wrong is None:
                guard.good = copies(*self._finish())
        if wrong is not None:
            go_back(guard.good, *self._finish())
            self.say(guard.taken_back(self.iteration, wrong))

    def _finish(self) -> tuple[dict[str, nn.Module], dict[str, Any], nn.Module]:
        """The networks of the finish, all optimisers, the average of what is finished."""
        networks = {name: self.networks[name] for name in sorted(self.objective.trained(STAGE))}
        return networks, self.plain_optimizers(), self.ema.networks[FINISHED]

    def plain_optimizers(self) -> dict[str, Any]:
        """The optimisers by network, without Lightning's wrapper."""
        listed = self.optimizers(use_pl_optimizer=False)
        listed = listed if isinstance(listed, list) else [listed]
        return dict(zip(self.optimizer_names, listed, strict=True))

    def _age(self, name: str) -> int:
        """Iterations since the first stage that trains a network began; negative before."""
        firsts = [
            start for s, start in self.stages.starts.items() if name in self.objective.trained(s)
        ]
        return self.iteration - min(firsts, default=0)

    def _images(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The batch as floats in [0, 1] on the device."""
        seed = mix_seeds(self.seed, self.iteration, -1 - self.global_rank)
        generator = torch.Generator().manual_seed(seed)
        images = dict(batch)
        if self.augment:
            flips = {n: draw_flips(len(v), generator) for n, v in batch.items() if n != "pair_lr"}
            if "pair_lr" in batch:  # as its truth
                flips["pair_lr"] = flips["hr"][: len(batch["pair_lr"])]
            if self.augment == "hr":
                flips["hr"][: len(batch.get("pair_lr", ()))] = 0
                flips = {name: bits for name, bits in flips.items() if name in SHARP}
            images |= {name: flipped(batch[name], bits) for name, bits in flips.items()}
        return {name: in_unit(value, self.dtype_in) for name, value in images.items()}

    @property
    def dtype_in(self) -> torch.dtype:
        """The floating-point type of the networks (float64 in tests)."""
        return next(self.networks.parameters()).dtype

    def _carry_out(self, update: Update, values: dict[str, Tensor]) -> str | None:
        """One step; what went wrong, where a guard can mend it."""
        age = min(self._age(name) for name in update.trains)
        weights = {term.name: term.weight_at(age) for term in update.terms}
        total = sum(
            (weight * values[name] for name, weight in weights.items() if weight),
            start=torch.zeros((), device=self.device),
        )
        for name, value in values.items():
            self.values[name] = value.detach()
        finite = bool(torch.isfinite(total))
        if self._guarded(update):  # all ranks take the same branch
            finite = self.trainer.strategy.reduce_boolean_decision(finite, all=True)
        if not finite:
            culprits = [name for name, value in values.items() if not bool(torch.isfinite(value))]
            named = f"Term {' and '.join(f'`{c}`' for c in culprits or values)}"
            if self._guarded(update):
                return f"{named} became NaN or infinite"
            raise self.diverged(named)
        if not any(weights.values()):
            return None  # only logged
        optimizers = self._optimizers(update)
        for optimizer in optimizers.values():
            optimizer.zero_grad()
        self.manual_backward(total)
        if update.clip is not None:
            parameters = [p for n in update.trains for p in self.networks[n].parameters()]
            torch.nn.utils.clip_grad_norm_(parameters, update.clip)
        for name, optimizer in optimizers.items():
            factor = self.schedules[name](self._age(name)) if name in self.schedules else 1.0
            if self.guard is not None and self._guarded(update):
                factor *= self.guard.factor
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * factor
            optimizer.step()
            optimizer.zero_grad()  # frees the memory of the gradients
        torch.clear_autocast_cache()  # which holds casts of the weights before the step
        return None

    def _guarded(self, update: Update) -> bool:
        return self.guard is not None and update.stages == frozenset({STAGE})

    def diverged(self, what: str) -> UserError:
        """The error of a term or network that is no longer finite."""
        return UserError(
            f"{what} became NaN or infinite at iteration {self.iteration}; training stopped, and "
            "nothing of that is in a checkpoint."
        )

    def _optimizers(self, update: Update) -> dict[str, Any]:
        all_of_them = self.optimizers()
        listed = all_of_them if isinstance(all_of_them, list) else [all_of_them]
        named = zip(self.optimizer_names, listed, strict=True)
        return {name: optimizer for name, optimizer in named if name in update.trains}
