"""The packed store: content, keys, and that nothing that happens to a builder shows."""

import json
import multiprocessing
import os
import pickle
import random
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from wildsr.data import store as store_module
from wildsr.data.store import default_cache, open_store
from wildsr.error import UserError
from wildsr.photo.image import list_images

FORK = multiprocessing.get_context("fork")
SIZES = [(12, 20), (31, 17), (16, 16), (9, 40)]


@pytest.fixture
def photos(tmp_path):
    generator = np.random.default_rng(0)
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    pixels = {}
    for i, (height, width) in enumerate(SIZES):
        name = f"{'more/' if i % 2 else ''}{i}.png"
        pixels[name] = generator.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels[name]).save(folder / name)
    return folder, pixels


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def _open(folder, cache, **options):
    return open_store(list_images(folder, "data.lr"), cache, "data.lr", **options)


def _assert_holds(store, pixels):
    assert store.names == sorted(pixels)
    for i, name in enumerate(store.names):
        np.testing.assert_array_equal(store.image(i), pixels[name])
        assert store.sizes[i].tolist() == [*pixels[name].shape[:2]]


def _stores(cache):
    return sorted(path.name for path in (cache / "stores").iterdir())


def test_store_holds_every_pixel(photos, cache):
    folder, pixels = photos
    store = _open(folder, cache)
    assert len(store) == 4
    assert store.skipped == {}
    assert store.argument == "data.lr"
    assert _stores(cache) == [store.key]
    _assert_holds(store, pixels)
    with pytest.raises(ValueError, match="read-only"):
        store.image(0)[0, 0, 0] = 1


@pytest.mark.parametrize("workers", [1, 3])
def test_order_and_progress_do_not_depend_on_the_threads(photos, cache, workers):
    folder, pixels = photos
    seen = []
    store = _open(folder, cache, workers=workers, progress=lambda *done: seen.append(done))
    _assert_holds(store, pixels)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_second_opening_neither_decodes_nor_hashes(photos, cache, monkeypatch):
    folder, pixels = photos
    first = _open(folder, cache)
    monkeypatch.setattr(store_module, "_digest", None)
    monkeypatch.setattr(store_module, "read_image", None)
    second = _open(folder, cache)
    assert second.key == first.key
    _assert_holds(second, pixels)


def test_key_goes_by_content_and_name(photos, cache, tmp_path, monkeypatch):
    folder, pixels = photos
    key = _open(folder, cache).key
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder, moved)  # other dates, other folder
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "read_image", None)
        assert _open(moved, cache).key == key
    (moved / "0.png").rename(moved / "00.png")
    assert _open(moved, cache).key != key
    (moved / "00.png").rename(moved / "0.png")
    pixels["0.png"][0, 0] ^= 1
    Image.fromarray(pixels["0.png"]).save(moved / "0.png")
    changed = _open(moved, cache)
    assert changed.key != key
    _assert_holds(changed, pixels)


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_gather_is_slicing(shared_store, data):
    size = data.draw(st.integers(1, 9))
    count = data.draw(st.integers(0, 6))
    index = np.array(
        data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)), np.int64
    )
    top = np.array([data.draw(st.integers(0, SIZES[i][0] - size)) for i in index], np.int64)
    left = np.array([data.draw(st.integers(0, SIZES[i][1] - size)) for i in index], np.int64)
    crops = shared_store.gather(index, top, left, size)
    assert crops.shape == (count, size, size, 3)
    assert crops.dtype == np.uint8
    for crop, i, y, x in zip(crops, index, top, left, strict=True):
        np.testing.assert_array_equal(crop, shared_store.image(i)[y : y + size, x : x + size])


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    generator = np.random.default_rng(1)
    for i, size in enumerate(SIZES):
        Image.fromarray(generator.integers(0, 256, (*size, 3), np.uint8)).save(folder / f"{i}.png")
    return _open(folder, folder / "cache")


@pytest.mark.parametrize(
    ("top", "left", "size"), [(-1, 0, 4), (0, -1, 4), (9, 0, 4), (0, 17, 4), (0, 0, 13), (0, 0, 0)]
)
def test_crops_outside_are_refused(shared_store, top, left, size):
    with pytest.raises(IndexError, match="inside"):
        shared_store.gather(np.array([0]), np.array([top]), np.array([left]), size)


def test_pickle_reopens_the_file(photos, cache):
    folder, pixels = photos
    store = _open(folder, cache)
    data = pickle.dumps(store)
    assert len(data) < 1000  # a path, not the pixels
    again = pickle.loads(data)
    assert (again.key, again.argument) == (store.key, store.argument)
    _assert_holds(again, pixels)


