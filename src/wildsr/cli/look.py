"""The verb ``look``: report how photos were coded, and their blur and noise."""

from __future__ import annotations

import json
import time
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from wildsr.atomic import check_output, write_text
from wildsr.calibration.measure import take_over
from wildsr.config.check import checked
from wildsr.config.plain import printable
from wildsr.error import UserError
from wildsr.network.degrader.measured import MeasuredCamera
from wildsr.report.look.folder import Folder, look_into
from wildsr.report.look.page import page
from wildsr.report.look.page import printable as on_a_page
from wildsr.report.look.words import document, findings
from wildsr.run.profile import profile, write_profile


def look(overrides: list[str], console: Console) -> int:
    """Inspect photos and report; returns 1 if a photo could not be read, else 0.

    Raises:
        UserError: an invalid configuration, no readable photo, an unusable output folder.
    """
    config = checked("look", overrides)
    begun = time.process_time()
    lr = Path(str(config.data.lr)).expanduser()
    hr = Path(str(config.data.hr)).expanduser() if config.data.hr is not None else None
    output = _output(config)
    check_output(output)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("looking", total=None)
        found = look_into(
            lr,
            hr,
            config.scale,
            config.seed,
            config.photos,
            config.limit,
            lambda: bar.advance(task),
        )
    lost = [*found.unreadable, *found.unreadable_sharp]
    for name, reason in lost:
        said = on_a_page(f"{name} cannot be read: {reason}")
        console.print(f"[yellow]warning:[/] {escape(said)}")
    for line in findings(found, config.scale):
        console.print(f"{line.title}: {on_a_page(line.said)}", markup=False)
    written = _write(output, found, config, lr, time.process_time() - begun)
    console.print(f"written: {', '.join(map(str, written))}", markup=False)
    return 1 if lost else 0


def _output(config: DictConfig) -> Path:
    """A new folder, an empty one, or the one that may be written over."""
    if config.output is None:
        number = 1
        while (folder := Path(f"look-{number}")).exists():
            number += 1
        return folder
    folder = Path(str(config.output)).expanduser()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"`output` must be a folder, but {folder} is a file.")
    if folder.is_dir() and any(folder.iterdir()) and not config.overwrite:
        raise UserError(
            f"`output` must be a new folder, but {folder} exists; overwrite=true replaces an "
            "earlier look in it."
        )
    return folder


def _write(folder: Path, found: Folder, config: DictConfig, lr: Path, seconds: float) -> list[Path]:
    """The page, the data and, where it was measured, the camera."""
    scale, written = config.scale, [folder / "look.html", folder / "look.json"]
    write_text(written[0], page(found, scale, f"What the photos of {lr.name or lr} went through"))
    data = printable(document(found, scale, seconds))
    write_text(written[1], json.dumps(data, indent=1, allow_nan=False) + "\n")
    (folder / "camera.json").unlink(missing_ok=True)  # of an earlier look
    if found.measured is not None:
        camera = MeasuredCamera(scale, found.sensor.channels, found.sensor.deep)
        take_over(camera, found.measured, config.seed)
        made = profile(camera, found.measured, found.sensor)
        written.append(write_profile(folder, printable(made)))
    return written
