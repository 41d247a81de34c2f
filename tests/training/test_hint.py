"""What is said of the real photos before training."""

import pytest
from PIL import Image

from wildsr.config.compose import configure
from wildsr.data.demo import photo
from wildsr.data.store import open_store
from wildsr.photo.image import list_images
from wildsr.training.hint import jpeg_hint


@pytest.fixture
def store(tmp_path):
    """``store(quality)``: two small photos, through JPEG of this quality unless it is None."""

    def make(quality):
        folder = tmp_path / f"{quality}"
        folder.mkdir()
        for name in ("chelsea", "coffee"):
            small = Image.fromarray(photo(name)).resize((120, 80), Image.Resampling.BICUBIC)
            if quality is None:
                small.save(folder / f"{name}.png")
            else:
                small.save(folder / f"{name}.jpg", quality=quality)
        return open_store(list_images(folder, "data.lr"), tmp_path / "cache", "data.lr")

    return make


def test_jpeg_is_pointed_out_where_the_camera_has_none(store):
    said = jpeg_hint(configure("train", []), store(60))
    assert "shows the blocks of JPEG (grid " in said
    assert said.endswith("network/degrader=camera_jpeg does.")


def test_nothing_is_said_without_jpeg_or_where_it_would_not_help(store):
    assert jpeg_hint(configure("train", []), store(None)) is None
    coded = store(60)
    for typed in ("network/degrader=camera_jpeg", "method=pdm", "method=supervised"):
        assert jpeg_hint(configure("train", [typed]), coded) is None
