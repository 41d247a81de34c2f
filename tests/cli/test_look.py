"""The verb look: what photos went through, said, written and shown, whatever they are called."""

import json
from html.parser import HTMLParser

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from wildsr.calibration.measure import Measured, take_over
from wildsr.data.measure import measure
from wildsr.data.module import Folders
from wildsr.forensics.coding import Coding
from wildsr.forensics.folder import Codings
from wildsr.network.degrader.measured import MeasuredCamera
from wildsr.run.profile import read_profile

WEBP_60 = Coding("pixels", "WebP", quality=60)
HOSTILE = ("[b]x.jpg", "<img src=x>.png")


def scene(seed, size=(96, 104)):
    """A smooth picture with a little noise."""
    generator = np.random.default_rng(seed)
    small = Image.fromarray(generator.integers(0, 256, (7, 7, 3), np.uint8))
    smooth = np.asarray(small.resize(size[::-1], Image.Resampling.BICUBIC), float)
    noisy = smooth * 0.8 + 20 + generator.normal(0, 2, smooth.shape)
    return Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8))


@pytest.fixture
def mixed(tmp_path):
    """JPEGs, 4:2:0, one of quality 20 and five of 70, and a PNG; two names are markup."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    for number in range(6):
        name = HOSTILE[0] if number == 0 else f"{number}.jpg"
        scene(number).save(folder / name, quality=70 if number else 20, subsampling="4:2:0")
    scene(9).save(folder / HOSTILE[1])
    return folder


class Tags(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_it_says_what_the_photos_went_through(mixed, tmp_path, carry_out, capsys):
    out = tmp_path / "out"
    assert carry_out("look", [f"data.lr={mixed}", f"output={out}"]) == 0
    said = capsys.readouterr().out
    assert "6 of 7 photos are JPEG (quality 20 to 70, read from the files)" in said
    assert "6 4:2:0" in said
    assert f"{HOSTILE[1]} (no lossy coding found; the others are JPEG" in said
    assert "[b]x.jpg (quality 20, usual is 70" in said
    found = json.loads((out / "look.json").read_text())
    assert {"schema", "findings", "codings", "noise", "cameras", "odd", "photos"} <= found.keys()
    assert found["found"] == 7
    assert {odd["name"] for odd in found["odd"]} == set(HOSTILE)
    (camera,) = found["cameras"]
    assert camera["share"] == 1
    assert sorted(camera["photos"]) == sorted(photo["name"] for photo in found["photos"])
    by_name = {photo["name"]: photo for photo in found["photos"]}
    assert by_name["1.jpg"]["coding"]["quality"] == 70
    assert by_name["1.jpg"]["coding"]["subsampling"] == "4:2:0"
    assert by_name[HOSTILE[1]]["coding"]["source"] == "none"
    assert by_name[HOSTILE[1]]["noise"] == pytest.approx(2, rel=0.3)
    assert found["training"] is None
    assert not (out / "camera.json").exists(), "nothing was measured"


def test_names_are_text_on_the_page_which_fetches_nothing(mixed, tmp_path, carry_out):
    out = tmp_path / "out"
    assert carry_out("look", [f"data.lr={mixed}", f"output={out}"]) == 0
    page = Tags((out / "look.html").read_text())
    for name in HOSTILE:
        assert name in page.text
    assert "script" not in {tag for tag, _ in page.tags}
    sources = [a[key] for _, a in page.tags for key in ("src", "href") if key in a]
    assert len(sources) > 7
    assert all(source.startswith(("data:", "#")) for source in sources), sources


def test_clipping_older_codings_and_cropped_grids_are_found(tmp_path, carry_out):
    folder, out = tmp_path / "lr", tmp_path / "out"
    folder.mkdir()
    pixels = np.asarray(scene(1)).copy()
    pixels[:24] = 255
    Image.fromarray(pixels).save(folder / "bright.png")
    scene(2, (200, 200)).save(tmp_path / "once.jpg", quality=70)
    Image.open(tmp_path / "once.jpg").crop((3, 5, 190, 190)).save(folder / "cropped.png")
    assert carry_out("look", [f"data.lr={folder}", f"output={out}"]) == 0
    found = json.loads((out / "look.json").read_text())
    by_name = {photo["name"]: photo for photo in found["photos"]}
    assert by_name["bright.png"]["white"] == pytest.approx(0.25, abs=0.01)
    assert by_name["cropped.png"]["coding"]["phase"] == [3, 5]
    assert "cropped.png" in found["findings"]["grid"]
    assert "bright.png" in found["findings"]["clipping"]


@pytest.mark.heavy
def test_with_sharp_photos_it_measures_the_camera_and_leaves_it(mixed, tmp_path, carry_out, capsys):
    hr, out = tmp_path / "hr", tmp_path / "out"
    hr.mkdir()
    for number in range(4):
        scene(20 + number, (240, 240)).save(hr / f"{number}.png")
    typed = [f"data.lr={mixed}", f"data.hr={hr}", "scale=2", f"output={out}"]
    assert carry_out("look", typed) == 0
    sentence = json.loads((out / "look.json").read_text())["training"]
    assert "then frozen" in sentence
    assert sentence in capsys.readouterr().out
    camera = json.loads((out / "camera.json").read_text())
    assert (camera["schema"], camera["scale"], camera["sentence"]) == (1, 2, sentence)
    pairs = ["degradation=profile", f"degradation.file={out / 'camera.json'}", "scale=2"]
    typed = [*pairs, f"hr={hr}", f"output={tmp_path / 'pairs'}"]
    assert carry_out("degrade", typed) == 0
    assert len(list((tmp_path / "pairs" / "lr").iterdir())) == 4


def test_what_all_photos_show_together_is_said_of_each(tmp_path, carry_out, monkeypatch):
    """WebP that was stored without loss shows in no single photo."""

    def behind(names, *rest):
        return Measured(Codings((WEBP_60,) * len(names)), None, "too small", tuple(names))

    monkeypatch.setattr("wildsr.report.look.folder.measured", behind)
    for side, name in (("lr", "a"), ("lr", "b"), ("hr", "c")):
        (tmp_path / side).mkdir(exist_ok=True)
        scene(0).save(tmp_path / side / f"{name}.png")
    typed = [f"data.{side}={tmp_path / side}" for side in ("lr", "hr")]
    assert carry_out("look", [*typed, f"output={tmp_path / 'out'}"]) == 0
    found = json.loads((tmp_path / "out" / "look.json").read_text())
    said = "2 of 2 photos are WebP (quality about 60, read from the pixels)."
    assert found["findings"]["coding"] == said
    assert {photo["coding"]["kind"] for photo in found["photos"]} == {"WebP"}
    assert found["codings"]["kinds"] == {"WebP": 2}


def test_a_photo_that_cannot_be_read_is_said_and_counts(mixed, tmp_path, carry_out, capsys):
    (mixed / "[red]broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    assert carry_out("look", [f"data.lr={mixed}", f"output={tmp_path / 'out'}"]) == 1
    assert "warning: [red]broken.jpg cannot be read" in capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "look.json").read_text())
    assert [one["name"] for one in found["unreadable"]] == ["[red]broken.jpg"]


def test_photos_of_many_sizes_and_the_same_area(tmp_path, carry_out, capsys):
    for number, size in enumerate(((48, 60), (60, 48), (40, 72), (72, 40), (64, 64))):
        scene(number, size).save(tmp_path / f"{number}.png")
    assert carry_out("look", [f"data.lr={tmp_path}", f"output={tmp_path / 'look'}"]) == 0
    assert "to 64 x 64 pixels" in capsys.readouterr().out.replace("\n", " ")


def test_photos_of_a_few_pixels_are_looked_at(tmp_path, carry_out):
    folder = tmp_path / "lr"
    folder.mkdir()
    for side in (1, 4, 9, 17):
        Image.new("L", (side, side + 1), 255).save(folder / f"{side}.png")
    assert carry_out("look", [f"data.lr={folder}", f"output={tmp_path / 'out'}"]) == 0


def test_a_folder_that_is_in_use_is_left_alone(mixed, tmp_path, refused, carry_out):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    typed = [f"data.lr={mixed}", f"output={out}"]
    assert "`output` must be a new folder" in refused("look", typed)
    assert carry_out("look", [*typed, "overwrite=true"]) == 0
    assert (out / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ([], "`data.lr` must be given"),
        (["data.lr=nowhere"], "nowhere does not exist"),
        (["data.lr=.", "scale=5"], "`scale` must be one of [1, 2, 3, 4, 8], but got 5"),
        (["data.lr=.", "photos=0"], "`photos` must be an integer of at least 1, but got 0"),
        (["data.lr=.", "limit=-1"], "`limit` must be a positive number or null, but got -1"),
        (["data.lr=.", "overwrite=maybe"], "`overwrite` must be true or false"),
    ],
)
def test_bad_input_is_one_sentence(typed, sentence, refused):
    assert sentence in refused("look", typed)


def test_a_folder_without_a_whole_photo_is_refused(tmp_path, refused):
    (tmp_path / "a.png").write_bytes(b"no photo")
    typed = [f"data.lr={tmp_path}", f"output={tmp_path / 'out'}"]
    assert "`data.lr` must hold photos, but none" in refused("look", typed)


@pytest.mark.parametrize(
    ("kind", "dtype", "sensor"),
    [("L", np.uint8, (1, "8")), ("L", np.uint16, (1, "16")), ("RGB", np.uint16, (3, "16"))],
)
def test_the_camera_is_of_the_sensor_that_training_sees(
    tmp_path, carry_out, capsys, kind, dtype, sensor
):
    """The same numbers as those of the run's own measurement."""
    sides = {"lr": (96, 104), "hr": (200, 208)}
    for number, (side, size) in enumerate(sides.items()):
        (tmp_path / side).mkdir()
        for photo in range(3):
            pixels = np.asarray(scene(10 * number + photo, size).convert(kind))
            values = pixels.astype(dtype) * (257 if dtype == np.uint16 else 1)
            tifffile.imwrite(tmp_path / side / f"{photo}.tif", values)
    folders = [f"data.lr={tmp_path / 'lr'}", f"data.hr={tmp_path / 'hr'}"]
    out = tmp_path / "out"
    assert carry_out("look", [*folders, "scale=2", f"output={out}"]) == 0
    channels, depth = sensor
    said = capsys.readouterr().out.replace("\n", " ")
    assert f"kind: {'gray' if channels == 1 else 'RGB'}, {depth} bits, black 0, white" in said
    camera, found = read_profile(out / "camera.json")
    assert (found.channels, found.depth) == sensor
    data = Folders(str(tmp_path / "lr"), str(tmp_path / "hr"), 2, 8, 1, 0, trust=True)
    data.prepare_data()
    data.setup()
    trained = MeasuredCamera(2, channels, data.kind().deep)
    take_over(trained, measure(data, 0), 0)
    assert data.kind() == found
    torch.testing.assert_close(camera.cameras, trained.cameras, rtol=1e-3, atol=1e-3)


def test_kinds_are_not_spoken_of_where_photos_are_of_cameras(mixed, tmp_path, carry_out, capsys):
    assert carry_out("look", [f"data.lr={mixed}", f"output={tmp_path / 'out'}"]) == 0
    assert "kind:" not in capsys.readouterr().out