def test_default_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("WILDSR_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert default_cache() == tmp_path / ".cache" / "wildsr"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert default_cache() == tmp_path / "x" / "wildsr"
    monkeypatch.setenv("WILDSR_CACHE", "~/own")
    assert default_cache() == tmp_path / "own"


def test_default_cache_is_used(photos, monkeypatch, tmp_path):
    monkeypatch.setenv("WILDSR_CACHE", str(tmp_path / "own"))
    store = _open(photos[0], None)
    assert _stores(tmp_path / "own") == [store.key]


def test_unreadable_files_are_skipped_by_name(photos, cache):
    folder, pixels = photos
    (folder / "empty.jpg").touch()
    (folder / "more" / "text.png").write_text("no picture")
    for _ in range(2):  # built, then cached
        store = _open(folder, cache)
        assert store.skipped == {
            "empty.jpg": "the file is empty",
            "more/text.png": "not an image, or its beginning is damaged",
        }
        _assert_holds(store, pixels)


def test_too_many_unreadable(photos, cache):
    folder, _ = photos
    for i in range(4):
        (folder / f"bad{i}.png").touch()
    assert len(_open(folder, cache)) == 4  # exactly half is let pass
    (folder / "bad4.png").touch()
    with pytest.raises(UserError) as failure:
        _open(folder, cache)
    for part in ("`data.lr`", "5 of 9", "too many", "bad0.png: the file is empty", "bad2.png"):
        assert part in str(failure.value)
    assert "bad3" not in str(failure.value)
    assert len(_stores(cache)) == 1


def test_nothing_readable(tmp_path, cache):
    (tmp_path / "a.png").touch()
    with pytest.raises(UserError, match=r"`data\.lr`: 1 of 1 images cannot be read"):
        _open(tmp_path, cache)
    with pytest.raises(UserError, match="at least one image"):
        open_store([], cache, "data.lr")


def test_one_of_two_unreadable_is_let_pass(tmp_path, cache):
    (tmp_path / "a.png").touch()
    Image.new("RGB", (4, 4)).save(tmp_path / "b.png")
    assert _open(tmp_path, cache).names == ["b.png"]


def _truncate(folder):
    with open(folder / "pixels.bin", "r+b") as file:
        file.truncate(1000)


def _other_version(folder):
    index = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(index | {"version": -1}))


