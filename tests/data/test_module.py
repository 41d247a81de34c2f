"""Batches, validation photos, pairing by name and the data module."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning import LightningModule, Trainer
from PIL import Image
from torch.utils.data import DataLoader

from wildsr.data import module
from wildsr.data.batches import Batches
from wildsr.data.module import Folders
from wildsr.data.pairs import pair
from wildsr.data.store import open_store
from wildsr.data.validation import ValidationPhotos
from wildsr.error import UserError
from wildsr.photo.image import list_images


def _fill(folder, sizes, suffix=".png", seed=0):
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for name, (height, width) in sizes.items():
        pixels = generator.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}{suffix}")
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("folders")
    _fill(root / "lr", {f"l{i}": (20 + i, 31 - i) for i in range(4)})
    _fill(root / "hr", {f"h{i}": (40 + i, 50 - i) for i in range(3)}, seed=1)
    return root


@pytest.fixture(scope="module")
def stores(folders):
    return [
        open_store(list_images(folders / side, side), folders / "cache", f"data.{side}")
        for side in ("lr", "hr")
    ]


def _batches(stores, start=0, stop=6, seed=3, rank=0, batch=2):
    return Batches(*stores, 2, 8, batch, seed, start, stop, rank)


def test_a_second_draw_of_sharp_crops_is_independent_and_disturbs_nothing(stores):
    plain = Batches(*stores, 2, 8, 2, 3, 0, 3)
    twice = Batches(*stores, 2, 8, 2, 3, 0, 3, other_hr=True)
    for batch, more in zip(plain, twice, strict=True):
        assert more.keys() == {"hr", "real_lr", "other_hr"}
        assert all(torch.equal(batch[name], more[name]) for name in batch)
        assert more["other_hr"].shape == more["hr"].shape
        assert not torch.equal(more["other_hr"], more["hr"])


def _assert_same(first, second):
    first, second = list(first), list(second)
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_batch(stores):
    first, *others = _batches(stores)
    assert len(others) == 5
    assert {name: tuple(tensor.shape) for name, tensor in first.items()} == {
        "hr": (2, 3, 16, 16),
        "real_lr": (2, 3, 8, 8),
    }
    assert all(tensor.dtype == torch.uint8 for tensor in first.values())
    # Every crop lies in one of the images.
    for name, store in (("real_lr", stores[0]), ("hr", stores[1])):
        crop = first[name][0].permute(1, 2, 0).numpy()
        windows = [
            np.lib.stride_tricks.sliding_window_view(store.image(i), crop.shape)
            for i in range(len(store))
        ]
        assert any((window == crop).all((-1, -2, -3)).any() for window in windows)


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**64),
    rank=st.integers(0, 7),
    start=st.integers(0, 5),
    length=st.integers(0, 5),
)
def test_a_batch_is_a_function_of_seed_iteration_and_rank(stores, seed, rank, start, length):
    whole = list(_batches(stores, 0, 10, seed, rank, batch=1))
    part = _batches(stores, start, start + length, seed, rank, batch=1)
    _assert_same(part, whole[start : start + length])


@pytest.mark.parametrize("side", ["hr", "real_lr"])
def test_every_part_of_the_key_counts(stores, side):
    batches = [
        _batches(stores, seed=seed, rank=rank).at(iteration)[side]
        for seed in (0, 1)
        for rank in (0, 1)
        for iteration in (0, 1)
    ]
    for i, first in enumerate(batches):
        for second in batches[:i]:
            assert not torch.equal(first, second)


def test_both_sides_are_drawn_independently(stores):
    twice = Batches(stores[0], stores[0], 1, 8, 8, 0, 0, 1)
    batch = twice.at(0)
    assert not torch.equal(batch["hr"], batch["real_lr"])
    # The LR side does not notice what the HR side holds.
    other = Batches(stores[0], stores[1], 1, 8, 8, 0, 0, 1)
    assert torch.equal(other.at(0)["real_lr"], batch["real_lr"])


@pytest.mark.filterwarnings("ignore:This DataLoader will create 3 worker processes")
@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize(("start", "stop"), [(0, 5), (3, 5), (4, 4)])
def test_workers_change_nothing(stores, workers, start, stop):
    batches = _batches(stores, start, stop)
    _assert_same(DataLoader(batches, batch_size=None, num_workers=workers), batches)


def test_batches_travel_to_spawned_workers(stores):
    batches = _batches(stores)
    data = pickle.dumps(batches)
    assert len(data) < 2000
    _assert_same(pickle.loads(data), batches)


def _paths(*names):
    return [Path("folder", name) for name in names]


def _paired(lr, hr):
    pairs = pair(_paths(*lr), _paths(*hr), "data.val_lr", "data.val_hr")
    return [(small.name, large.name) for small, large in pairs]


def test_pairs_by_name():
    assert _paired(["b.png", "A.jpg"], ["a.png", "b.PNG", "c.png"]) == [
        ("b.png", "b.PNG"),
        ("A.jpg", "a.png"),
    ]
    assert _paired(["1x4.png", "2_LR.png", "3.png"], ["1.png", "2_HR.png", "3_hr_x8.png"]) == [
        ("1x4.png", "1.png"),
        ("2_LR.png", "2_HR.png"),
        ("3.png", "3_hr_x8.png"),
    ]


def test_endings_are_part_of_the_name_where_both_sides_have_them():
    names = ["frame_x2.png", "frame_x4.png"]
    assert _paired(names, names) == [(name, name) for name in names]


def test_photos_without_truth_are_named():
    with pytest.raises(UserError) as failure:
        _paired([f"{i}.png" for i in range(6)], ["1.png"])
    for part in ("`data.val_hr`", "`data.val_lr`", "5 of 6", "0.png, 2.png, 3.png, ..."):
        assert part in str(failure.value)
    with pytest.raises(UserError, match=r"1 of 2 have none: b\.png\.$"):
        _paired(["a.png", "b.png"], ["a.png"])


def test_photos_that_cannot_be_told_apart():
    with pytest.raises(UserError, match=r"`data\.val_hr` must hold one .*a\.png and .*a\.jpg"):
        _paired(["a.png"], ["a.png", "a.jpg"])
    with pytest.raises(UserError, match=r"`data\.val_lr` must hold one .*ax2\.png and .*ax4\.png"):
        _paired(["ax2.png", "ax4.png"], ["a.png"])


def _one_pair(tmp_path, lr, hr, scale):
    _fill(tmp_path / "small", {"a": lr})
    _fill(tmp_path / "large", {"a": hr}, seed=1)
    return ValidationPhotos([(tmp_path / "small/a.png", tmp_path / "large/a.png")], scale)


@pytest.mark.parametrize("extra", [(0, 0), (3, 0), (2, 3)])
def test_validation_photo_with_truth(tmp_path, extra):
    photos = _one_pair(tmp_path, (5, 7), (20 + extra[0], 28 + extra[1]), 4)
    assert len(photos) == 1
    item = photos[0]
    assert item.keys() == {"name", "lr", "hr", "gray"}
    assert item["name"] == "a"
    assert item["lr"].shape == (3, 5, 7)
    whole = np.asarray(Image.open(tmp_path / "large/a.png"))
    assert item["hr"].dtype == torch.uint8
    np.testing.assert_array_equal(item["hr"].permute(1, 2, 0).numpy(), whole[:20, :28])


@pytest.mark.parametrize("hr", [(19, 28), (20, 32), (10, 14)])
def test_truth_of_another_size(tmp_path, hr):
    with pytest.raises(UserError) as failure:
        _one_pair(tmp_path, (5, 7), hr, 4)[0]
    message = str(failure.value)
    for part in ("scale 4", str(Path("small/a.png")), "7x5", str(Path("large/a.png"))):
        assert part in message
    assert f"{hr[1]}x{hr[0]}" in message
    assert "swapped" not in message


def test_truth_that_is_swapped(tmp_path):
    with pytest.raises(UserError, match=r"`data\.val_lr` and `data\.val_hr` look swapped"):
        _one_pair(tmp_path, (22, 28), (5, 7), 4)[0]


def test_validation_photos_are_read_late_and_named_apart(tmp_path):
    paths = [tmp_path / "x/a.png", tmp_path / "y/A.png", tmp_path / "b.png"]
    photos = ValidationPhotos([(path, None) for path in paths], 4)
    assert photos.names == ["x_a", "y_A", "b"]
    _fill(tmp_path / "y", {"A": (5, 7)})
    assert photos[1].keys() == {"name", "lr"}
    with pytest.raises(UserError, match="No such file"):
        photos[0]


def _module(folders, **options):
    given = {"scale": 2, "patch": 8, "batch": 2, "seed": 3, "cache": str(folders / "cache")}
    return Folders(str(folders / "lr"), str(folders / "hr"), **(given | options))


def test_folders_touch_nothing_before_they_are_prepared(tmp_path):
    module = _module(tmp_path / "missing", val_lr="nowhere", val_hr="nowhere")
    assert module.report is None
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match=r"`data\.lr` .* does not exist"):
        module.prepare_data()


@pytest.mark.parametrize("workers", [0, 2])
def test_folders_train_from_start_to_iterations(folders, stores, workers):
    module = _module(folders, workers=workers)
    module.prepare_data()
    module.setup("fit")
    assert module.report.lines()[0].startswith("data.lr: 4 images, 31x20 to")
    module.start, module.iterations = 2, 5
    state = torch.get_rng_state()
    loader = module.train_dataloader()
    _assert_same(loader, _batches(stores, 2, 5))
    _assert_same(loader, _batches(stores, 2, 5))  # persistent workers start again
    list(module.val_dataloader())
    assert torch.equal(torch.get_rng_state(), state)


def test_folders_need_iterations(folders):
    module = _module(folders)
    module.setup()
    with pytest.raises(RuntimeError, match="iterations"):
        module.train_dataloader()


def test_preview_takes_the_first_readable_photos(tmp_path):
    _fill(tmp_path / "lr", {f"l{i}": (20, 20) for i in range(4)})
    (tmp_path / "lr" / "l1.png").write_bytes(b"")
    _fill(tmp_path / "hr", {"h": (40, 40)})
    module = _module(tmp_path, preview=2)
    module.setup()
    photos = list(module.val_dataloader())
    assert [photo["name"] for photo in photos] == ["l0", "l2"]
    assert all(photo.keys() == {"name", "lr"} for photo in photos)
    assert module.report.lr.skipped == {"l1.png": "the file is empty"}


def test_validation_folders(folders, tmp_path):
    small = _fill(tmp_path / "small", {"ax2": (9, 10), "bx2": (8, 8)})
    large = _fill(tmp_path / "large", {"b": (16, 16), "a": (18, 20), "c": (9, 9)})
    module = _module(folders, val_lr=str(small))
    module.setup()
    assert [photo["name"] for photo in module.val_dataloader()] == ["ax2", "bx2"]
    module = _module(folders, val_lr=str(small), val_hr=str(large))
    module.setup()
    assert [tuple(photo["hr"].shape) for photo in module.val_dataloader()] == [
        (3, 18, 20),
        (3, 16, 16),
    ]
    with pytest.raises(UserError, match=r"`data\.val_lr` is not given"):
        _module(folders, val_hr=str(large))


def test_home_is_expanded_everywhere(folders, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(folders))
    monkeypatch.setenv("USERPROFILE", str(folders))
    module = Folders("~/lr", "~/hr", 2, 8, 2, 3, val_lr="~/lr", cache="~/other")
    module.setup()
    assert (folders / "other" / "stores").is_dir()
    assert len(module.val_dataloader()) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 5}, r"`scale` must be one of \[1, 2, 3, 4, 8\], but got 5"),
        ({"patch": 0}, r"`data\.patch` must be an integer of at least 1, but got 0"),
        ({"batch": "many"}, r"`data\.batch` .* but got 'many'"),
        ({"workers": -1}, r"`data\.workers` .* at least 0, but got -1"),
        ({"preview": 1.5}, r"`data\.preview` .* but got 1\.5"),
        ({"seed": -1}, r"`seed` must be an integer of at least 0, but got -1"),
    ],
)
def test_numbers_out_of_range(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        _module(tmp_path, **options)


def test_folders_are_inspected(folders):
    with pytest.raises(UserError, match=r"`data\.lr` must hold an image of at least 64x64"):
        _module(folders, patch=64).setup()
    with pytest.raises(UserError, match="must be different sets"):
        Folders(str(folders / "lr"), str(folders / "lr"), 2, 8, 2, 3).setup()


class _Seen(LightningModule):
    """Records what Lightning hands over."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.batches, self.photos = [], []

    def training_step(self, batch, index):
        self.batches.append(batch)

    def validation_step(self, photo, index):
        self.photos.append(photo["name"])

    def configure_optimizers(self):
        return None


