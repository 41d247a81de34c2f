"""An iteration of training beside a bare loop of the same networks: what the toolkit adds.

    python benchmarks/training.py                        the CPU, one thread
    python benchmarks/training.py --device cuda [--precision bf16-mixed]

Three iterations: supervised with a critic (EDSR of 16 blocks and 64 channels, U-Net critic, bicubic
pairs), `wild` (compact), and the finish of `wild` with all its terms. The bare loop is written by
hand around copies of the same networks: channels last, real and fake in one batch of the critic,
the same optimisers and averages, the losses as plain calls; no declarations, no checks, no
Lightning. Both get the same batches, 8x32x32 LR at x4, and take turns within one process, an
iteration each. Figures: medians of processor time (on a GPU: of time until it has finished), which
other programs disturb less than the clock. An iteration of ours is all between two of the bare
loop: fetching the batch, Lightning's hooks, checks for NaN. The finish's guard looks every 50
iterations; its looks are in the mean, not in the median.

Prints a Markdown table; --json FILE keeps the figures. --quick: small networks, a few iterations.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import logging
import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import lightning
import machine
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wildsr.config.allocator import tune_allocator
from wildsr.config.compose import configure
from wildsr.degradation.bicubic import downscale
from wildsr.loss.artifact import ldl
from wildsr.loss.grid import Grid
from wildsr.loss.st_lpips import STLPIPS
from wildsr.method.finishing import STAGE
from wildsr.method.part import network
from wildsr.method.supervised import Supervised
from wildsr.network.critic.unet import UNetCritic
from wildsr.network.upscaler.edsr import EDSR
from wildsr.pixels import to_8_bit
from wildsr.training.build import build_trainer, build_training
from wildsr.training.module import Training
from wildsr.training.objective import Objective

SCALE, BATCH, PATCH = 4, 8, 32
FOOL = 0.005  # weight of the adversarial term
CASES = ("supervised + critic", "wild", "finish")
Bare = Callable[[dict[str, Tensor]], None]


class SupervisedGAN(Supervised):
    """Supervised training with a critic, as people do today."""

    critic = network("HR to logits")


class Bicubic(nn.Module):
    """The degradation of both."""

    def forward(self, hr: Tensor) -> Tensor:
        """(B, 3, sH, sW) to (B, 3, H, W)."""
        return downscale(hr, SCALE)


def batches(count: int, patch: int, batch: int, device: str) -> list[dict[str, Tensor]]:
    """Random crops as the data module gives them: uint8, channels last."""
    generator = torch.Generator().manual_seed(0)

    def some(side: int) -> Tensor:
        small = torch.rand(batch, 3, side // 4, side // 4, generator=generator)
        smooth = F.interpolate(small, (side, side), mode="bicubic").clamp(0, 1)
        levels = smooth.mul(255).byte()
        return levels.contiguous(memory_format=torch.channels_last).to(device)

    large = patch * SCALE
    sides = {"hr": large, "real_lr": patch, "other_hr": large}
    return [{name: some(side) for name, side in sides.items()} for _ in range(count)]


# Ours ------------------------------------------------------------------------------------------


def supervised_gan(quick: bool) -> Training:
    sizes = {"features": 8, "blocks": 2} if quick else {"features": 64, "blocks": 16}
    networks = {
        "degrade": Bicubic(),
        "upscale": EDSR(SCALE, **sizes),
        "critic": UNetCritic(features=8 if quick else 64),
    }
    config = configure("train", ["method=supervised", "degradation=bicubic"])
    losses = {name: dict(spec) for name, spec in config.loss.items()}
    pixel = {"loss": "l1", "prediction": "sr", "target": "hr"}
    fool = {"loss": "fool", "kind": "vanilla", "critic": "critic", "fake": "sr", "weight": FOOL}
    judge = {"loss": "judge", "kind": "vanilla", "critic": "critic", "real": "hr", "fake": "sr"}
    updates = {
        "upscale": {"trains": ["upscale"], "terms": {"pixel": pixel, "fool": fool}},
        "judge": {"trains": ["critic"], "terms": {"mixed": judge}},
    }
    optimizers = dict.fromkeys(("upscale", "critic"), adam)
    objective = Objective(SupervisedGAN, updates, losses)
    return Training(objective, networks, optimizers, {}, frozenset({"upscale"}), SCALE, 0)


def adam(parameters: object) -> torch.optim.Optimizer:
    return torch.optim.Adam(list(parameters), lr=1e-4, betas=(0.9, 0.99))  # type: ignore[call-overload]


def wild(quick: bool, finish: bool) -> Training:
    typed = ["method=wild", "iterations=1000000", f"data.patch={PATCH}"]
    typed += ["network/upscaler=compact_small"] if quick else ["network/upscaler=compact"]
    typed += ["finish.share=0.999999"] if finish else ["finish=none"]
    training = build_training(configure("train", typed))
    if finish:  # of which the first stage takes an iteration
        assert training.stages.at(1) == STAGE
    return training


# The bare loops --------------------------------------------------------------------------------


class Average:
    """What both keep of an upscaler."""

    def __init__(self, net: nn.Module) -> None:
        self.net = copy.deepcopy(net).requires_grad_(False).eval()
        self.averages = list(self.net.parameters())
        self.weights = [p.detach() for p in net.parameters()]

    def update(self) -> None:
        """Move the average a thousandth of the way."""
        with torch.no_grad():
            torch._foreach_lerp_(self.averages, self.weights, 0.001)


def unit(batch: dict[str, Tensor], *names: str) -> Iterator[Tensor]:
    return (batch[name].float().div_(255) for name in names)


def bare_gan(nets: dict[str, nn.Module], cast: Callable[[], object], beside: Training) -> Bare:
    upscale, critic = nets["upscale"].train(), nets["critic"].train()
    step_up, step_critic = adam(upscale.parameters()), adam(critic.parameters())
    average = Average(upscale)

    def iteration(batch: dict[str, Tensor]) -> None:
        (hr,) = unit(batch, "hr")
        with cast():
            critic.requires_grad_(False)
            sr = upscale(downscale(hr, SCALE))
            loss = F.l1_loss(sr, hr) + FOOL * F.softplus(-critic(sr)).mean()
        loss.backward()
        step_up.step()
        step_up.zero_grad()
        critic.requires_grad_(True)
        with cast():
            real, fake = critic(torch.cat([hr, sr.detach().to(hr.dtype)])).chunk(2)
            loss = (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2
        loss.backward()
        step_critic.step()
        step_critic.zero_grad()
        average.update()

    return iteration


def bare_wild(nets: dict[str, nn.Module], cast: Callable[[], object], beside: Training) -> Bare:
    upscale, degrade = nets["upscale"].train(), nets["degrade"].requires_grad_(False)
    optimizer = adam(upscale.parameters())
    average = Average(upscale)

    def iteration(batch: dict[str, Tensor]) -> None:
        (hr,) = unit(batch, "hr")
        with cast():
            with torch.no_grad():
                lr = to_8_bit(degrade(hr, degrade.draws(hr)))
            loss = F.l1_loss(upscale(lr), hr)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        average.update()

    return iteration


def bare_finish(nets: dict[str, nn.Module], cast: Callable[[], object], beside: Training) -> Bare:
    finished, critic = nets["finished"].train(), nets["critic_finish"].train()
    degrade = nets["degrade"].requires_grad_(False)
    step_up, step_critic = adam(finished.parameters()), adam(critic.parameters())
    average = Average(finished)
    losses = {term.name: term.loss for term in beside.objective.terms}
    ours = losses["sharpen/seen"]
    assert isinstance(ours, STLPIPS)
    seen, grid = STLPIPS("vgg", shift=ours.shift, crop=ours.crop), Grid(SCALE, cells=4)

    def iteration(batch: dict[str, Tensor]) -> None:
        hr, real_lr, other = unit(batch, "hr", "real_lr", "other_hr")
        half = len(hr) // 2
        critic.requires_grad_(False)
        with cast():
            with torch.no_grad():
                draws = degrade.draws(hr)
                lr = to_8_bit(degrade(hr, draws))
                steady = average.net(lr)
            sr = finished(lr)
            mixed = torch.cat([sr[:half], finished(real_lr[half:])])
            loss = F.l1_loss(sr, hr) + 0.05 * seen(seen.encoder(sr), seen.encoder(hr))
            loss = loss + 0.005 * F.softplus(-critic(mixed)).mean()
            loss = loss + ldl(sr, hr, steady) + 2 * grid(sr, hr)
            loss = loss + F.l1_loss(to_8_bit(degrade(sr, draws)), lr)
        loss.backward()
        step_up.step()
        step_up.zero_grad()
        critic.requires_grad_(True)
        with cast():
            real, fake = critic(torch.cat([other, mixed.detach().to(other.dtype)])).chunk(2)
            loss = (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2
        loss.backward()
        step_critic.step()
        step_critic.zero_grad()
        average.update()

    return iteration


class Loader:
    """Gives the batches in their order; of a list Lightning would take each for a loader."""

    def __init__(self, given: list[dict[str, Tensor]]) -> None:
        self.given = given

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        return iter(self.given)


# Side by side ----------------------------------------------------------------------------------


class Turns(lightning.Callback):
    """After each iteration of ours one of the bare loop."""

    def __init__(self, bare: Bare, given: list[dict[str, Tensor]], warm: int, device: str) -> None:
        self.bare, self.given, self.warm, self.device = bare, given, warm, device
        self.ours: list[float] = []
        self.theirs: list[float] = []
        self.begun = 0.0

    def now(self) -> float:
        """Seconds of the processor, or of the clock once the GPU has finished."""
        if self.device == "cpu":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()

    def on_train_batch_end(self, trainer: object, training: object, *rest: object) -> None:
        """End our turn, and take the bare loop's."""
        ended = self.now()
        number = rest[-1]
        assert isinstance(number, int)
        self.bare(self.given[number])
        begun = self.now()
        if number >= self.warm:
            self.ours.append(ended - self.begun)
            self.theirs.append(begun - ended)
        self.begun = begun


