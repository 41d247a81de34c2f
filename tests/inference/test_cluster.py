"""A Ray cluster of several nodes, one of which is killed in the middle."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from PIL import Image
from support.ports import free_port

from wildsr.archive.manifest import FOLDER, read

PHOTOS = 120


@pytest.fixture(scope="module")
def weights(write_compact, tmp_path_factory):
    return write_compact(tmp_path_factory.mktemp("weights"), features=16, convolutions=4)


@pytest.fixture
def ray(monkeypatch):
    """Ray, whose processes find the package; what a test has it begin is ended."""
    ray = pytest.importorskip("ray", reason="no ray: pip install 'wildsr[ray]'")
    pytest.importorskip("ray.data", reason="no pyarrow: pip install 'wildsr[ray]'")
    source = os.path.join(os.path.dirname(__file__), "..", "..", "src")
    paths = [os.path.abspath(source), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in paths if path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield ray
    ray.shutdown()


def test_processes_of_a_cluster_talk_by_block_and_not_by_photo(ray, fill, tmp_path):
    """Ray keeps a record of each call for as long as the cluster runs."""
    from torch import nn

    from wildsr.inference.cluster_actor import Actor, Maker
    from wildsr.inference.file import Settings
    from wildsr.inference.job import begin_upscaling
    from wildsr.inference.tasks import tasks
    from wildsr.inference.upscaler import Upscaler

    calls = []

    class Attempts:
        def __getattr__(self, name):
            def remote(names):
                calls.append((name, len(names)))
                return [0] * len(names)

            return SimpleNamespace(remote=remote)

    network = nn.Upsample(scale_factor=2)
    maker = Maker(
        lambda: Upscaler(network, network, 2, "it", tile=64),
        begin_upscaling, Settings(), False, time.time(), 1,
    )  # fmt: skip
    actor = Actor(maker, Attempts())
    actor.get = list
    todo = list(tasks(fill(tmp_path / "in", 9, (12, 16)), tmp_path / "out", None))
    rows = actor({"tasks": [ray.cloudpickle.dumps(todo)]})
    assert rows["error"] == [""] * 9
    assert calls == [("begin", 9), ("start", 9), ("end", 9)]


@pytest.fixture
def nodes(ray):
    """A cluster of a head without cores and two nodes of one core."""
    from ray.cluster_utils import Cluster

    small = {"object_store_memory": 100 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **small})
    try:
        some = [cluster.add_node(num_cpus=1, **small) for _ in range(2)]
        cluster.wait_for_nodes()
        ray.init(address=cluster.address, log_to_driver=False)
        yield cluster, some
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.mark.heavy  # a cluster of this machine, which starts in ten seconds
def test_a_new_cluster_makes_the_same_files(
    ray, weights, fill, tmp_path, carry_out, capsys, monkeypatch
):
    """On a machine that does not reach itself at the address that Ray finds (RFC 5737's)."""
    monkeypatch.setenv("RAY_ADDRESS", "local")
    monkeypatch.setattr("ray.util.get_node_ip_address", lambda: "192.0.2.77")
    photos, one, many = fill(tmp_path / "in", 8, (12, 16)), tmp_path / "one", tmp_path / "many"
    typed = [f"weights={weights}", f"input={photos}", "device=cpu"]
    assert carry_out("upscale", [*typed, f"output={one}"]) == 0
    assert carry_out("upscale", [*typed, f"output={many}", "cluster=ray", "workers=1"]) == 0
    assert capsys.readouterr().out.count("8 upscaled") == 2
    assert ray.get_runtime_context().gcs_address.startswith("127.")
    made = [{path.name: path.read_bytes() for path in out.glob("*.png")} for out in (one, many)]
    assert made[0] == made[1]
    assert len(made[0]) == 8


@pytest.fixture
def photos_in(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(PHOTOS):
        pixels = generator.integers(0, 256, (96, 96, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")
    (folder / "bad.png").write_bytes(b"no photo")
    return folder


@pytest.mark.slow  # a busy machine kills more than it is told to
def test_a_node_dies_and_no_photo_is_lost_or_made_twice(
    nodes, weights, photos_in, tmp_path, carry_out, capsys
):
    cluster, some = nodes
    one, many = tmp_path / "one", tmp_path / "many"
    typed = [f"weights={weights}", f"input={photos_in}", "device=cpu", "tile=64"]
    assert carry_out("upscale", [*typed, f"output={one}"]) == 1
    written, killed, ended = {}, [], threading.Event()

    def watch():
        """Every file that ever had a name; and after some, a node is killed."""
        while not ended.wait(0.005):
            for path in many.glob("[!.]*.png") if many.is_dir() else ():
                written.setdefault(path.name, set()).add(path.stat().st_ino)
            if len(written) >= 12 and not killed:
                cluster.remove_node(some[0], allow_graceful=False)
                killed.append(len(written))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        code = carry_out("upscale", [*typed, f"output={many}", "cluster=ray"])
    finally:
        ended.set()
        watcher.join()
    assert code == 1
    assert killed
    assert killed[0] < PHOTOS
    said = capsys.readouterr().out
    assert f"{PHOTOS} upscaled" in said
    assert "bad.png: not an image" in said
    names = {path.name for path in one.glob("*.png")}
    assert len(names) == PHOTOS
    assert {path.name for path in many.glob("[!.]*.png")} == names
    for name in names:
        assert (many / name).read_bytes() == (one / name).read_bytes()
    assert all(len(files) == 1 for files in written.values()), "a photo was written twice"
    lines = [n for p in (many / FOLDER).iterdir() for n in p.read_text().splitlines()]
    assert len(lines) == PHOTOS + 1
    expected, entries = read(one), read(many)
    assert {n: (e.hash, e.error) for n, e in entries.items()} == {
        n: (e.hash, e.error) for n, e in expected.items()
    }
    assert carry_out("upscale", [*typed, f"output={many}", "cluster=ray", "retry=failed"]) == 1
    assert carry_out("upscale", [*typed, f"output={tmp_path / 'x.zip'}", "cluster=ray"]) == 2


@pytest.mark.slow
def test_pairs_of_a_cluster_are_those_of_one_process(nodes, fill, tmp_path, carry_out):
    fill(tmp_path / "in", 5, (12, 16))
    (tmp_path / "in" / "bad.png").write_bytes(b"no photo")
    one, many = tmp_path / "one", tmp_path / "many"
    typed = ["degradation=mild", "scale=2", f"hr={tmp_path / 'in'}", "draws=2"]
    assert carry_out("degrade", [*typed, f"output={one}"]) == 1
    assert carry_out("degrade", [*typed, f"output={many}", "cluster=ray"]) == 1
    found = [
        {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*.png")}
        for out in (one, many)
    ]
    assert found[0] == found[1]
    assert len(found[0]) == 20
    assert {e.input for e in read(many).values() if e.error} == {"bad.png"}
    assert {n: e.hash for n, e in read(one).items()} == {n: e.hash for n, e in read(many).items()}


@pytest.mark.slow
def test_an_evaluation_on_a_cluster_is_that_of_one_process(nodes, fill, tmp_path, carry_out):
    lr, hr = fill(tmp_path / "lr", 5, (20, 24)), fill(tmp_path / "hr", 5, (40, 48))
    typed = [f"data.lr={lr}", f"data.hr={hr}", "upscaler=[bicubic,nearest]", "page_mb=1"]
    typed += ["metric.metrics=[psnr,ssim,swd]"]
    one, many = tmp_path / "one", tmp_path / "many"
    assert carry_out("evaluate", [*typed, f"output={one}"]) == 0
    assert carry_out("evaluate", [*typed, f"output={many}", "cluster=ray"]) == 0
    found = [json.loads((out / "results.json").read_text())["rows"] for out in (one, many)]
    assert found[0] == found[1]
    assert len(list((many / "results").rglob("*.png"))) == 10


@pytest.mark.slow
def test_a_photo_that_kills_its_process_costs_itself(nodes, photos_in, tmp_path, monkeypatch):
    from wildsr.inference.cluster import Cluster, carry_out_on
    from wildsr.inference.file import Settings
    from wildsr.inference.tasks import tasks

    def deadly():
        """An upscaler whose process ends at one photo, as a fault in a library would end it."""
        from torch import nn

        from wildsr.inference import job
        from wildsr.inference.upscaler import Upscaler

        opened = job.begin

        def begin(upscaler, path, target, settings):
            if path.name == "017.png":
                time.sleep(0.2)
                os._exit(1)
            return opened(upscaler, path, target, settings)

        job.begin = begin
        network = nn.Upsample(scale_factor=2)
        return Upscaler(network, network, 2, "it", tile=64)

    said = []
    todo = tasks(photos_in, tmp_path / "out", None)
    outcome = carry_out_on(
        Cluster("ray", deadly), lambda: None, todo, Settings(), False,
        lambda photos, pixels: None, said.append, None,
    )  # fmt: skip
    assert (outcome.done, outcome.failed) == (PHOTOS - 1, 2)
    assert any("017.png: the process died 3 times" in line for line in said)


@pytest.fixture
def head(monkeypatch, tmp_path):
    """A cluster with a server for Ray's client, and its address."""
    pytest.importorskip("ray.data", reason="no ray or pyarrow: pip install 'wildsr[ray]'")
    pytest.importorskip("grpc", reason="no grpcio: pip install 'wildsr[ray]'")
    source = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "src"))
    paths = os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    ports = [free_port() for _ in range(2)]
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    command += [f"--port={ports[0]}", f"--ray-client-server-port={ports[1]}", "--num-cpus=1"]
    command += ["--include-dashboard=false", "--disable-usage-stats"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            for _ in range(240):
                with socket.socket() as tried:
                    if tried.connect_ex(("127.0.0.1", ports[1])) == 0:
                        break
                time.sleep(0.5)
            yield f"ray://127.0.0.1:{ports[1]}"
        finally:
            below = psutil.Process(process.pid).children(recursive=True)
            process.terminate()
            process.wait(60)
            for child in below:
                with contextlib.suppress(psutil.Error):
                    child.kill()


@pytest.mark.slow
def test_a_running_cluster_by_its_address(head, weights, fill, tmp_path):
    """In a process of its own: Ray's client is one for a process."""
    fill(tmp_path / "in", 5, (8, 8))
    out = tmp_path / "out"
    typed = [f"weights={weights}", f"input={tmp_path / 'in'}", f"output={out}", f"cluster={head}"]
    script = os.path.join(os.path.dirname(__file__), "..", "..", "upscale.py")
    ran = subprocess.run(
        [sys.executable, script, *typed, "device=cpu"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "5 upscaled" in ran.stdout
    assert len(read(out)) == len(list(out.glob("*.png"))) == 5


def test_clusters_that_cannot_be(tmp_path, weights, refused, fill, monkeypatch):
    fill(tmp_path / "in", 1, (8, 8))
    some = [f"weights={weights}", f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}"]
    assert "`cluster` must be ray, ray://HOST:PORT" in refused("upscale", [*some, "cluster=dask"])
    assert "`workers` must be an integer" in refused("upscale", [*some, "cluster=ray", "workers=0"])
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "pip install 'wildsr[ray]'" in refused("upscale", [*some, "cluster=ray"])
