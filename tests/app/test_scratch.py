"""The page's temporary folder, whatever ends the server and whatever stands beside it."""

import os
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from wildsr.app import scratch as module
from wildsr.app.scratch import MARKER, PREFIX, scratch, sweep

# A server of nothing, with the same handling of signals; it prints its folder and waits.
PROGRAM = """
import sys, time
from wildsr.app.scratch import scratch
from wildsr.app.signals import tidy_signals
with tidy_signals(), scratch() as folder:
    (folder / "visitor").mkdir()
    (folder / "visitor" / "photo.png").write_text("private")
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp"


def server(temporary):
    call = [sys.executable, "-c", PROGRAM]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    made = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    assert made.stdout.readline().strip()
    return made


def test_a_folder_of_its_owner_alone_that_goes(temporary):
    with scratch() as folder:
        assert folder.parent == temporary
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "x").write_text("x")
        assert sweep() == [], "its server lives"
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_leave_nothing(temporary, number):
    made = server(temporary)
    made.send_signal(number)
    made.communicate(timeout=120)
    assert list(temporary.iterdir()) == []


def test_a_killed_server_is_swept_up_after_and_a_living_one_is_not(temporary):
    dead, alive = server(temporary), server(temporary)
    try:
        dead.kill()
        dead.communicate()
        assert len(list(temporary.iterdir())) == 2
        with scratch() as folder:
            assert {folder} < set(temporary.iterdir())
            assert len(list(temporary.iterdir())) == 2
        (left,) = temporary.iterdir()
        assert (left / "visitor" / "photo.png").exists()
    finally:
        alive.kill()
        alive.communicate()


def test_links_and_what_is_not_a_servers_are_left_alone(temporary, tmp_path, monkeypatch):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / MARKER).touch()
    (temporary / f"{PREFIX}link").symlink_to(kept)
    (temporary / f"{PREFIX}file").write_text("x")
    young = temporary / f"{PREFIX}young"
    young.mkdir()
    linked = temporary / f"{PREFIX}linked-marker"
    linked.mkdir()
    (linked / MARKER).symlink_to(kept / MARKER)
    fifo = temporary / f"{PREFIX}fifo"
    fifo.mkdir()
    os.mkfifo(fifo / MARKER)
    assert sweep() == []
    assert (kept / MARKER).exists()
    # Of a dead server: what it holds goes, what its links lead to stays.
    left = temporary / f"{PREFIX}left"
    left.mkdir()
    (left / MARKER).touch()
    (left / "to").symlink_to(kept)
    os.utime(young, (0, 0))
    assert set(sweep()) == {left, young}
    assert (kept / MARKER).exists()
    # Another user's.
    other = temporary / f"{PREFIX}other"
    other.mkdir()
    (other / MARKER).touch()
    monkeypatch.setattr(module.os, "geteuid", lambda: os.getuid() + 1)
    assert sweep() == []
    assert time.time() - other.stat().st_mtime < module.YOUNG
