"""Run folders: created (never overwritten), found again to resume, recorded configuration."""

from __future__ import annotations

import contextlib
import filecmp
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from wildsr.atomic import write_text
from wildsr.config.plain import literal
from wildsr.config.recorded import recorded_config
from wildsr.error import UserError
from wildsr.run.checkpoint import checkpoints, newest_checkpoint, save_checkpoint
from wildsr.run.lock import PLACE, Lock
from wildsr.run.saved import (
    NEVER_SAVED,
    OVERRIDES,
    TYPED,
    override_key,
    overrides_of,
    typed_of,
)

START = "start"  # subfolder of a run: copy of the weights that it started from
DEGRADATION = "degradation"  # subfolder: copy of the run whose degradation it uses
CAMERA = "degradation.json"  # copy of the camera.json that it was given
# Keys that may change when a run is resumed.
_FREE = (
    *("resume", "iterations", "seconds", "name", "runs_dir", "logger", "trainer"),
    *("explain", "trust"),
)


@dataclass
class Run:
    """A run's folder.

    Attributes:
        folder: holds everything that belongs to the run.
        resumed: whether it has a checkpoint to resume from.
        lock: keeps other processes out; None if another process of the same training holds it.
    """

    folder: Path
    resumed: bool
    lock: Lock | None = None

    @property
    def checkpoints(self) -> Path:
        """Folder of the complete training states."""
        return self.folder / "checkpoints"

    @property
    def weights(self) -> Path:
        """Folder of the upscaler's weights, for use."""
        return self.folder / "weights"

    @property
    def images(self) -> Path:
        """Folder of images made during training."""
        return self.folder / "images"


def choices(overrides: list[str]) -> list[str]:
    """The overrides that define a run, without those that may change when it is resumed."""
    decisive = [o for o in overrides if override_key(o).split(".")[0].split("/")[0] not in _FREE]
    # Only the name of weights is compared: a run has its own copy of the file.
    return sorted(
        f"weights={Path(o.split('=', 1)[1]).name}" if override_key(o) == "weights" else o
        for o in decisive
    )


def merged(folder: Path, new: list[str]) -> list[str]:
    """The overrides of a resumed run: new ones replace saved ones of the same key."""
    # A resumed run uses its own copies of these files.
    kept = [f"weights={path}" for path in _started_from(folder)]
    kept += [f"degradation.run={path}" for path in _degraded_by(folder)]
    kept += [f"degradation.file={path}" for path in _given_camera(folder)]
    new = [o for o in new if override_key(o) not in {override_key(copy) for copy in kept}] + kept
    replaced = {override_key(override) for override in new}
    return [o for o in overrides_of(folder) if override_key(o) not in replaced] + new


def config_of(folder: Path, trust: bool = False) -> DictConfig:
    """The composed configuration of the run in ``folder``.

    Args:
        folder: of the run.
        trust: allow it to name code outside of wildsr.

    Raises:
        UserError: it is not a run folder, is damaged, or names code outside of wildsr.
    """
    path = folder / "config.yaml"
    if folder.is_file():
        raise UserError(
            f"`run` must be a run folder, but {folder} is a file; a weights file is given as "
            "`weights`."
        )
    if not folder.is_dir():
        raise UserError(f"`run` must be a run folder, but {folder} does not exist.")
    if not path.exists():
        raise UserError(f"`run` must be a run folder, but {folder} has no config.yaml.")
    loaded = recorded_config(path, trust)
    upscaler = (loaded.get("network") or {}).get("upscaler")
    degradation = loaded.get("degradation")
    networks = list(loaded.method.networks.values())
    for weights in _started_from(folder):
        saved, loaded.weights = loaded.get("weights"), literal(str(weights))
        for node in (upscaler, *networks):
            if isinstance(node, DictConfig) and node.get("weights") == saved:
                node.weights = literal(str(weights))
    for key, copies in (("run", _degraded_by(folder)), ("file", _given_camera(folder))):
        for copied in copies:
            saved = (degradation or {}).get(key)
            for node in (degradation, *networks):
                if isinstance(node, DictConfig) and node.get(key) == saved is not None:
                    node[key] = literal(str(copied))
    return loaded


def _started_from(folder: Path) -> list[Path]:
    """The weights that a run keeps of its start, wherever its folder is now; at most one file."""
    return sorted((folder / START).glob("*"))[:1]


def _degraded_by(folder: Path) -> list[Path]:
    """The copy that a run keeps of the one whose degradation it uses; at most one folder."""
    copied = folder / DEGRADATION
    return [copied] if copied.is_dir() else []


def _given_camera(folder: Path) -> list[Path]:
    """The copy that a run keeps of the camera.json that it degrades with; at most one file."""
    copied = folder / CAMERA
    return [copied] if copied.is_file() else []


def to_resume(resume: str, runs_dir: Path, name: str | None, overrides: list[str]) -> Path | None:
    """The folder that ``resume`` refers to; None if ``auto`` finds nothing to resume.

    ``auto`` means ``runs_dir/name`` if a name is given, else the newest run in ``runs_dir`` that
    was started with the same choices.

    Raises:
        UserError: a named folder does not exist, is not a run, or has results but no checkpoint.
    """
    if resume != "auto":
        folder = Path(resume).expanduser()
        overrides_of(folder)
        return _not_emptied(folder)
    if name is not None:
        folder = runs_dir / name
        return _not_emptied(folder) if (folder / OVERRIDES).exists() else None
    candidates = []
    for path in runs_dir.glob("*/overrides.json"):
        folder = path.parent
        with contextlib.suppress(
            UserError, OSError
        ):  # a damaged run does not stand in another's way
            same = choices(typed_of(folder)) == choices(overrides)
            if same and _same_files(folder, overrides) and checkpoints(folder / "checkpoints"):
                candidates.append(folder)
    return max(
        candidates,
        key=lambda folder: checkpoints(folder / "checkpoints")[0].stat().st_mtime,
        default=None,
    )


