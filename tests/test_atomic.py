"""Files appear whole or not at all, and nobody's live file is removed."""

import os
import subprocess
import sys
import threading
import time

import pytest
import torch
from safetensors.torch import save_file

from wildsr import atomic
from wildsr.atomic import (
    Partial,
    file_name,
    machine,
    one_at_a_time,
    write_bytes,
    write_text,
    writing,
)
from wildsr.error import UserError


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    """Folders are swept once in a process."""
    monkeypatch.setattr(atomic, "_swept", set())


def leftovers(folder):
    return [path.name for path in folder.iterdir() if path.name.endswith(".part")]


def test_text_bytes_and_names_of_odd_bytes(tmp_path):
    write_text(tmp_path / "sub" / "a.txt", "caf\u00e9\r\n\udcdf")
    assert (tmp_path / "sub" / "a.txt").read_bytes() == b"caf\xc3\xa9\r\n\\udcdf"
    write_bytes(tmp_path / "a.bin", b"\0\xff")
    assert (tmp_path / "a.bin").read_bytes() == b"\0\xff"
    longest = tmp_path / ("x" * 255)
    write_text(longest, "x")
    assert longest.read_text() == "x"
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, UserError])
def test_what_fails_leaves_what_was_there(tmp_path, error):
    (tmp_path / "a").write_text("before")

    def fail():
        with writing(tmp_path / "a") as partial:
            partial.write_text("half")
            raise error("stop")

    with pytest.raises(error):
        fail()
    assert (tmp_path / "a").read_text() == "before"
    assert leftovers(tmp_path) == []


def test_a_full_disk_is_one_sentence(tmp_path):
    full = pytest.raises(UserError, match=r"a cannot be written: No space left on device\.")
    with full, writing(tmp_path / "a"):
        raise OSError(28, "No space left on device")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        write_text(tmp_path / "file" / "a", "x")


@pytest.mark.skipif(sys.platform == "win32", reason="no umask")
@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_files_have_the_mode_of_the_umask_whoever_writes_them(tmp_path, umask):
    before = os.umask(umask)
    try:
        with writing(tmp_path / "w.safetensors") as partial:
            save_file({"a": torch.zeros(3)}, str(partial))
            partial.chmod(0o600)  # as some versions of safetensors leave it
        write_text(tmp_path / "t", "x")
    finally:
        os.umask(before)
    for name in ("w.safetensors", "t"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o666 & ~umask


def killed(folder):
    """What a process that was killed left behind."""
    code = "import os, sys; from pathlib import Path; from wildsr.atomic import Partial;"
    code += "print(Partial(Path(sys.argv[1])).path, flush=True); os.kill(os.getpid(), 9)"
    ran = subprocess.run(
        [sys.executable, "-c", code, str(folder / "b.png")], capture_output=True, text=True
    )
    return folder / os.path.basename(ran.stdout.strip())


@pytest.mark.skipif(sys.platform == "win32", reason="age alone decides there")
def test_leftovers_of_the_killed_are_removed_and_nobody_elses(tmp_path):
    dead = killed(tmp_path)
    assert dead.exists()
    live = Partial(tmp_path / "c.png").path  # ours
    atomic._swept.clear()
    pid, token = 2**22 - 3, "0" * 32
    other = tmp_path / f".{'1' * 16}.{'a' * 16}.{pid}.{token}.part"  # another machine's
    stale = tmp_path / f".{'2' * 16}.{'a' * 16}.{pid}.{token}.part"
    mine = tmp_path / f".{'3' * 16}.{machine()}.{pid}.{token}.part"
    named_alike = tmp_path / ".hidden.12.part"
    for path in (other, stale, mine, named_alike):
        path.touch()
    os.utime(stale, (time.time() - 2 * atomic.ABANDONED,) * 2)
    write_text(tmp_path / "a.txt", "x")
    assert not dead.exists()
    assert not stale.exists()
    assert not mine.exists()
    assert live.exists()
    assert other.exists()
    assert named_alike.exists()


def test_writers_of_one_name_do_not_meet(tmp_path):
    """As two containers do, whose processes have the same number."""
    parts = [Partial(tmp_path / "a") for _ in range(20)]
    assert len({part.path for part in parts}) == 20

    def write(part, text):
        part.path.write_text(text)
        part.keep()

    texts = [str(number) * 100_000 for number in range(10)]
    threads = [
        threading.Thread(target=write, args=pair) for pair in zip(parts[:10], texts, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "a").read_text() in texts
    assert len(leftovers(tmp_path)) == 10


def test_a_folder_is_listed_once_however_many_files_are_written(tmp_path, monkeypatch):
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scandir(path))
    for number in range(50):
        write_text(tmp_path / str(number), "x")
    assert len(listed) == 1


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ours", "ours"),
        ("..", "__"),
        (".", "_"),
        ("a/b", "a_b"),
        ("../../etc", ".._.._etc"),
        ("..\\up", ".._up"),
        ("", "_"),
        ("...", "..."),
    ],
)
def test_names_stay_in_their_folder(text, name, tmp_path):
    assert file_name(text) == name
    assert (tmp_path / file_name(text)).resolve().parent == tmp_path.resolve()


def test_a_private_folder_goes_at_the_end_and_after_a_kill(tmp_path):
    killed = tmp_path / f".{machine()}.{2**22 + 1}.{'0' * 32}.folder"
    alive = tmp_path / f".{machine()}.{os.getpid()}.{'0' * 32}.folder"
    for folder in (killed, alive):
        folder.mkdir()
        (folder / "half").touch()
    with atomic.private_folder(tmp_path) as folder:
        (folder / "it").touch()
        assert set(tmp_path.iterdir()) == {alive, folder}
    assert set(tmp_path.iterdir()) == {alive}


def test_a_folder_is_tried_before_the_work(tmp_path):
    assert atomic.refusal(tmp_path / "new" / "folder") is None
    assert list((tmp_path / "new" / "folder").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"`output`: nothing can be written into .*: Not a"):
        atomic.check_output(tmp_path / "file" / "below")


def test_the_disks_clock_says_what_is_old(tmp_path, monkeypatch):
    """A machine whose clock is days ahead takes nobody's file from a shared disk."""
    other = tmp_path / f".{'1' * 16}.{'a' * 16}.77.{'0' * 32}.part"
    other.touch()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 9 * atomic.ABANDONED)
    write_text(tmp_path / "a.txt", "x")
    assert other.exists()


WAITING = """
import sys, time
from pathlib import Path
from wildsr.atomic import one_at_a_time
with one_at_a_time(Path(sys.argv[1])):
    print("in", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")
def test_one_at_a_time_until_a_process_dies(tmp_path):
    path, order = tmp_path / "new" / "it.lock", []
    command = [sys.executable, "-c", WAITING, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "in\n"

        def wait():
            with one_at_a_time(path):
                order.append("after")

        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join(0.2)
        assert not order
        other.kill()
        waiting.join(30)
    assert order == ["after"]


def test_where_files_cannot_be_locked_nobody_waits(tmp_path):
    (tmp_path / "file").write_text("")
    with one_at_a_time(tmp_path / "file" / "it.lock"):
        pass
