"""A page that listens, for all tests of a module."""

import numpy as np
import pytest
from PIL import Image
from support.served_page import Served, Visitor

from wildsr.inference.weights import save_weights
from wildsr.network.upscaler.compact import Compact


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A file of weights, 2x."""
    path = tmp_path_factory.mktemp("weights") / "two.safetensors"
    node = {"_target_": "wildsr.network.upscaler.compact.Compact", "scale": 2, "features": 4}
    save_weights(Compact(2, 4, 1), path, {**node, "convolutions": 1}, 2)
    return path


@pytest.fixture(scope="session")
def samples(tmp_path_factory):
    """A folder of the server's own photos; other things are beside it."""
    folder = tmp_path_factory.mktemp("server") / "samples"
    folder.mkdir()
    for index in range(2):
        pixels = np.full((24, 32, 3), 90 * index + 40, np.uint8)
        Image.fromarray(pixels).save(folder / f"sample{index}.png")
    Image.new("RGB", (40, 30), "red").save(folder.parent / "private.png")
    (folder.parent / "notes.txt").write_text("private")
    return folder


@pytest.fixture(scope="module")
def serve(tmp_path_factory, weights, samples):
    """``serve(**options)``: a page in a temporary folder of its own."""
    started = []

    def call(*typed):
        folder = tmp_path_factory.mktemp("temporary")
        made = Served(folder, f"weights={weights}", f"samples={samples}", *typed)
        started.append(made)
        return made

    yield call
    for made in started:
        if made.process.poll() is None:
            made.process.kill()
            made.process.communicate()


@pytest.fixture
def visitor(page):
    return Visitor(page.port)


@pytest.fixture
def other(page):
    return Visitor(page.port)
