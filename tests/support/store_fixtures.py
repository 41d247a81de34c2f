"""A store in memory, filled from folders and read back."""

import pytest


@pytest.fixture
def memory():
    """An empty store in this process."""
    fs = pytest.importorskip("fsspec").filesystem("memory")
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]
    yield fs
    fs.store.clear()


def put(fs, root, folder):
    """Copy a folder's files below a root of the store."""
    for path in folder.rglob("*"):
        if path.is_file():
            fs.pipe_file(f"{root}/{path.relative_to(folder).as_posix()}", path.read_bytes())
