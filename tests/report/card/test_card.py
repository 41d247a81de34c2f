"""Cards of sets whose differences are known, in words and numbers."""

import json

import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from wildsr.degradation.jpeg.codec import libjpeg
from wildsr.error import UserError
from wildsr.report.card.card import MAKERS, Card, card
from wildsr.report.card.entry.colour import colour_entry
from wildsr.report.card.entry.correlation import correlation_entry
from wildsr.report.card.entry.edges import edges_entry
from wildsr.report.card.entry.entry import Entry
from wildsr.report.card.entry.jpeg import jpeg_entry
from wildsr.report.card.entry.noise import noise_entry
from wildsr.report.card.entry.spectrum import spectrum_entry
from wildsr.report.card.sheet import write_card

pytestmark = pytest.mark.heavy


def scene(seed, size=64):
    """Shading with soft-edged blobs, (3, size, size), 0 to 255; other ones for another seed."""
    generator = torch.Generator().manual_seed(seed)
    gray = torch.zeros(size, size)
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    for _ in range(12):
        a, b, angle, level = torch.rand(4, generator=generator).tolist()
        angle = torch.tensor(6.28 * angle)
        distance = (x - size * a) * angle.cos() + (y - size * b) * angle.sin()
        gray += (level - 0.5) * 120 * torch.sigmoid(2 * distance)
    tint = 20 * torch.rand(3, 1, 1, generator=generator) - 10
    return (gray - gray.mean() + 125 + tint).clamp(20, 235)


def photos(count, first, noise=0.0, blur=0.0, quality=None, shift=0.0):
    """Photos of a camera, uint8."""
    made = []
    for seed in range(first, first + count):
        image = scene(seed)[None]
        if blur:
            taps = torch.softmax(-0.5 * (torch.arange(-6, 7) / blur) ** 2, 0)
            padded = F.pad(image, (6, 6, 6, 6), mode="replicate")
            rows = F.conv2d(padded, taps.view(1, 1, 1, -1).expand(3, -1, -1, -1), groups=3)
            image = F.conv2d(rows, taps.view(1, 1, -1, 1).expand(3, -1, -1, -1), groups=3)
        draw = torch.randn(image.shape, generator=torch.Generator().manual_seed(1000 + seed))
        image = (image + noise * draw + shift).clamp(0, 255) / 255
        if quality:
            image = libjpeg(image, quality, "4:4:4")
        made.append(image[0].mul(255).round().byte())
    return made


def floats(made):
    return [photo.double() for photo in made]


@pytest.fixture(scope="module")
def real():
    return photos(10, 0, noise=6.8)


@pytest.fixture(scope="module")
def clean():
    return photos(10, 50, noise=1.1)


@pytest.fixture(scope="module")
def found(real, clean):
    return card(real, clean)


def test_too_clean_is_said_with_both_levels(found):
    entry = found.entries[0]
    assert entry.state == "differs"
    assert entry.verdict.startswith("Generated LR is too clean: noise 1.")
    assert entry.values["fake_all"] == pytest.approx(1.1, abs=0.4)
    assert entry.values["real_all"] == pytest.approx(6.8, rel=0.12)
    assert f"{entry.values['fake_all']:.1f}/255 against {entry.values['real_all']:.1f}/255" in (
        entry.verdict
    )
    assert "Generated LR differs in" in found.headline
    accuracy = found.value("two_sample", "accuracy")
    assert accuracy > 0.95
    assert found.value("wasserstein", "distance_fine") > found.value("wasserstein", "chance_fine")


def test_sets_of_one_camera_agree(real):
    same = card(real, photos(10, 50, noise=6.8))
    assert [e.name for e in same.entries if e.state == "differs"] == []
    assert same.value("two_sample", "accuracy") <= same.value("two_sample", "chance")
    assert same.order() < card(real, photos(10, 50, noise=3)).order()


def test_the_same_card_comes_out_of_the_same_seed(real, clean):
    state = torch.random.get_rng_state()
    few = [card(real[:5], clean[:5], seed=seed) for seed in (3, 3, 4)]
    assert few[0].plain() == few[1].plain() != few[2].plain()
    assert torch.equal(torch.random.get_rng_state(), state)