def _same_files(folder: Path, overrides: list[str]) -> bool:
    """Whether files that were typed, and are there, are those that the run has copied."""
    copies = {"weights": _started_from(folder), "degradation.file": _given_camera(folder)}
    for override in overrides:
        typed = Path(override.partition("=")[2].strip("'\"")).expanduser()
        for copied in copies.get(override_key(override), ()):
            if typed.is_file() and not filecmp.cmp(typed, copied, shallow=False):
                return False
    return True


def _not_emptied(folder: Path) -> Path:
    """Refuse a run whose results are there, but no checkpoint: they would be replaced.

    One that was stopped before its first checkpoint may begin anew.

    Raises:
        UserError: saying so.
    """
    made = (folder / "results.json", folder / "weights")
    if not checkpoints(folder / "checkpoints") and any(path.exists() for path in made):
        raise UserError(f"The run folder {folder} has no checkpoint to resume from.")
    return folder


def create(
    config: DictConfig,
    overrides: list[str],
    default_name: str,
    claim: Callable[[Path], Lock | None] = lambda folder: None,
    typed: list[str] | None = None,
) -> Run:
    """Create a new run folder, or take one whose start was interrupted before any training.

    Args:
        config: of the training.
        overrides: that it was composed from.
        default_name: of the folder, if ``name`` is not given; numbered if it is taken.
        claim: takes the lock of the folder before anything is written into it.
        typed: those of the overrides that the user typed, by which ``resume=auto`` finds the run;
            None: all of them.

    Raises:
        UserError: ``name`` is given and taken, or the folder cannot be created or written to.
    """
    runs_dir = Path(config.runs_dir).expanduser()
    number = 1
    while True:
        name = config.name or (default_name if number == 1 else f"{default_name}-{number}")
        folder = runs_dir / str(name)
        try:
            folder.mkdir(parents=True)
            break
        except FileExistsError:
            if config.name is not None:
                if unfinished(folder):
                    break
                raise _taken(config, folder, claim) from None
            number += 1
        except OSError as error:
            raise UserError(f"Cannot make the run folder {folder}: {error.strerror}.") from error
    lock = claim(folder)
    if (folder / OVERRIDES).exists():  # another process was faster, and has ended since
        raise _taken(config, folder, lambda folder: None)
    try:
        _fill(folder, config)
        kept = [
            o for o in (overrides if typed is None else typed) if override_key(o) not in NEVER_SAVED
        ]
        write_text(folder / TYPED, json.dumps(kept, indent=1))
    except OSError as error:
        raise UserError(f"Cannot write into the run folder {folder}: {error.strerror}.") from error
    record(folder, config, overrides)
    return Run(folder, False, lock)


def unfinished(folder: Path) -> bool:
    """Whether a folder holds nothing but the beginning of an interrupted start."""
    made = {PLACE, START, DEGRADATION, CAMERA, TYPED, "config.yaml"}
    try:
        return all(e.name in made or e.suffix == ".part" for e in folder.iterdir())
    except OSError:
        return False


def _taken(config: DictConfig, folder: Path, claim: Callable[[Path], Lock | None]) -> UserError:
    """Why a name cannot be had; raised at once where another process trains under it."""
    if config.get("resume") == "auto" and (folder / OVERRIDES).exists():
        claim(folder)
        return UserError(
            f"The run folder {folder} was made by another process meanwhile; the same command "
            "now goes on with it."
        )
    return UserError(
        f"The run folder {folder} exists already; choose another `name`, "
        f"or add `resume=auto` to go on with it."
    )


def _fill(folder: Path, config: DictConfig) -> None:
    """Copy what resuming and evaluating will need again, wherever it comes from."""
    for left in (START, DEGRADATION):
        shutil.rmtree(folder / left, ignore_errors=True)  # left by an interrupted start
    if config.get("weights") is not None:
        source = Path(str(config.weights)).expanduser()
        kept = folder / START / source.name
        kept.parent.mkdir()
        shutil.copyfile(source, kept)
    if (used := (config.get("degradation") or {}).get("run")) is not None:
        _copy(Path(str(used)).expanduser(), folder / DEGRADATION)
    if (given := (config.get("degradation") or {}).get("file")) is not None:
        shutil.copyfile(Path(str(given)).expanduser(), folder / CAMERA)


def _copy(source: Path, target: Path) -> None:
    """What a degradation is read from: a run's configuration and the networks of its end."""
    state = newest_checkpoint(source)
    save_checkpoint(
        target / "checkpoints", {name: state[name] for name in ("iteration", "networks")}
    )
    shutil.copyfile(source / "config.yaml", target / "config.yaml")
    for folder in (START, DEGRADATION):
        if (source / folder).is_dir():
            shutil.copytree(source / folder, target / folder)
    for camera in _given_camera(source):
        shutil.copyfile(camera, target / CAMERA)


def record(folder: Path, config: DictConfig, overrides: list[str]) -> None:
    """Write configuration and overrides into the run folder."""
    # Plain text, for it is read as such: `${` in a name refers to nothing.
    plain = yaml.safe_dump(plain_config(config), sort_keys=False, allow_unicode=True)
    write_text(folder / "config.yaml", plain)
    kept = [o for o in overrides if override_key(o) not in NEVER_SAVED]
    write_text(folder / OVERRIDES, json.dumps(kept, indent=1))  # last: now it is a run's folder


def plain_config(config: DictConfig) -> dict[str, Any]:
    """The configuration as plain containers, as checkpoints and W&B store it."""
    container: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return container


BASELINE = "bicubic-trained"
