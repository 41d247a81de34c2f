"""Photos with their truth: crops of the same places, and what does not fit together."""

import numpy as np
import pytest
import torch
from PIL import Image

from wildsr.data.batches import Batches
from wildsr.data.module import Folders
from wildsr.data.pairs import Pairs
from wildsr.data.store import open_store
from wildsr.error import UserError
from wildsr.method.supervised import Supervised
from wildsr.photo.image import list_images

SCALE = 2


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """LR whose every pixel is that of its HR photo, which is repeated."""
    root, random = tmp_path_factory.mktemp("pairs"), np.random.default_rng(0)
    for side in ("lr", "hr", "other"):
        (root / side).mkdir()
    for number in range(3):
        lr = random.integers(0, 256, (20 + number, 26, 3), np.uint8)
        hr = np.pad(lr.repeat(SCALE, 0).repeat(SCALE, 1), [(0, 1), (0, 0), (0, 0)])  # a spare row
        Image.fromarray(lr).save(root / "lr" / f"{number}_lr.png")
        Image.fromarray(hr).save(root / "hr" / f"{number}_hr.png")
        other = random.integers(0, 256, (60, 60, 3), np.uint8)
        Image.fromarray(other).save(root / "other" / f"sharp{number}.png")
    return root


def opened(root, side):
    return open_store(list_images(root / side, side), root / "cache", f"data.pairs_{side}")


def test_crops_are_of_the_same_places(folders):
    pairs = Pairs.of(opened(folders, "lr"), opened(folders, "hr"), SCALE)
    lr, hr = pairs.draw(8, 12, np.random.default_rng(0))
    assert torch.equal(hr[..., ::SCALE, ::SCALE], lr)
    assert len({tuple(crop.flatten().tolist()) for crop in lr}) > 6


def test_a_batch_begins_with_its_pairs(folders):
    stores = opened(folders, "lr"), opened(folders, "other")
    pairs = Pairs.of(opened(folders, "lr"), opened(folders, "hr"), SCALE)
    plain = Batches(*stores, SCALE, 8, 6, 1, 0, 1).at(0)
    mixed = Batches(*stores, SCALE, 8, 6, 1, 0, 1, pairs=pairs, paired=2).at(0)
    assert torch.equal(mixed["hr"][:2, :, ::SCALE, ::SCALE], mixed["pair_lr"])
    assert torch.equal(mixed["hr"][2:], plain["hr"][2:])
    assert torch.equal(mixed["real_lr"], plain["real_lr"])


def test_the_upscaler_gets_the_true_lr_where_there_is_one():
    networks = {"degrade": lambda hr: hr[..., ::2, ::2] * 0, "upscale": lambda lr: lr}
    batch = {"hr": torch.rand(3, 3, 8, 8), "pair_lr": torch.rand(1, 3, 4, 4)}
    step = Supervised(networks, batch, SCALE)
    assert torch.equal(step.sr[:1], batch["pair_lr"])
    assert not step.sr[1:].any()
    del batch["pair_lr"]
    assert not Supervised(networks, batch, SCALE).sr.any()


def test_photos_that_do_not_fit_are_refused(folders, tmp_path):
    with pytest.raises(UserError, match=r"`data\.pairs_lr` and `data\.pairs_hr` look swapped"):
        Pairs.of(
            open_store(list_images(folders / "hr", "x"), tmp_path, "data.pairs_lr"),
            open_store(list_images(folders / "lr", "x"), tmp_path, "data.pairs_hr"),
            SCALE,
        )
    with pytest.raises(UserError, match="must hold the HR photo of every photo"):
        Pairs.of(opened(folders, "lr"), opened(folders, "other"), SCALE)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"pairs_lr": "a"}, "come together"),
        ({"pairs_hr": "a"}, "come together"),
        ({"pairs_share": 0}, "above 0 and up to 1, but got 0"),
        ({"pairs_share": "half"}, "above 0 and up to 1, but got 'half'"),
    ],
)
def test_what_cannot_be(more, words):
    with pytest.raises(UserError, match=words):
        Folders("a", "b", SCALE, 8, 4, 0, **more)


def test_a_share_of_a_batch_is_at_least_one_crop(folders):
    sides = {"pairs_lr": str(folders / "lr"), "pairs_hr": str(folders / "hr")}
    assert Folders("a", "b", SCALE, 8, 16, 0, **sides).paired == 4
    assert Folders("a", "b", SCALE, 8, 4, 0, **sides, pairs_share=0.01).paired == 1
    assert Folders("a", "b", SCALE, 8, 4, 0, **sides, pairs_share=1).paired == 4
    assert Folders("a", "b", SCALE, 8, 4, 0).paired == 0


@pytest.mark.parametrize("which", ["none", "some", "aligned"])
def test_what_a_training_was_of(folders, tmp_path, which):
    more = {
        "none": {},
        "some": {"pairs_lr": str(folders / "lr"), "pairs_hr": str(folders / "hr")},
        "aligned": {"aligned": True, "pairs_share": 1.0},
    }[which]
    lr, hr = ("lr", "hr") if which == "aligned" else ("hr", "lr")
    more |= {"cache": str(tmp_path), "trust": True}
    data = Folders(str(folders / lr), str(folders / hr), SCALE, 4, 4, 0, **more)
    data.prepare_data()
    data.setup()
    count = len(list((folders / "lr").iterdir()))
    assert (
        data.trained_on()
        == {
            "none": {"lr": count, "hr": count},
            "some": {"lr": count, "hr": count, "pairs": count},
            "aligned": {"lr": 0, "hr": 0, "pairs": count},
        }[which]
    )


def test_folders_that_are_pairs_are_called_by_their_names(folders, tmp_path):
    def opened(lr, hr):
        data = Folders(str(lr), str(hr), SCALE, 4, 4, 0, cache=str(tmp_path), aligned=True)
        data.prepare_data()
        data.setup()
        return data

    data = opened(folders / "lr", folders / "hr")
    assert not data.report.notes, "that they look like pairs need not be said"
    with pytest.raises(UserError, match=r"`data\.hr` must hold the HR photo .* of `data\.lr`"):
        opened(folders / "lr", folders / "other")
