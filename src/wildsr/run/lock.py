"""Lock a folder for one process at a time: on one machine, in containers and on shared disks."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from wildsr.atomic import alive, machine
from wildsr.error import UserError, first_line

PLACE = ".lock"  # the folder, within the one that is locked
BEAT = 4.0  # seconds between two signs of life
LEASE = 4 * BEAT  # seconds without one after which a holder on another machine counts as gone
_NAME = re.compile(r"(\d{8})\.(held|free)")


class Held(UserError):  # noqa: N818 (a kind of UserError with a shorter name)
    """Another process holds a lock."""


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock.

    Attributes:
        host: name of the machine, for messages.
        machine: identifies this boot of the machine, as seen from the holder's container.
        process: its process id there.
        begun: when that process began, in seconds since 1970.
        token: unique to this one lock.
        file: path of the lock's file, as the holder sees it.
    """

    host: str
    machine: str
    process: int
    begun: float
    token: str
    file: str


class Lock:
    """A lock on a folder, held from :meth:`take` to :meth:`release`, or until the process dies.

    The holder writes who it is into ``.lock/N.held`` and touches that file every four seconds. A
    holder on this machine is gone when its process is; for any other (on a shared disk or in
    another container) the file's time stamp is watched, by the clock of the file system. The next
    holder creates ``N + 1``, in which only one process can succeed; the highest number holds the
    lock, and its file is never removed by a process with a lower one. So of two processes that find
    the same dead holder, only one takes over.

    Args:
        folder: exists.
        work: what the holder does to the folder, for the error message of others: "trained".
        place: of the lock within the folder; parts of a folder may have their own locks.

    Raises:
        UserError: from :meth:`take`: another process holds it, or the folder cannot be written to.
    """

    def __init__(self, folder: Path, work: str = "used", place: str = PLACE) -> None:
        self.folder, self.work = Path(folder), work
        self.place = self.folder / place
        self.holder: Holder | None = None
        self._file = self.place
        self._ended = threading.Event()

    def __enter__(self) -> Lock:
        return self.take() if self.holder is None else self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def take(self, patience: float = 0.0) -> Lock:
        """Take the lock.

        Args:
            patience: seconds to wait for another process that holds it.

        Raises:
            UserError: another process holds it, or the folder cannot be written to.
        """
        end = time.monotonic() + patience
        while True:
            try:
                return self._take()
            except Held:
                if time.monotonic() > end:
                    raise
                time.sleep(BEAT / 80)

    def _take(self) -> Lock:
        try:
            self.place.mkdir(exist_ok=True)
            while self.holder is None:
                number, held = self._newest()
                if held is not None:
                    self._wait_for_its_end(held)
                self._follow(number + 1)
        except OSError as error:
            raise UserError(
                f"The folder {self.folder} cannot be written to: "
                f"{error.strerror or first_line(error)}."
            ) from error
        self._ended.clear()
        threading.Thread(target=self._live, args=(self._file,), daemon=True).start()
        return self

    def release(self) -> None:
        """Release the lock; does nothing if this process does not hold it."""
        holder, self.holder = self.holder, None
        self._ended.set()
        if holder is not None and holder.process == os.getpid():
            with contextlib.suppress(OSError):  # gone with its folder, or taken over
                os.rename(self._file, self._file.with_suffix(".free"))

    def check(self) -> None:
        """Check that the lock is still held, before a write that another process might do too.

        Raises:
            UserError: another process has taken over, because this one gave no sign of life for so
                long (suspended, or cut off from the disk).
        """
        if self.holder is None or self.holder.process != os.getpid():
            return
        try:
            number, held = self._newest()
        except OSError:  # the folder is gone; writing into it will report that
            return
        if self.place / f"{number:08d}.held" != self._file or held is None:
            raise UserError(
                f"{self.folder} was taken over by another process while this one was suspended or "
                "cut off from the disk; it stops here, and the other one goes on."
            )

    def _newest(self) -> tuple[int, Path | None]:
        """The highest number of a lock file, and the file if it is held (None if it is free)."""
        names = [_NAME.fullmatch(name) for name in os.listdir(self.place)]
        found = max(((int(n[1]), n[2]) for n in names if n), default=(0, "free"))
        held = self.place / f"{found[0]:08d}.held" if found[1] == "held" else None
        return found[0], held

    def _follow(self, number: int) -> None:
        """Make the file of this number, unless another one was faster."""
        path = self.place / f"{number:08d}.held"
        process = os.getpid()
        begun = psutil.Process(process).create_time()
        own = os.path.realpath(path)
        holder = Holder(platform.node(), machine(), process, begun, uuid.uuid4().hex, own)
        try:
            with path.open("x") as file:
                file.write(json.dumps(vars(holder)))  # ASCII, whatever the name
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            return
        except OSError:
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        if self._newest() != (number, path):  # it was free because later ones came and went
            path.unlink(missing_ok=True)
            return
        self.holder, self._file = holder, path
        for name in os.listdir(self.place):
            found = _NAME.fullmatch(name)
            if found is not None and int(found[1]) < number:
                (self.place / name).unlink(missing_ok=True)

    def _wait_for_its_end(self, path: Path) -> None:
        """Return when the holder is gone.

        Raises:
            UserError: it lives.
        """
        seen, since = _touched(path), time.monotonic()
        age = self._age(path)
        while seen is not None:
            holder = _read(path)
            if holder is not None and holder.machine == machine():
                if not lives(holder) or _copied(path, holder):
                    return
                raise self._held_by(holder)
            if age + time.monotonic() - since >= LEASE:
                return
            time.sleep(BEAT / 16)
            now = _touched(path)
            if now is not None and now != seen:
                raise self._held_by(holder)
            seen = now

    def _age(self, path: Path) -> float:
        """Seconds since a file was touched, by the clock of its file system."""
        probe = self.place / f"{uuid.uuid4().hex}.clock"
        try:
            probe.touch()
            return max(probe.stat().st_mtime - path.stat().st_mtime, 0.0)
        except FileNotFoundError:
            return LEASE
        finally:
            probe.unlink(missing_ok=True)

    def _held_by(self, holder: Holder | None) -> Held:
        who = f"process {holder.process} on {holder.host}" if holder else "another process"
        return Held(
            f"{self.folder} is being {self.work} by {who}; wait until that ends, or stop it."
        )

    def _live(self, path: Path) -> None:
        while not self._ended.wait(BEAT):
            with contextlib.suppress(OSError):  # the disk may come back
                os.utime(path)