DAMAGES = {
    "pixels truncated": _truncate,
    "pixels empty": lambda folder: (folder / "pixels.bin").write_bytes(b""),
    "pixels missing": lambda folder: (folder / "pixels.bin").unlink(),
    "index truncated": lambda folder: (folder / "index.json").write_text('{"version": 1, "si'),
    "index missing": lambda folder: (folder / "index.json").unlink(),
    "index of another shape": lambda folder: (folder / "index.json").write_text("[]"),
    "another version": _other_version,
    "a size changed": lambda folder: (folder / "index.json").write_text(
        (folder / "index.json").read_text().replace('": [', '": [1', 1)
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_store_is_rebuilt(photos, cache, damage):
    folder, pixels = photos
    key = _open(folder, cache).key
    DAMAGES[damage](cache / "stores" / key)
    store = _open(folder, cache)
    assert store.key == key
    _assert_holds(store, pixels)
    assert _stores(cache) == [key]


@pytest.mark.heavy
def test_a_flipped_bit_is_told_once_and_decoded_anew(photos, cache):
    folder, pixels = photos
    store = _open(folder, cache)
    path = cache / "stores" / store.key / "pixels.bin"
    for place in random.Random(0).sample(range(path.stat().st_size), 20):
        data = bytearray(path.read_bytes())
        data[place] ^= 1 << place % 8
        path.write_bytes(data)
        damaged = _open(folder, cache)
        seen = 0
        for number in range(len(damaged)):
            height, width = damaged.sizes[number]
            size = min(height, width)
            corner = np.array([number]), np.array([0]), np.array([0])
            try:
                damaged.gather(*corner, int(size))
            except UserError as error:
                said = str(error)
                seen += "it is decoded anew" in said and damaged.names[number] in said
        assert seen == 1
        _assert_holds(_open(folder, cache), pixels)


@pytest.mark.heavy
def test_every_flipped_bit_of_an_index_is_seen(photos, cache):
    folder, pixels = photos
    key = _open(folder, cache).key
    path = cache / "stores" / key / "index.json"
    sound = path.read_bytes()
    for place in random.Random(0).sample(range(len(sound)), min(60, len(sound))):
        data = bytearray(sound)
        data[place] ^= 1 << place % 8
        path.write_bytes(data)
        _assert_holds(_open(folder, cache), pixels)


def test_damaged_listing_is_rewritten(photos, cache):
    folder, pixels = photos
    _open(folder, cache)
    (note,) = (cache / "listings").iterdir()
    key = note.read_text()
    for text in ("", key[:5], "\udcff"):
        note.write_text(text, errors="surrogateescape")
        _assert_holds(_open(folder, cache), pixels)
        assert note.read_text() == key


def _build(folder, cache, mode, pipe):
    """What a process of its own does: opens the store, and says how far it is."""

    def progress(done, total):
        if mode == "stop" and done == 3:
            pipe.send("half")
            time.sleep(60)

    if mode == "race":
        pipe.send("ready")
        pipe.recv()
    if mode == "full":
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
    try:
        store = _open(folder, cache, progress=progress)
    except UserError as error:
        pipe.send(str(error))
        return
    pipe.send((store.key, sum(int(store.image(i).sum()) for i in range(len(store)))))


def _builder(folder, cache, mode):
    """A process that builds, and our end of the pipe to it."""
    ours, its = FORK.Pipe()
    process = FORK.Process(target=_build, args=(folder, cache, mode, its))
    process.start()
    its.close()
    return process, ours


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_killed_builder_leaves_nothing_that_matters(photos, cache):
    folder, pixels = photos
    builder, pipe = _builder(folder, cache, "stop")
    assert pipe.recv() == "half"
    (unfinished,) = _stores(cache)
    assert unfinished.startswith(".")
    # While its builder lives, an unfinished store is left alone.
    key = _open(folder, cache).key
    assert _stores(cache) == [unfinished, key]
    os.kill(builder.pid, signal.SIGKILL)
    builder.join()
    shutil.rmtree(cache / "stores" / key)
    store = _open(folder, cache)
    _assert_holds(store, pixels)
    assert _stores(cache) == [store.key]


def test_leftovers_of_other_machines_go_after_a_day(photos, cache):
    old, young, odd = (
        cache / "stores" / f".key.{host}-elsewhere.1.x" for host in ("old", "young", "odd.host")
    )
    for folder in (old, young, odd):
        folder.mkdir(parents=True)
        (folder / "pixels.bin").touch()
    past = time.time() - 25 * 3600
    for path in (old / "pixels.bin", old):
        os.utime(path, (past, past))
    os.utime(young, (past, past))
    key = _open(photos[0], cache).key
    assert _stores(cache) == sorted([odd.name, young.name, key])


def test_two_builders_at_once(photos, cache):
    folder, pixels = photos
    pipes = [_builder(folder, cache, "race")[1] for _ in range(2)]
    assert [pipe.recv() for pipe in pipes] == ["ready", "ready"]
    for pipe in pipes:
        pipe.send("go")
    answers = {pipe.recv() for pipe in pipes}
    total = sum(int(image.sum()) for image in pixels.values())
    (key,) = _stores(cache)
    assert answers == {(key, total)}


def test_losing_the_race_means_using_the_winners(photos, cache):
    folder, pixels = photos
    nested = []

    def progress(done, total):
        if done == total and not nested:
            nested.append(_open(folder, cache))

    store = _open(folder, cache, progress=progress)
    assert store.key == nested[0].key
    _assert_holds(store, pixels)
    assert _stores(cache) == [store.key]


def test_many_threads_replace_a_damaged_store(photos, cache):
    folder, pixels = photos
    key = _open(folder, cache).key
    for _ in range(5):
        _truncate(cache / "stores" / key)
        with ThreadPoolExecutor(4) as pool:
            for store in pool.map(lambda _: _open(folder, cache), range(4)):
                _assert_holds(store, pixels)
        assert _stores(cache) == [key]


@pytest.mark.skipif(os.name == "nt", reason="resource limits")
def test_full_disk_is_one_sentence_and_leaves_nothing(photos, cache):
    _, pipe = _builder(photos[0], cache, "full")
    said = pipe.recv()
    assert said.startswith("Argument `data.lr`")
    assert str(cache) in said
    assert "WILDSR_CACHE" in said
    assert _stores(cache) == []


def test_cache_that_cannot_be_made(photos, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"`data\.lr`: .* cannot be kept in .*file"):
        _open(photos[0], tmp_path / "file")


def test_interrupted_build_leaves_nothing(photos, cache):
    def progress(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _open(photos[0], cache, progress=progress)
    assert _stores(cache) == []


def test_files_that_change_meanwhile(photos, cache):
    folder, _ = photos

    def progress(done, total):
        Image.new("RGB", (5, 5)).save(folder / "0.png")

    with pytest.raises(UserError, match=r"`data\.lr`: its files changed"):
        _open(folder, cache, progress=progress)
    assert _stores(cache) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_file_without_permission_is_tried_again(photos, cache):
    folder, pixels = photos
    os.chmod(folder / "0.png", 0)
    assert _open(folder, cache).skipped == {"0.png": "Permission denied"}
    os.chmod(folder / "0.png", 0o644)
    _assert_holds(_open(folder, cache), pixels)


def test_missing_file_is_skipped_until_it_is_there(photos, cache):
    folder, pixels = photos
    paths = [*list_images(folder, "data.lr"), Path(folder / "z.png")]
    assert open_store(paths, cache, "data.lr").skipped == {"z.png": "No such file or directory"}
    pixels["z.png"] = pixels["0.png"]
    shutil.copy(folder / "0.png", folder / "z.png")
    _assert_holds(open_store(paths, cache, "data.lr"), pixels)


def test_a_path_given_twice_is_packed_once(photos, cache):
    folder, pixels = photos
    _assert_holds(open_store(list_images(folder, "data.lr") * 2, cache, "data.lr"), pixels)
