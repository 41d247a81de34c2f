"""Tar and zip files of photos, and the arguments of verbs that read and write them."""

import io
import shutil
import tarfile
import zipfile

import pytest

PAIRS = ["degradation=mild", "scale=2"]


@pytest.fixture
def broken(tmp_path, fill):
    """A folder of two photos and a damaged one."""
    fill(tmp_path / "in", 2, (12, 16))
    (tmp_path / "in" / "bad.png").write_bytes(b"no photo")
    return tmp_path / "in"


@pytest.fixture
def verb(weights):
    """``verb("upscale", source, output, ...)``: the arguments of a verb for one input."""

    def typed(name, source, output, *more):
        first = [f"weights={weights}", f"input={source}"] if name == "upscale" else []
        return name, [*(first or [*PAIRS, f"hr={source}"]), f"output={output}", *more]

    return typed


def members(data):
    """Names and bytes of a tar or zip file, in its order; each name stands there once."""
    held = io.BytesIO(data)
    if zipfile.is_zipfile(held):
        with zipfile.ZipFile(held) as opened:
            pairs = [(info.filename, opened.read(info)) for info in opened.infolist()]
    else:
        held.seek(0)
        with tarfile.open(fileobj=held) as opened:
            pairs = [(member.name, opened.extractfile(member).read()) for member in opened]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def tar(path, **files):
    """A tar file of ``name__suffix=bytes``."""
    with tarfile.open(path, "w") as opened:
        for name, data in files.items():
            info = tarfile.TarInfo(name.replace("__", "."))
            info.size = len(data)
            opened.addfile(info, io.BytesIO(data))


def heal(folder):
    shutil.copy(folder / "photo0.png", folder / "bad.png")