def measure(
    case: str, count: int, quick: bool, device: str, precision: str = "32-true"
) -> dict[str, float]:
    """Milliseconds of an iteration of ours and of the bare loop, and images a second."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    torch.manual_seed(0)
    warm = 3 if case == "finish" else 2
    if case == CASES[0]:
        training, made = supervised_gan(quick), bare_gan
    else:
        training, made = (
            wild(quick, case == "finish"),
            bare_finish if case == "finish" else bare_wild,
        )
    training.to(memory_format=torch.channels_last)
    nets = {name: copy.deepcopy(net).to(device) for name, net in training.networks.items()}

    def cast() -> object:
        mixed = precision == "bf16-mixed"
        return torch.autocast(device, torch.bfloat16) if mixed else contextlib.nullcontext()

    given = batches(count + warm, PATCH, BATCH, device)
    turns = Turns(made(nets, cast, training), given, warm, device)
    accelerator = "cpu" if device == "cpu" else "gpu"
    typed = [f"trainer.accelerator={accelerator}", f"trainer.precision={precision}"]
    trainer = build_trainer(configure("train", typed), [turns])
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.fit(training, train_dataloaders=Loader(given))
    ours, theirs = (statistics.median(side) for side in (turns.ours, turns.theirs))
    # Other programs disturb neighbours alike: the ratio of each pair, and the median of these.
    pairs = [a / b for a, b in zip(turns.ours, turns.theirs, strict=True)]
    return {
        "ours_ms": 1000 * ours,
        "bare_ms": 1000 * theirs,
        "ratio": statistics.median(pairs),
        "mean_ratio": sum(turns.ours) / sum(turns.theirs),
        "steps_per_s": 1 / ours,
        "images_per_s": BATCH / ours,
    }


def table(found: dict[str, dict[str, float]], time_of: str) -> Iterator[str]:
    """Lines of Markdown."""
    head = f"iteration ({BATCH}x{PATCH}x{PATCH}, x{SCALE}) | ours, ms of {time_of}"
    yield f"| {head} | bare, ms | ratio | images/s |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for case, row in found.items():
        cells = f"{row['ours_ms']:.1f} | {row['bare_ms']:.1f} | {row['ratio']:.3f}"
        yield f"| {case} | {cells} | {row['images_per_s']:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--precision", default="32-true", choices=("32-true", "bf16-mixed"))
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--count", type=int, help="iterations of each (12; 200 on a GPU)")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    tune_allocator()
    if options.device == "cpu":
        torch.set_num_threads(1)
    count = options.count or (4 if options.quick else 12 if options.device == "cpu" else 200)
    facts = machine.facts()
    print(f"On {machine.sentence(facts)}.\n", flush=True)
    found = {
        case: measure(case, count, options.quick, options.device, options.precision)
        for case in options.case
    }
    print("\n".join(table(found, "processor" if options.device == "cpu" else "the clock")))
    if options.json:
        options.json.write_text(json.dumps({"machine": facts, "training": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
