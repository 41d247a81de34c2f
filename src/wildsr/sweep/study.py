"""The Optuna study of a sweep: store, draw, prune and retry trials."""

from __future__ import annotations

import datetime
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

from omegaconf import DictConfig

from wildsr.config.search import Choices, Range, Space, Value
from wildsr.error import UserError, first_line
from wildsr.extra import needed
from wildsr.run.lock import Lock
from wildsr.seed import mix_seeds

STARTUP = 5  # trials that run to their end before any is pruned
AGAIN = 3  # times that a trial is retried after its process was killed
WORKING = "working"  # subfolder of a sweep with the locks of running trials
STARTING = 60.0  # seconds within which a worker that has drawn a trial locks it


def optuna() -> ModuleType:
    """Import Optuna, with its messages silenced.

    Raises:
        UserError: it is not installed.
    """
    found = needed("optuna", "sweep", "A sweep")
    found.logging.set_verbosity(found.logging.ERROR)
    warnings.filterwarnings("ignore", category=found.exceptions.ExperimentalWarning)
    return found


def open_study(config: DictConfig, folder: Path, name: str, higher: bool) -> Any:
    """Create the study, or open an existing one.

    Args:
        config: of the sweep.
        folder: of the sweep.
        name: of the study, in a database that may hold others.
        higher: whether higher objectives are better.

    Raises:
        UserError: the storage cannot be opened.
    """
    library = optuna()
    storage = config.storage
    shown = str(storage).split("@")[-1]  # without what may be a password
    pruner = {
        "median": lambda: library.pruners.MedianPruner(n_startup_trials=STARTUP),
        "none": library.pruners.NopPruner,
    }[config.pruner]()
    for attempt in range(5):
        try:
            return library.create_study(
                storage=_storage(library, storage, folder),
                study_name=name,
                direction="maximize" if higher else "minimize",
                pruner=pruner,
                load_if_exists=True,
            )
        except UserError:
            raise
        except Exception as error:  # drivers and databases have their own types
            if attempt == 4 or isinstance(error, ImportError):
                raise UserError(
                    f"`storage={shown}` cannot be opened: {first_line(error).rstrip('.')}."
                ) from error
    raise AssertionError


def _storage(library: ModuleType, given: str | None, folder: Path) -> Any:
    if given == "journal":
        backend = library.storages.journal.JournalFileBackend(str(folder / "sweep.journal"))
        return library.storages.JournalStorage(backend)
    if given is None:
        path = str((folder / "sweep.db").resolve())
        if "?" in path:
            raise UserError(f"SQLite cannot open {path}, for its `?`; storage=journal can.")
        # Two workers may create it at once; SQLite then waits.
        return library.storages.RDBStorage(
            f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": 60}}
        )
    if "://" not in given:
        raise UserError(
            f"`storage` must be null, journal or the URL of a database, but got {given!r}."
        )
    return library.storages.RDBStorage(given)


def draw(study: Any, trial: Any, space: Space, seed: int, sampler: str) -> dict[str, Value]:
    """Draw the values of a trial; they depend on the seed, its number and the trials before it."""
    library, own = optuna(), mix_seeds(seed, trial.number, 1) % 2**32
    study.sampler = (
        library.samplers.TPESampler(seed=own)
        if sampler == "tpe"
        else library.samplers.RandomSampler(seed=own)
    )
    return {key: suggest(trial, key, values) for key, values in space.items()}


def suggest(trial: Any, key: str, values: Range | Choices) -> Value:
    """Draw one value by the study's sampler."""
    drawn: Value
    if isinstance(values, Choices):
        drawn = trial.suggest_categorical(key, values.values)
    elif values.whole:
        drawn = trial.suggest_int(key, values.low, values.high, log=values.log)
    else:
        drawn = trial.suggest_float(key, values.low, values.high, log=values.log)
    return drawn


def place(trial: Any) -> str:
    """The name of a trial's folder: its number, or that of the trial of which it is a retry."""
    return str(trial.user_attrs.get("folder", f"{trial.number:04d}"))


def counted(trials: list[Any]) -> list[Any]:
    """The trials without retries: each once, however often it was tried."""
    return [t for t in trials if not {"again", "surplus"} & t.user_attrs.keys()]


def try_again(study: Any, folder: Path) -> list[int]:
    """Queue retries of trials whose process has died; returns their numbers.

    A retry resumes from the trial's checkpoint, in its folder, which all workers must share: of a
    trial whose folder is not there after a minute nobody knows, and it is taken for dead.
    """
    library, found = optuna(), []
    for trial in study.get_trials(deepcopy=False, states=(library.trial.TrialState.RUNNING,)):
        if _gone(trial, folder) and again(study, trial):
            found.append(trial.number)
    return found


def again(study: Any, trial: Any) -> bool:
    """Mark a trial as failed and queue a retry; returns whether this process did so.

    A trial whose process died is tried :data:`AGAIN` times; one that was stopped by a signal (its
    attribute ``stopped``) goes on as often as it is stopped.
    """
    state = optuna().trial.TrialState
    try:
        study.tell(trial.number, state=state.FAIL)
    except ValueError:  # another worker was faster
        return False
    name = place(trial)
    everyone = study.get_trials(deepcopy=False)
    before = [t for t in everyone if place(t) == name and "stopped" not in t.user_attrs]
    if len(before) > AGAIN:
        return False
    study.enqueue_trial(trial.params, {"folder": name, "again": trial.number})
    return True


def _gone(trial: Any, folder: Path) -> bool:
    """Whether the process of a trial has died."""
    inside = folder / WORKING / place(trial)
    if not inside.is_dir():
        since = trial.datetime_start
        age = (datetime.datetime.now() - since).total_seconds() if since else 0.0
        return age > STARTING
    lock = Lock(inside, "tried")
    try:
        lock.take()
    except UserError:
        return False
    lock.release()
    return True
