"""A store in memory, and one of objects, filled from folders and read back."""

import subprocess
import sys
import time
import urllib.request

import pytest

from support.ports import free_port


@pytest.fixture
def memory():
    """An empty store in this process."""
    fs = pytest.importorskip("fsspec").filesystem("memory")
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]
    yield fs
    fs.store.clear()


@pytest.fixture(scope="session")
def object_store(tmp_path_factory):
    """moto's server: S3 over HTTP, in a process of its own."""
    pytest.importorskip("moto.server", reason="no moto[server]")
    pytest.importorskip("s3fs", reason="no s3fs")
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    log = (tmp_path_factory.mktemp("moto") / "log").open("w")
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        log.close()


@pytest.fixture
def object_server(object_store, monkeypatch):
    """fsspec's view of it; processes that a test starts see it, too."""
    import fsspec

    for name, value in {
        "AWS_ENDPOINT_URL": object_store,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    return fsspec.filesystem("s3", skip_instance_cache=True)


def put(fs, root, folder):
    """Copy a folder's files below a root of the store."""
    for path in folder.rglob("*"):
        if path.is_file():
            fs.pipe_file(f"{root}/{path.relative_to(folder).as_posix()}", path.read_bytes())