def test_files(found, tmp_path):
    path = write_card(found, tmp_path / "new")
    stored = json.loads((tmp_path / "new" / "report_card.json").read_text())
    assert [entry["name"] for entry in stored["entries"]] == list(MAKERS)
    assert stored["protocol"]["real_photos"] == 10
    text = (tmp_path / "new" / "report_card.md").read_text()
    assert all(entry.verdict in text for entry in found.entries)
    with Image.open(path) as picture:
        assert min(picture.size) > 1000
    for entry in found.entries:
        assert entry.png().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("maker", "of_real", "of_fake", "sentence"),
    [
        (noise_entry, {"noise": 3}, {"noise": 9}, "Generated LR is too noisy"),
        (edges_entry, {"noise": 2}, {"noise": 2, "blur": 1.2}, "Generated LR is too blurred"),
        (edges_entry, {"noise": 2, "blur": 1.2}, {"noise": 2}, "Generated LR is too sharp"),
        (spectrum_entry, {"noise": 8}, {"noise": 1}, "Generated LR has too little fine detail"),
        (jpeg_entry, {"noise": 4}, {"noise": 4, "quality": 50}, "shows JPEG, real LR does not"),
        (jpeg_entry, {"noise": 4, "quality": 50}, {"noise": 4}, "shows no JPEG, real LR does"),
        (jpeg_entry, {"noise": 4}, {"noise": 9}, "Neither shows JPEG"),
        (colour_entry, {"noise": 2}, {"noise": 2, "shift": 40}, "Generated LR is brighter"),
        (correlation_entry, {"noise": 4}, {"noise": 4}, "The noise is as coarse"),
    ],
)
def test_verdicts(maker, of_real, of_fake, sentence):
    entry = maker(floats(photos(10, 0, **of_real)), floats(photos(10, 50, **of_fake)), 0)
    assert sentence in entry.verdict
    agrees = sentence.startswith(("Neither", "The noise is as"))
    assert entry.state == ("agrees" if agrees else "differs")


def test_few_photos_are_measured_and_not_judged(real, clean):
    few = card(real[:2], clean[:9])
    assert {entry.state for entry in few.entries} == {"unknown"}
    assert few.headline == "Too little to judge the degradation by."
    assert few.entries[0].verdict.startswith(
        "Too few photos to judge (2 real, 9 generated; at least 4 of each): noise 1."
    )
    json.dumps(few.plain(), allow_nan=False)
    one = card(real[:1], clean[:1])
    json.dumps(one.plain(), allow_nan=False)


def test_small_photos_are_left_out_and_counted(real, clean):
    small = [real[0][:, :31, :40]]
    assert card(real[:4] + small, clean[:4]).protocol["real_left_out"] == 1
    with pytest.raises(UserError, match="at least one photo of 32x32 pixels or more, but got 1 sm"):
        card(small, clean)
    with pytest.raises(UserError, match=r"`fake` must hold uint8 images of shape \(3, H, W\)"):
        card(real, [photo.float() for photo in clean])
    with pytest.raises(UserError, match=r"but got uint8 \(1, 64, 64\)"):
        card([photo[:1] for photo in real], clean)


def test_gray_and_black_photos_are_no_trouble(tmp_path):
    gray = [photo.float().mean(0, keepdim=True).byte().expand(3, -1, -1) for photo in photos(5, 0)]
    black = [torch.zeros(3, 40, 40, dtype=torch.uint8)] * 5
    found = card(gray, black)
    json.dumps(found.plain(), allow_nan=False)
    write_card(found, tmp_path)
    assert found.entries[0].verdict.startswith("No brightness at which both sets")


def test_the_order_counts_lines_first():
    def entry(name, state, **values):
        return Entry(name, name, state, "", values, 0.0, lambda axes: None)

    def made(states, distance):
        lines = [entry(str(number), state) for number, state in enumerate(states)]
        return Card([*lines, entry("wasserstein", "agrees", distance_fine=distance)])

    cards = [
        made(["agrees", "unknown"], 90.0),
        made(["differs", "agrees"], 50.0),
        made(["differs", "agrees"], 80.0),
        made(["differs", "differs"], 10.0),
    ]
    assert [c.order() for c in cards] == sorted(c.order() for c in cards)
