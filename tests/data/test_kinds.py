"""What folders hold: kinds of files, ranges, stores of any type."""

import pickle
from collections import Counter

import numpy as np
import pytest

from wildsr.data.declared import check_kind
from wildsr.data.kinds import channels_of, depth_of, kinds_of, range_of, ranges_of
from wildsr.data.module import Folders
from wildsr.data.store import open_store
from wildsr.error import UserError
from wildsr.photo.samples import write_samples
from wildsr.photo.sensor import Sensor


def folder(path, images):
    path.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        write_samples(path / f"{path.name}{number}.tif", image)
    return path


def noise(channels, dtype, high, low=0, size=(40, 50), seed=0):
    values = np.random.default_rng(seed).random((*size, channels))
    return (low + values * (high - low)).astype(dtype)


def opened(path, sensor, cache):
    return open_store(sorted(path.iterdir()), cache, "data.lr", sensor=sensor)


@pytest.mark.parametrize(
    ("channels", "depth"), [(1, "8"), (1, "16"), (3, "16"), (5, "float"), (4, "8")]
)
def test_a_store_keeps_type_and_channels(tmp_path, channels, depth):
    sensor = Sensor(channels, depth)
    dtype, high = sensor.dtype, {"8": 255, "16": 60000, "float": 1}[depth]
    images = [noise(channels, dtype, high, seed=n) for n in range(3)]
    store = opened(folder(tmp_path / "a", images), sensor, tmp_path / "cache")
    assert (store.channels, store.dtype) == (channels, dtype)
    expected = [image if depth == "8" else sensor.seen(image) for image in images]
    for number, image in enumerate(expected):
        assert np.array_equal(store.image(number), image)
    index, top, left = np.array([2, 0]), np.array([3, 24]), np.array([30, 0])
    again = pickle.loads(pickle.dumps(store))
    for held in (store, again):
        crops = held.gather(index, top, left, 16)
        assert crops.dtype == (np.uint8 if depth == "8" else np.float32)
        for crop, i, y, x in zip(crops, index, top, left, strict=True):
            assert np.array_equal(crop, expected[i][y : y + 16, x : x + 16])


def test_a_folder_that_mixes_says_what_it_was_made_into(tmp_path):
    images = [noise(1, np.uint8, 255), noise(3, np.uint16, 65535), noise(3, np.uint8, 255)]
    paths = sorted(folder(tmp_path / "a", images).iterdir())
    kinds = kinds_of(paths, None, tmp_path / "note")
    assert kinds == Counter({(1, "8"): 1, (3, "16"): 1, (3, "8"): 1})
    assert kinds_of([], None, tmp_path / "note") == kinds  # remembered
    channels, said = channels_of({"`data.lr`": kinds})
    assert channels == 3
    assert said == [
        "`data.lr` hold 2 RGB, 1 gray files: all are made RGB (data.channels=1 takes all as gray)"
    ]
    depth, said = depth_of({"`data.lr`": kinds})
    assert depth == "8"
    assert "2 of 8 bits, 1 of 16 bits: all are made 8 bits, as most LR photos are" in said[0]
    gray, colour = Counter({(1, "8"): 9}), Counter({(3, "8"): 5, (1, "8"): 1})
    channels, said = channels_of({"`data.lr`": gray, "`data.hr`": colour})
    assert channels == 1, "the camera of gray photos has no colours"
    assert said[0].endswith("all are made gray (data.channels=3 takes all as RGB)")
    assert channels_of({"`data.lr`": colour, "`data.hr`": gray})[0] == 3
    assert channels_of({"a": Counter({(4, "8"): 3})}) == (4, [])


@pytest.mark.parametrize(
    ("lr", "hr", "depth"),
    [
        ("8 8 8 16", "8", "8"),
        ("8 8", "16 16 16", "8"),
        ("8 16", "8 8 8", "16"),
        ("16 16", "8", "16"),
        ("8 8 8 float", "8", "float"),
        ("16", "float", "float"),
        ("", "8 16 16", "16"),
        ("", "", "8"),
    ],
)
def test_the_depth_is_that_of_most_lr_photos(lr, hr, depth):
    """JPEG is not modelled in more than 8 bits: a scan among JPEGs must not turn it off."""
    folders = {
        f"`data.{side}`": Counter((3, one) for one in listed.split())
        for side, listed in (("lr", lr), ("hr", hr))
    }
    chosen, said = depth_of(folders)
    assert chosen == depth
    assert bool(said) == (len(set(f"{lr} {hr}".split())) > 1)


