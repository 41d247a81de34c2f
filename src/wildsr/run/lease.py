"""Let one process at a time write a part of a remote store: a lease with signs of life."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import threading
import time
import uuid
from types import TracebackType
from typing import Any

import psutil

from wildsr.archive.shard import Shard
from wildsr.archive.store import Store, said_of
from wildsr.atomic import machine
from wildsr.error import UserError
from wildsr.photo.folder import LOG
from wildsr.run.lock import Held, Holder, holder_of, lives

PLACE = ".locks"  # in the store: a folder of leases for each part
BEAT = 20.0  # seconds between two signs of life, each of which is a request
BEATS = 4  # so many without a sign of life, and a holder on another machine counts as gone
FREE = b"{}"  # what a lease that has ended says
_NAME = re.compile(r"\d{8}\.json")


class Lease:
    """The right to write a part of a store, held within a ``with`` block.

    The holder writes who it is into ``.locks/PART/N.json``, and writes that object anew every 20
    seconds. A holder on this machine is gone when its process is; any other one is watched until
    its object is 80 seconds old, by the clock of the store. The next holder makes ``N + 1``, which
    only one process can in stores that refuse to replace an object on demand (S3, GCS); in others
    two that begin at the same moment may both succeed. At the end the object stays, and says that
    it is free.

    Args:
        store: which.
        shard: the part that this process writes.
        work: what is done to the store, for the error message of others.

    Raises:
        UserError: on entering: another process holds it, or nothing can be written.
    """

    def __init__(self, store: Store, shard: Shard, work: str = "written") -> None:
        self.store, self.work = store, work
        self.part = str(shard).replace("/", "-of-")
        self.name, self.holder = "", Holder("", "", 0, 0.0, "", "")
        self._ended, self._beats = threading.Event(), threading.Thread()

    def __enter__(self) -> Lease:
        try:
            number, held = self._newest(self.part)
            if held is not None:
                self._wait_for_its_end(held)
            self._make(number + 1)
        except UserError:
            raise
        except Exception as error:  # each store has errors of its own
            raise UserError(
                f"`{self.store.argument}`: nothing can be written into {self.store}: "
                f"{said_of(error)}."
            ) from error
        self._beats = threading.Thread(target=self._live, daemon=True)
        self._beats.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._beats.join()
        with contextlib.suppress(Exception):  # then it ends by its age
            if self._newest(self.part) == (self._number(), self.name):
                self.store.fs.pipe_file(self.name, FREE)

    def alone(self) -> None:
        """Check that nobody writes another part, before what all parts share is changed.

        Raises:
            UserError: somebody does.
        """
        for part in self.store.folders(PLACE):
            held = self._newest(part)[1] if part != self.part else None
            if held is not None:
                self._wait_for_its_end(held)

    def _number(self) -> int:
        return int(os.path.basename(self.name)[:8])

    def _newest(self, part: str) -> tuple[int, str | None]:
        """The highest number of a part's leases, and the path of that one unless it is free."""
        names = [n for n in self.store.files(f"{PLACE}/{part}") if _NAME.fullmatch(n)]
        if not names:
            return 0, None
        path = self.store.path(f"{PLACE}/{part}/{max(names)}")
        free = self.store.fs.cat_file(path) == FREE
        return int(max(names)[:8]), None if free else path

    def _wait_for_its_end(self, path: str) -> None:
        """Return when the holder of a lease is gone.

        Raises:
            UserError: it lives.
        """
        said = self.store.fs.cat_file(path)
        holder = holder_of(said)
        who = f"process {holder.process} on {holder.host}" if holder else "another process"
        held = Held(
            f"{self.store} is being {self.work} by {who}; wait until that ends, or stop it."
        )
        if holder is not None and holder.machine == machine():
            if not lives(holder):
                return
            raise held
        left = BEATS * BEAT - self._age(path, said)
        if left <= 0:
            return
        LOG.warning(
            "%s was being %s by %s a moment ago; %.0f s will show whether it still is.",
            *(self.store, self.work, who, left),
        )
        until = time.monotonic() + left
        while time.monotonic() < until:
            time.sleep(BEAT / 8)
            now = self.store.fs.cat_file(path)
            if now == FREE:
                return
            if now != said:
                raise held

    def _age(self, path: str, said: bytes) -> float:
        """Seconds since an object was written, by the clock of the store if it tells."""
        probe = self.store.path(f"{PLACE}/{self.part}/{uuid.uuid4().hex}.clock")
        self.store.fs.pipe_file(probe, b"x")
        try:
            now, then = (self.store.fs.modified(each) for each in (probe, path))
            age = float((now - then).total_seconds())
        except NotImplementedError:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                return max(time.time() - float(json.loads(said)["time"]), 0.0)
            return 0.0
        finally:
            with contextlib.suppress(Exception):
                self.store.fs.rm_file(probe)
        return max(age, 0.0)

    def _make(self, number: int) -> None:
        """Make the lease of this number.

        Raises:
            UserError: another process was faster.
        """
        self.name = self.store.path(f"{PLACE}/{self.part}/{number:08d}.json")
        process = os.getpid()
        begun = psutil.Process(process).create_time()
        token = uuid.uuid4().hex
        self.holder = Holder(platform.node(), machine(), process, begun, token, self.name)
        with contextlib.suppress(FileExistsError):
            self.store.create(f"{PLACE}/{self.part}/{number:08d}.json", self._said())
        made = holder_of(self.store.fs.cat_file(self.name))
        if made is None or made.token != token or self._newest(self.part)[0] != number:
            raise Held(f"{self.store} is being {self.work} by another process, which was faster.")
        for name in self.store.files(f"{PLACE}/{self.part}"):
            if _NAME.fullmatch(name) and int(name[:8]) < number:
                with contextlib.suppress(Exception):  # another one removes them, too
                    self.store.fs.rm_file(self.store.path(f"{PLACE}/{self.part}/{name}"))

    def _said(self) -> bytes:
        values: dict[str, Any] = vars(self.holder) | {"time": round(time.time(), 3)}
        return json.dumps(values).encode("ascii")

    def _live(self) -> None:
        while not self._ended.wait(BEAT):
            try:
                if self._newest(self.part)[0] > self._number():
                    LOG.warning(
                        "%s was taken over by another process while this one was suspended or cut "
                        "off; both write into it now.",
                        self.store,
                    )
                    return
                self.store.fs.pipe_file(self.name, self._said())
            except Exception:  # the store may come back
                continue
