"""Two processes never write the same part of a store at once, and a dead one keeps nobody out."""

import json
import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from wildsr.archive.shard import Shard, shard_of
from wildsr.archive.store import Store
from wildsr.error import UserError
from wildsr.run import lease as leases
from wildsr.run.lease import PLACE, Lease

pytest.importorskip("fsspec")
ALL = Shard()


@pytest.fixture
def store(memory):
    return Store("memory://out", "output")


@pytest.fixture
def quick(monkeypatch):
    """A second without a sign of life is long."""
    monkeypatch.setattr(leases, "BEAT", 0.25)


def objects(store):
    return {name: store.fs.cat_file(name) for name in store.fs.find(store.path(PLACE))}


def changed(store, **values):
    """The one lease of the store, with other words."""
    ((name, data),) = objects(store).items()
    store.fs.pipe_file(name, json.dumps(json.loads(data) | values).encode())


def left_behind(store, **values):
    """A lease whose process ended without a word."""
    lease = Lease(store, ALL)
    lease._make(1)
    changed(store, **values)


def test_no_password_is_shown_where_nothing_can_be_written(store, monkeypatch):
    def refused(*_, **__):
        raise OSError("cannot connect to sftp://me:secret@far/out")

    monkeypatch.setattr(store.fs, "pipe_file", refused)
    with pytest.raises(UserError, match="cannot connect to sftp://far/out") as told:
        Lease(store, ALL).__enter__()
    assert "secret" not in str(told.value)


def test_one_at_a_time(store):
    with Lease(store, ALL):
        with pytest.raises(UserError, match=rf"{store} is being written by process {os.getpid()} "):
            Lease(store, ALL).__enter__()
        with Lease(store, shard_of("1/2")) as other, pytest.raises(UserError, match="is being"):
            other.alone()
    with Lease(store, ALL) as lease:
        lease.alone()
    assert len(objects(store)) == 2, "one object of each part stays"


def test_who_is_slower_by_a_moment_does_not_get_it(store):
    Lease(store, ALL)._make(1)
    with pytest.raises(UserError, match="by another process, which was faster"):
        Lease(store, ALL)._make(1)


def test_a_dead_process_of_this_machine_keeps_nobody_out(store, said):
    child = multiprocessing.get_context("fork").Process(target=int)
    child.start()
    child.join()
    left_behind(store, process=child.pid)
    with Lease(store, ALL):
        assert len(objects(store)) == 1
    assert said == []


@pytest.mark.heavy
def test_a_dead_process_of_another_machine_is_waited_for(store, said, quick):
    left_behind(store, machine="another", host="far", process=12)
    begun = time.monotonic()
    with Lease(store, ALL):
        assert 0.5 < time.monotonic() - begun < 10
    assert f"{store} was being written by process 12 on far a moment ago" in said[0]
    begun = time.monotonic()
    left_behind(Store("memory://other", "output"), machine="another")
    time.sleep(1.2)
    with Lease(Store("memory://other", "output"), ALL):
        pass
    assert len(said) == 1, "an old one is gone at once"


def test_a_living_process_of_another_machine_keeps_others_out(store, said, quick):
    with Lease(store, ALL) as lease:
        elsewhere = leases.Holder("far", "another", 12, 0.0, lease.holder.token, lease.name)
        lease.holder = elsewhere
        time.sleep(0.6)  # it says so at its next sign of life
        with pytest.raises(UserError, match="is being written by process 12 on far; wait until"):
            Lease(store, ALL).__enter__()
    with Lease(store, ALL):
        pass


def test_who_was_suspended_says_that_it_was_taken_over(store, said, quick):
    with Lease(store, ALL) as lease:
        lease.store.create(f"{PLACE}/1-of-1/{2:08d}.json", b'{"host": "far"}')
        time.sleep(0.6)
        assert "was taken over by another process" in said[0]
    assert store.fs.cat_file(store.path(f"{PLACE}/1-of-1/{2:08d}.json")) == b'{"host": "far"}'


TRIES = """
import sys, time
from pathlib import Path
from wildsr.archive.shard import Shard
from wildsr.archive.store import Store
from wildsr.error import UserError
from wildsr.run.lease import Lease
store, folder, name = Store(sys.argv[1], "output"), Path(sys.argv[2]), sys.argv[3]
(folder / f"{name}.ready").touch()
while not (folder / "go").exists():
    time.sleep(0.005)
try:
    with Lease(store, Shard()):
        (folder / f"{name}.held").touch()
        while len([*folder.glob("*.refused")]) < 3 and not (folder / "end").exists():
            time.sleep(0.05)
except UserError as error:
    (folder / f"{name}.refused").write_text(str(error))
"""


@pytest.mark.heavy
def test_of_many_that_begin_at_once_one_gets_it(object_server, tmp_path):
    """Over HTTP, where S3 refuses to replace an object on demand."""
    object_server.mkdir("leases")
    Store("s3://leases", "output").create("it", b"one")
    with pytest.raises(FileExistsError):
        Store("s3://leases", "output").create("it", b"two")
    command = [sys.executable, "-c", TRIES, "s3://leases/out", str(tmp_path)]
    some = [subprocess.Popen([*command, str(number)]) for number in range(4)]
    try:
        until = time.monotonic() + 120
        while len([*tmp_path.glob("*.ready")]) < 4 and time.monotonic() < until:
            time.sleep(0.05)
        (tmp_path / "go").touch()
        for process in some:
            process.wait(60)
    finally:
        (tmp_path / "end").touch()
        for process in some:
            process.wait(60)
    assert len([*tmp_path.glob("*.held")]) == 1
    said = [path.read_text() for path in tmp_path.glob("*.refused")]
    assert len(said) == 3
    assert all("s3://leases/out is being written by " in line for line in said)


@pytest.mark.heavy
def test_the_verbs_hold_it(object_server, fill, tmp_path, carry_out, refused):
    object_server.mkdir("held")
    lr, hr = fill(tmp_path / "lr", 2, (12, 16)), fill(tmp_path / "hr", 2, (24, 32))
    pairs = ["degradation=mild", "scale=2", f"hr={hr}", "output=s3://held/pairs"]
    table = [f"data.lr={lr}", f"data.hr={hr}", "metric.metrics=[psnr]", "page_mb=0"]
    table += ["output=s3://held/table"]
    for verb, typed, place in (("degrade", pairs, "pairs"), ("evaluate", table, "table")):
        with Lease(Store(f"s3://held/{place}", "output"), ALL):
            assert f"s3://held/{place} is being written by process" in refused(verb, typed)
        assert carry_out(verb, typed) == 0
    assert carry_out("degrade", pairs) == 0, "the same again has nothing to do"