def _touched(path: Path) -> int | None:
    """When a file was touched last; None where it is no more.

    It is opened for that: file systems of a network then ask the server.
    """
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except FileNotFoundError:
        return None


def _read(path: Path) -> Holder | None:
    """Who holds it; None where that is not to be read: being written, or cut."""
    try:
        return holder_of(path.read_bytes())
    except OSError:
        return None


def holder_of(data: bytes) -> Holder | None:
    """The holder that a lock's file names; None where that is not to be read."""
    try:
        held: Any = json.loads(data)
        return Holder(
            str(held["host"]),
            str(held["machine"]),
            int(held["process"]),
            float(held["begun"]),
            str(held["token"]),
            str(held["file"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _copied(path: Path, holder: Holder) -> bool:
    """Whether a lock file was copied, with its folder, from one that is still held."""
    original = Path(holder.file)
    try:
        if os.path.samefile(original, path):
            return False
    except OSError:
        return False  # it was moved, and not copied
    held = _read(original)
    return held is not None and held.token == holder.token


def lives(holder: Holder) -> bool:
    """Whether a holder on this machine still runs, and its process id was not given to another."""
    if not alive(holder.process):
        return False
    try:
        process = psutil.Process(holder.process)
        same = abs(process.create_time() - holder.begun) < 2.0
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:  # another user's
        return True