def test_the_range_is_that_of_the_bits_that_are_filled(tmp_path):
    twelve = folder(tmp_path / "twelve", [noise(1, np.uint16, 4000)])
    sixteen = folder(tmp_path / "sixteen", [noise(1, np.uint16, 60000)])
    cache, gray = tmp_path / "cache", Sensor(1, "16")
    low, high = opened(twelve, gray, cache), opened(sixteen, gray, cache)
    assert range_of(low) == (0.0, 4095.0)
    assert range_of(high) is None
    first, second, said = ranges_of(low, high)
    assert (first, second) == ((0.0, 4095.0), None)
    assert "different ranges" in said[0]


def test_floats_have_robust_percentiles(tmp_path):
    image = noise(1, np.float32, 310, 270, size=(100, 100))
    image[0, 0] = 1e6  # one hot pixel
    store = opened(folder(tmp_path / "a", [image]), Sensor(1, "float"), tmp_path / "cache")
    low, high = range_of(store)
    assert 267 < low < 270 < 310 < high < 313
    reflectance = noise(2, np.float32, 0.6, size=(100, 100))
    store = opened(folder(tmp_path / "b", [reflectance]), Sensor(2, "float"), tmp_path / "cache")
    assert range_of(store)[0] == 0
    assert range_of(store)[1] == pytest.approx(0.612, abs=0.01)


def test_folders_find_their_kind_and_give_crops_of_it(tmp_path):
    lr = folder(tmp_path / "lr", [noise(1, np.uint16, 3000, 200, seed=n) for n in range(2)])
    hr = folder(tmp_path / "hr", [noise(1, np.uint16, 4000, 200, (90, 90), n) for n in (5, 6)])
    data = Folders(str(lr), str(hr), 2, 16, 4, 0, cache=str(tmp_path / "cache"))
    data.prepare_data()
    data.setup()
    assert data.sensor == Sensor(1, "16", (0.0, 4095.0), (0.0, 4095.0))
    data.iterations = 1
    (batch,) = data.train_dataloader()
    assert batch["real_lr"].shape == (4, 1, 16, 16)
    assert batch["hr"].dtype.is_floating_point
    assert 0.03 < float(batch["real_lr"].min()) < float(batch["real_lr"].max()) < 0.75
    photo = data.photos[0]
    assert photo["lr"].shape == (1, 40, 50)
    assert len(photo["lr"].unique()) > 500


def test_a_run_that_goes_on_takes_what_it_has_found(tmp_path):
    lr = folder(tmp_path / "lr", [noise(1, np.uint16, 3000)])
    hr = folder(tmp_path / "hr", [noise(1, np.uint16, 4000, size=(90, 90))])
    known = {"known": True, "channels": 1, "depth": "16", "lr": [0, 9000], "hr": [0, 9000]}
    data = Folders(str(lr), str(hr), 2, 16, 4, 0, cache=str(tmp_path / "cache"), sensor=known)
    data.prepare_data()
    data.setup()
    assert data.sensor == Sensor(1, "16", (0.0, 9000.0), (0.0, 9000.0))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("two", "auto", "auto", None, None), "`data.channels` must be auto or a number"),
        ((0, "auto", "auto", None, None), "`data.channels` .* got 0"),
        (("auto", 12, "auto", None, None), r"`data.depth` must be one of .* got 12"),
        (("auto", "auto", [5, 1], None, None), r"`data.range` .* got \[5, 1\]"),
        (("auto", "auto", "auto", "most", None), "`data.range_hr` must be auto, type"),
        ((4, "auto", "auto", None, [0, 1]), "`data.bands` .* three channels"),
        ((4, "auto", "auto", None, [0, 1, 4]), r"`data.bands` .* got \[0, 1, 4\]"),
    ],
)
def test_mistakes_are_named(values, message):
    with pytest.raises(UserError, match=message):
        check_kind(*values)
