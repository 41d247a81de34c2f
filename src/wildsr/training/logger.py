"""Loggers of curves and pictures: always a CSV, optionally W&B or TensorBoard."""

from __future__ import annotations

import csv
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from wildsr.atomic import write_text, writing
from wildsr.config.plain import printable
from wildsr.config.trainer import LOGGERS as KINDS
from wildsr.error import UserError, first_line, unknown
from wildsr.extra import needed

Say = Callable[[str], None]


class Log(Protocol):
    """The methods of a logger. The x-axis is always the iteration."""

    def scalars(self, values: Mapping[str, float], iteration: int) -> None:
        """Add a point to each named curve."""

    def pictures(self, paths: Mapping[str, Path], iteration: int) -> None:
        """Add pictures, by name."""

    def files(self, paths: Mapping[str, Path]) -> None:
        """Attach the files that a finished run hands over, by name."""

    def table(self, name: str, lines: Sequence[Mapping[str, Any]], iteration: int) -> None:
        """Add a table; each line maps columns to values."""

    def finish(self) -> None:
        """Write out what is still in memory."""


class CSV:
    """``metrics.csv`` in long form: iteration, name, value; without duplicates after a resume.

    Args:
        path: the file.
        start: the iteration at which training (re)starts; rows of later ones are dropped, and those
            of the final table, which is written again.
    """

    def __init__(self, path: Path, start: int) -> None:
        rows = []
        if path.exists():
            rows = [
                row
                for row in _complete(path)
                if int(row[0]) <= start and not row[1].startswith("test/")
            ]
        with writing(path) as partial, partial.open("w", newline="") as file:
            csv.writer(file).writerows([["iteration", "name", "value"], *rows])
        self.path = path

    def scalars(self, values: Mapping[str, float], iteration: int) -> None:
        """Append one row for each value.

        Raises:
            UserError: the file cannot be written.
        """
        try:
            with self.path.open("a", newline="") as file:
                csv.writer(file).writerows([iteration, n, f"{v:.7g}"] for n, v in values.items())
                file.flush()
                os.fsync(file.fileno())  # before the checkpoint of this iteration is written
        except OSError as error:
            said = error.strerror or first_line(error)
            raise UserError(f"{self.path} cannot be written: {said}.") from error

    def pictures(self, paths: Mapping[str, Path], iteration: int) -> None:
        """Nothing: the pictures are files already."""

    def files(self, paths: Mapping[str, Path]) -> None:
        """Nothing: they are in the run's folder."""

    def table(self, name: str, lines: Sequence[Mapping[str, Any]], iteration: int) -> None:
        """Nothing: the tables are files already."""

    def finish(self) -> None:
        """Nothing: every row is on disk already."""


def _complete(path: Path) -> list[list[str]]:
    """The rows that were written to their end; the last one may be cut off."""
    text = path.read_bytes().decode("utf-8", "replace").replace("\0", "")
    whole = text[: text.rfind("\n") + 1]
    rows = csv.reader(whole.splitlines(keepends=True))
    return [row for row in rows if len(row) == 3 and row[0].isascii() and row[0].isdigit()]


class WandB:
    """A Weights & Biases run: online with credentials, offline without.

    Args:
        run: the run folder; the W&B files go into its ``wandb``, and the W&B id is stored beside
            them, so that a resumed run continues it.
        project: the W&B project.
        mode: auto, online or offline; the environment variable ``WANDB_MODE`` takes precedence.
        config: the configuration, as plain containers.
        say: prints a line for the user.

    Raises:
        UserError: an unknown mode.
    """

    def __init__(
        self, run: Path, project: str, mode: str, config: dict[str, Any], say: Say
    ) -> None:
        import wandb

        if mode not in ("auto", "online", "offline"):
            raise unknown("`logger.mode`", mode, ("auto", "online", "offline"))
        mode = os.environ.get("WANDB_MODE") or mode
        if mode == "auto":
            mode = "online" if os.environ.get("WANDB_API_KEY") or _stored_key() else "offline"
        remembered = run / "wandb-id.txt"
        known = remembered.read_text().strip() if remembered.exists() else ""
        identity = known or uuid.uuid4().hex[:8]
        for attempt in dict.fromkeys((mode, "offline")):
            try:
                self.run = wandb.init(
                    project=project,
                    name=printable(run.name),
                    id=identity,
                    dir=run,
                    mode=attempt,  # type: ignore[arg-type]
                    resume="allow" if attempt == "online" else None,
                    config=printable(config),
                    settings=wandb.Settings(init_timeout=30, silent=True, console="off"),
                )
                break
            except Exception as error:
                wandb.teardown()  # or the next attempt finds the run's id in use
                say(f"W&B could not start {attempt} ({first_line(error)}).")
        else:
            raise RuntimeError("W&B could not start, not even offline")
        write_text(remembered, identity)
        self.run.define_metric("iteration")
        self.run.define_metric("*", step_metric="iteration")
        if attempt == "offline":
            say(f"W&B writes offline; to sync later: wandb sync {run / 'wandb'}/offline-run-*")

    def scalars(self, values: Mapping[str, float], iteration: int) -> None:
        """Log the values at this iteration."""
        self._log(values, iteration)

    def pictures(self, paths: Mapping[str, Path], iteration: int) -> None:
        """Log the pictures at this iteration."""
        import wandb

        images = {name: wandb.Image(str(path)) for name, path in paths.items()}
        self._log(images, iteration)

    def files(self, paths: Mapping[str, Path]) -> None:
        """Log the files as an artifact of type "model"; a new version each time."""
        import wandb

        artifact = wandb.Artifact(f"upscaler-{self.run.id}", type="model")
        for name, path in paths.items():
            artifact.add_file(str(path), name=name)
        self.run.log_artifact(artifact)

    def table(self, name: str, lines: Sequence[Mapping[str, Any]], iteration: int) -> None:
        """Log the table at this iteration."""
        import wandb

        columns: list[str | int] = list(dict.fromkeys(key for line in lines for key in line))
        rows = [[line.get(str(column)) for column in columns] for line in lines]
        self._log({name: wandb.Table(columns=columns, data=rows)}, iteration)

    def _log(self, values: Mapping[str, Any], iteration: int) -> None:
        """Log under the iteration as W&B's own step, too.

        A run that goes on from a checkpoint repeats the iterations behind it, to the bit; of steps
        that W&B has already it takes none a second time.
        """
        self.run.log({**values, "iteration": iteration}, step=iteration)

    def finish(self) -> None:
        """Close the run."""
        self.run.finish()


