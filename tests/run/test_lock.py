"""One holder of a folder, whatever became of the one before."""

import json
import multiprocessing
import os
import shutil
import threading
import time

import psutil
import pytest

from wildsr.error import UserError
from wildsr.run import lock
from wildsr.run.lock import PLACE, Lock

FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(lock, "BEAT", 0.1)
    monkeypatch.setattr(lock, "LEASE", 0.4)


def files(folder):
    return sorted(path.name for path in (folder / PLACE).iterdir())


def in_a_process(work, *arguments):
    process = FORK.Process(target=work, args=arguments)
    process.start()
    process.join(20)
    assert process.exitcode is not None
    return process.exitcode


def die_with_it(folder):
    Lock(folder).take()
    os._exit(0)


def from_elsewhere(folder):
    """The lock as another machine, or another container on this one, has it."""
    taken = Lock(folder).take()
    path = folder / PLACE / files(folder)[0]
    held = json.loads(path.read_text())
    path.write_text(json.dumps({**held, "machine": "0" * 16, "host": "elsewhere"}))
    return taken


def test_held_and_released(tmp_path):
    with Lock(tmp_path, "trained"):
        assert files(tmp_path) == ["00000001.held"]
        with pytest.raises(UserError, match=rf"is being trained by process {os.getpid()} on "):
            Lock(tmp_path, "trained").take()
    assert files(tmp_path) == ["00000001.free"]
    with Lock(tmp_path):
        assert files(tmp_path) == ["00000002.held"]


def test_a_crash_leaves_it_free(tmp_path):
    assert in_a_process(die_with_it, tmp_path) == 0
    assert files(tmp_path) == ["00000001.held"]
    begun = time.monotonic()
    with Lock(tmp_path):
        assert files(tmp_path) == ["00000002.held"]
    assert time.monotonic() - begun < 0.35  # its process is no more: no sign of life is waited for


def test_another_process_of_the_same_number_is_not_the_holder(tmp_path):
    in_a_process(die_with_it, tmp_path)
    path = tmp_path / PLACE / "00000001.held"
    held = {**json.loads(path.read_text()), "process": os.getpid()}
    own = psutil.Process().create_time()  # not a time before now: this process may be as old
    path.write_text(json.dumps({**held, "begun": own}))
    with pytest.raises(UserError, match="is being used by"):
        Lock(tmp_path).take()
    path.write_text(json.dumps({**held, "begun": own - 100}))
    with Lock(tmp_path):
        pass


def test_a_copy_of_a_run_that_is_trained_is_free(tmp_path):
    (tmp_path / "run").mkdir()
    with Lock(tmp_path / "run"):
        shutil.copytree(tmp_path / "run", tmp_path / "copy")
        with Lock(tmp_path / "copy"):
            pass
        os.rename(tmp_path / "run", tmp_path / "moved")
        with pytest.raises(UserError, match="is being used by"):
            Lock(tmp_path / "moved").take()


def test_a_holder_elsewhere_that_lives_keeps_it(tmp_path):
    taken = from_elsewhere(tmp_path)
    with pytest.raises(UserError, match="on elsewhere; wait"):
        Lock(tmp_path).take()
    taken.check()
    taken.release()
    with Lock(tmp_path):
        pass


def test_a_holder_elsewhere_that_gives_no_sign_of_life_is_followed(tmp_path):
    from_elsewhere(tmp_path)._ended.set()
    begun = time.monotonic()
    with Lock(tmp_path):
        assert time.monotonic() - begun > 0.2
        assert files(tmp_path) == ["00000002.held"]


def test_one_of_long_ago_is_followed_at_once(tmp_path):
    from_elsewhere(tmp_path)._ended.set()
    time.sleep(0.15)
    os.utime(tmp_path / PLACE / "00000001.held", (1e9, 1e9))
    begun = time.monotonic()
    with Lock(tmp_path):
        assert time.monotonic() - begun < 0.2


@pytest.mark.parametrize("content", ["", "{", "null", '{"process": "x"}'])
def test_what_cannot_be_read_gives_no_sign_of_life_either(tmp_path, content):
    (tmp_path / PLACE).mkdir()
    (tmp_path / PLACE / "00000007.held").write_text(content)
    with Lock(tmp_path):
        assert files(tmp_path) == ["00000008.held"]


def test_who_was_followed_writes_nothing_more(tmp_path):
    slept = from_elsewhere(tmp_path)
    slept._ended.set()
    with Lock(tmp_path) as second:
        second.check()
        with pytest.raises(UserError, match="was taken over by another process"):
            slept.check()
        slept.release()
        assert files(tmp_path) == ["00000002.held"]


def hold_if_it_can(folder, start, end, won):
    start.wait()
    try:
        with Lock(folder):
            with won.get_lock():
                won.value += 1
            end.wait()
    except UserError:
        end.wait()


@pytest.mark.heavy
@pytest.mark.parametrize("rounds", [1, pytest.param(9, marks=pytest.mark.heavy)])
@pytest.mark.parametrize("before", ["nobody", "free", "dead"])
def test_of_many_at_once_one_gets_it(tmp_path, before, rounds):
    count = 6
    for number in range(rounds):
        folder = tmp_path / str(number)
        folder.mkdir()
        if before == "free":
            Lock(folder).take().release()
        if before == "dead":
            in_a_process(die_with_it, folder)
        start, end, won = FORK.Barrier(count), FORK.Barrier(count), FORK.Value("i", 0)
        everyone = [
            FORK.Process(target=hold_if_it_can, args=(folder, start, end, won))
            for _ in range(count)
        ]
        for process in everyone:
            process.start()
        for process in everyone:
            process.join(20)
            assert process.exitcode == 0
        assert won.value == 1
        assert files(folder)[0].endswith(".free")


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / PLACE).write_text("")
    with pytest.raises(UserError, match="cannot be written to: "):
        Lock(tmp_path).take()


def test_a_forked_process_neither_holds_nor_frees_it(tmp_path):
    taken = Lock(tmp_path).take()
    assert in_a_process(taken.release) == 0
    assert files(tmp_path) == ["00000001.held"]
    taken.release()
    assert threading.active_count() < 20
