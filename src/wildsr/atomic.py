"""Write files that appear under their name only when they are complete."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import sys
import threading
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import psutil

from wildsr.error import UserError, first_line

ABANDONED = 24 * 3600.0  # seconds without a write after which any unfinished file is dead
_NAME = re.compile(r"\.[0-9a-f]{16}\.([0-9a-f]{16})\.(\d+)\.[0-9a-f]{32}\.part")
_FOLDER = re.compile(r"\.([0-9a-f]{16})\.(\d+)\.[0-9a-f]{32}\.folder")
_swept: set[str] = set()
_lock = threading.Lock()

LONGEST = 255  # bytes of a name, on nearly every file system


class Partial:
    """A hidden file beside ``target``, to be written and then kept or discarded.

    A killed process leaves it behind; the next one that writes into the folder removes it. Its name
    tells on which machine, since which boot and by which process it is written, so that a file that
    is being written is not removed, on a shared disk or from another container.

    Args:
        target: the final name; its folder is created.

    Raises:
        UserError: the folder cannot be written to.
    """

    def __init__(self, target: Path) -> None:
        self.target = Path(target)
        # Of one length: a name may be as long as the file system allows.
        name = hashlib.blake2b(os.fsencode(self.target.name), digest_size=8).hexdigest()
        unique = f".{name}.{machine()}.{os.getpid()}.{uuid.uuid4().hex}.part"
        self.path = self.target.with_name(unique)
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("xb") as file:
                made = os.fstat(file.fileno())
            # As everything that this user makes: of the umask, or what the folder prescribes.
            self._mode = made.st_mode & 0o777
            _sweep(self.target.parent, made.st_mtime)
        except OSError as error:
            raise _cannot(self.target, error) from error

    def keep(self) -> None:
        """Rename the file to its final name; an existing file is replaced.

        Raises:
            UserError: the file system refuses.
        """
        try:
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())  # or a power cut could leave the name without the content
            # Some libraries write another file and rename it, with a mode for its owner only.
            if self.path.stat().st_mode & 0o777 != self._mode:
                self.path.chmod(self._mode)
            os.replace(self.path, self.target)
        except OSError as error:
            self.discard()
            raise _cannot(self.target, error) from error

    def discard(self) -> None:
        """Remove the file."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(target: Path) -> Iterator[Path]:
    """A path to write to, which is renamed to ``target`` when the block ends without an error.

    The path has another suffix than ``target``: libraries must be told the format explicitly.

    Raises:
        UserError: the file cannot be written (no room, no permission); other exceptions of the
            block pass through. In both cases nothing is left behind, and an existing file is
            unchanged.
    """
    partial = Partial(target)
    try:
        yield partial.path
    except OSError as error:
        partial.discard()
        raise _cannot(partial.target, error) from error
    except BaseException:
        partial.discard()
        raise
    partial.keep()


@contextlib.contextmanager
def private_folder(parent: Path) -> Iterator[Path]:
    """A hidden folder in ``parent``, which is created, for temporary files; removed at the end.

    Folders of killed processes are removed at the beginning.
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / f".{machine()}.{os.getpid()}.{uuid.uuid4().hex}.folder"
    folder.mkdir()
    _sweep(parent, folder.stat().st_mtime)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Let only one process at a time into the block, of all that use this file as a lock.

    The others wait, also on other machines with the same network disk. A lock ends with its
    process. Where files cannot be locked, no process waits.
    """
    with contextlib.ExitStack() as held:
        with contextlib.suppress(ImportError, OSError):
            import fcntl  # which Windows lacks

            path.parent.mkdir(parents=True, exist_ok=True)
            fcntl.flock(held.enter_context(path.open("w")), fcntl.LOCK_EX)
        yield


def refusal(folder: Path, size: int = 1 << 16) -> str | None:
    """Why nothing can be written into a folder, which is created; None if it can.

    Args:
        folder: of the output.
        size: bytes of a test file, which is removed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{'0' * 16}.{machine()}.{os.getpid()}.{uuid.uuid4().hex}.part"
        try:
            with probe.open("xb") as file:
                file.write(bytes(size))
                file.flush()
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        return error.strerror or first_line(error)
    return None


def check_output(folder: Path, argument: str = "output") -> None:
    """Check that results can be written, before any is computed.

    Args:
        folder: of the output; created.
        argument: the user's name for it.

    Raises:
        UserError: no permission, no room, a file in the way, ...
    """
    if (reason := refusal(folder)) is not None:
        raise UserError(f"`{argument}`: nothing can be written into {folder}: {reason}.")


def unfinished(name: str) -> bool:
    """Whether a file or folder of this name is one that is being written, or was when it ended."""
    return bool(_NAME.fullmatch(name) or _FOLDER.fullmatch(name))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically.

    Raises:
        UserError: it cannot be written.
    """
    with writing(path) as partial:
        partial.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8; bytes that are not valid text become escapes.

    Raises:
        UserError: it cannot be written.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def file_name(text: str) -> str:
    """Convert a user's text to the name of one file or folder that stays in its folder.

    Separators become ``_``, and so do names that mean another folder (``.`` and ``..``).
    """
    name = re.sub(r"[/\\\0]", "_", text)
    return "_" * len(name) if name in (".", "..") else name or "_"


@cache
def machine() -> str:
    """Identifies this boot of this machine, as seen from this container, in 16 digits."""
    facts = [platform.node(), str(uuid.getnode())]
    with contextlib.suppress(OSError):
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
    with contextlib.suppress(OSError):  # a container's own numbers of processes
        facts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.blake2b("\n".join(facts).encode(), digest_size=8).hexdigest()


def alive(process: int) -> bool:
    """Whether a process with this id runs on this machine."""
    return sys.platform == "win32" or psutil.pid_exists(process)


def _sweep(folder: Path, now: float) -> None:
    """Remove what killed processes left, once for each folder: it may hold many thousand files.

    What a process of this start of this machine writes is dead when the process is. What any other
    machine writes nobody here can know of: it is left alone until nothing was written to it for a
    day, by the clock of the disk.

    Args:
        folder: which.
        now: what the disk's clock says: when something was made there just now.
    """
    key = os.path.abspath(folder)
    with _lock:
        if key in _swept:
            return
        _swept.add(key)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _NAME.fullmatch(entry.name) or _FOLDER.fullmatch(entry.name)
            if found is None:
                continue
            with contextlib.suppress(OSError):
                dead = found.group(1) == machine() and not alive(int(found.group(2)))
                if not (dead or now - _changed(entry) > ABANDONED):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)


def _changed(entry: os.DirEntry[str]) -> float:
    """When a file, or one in a folder, was written to last."""
    inside: list[os.DirEntry[str]] = []
    if entry.is_dir(follow_symlinks=False):
        inside = list(os.scandir(entry.path))
    return max(file.stat().st_mtime for file in [entry, *inside])


def _cannot(target: Path, error: OSError) -> UserError:
    return UserError(f"{target} cannot be written: {error.strerror or first_line(error)}.")