@pytest.mark.filterwarnings("error:Your `IterableDataset` has `__len__`")
def test_lightning_trains_on_exactly_these_batches(folders, stores, tmp_path):
    module, seen = _module(folders), _Seen()
    module.start, module.iterations = 1, 4
    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=tmp_path,
    )
    trainer.fit(seen, module)
    _assert_same(seen.batches, _batches(stores, 1, 4))
    assert seen.photos == ["l0", "l1", "l2", "l3"]


def test_rank_comes_from_the_process_group(folders, tmp_path, monkeypatch):
    module = _module(folders)
    module.iterations = 2
    module.setup()
    assert module.train_dataloader().dataset.rank == 0
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1
    )
    try:
        monkeypatch.setattr(torch.distributed, "get_rank", lambda: 3)
        assert module.train_dataloader().dataset.rank == 3
    finally:
        torch.distributed.destroy_process_group()


def test_a_start_looks_through_its_folders_once(folders, tmp_path, monkeypatch):
    """With 200,000 photos that is what a start consists of."""
    seen = []

    def listed(folder, argument):
        seen.append(argument)
        return list_images(folder, argument)

    monkeypatch.setattr(module, "list_images", listed)
    sides = str(folders / "lr"), str(folders / "hr")
    data = Folders(*sides, 2, 8, 2, 0, cache=str(tmp_path))
    data.prepare_data()
    data.setup()
    assert sorted(seen) == ["data.hr", "data.lr"]