class TensorBoard:
    """TensorBoard event files in the run folder's ``tensorboard``.

    Args:
        run: the run folder.
        start: the iteration at which training (re)starts; later points are dropped.

    Raises:
        UserError: the package tensorboard is missing.
    """

    def __init__(self, run: Path, start: int) -> None:
        needed("tensorboard", "tensorboard", "`logger=tensorboard`")
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(
            str(run / "tensorboard"), purge_step=start + 1 if start else None
        )

    def scalars(self, values: Mapping[str, float], iteration: int) -> None:
        """Log the values at this iteration."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, iteration)

    def pictures(self, paths: Mapping[str, Path], iteration: int) -> None:
        """Log the pictures at this iteration."""
        import numpy as np
        from PIL import Image

        for name, path in paths.items():
            picture = np.asarray(Image.open(path).convert("RGB"))
            self.writer.add_image(name, picture, iteration, dataformats="HWC")

    def files(self, paths: Mapping[str, Path]) -> None:
        """Nothing: TensorBoard shows no files."""

    def table(self, name: str, lines: Sequence[Mapping[str, Any]], iteration: int) -> None:
        """Log the table as text at this iteration."""
        columns = list(dict.fromkeys(key for line in lines for key in line))
        rows = [columns, ["---"] * len(columns)]
        rows += [[str(line.get(column, "")) for column in columns] for line in lines]
        text = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        self.writer.add_text(name, text, iteration)

    def finish(self) -> None:
        """Flush and close."""
        self.writer.close()


class Safe:
    """Wraps a logger: after a first failure it prints a note and logs no more."""

    def __init__(self, inner: Log, say: Say) -> None:
        self.inner: Log | None = inner
        self.say = say

    def _try(self, what: str, *arguments: Any) -> None:
        if self.inner is None:
            return
        try:
            getattr(self.inner, what)(*arguments)
        except Exception as error:
            name, self.inner = type(self.inner).__name__, None
            self.say(f"{name} stopped logging ({first_line(error)}); training goes on.")

    def scalars(self, values: Mapping[str, float], iteration: int) -> None:
        """Pass on."""
        self._try("scalars", values, iteration)

    def pictures(self, paths: Mapping[str, Path], iteration: int) -> None:
        """Pass on."""
        self._try("pictures", paths, iteration)

    def files(self, paths: Mapping[str, Path]) -> None:
        """Pass on."""
        self._try("files", paths)

    def table(self, name: str, lines: Sequence[Mapping[str, Any]], iteration: int) -> None:
        """Pass on."""
        self._try("table", name, [printable(dict(line)) for line in lines], iteration)

    def finish(self) -> None:
        """Pass on."""
        self._try("finish")


def loggers(
    settings: Mapping[str, Any], run: Path, config: dict[str, Any], start: int, say: Say
) -> list[Log]:
    """The CSV logger, and the one that ``logger=`` selects.

    Raises:
        UserError: an unknown kind, or TensorBoard without its package.
    """
    made: list[Log] = [CSV(run / "metrics.csv", start)]
    kind = settings["kind"]
    if kind not in KINDS:
        raise unknown("`logger`", kind, KINDS)
    if kind == "tensorboard":
        made.append(Safe(TensorBoard(run, start), say))
    if kind == "wandb":
        try:
            made.append(Safe(WandB(run, settings["project"], settings["mode"], config, say), say))
        except UserError:
            raise
        except Exception as error:
            say(f"W&B is left out: {error}. The curves are in {run / 'metrics.csv'}.")
    return made


def _stored_key() -> bool:
    """Whether `wandb login` left a key in netrc."""
    import netrc

    for name in (os.environ.get("NETRC"), "~/.netrc", "~/_netrc"):
        try:
            hosts = netrc.netrc(str(Path(name).expanduser())).hosts if name else {}
        except (OSError, netrc.NetrcParseError):
            continue
        if any("wandb" in host for host in hosts):
            return True
    return False
