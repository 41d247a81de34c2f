"""The search: trial after trial, until there are as many as requested."""

from __future__ import annotations

import gc
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from rich.console import Console

from wildsr.atomic import unfinished, write_text
from wildsr.config.help import program
from wildsr.config.override import written
from wildsr.config.plain import read_json
from wildsr.config.search import Value, space_of
from wildsr.config.trials import checked_sweep, identity, key_of, trial_overrides
from wildsr.error import UserError, first_line
from wildsr.sweep.objective import Objective
from wildsr.sweep.results import leave, said, table
from wildsr.sweep.study import again, counted, draw, open_study, optuna, place, try_again
from wildsr.sweep.trial import carry_out

SETTINGS = "sweep.json"  # in the folder of a sweep: its settings
FAILURES = 3  # failed trials without any success after which the sweep stops


@dataclass(frozen=True)
class Swept:
    """The state of a search when it ends.

    Attributes:
        folder: of the sweep.
        signal: the signal that stopped it early, or None; the same command resumes it.
    """

    folder: Path
    signal: int | None = None


def sweep(overrides: Sequence[str], console: Console) -> Swept:
    """Run a search and write a page with its trials.

    Raises:
        UserError: an invalid configuration; or all trials fail.
    """
    config = checked_sweep(overrides)
    optuna()
    objective, space = Objective(config), space_of(config)
    folder = _folder(config, overrides)
    study = open_study(config, folder, f"{folder.name}-{identity(overrides)}", objective.higher)
    console.print(f"sweep: {folder}", markup=False)
    better = "higher is better" if objective.higher else "lower is better"
    console.print(f"objective: {objective.title}; {better}", markup=False)
    for key, values in space.items():
        console.print(f"search: {key}: {values}", markup=False)
    base = trial_overrides(overrides)
    for number in try_again(study, folder):
        console.print(f"trial {number} was killed, and is tried again", markup=False)
    while (trial := _next(study, config.trials)) is not None:
        signal = _try(study, trial, objective, base, config, folder, console)
        leave(study, folder, objective.title, objective.higher)
        if signal is not None:
            console.print(f"stopped; the same command goes on with {folder}", markup=False)
            return Swept(folder, signal)
        _check_failures(study, FAILURES)
    page = leave(study, folder, objective.title, objective.higher)
    console.print(f"\n{table(study, objective.higher)}", markup=False)
    if best := _best(study):
        drawn = [f"{key}={written(value)}" for key, value in best.params.items()]
        typed = shlex.join([*base, *drawn])
        console.print(f"best: {program('train')} {typed}", markup=False)
    console.print(f"page: {page}", markup=False)
    _check_failures(study, 1)
    return Swept(folder)


def _try(
    study: Any,
    trial: Any,
    objective: Objective,
    base: list[str],
    config: DictConfig,
    folder: Path,
    console: Console,
) -> int | None:
    """Carry out one trial and say how it ended; the signal that stopped it, if one did."""
    library = optuna()
    signal = None
    try:
        signal = _tell(study, trial, objective, base, config, folder)
    except library.exceptions.UpdateFinishedTrialError:
        taken = "another worker took it for dead, and tries it itself"
        console.print(f"trial {place(trial)}: {taken}", markup=False)
    else:
        if signal is None:
            console.print(said(study, trial.number), markup=False)
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return signal


def _tell(
    study: Any, trial: Any, objective: Objective, base: list[str], config: DictConfig, folder: Path
) -> int | None:
    """Carry out one trial and tell Optuna how it ended; the signal that stopped it, if one did.

    Raises:
        optuna.exceptions.UpdateFinishedTrialError: another worker has ended it meanwhile.
    """
    library = optuna()
    state = library.trial.TrialState
    if (earlier := trial.user_attrs.get("again")) is not None:
        for step, value in study.get_trials(deepcopy=False)[earlier].intermediate_values.items():
            trial.report(value, step)
    values: dict[str, Value] = draw(study, trial, space_of(config), config.seed, config.sampler)
    typed = [*base, *(f"{key}={written(value)}" for key, value in values.items())]
    ending, found = state.COMPLETE, None
    try:
        found, signal = carry_out(trial, objective, typed, folder, config.validate_every)
    except library.TrialPruned:
        ending = state.PRUNED
    except (UserError, MemoryError, torch.OutOfMemoryError) as error:
        trial.set_user_attr("error", first_line(error))
        ending = state.FAIL
    else:
        if signal is not None:
            trial.set_user_attr("stopped", signal)
            again(study, trial)
            return signal
    told = study.tell(trial, found, state=ending, skip_if_finished=True)
    if told.state != ending:
        raise library.exceptions.UpdateFinishedTrialError
    return None


def _next(study: Any, most: int) -> Any:
    """The next trial; None where there are enough."""
    waiting = (optuna().trial.TrialState.WAITING,)
    while study.get_trials(deepcopy=False, states=waiting) or _number(study) < most:
        trial = study.ask()
        before = [t for t in counted(study.get_trials(deepcopy=False)) if t.number < trial.number]
        if "again" in trial.user_attrs or len(before) < most:
            return trial
        trial.set_user_attr("surplus", True)  # another worker has drawn the last one meanwhile
        study.tell(trial, state=optuna().trial.TrialState.FAIL)
    return None


def _number(study: Any) -> int:
    return len(counted(study.get_trials(deepcopy=False)))


def _best(study: Any) -> Any:
    complete = (optuna().trial.TrialState.COMPLETE,)
    return study.best_trial if study.get_trials(deepcopy=False, states=complete) else None


def _check_failures(study: Any, most: int) -> None:
    """Stop where so many trials failed, and none came to its end.

    Raises:
        UserError: with the reason of the last one.
    """
    failed = [t for t in counted(study.get_trials(deepcopy=False)) if "error" in t.user_attrs]
    if len(failed) >= most and _best(study) is None:
        last = failed[-1].user_attrs["error"]
        raise UserError(f"Of {len(failed)} trials all failed, the last one for this reason: {last}")


def _folder(config: DictConfig, overrides: Sequence[str]) -> Path:
    """The folder of the sweep: a new one, or the one that these settings have made.

    Raises:
        UserError: its name is taken by another, or it cannot be made.
    """
    own = identity(overrides)
    folder = Path(config.runs_dir).expanduser() / (config.name or f"sweep-{own}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot make the folder {folder}: {error.strerror}.") from error
    path = folder / SETTINGS
    if any(not unfinished(one.name) for one in folder.iterdir()) and not path.exists():
        raise UserError(
            f"The folder {folder} exists already and is no sweep; choose another `name`."
        )
    if not path.exists():  # several workers may begin at the same moment
        kept = [one for one in overrides if key_of(one) != "storage"]  # which may hold a password
        write_text(path, json.dumps({"identity": own, "overrides": kept}, indent=1))
    earlier = read_json(path)
    if not isinstance(earlier, dict) or earlier.get("identity") != own:
        raise UserError(
            f"{folder} is a sweep with other settings; choose another `name`. Only `trials`, "
            "`storage`, `sampler` and `pruner` may change when a sweep goes on."
        )
    return folder
