"""Encoders: what they refuse beforehand, and resizing on the way into a file."""

import numpy as np
import pytest
from PIL import Image

from wildsr.error import UserError
from wildsr.inference.file import Settings, upscale_file
from wildsr.photo.encode import Target
from wildsr.photo.stream import Photo


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"format": "jp2"}, "`format` must be one of .*png.*, but got 'jp2'"),
        ({"quality": 0}, "Argument `quality` must be 1 to 100, but got 0"),
        ({"quality": 101}, "Argument `quality` must be 1 to 100, but got 101"),
        ({"width": 65536}, "jpg holds up to 65535 pixels a side, but .* 65536 x 8; png and tif"),
    ],
)
def test_what_cannot_be_written_is_refused_beforehand(given, reason):
    whole = {"format": "jpg", "width": 9, "height": 8, "quality": 90, "dtype": np.dtype(np.uint8)}
    with pytest.raises(UserError, match=reason):
        Target(**{**whole, **given})


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("outscale", [0.5, 1.5])
def test_resized_results_keep_their_depth(dtype, outscale, nearest, tmp_path):
    most = np.iinfo(dtype).max
    ramp = np.linspace(0.1, 0.9, 60) * most
    pixels = np.broadcast_to(ramp, (40, 60)).astype(dtype)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    up = nearest(2)
    made = upscale_file(up, tmp_path / "a.png", tmp_path / "b.png", Settings(outscale=outscale))
    photo = Photo(made)
    assert photo.dtype == dtype
    found = photo.read(photo.height)[..., 0].astype(float)
    assert found.shape == (40 * outscale, 60 * outscale)
    expected = np.interp((np.arange(60 * outscale) + 0.5) / outscale - 0.5, range(60), ramp)
    assert np.abs(found - expected)[:, 4:-4].max() <= 0.012 * most
