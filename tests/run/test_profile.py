"""camera.json: what is written is what is read, and nothing else is taken for a camera."""

import copy
import json
import math
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import wildsr
from wildsr.degradation.coding import JPEGCoding, WebPCoding
from wildsr.degradation.defects import Defects
from wildsr.degradation.depth import deepen
from wildsr.degradation.fringes import NONE, Fringes
from wildsr.error import UserError
from wildsr.network.degrader.measured import MeasuredCamera
from wildsr.network.degrader.physics import HIGHEST, LOWEST, PRIOR
from wildsr.network.degrader.sensor import SensorNoise
from wildsr.photo.sensor import RGB, Sensor
from wildsr.run.profile import Profile, checked_profile, of_camera, read_profile, write_profile


@pytest.fixture
def camera():
    """Four cameras at x2: one without a coding, two with JPEG's tables, one with WebP."""
    made = MeasuredCamera(2)
    share = torch.tensor([0.2, 0.4, 0.6, 0.7])[:, None]
    made.set(
        LOWEST + share * (HIGHEST - LOWEST),
        [None, JPEGCoding.libjpeg(40), JPEGCoding.libjpeg(80, "4:4:4"), WebPCoding(60)],
        defects=Defects(0.02, 0.75, (0.0, 1.0), 0.01, 0.02),
        fringes=Fringes(((0.5, -0.25), (0.0, 0.0), (0.0, 0.0)), (0.0, 0.0, -1.0)),
    )
    return made


@pytest.fixture
def document(camera):
    """Its file, as data."""
    return json.loads(json.dumps(of_camera(camera)))


def test_a_camera_survives_its_file(camera, document, tmp_path):
    read, sensor = read_profile(write_profile(tmp_path, document))
    assert sensor == RGB
    assert read.scale == 2
    assert torch.allclose(read.cameras, camera.cameras, atol=1e-4)
    assert torch.equal(read.tables, camera.tables)
    assert torch.equal(read.subsampling, camera.subsampling)
    assert torch.allclose(read.defects_of, camera.defects_of)
    assert read.fringes() == camera.fringes() != NONE


def test_the_document_is_checked_alike_before_it_is_written(camera, document):
    assert of_camera(camera) == document
    assert torch.allclose(
        checked_profile(of_camera(camera), "it")[0].cameras, camera.cameras, atol=1e-4
    )


def test_it_degrades_as_the_camera_does(camera, document, tmp_path):
    path = write_profile(tmp_path, document)
    hr = torch.rand(2, 3, 48, 64, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(3)
    made = Profile(str(path), 2)(hr)
    torch.manual_seed(3)
    expected = camera(hr, camera.draws(hr))
    assert made.shape == (2, 3, 24, 32)
    assert (made - expected.clamp(0, 1)).abs().max() <= 1.5 / 255
    assert torch.equal((made * 255).round() / 255, made)


def test_the_python_door_takes_it(document, tmp_path):
    path = write_profile(tmp_path, document)
    degrade = wildsr.Pipeline("profile", file=str(path), scale=2)
    assert degrade(torch.rand(3, 32, 48), seed=0).shape == (3, 16, 24)
    assert degrade.describe()[0].startswith(("blur", "antialiased"))
    with pytest.raises(UserError, match="`scale` must be that of the camera"):
        wildsr.Pipeline("profile", file=str(path), scale=4)


def put(document, key, value):
    """The document with another value at a dotted key."""
    changed = copy.deepcopy(document)
    *above, last = [int(part) if part.isdigit() else part for part in key.split(".")]
    node = changed
    for part in above:
        node = node[part]
    node[last] = value
    return changed


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("schema", 2, "schema"),
        ("schema", True, "schema"),
        ("scale", 5, "scale"),
        ("scale", "2", "scale"),
        ("parameters", ["width"], "parameters"),
        ("population", [], "population"),
        ("population.cameras", [], "population.cameras"),
        ("population.cameras", [[0.0] * 10] * 257, "population.cameras"),
        ("population.cameras.0", [0.0] * 9, "population.cameras.0"),
        ("population.cameras.1.0", float("nan"), "population.cameras.1.width"),
        ("population.cameras.1.3", float("inf"), "population.cameras.1.noise"),
        ("population.cameras.1.3", 10**400, "population.cameras.1.noise"),
        ("population.cameras.1.3", "1", "population.cameras.1.noise"),
        ("population.cameras.1.3", True, "population.cameras.1.noise"),
        ("population.coding", [0], "population.coding"),
        ("population.coding.0", 3, "population.coding.0"),
        ("population.coding.0", -1, "population.coding.0"),
        ("population.coding.0", False, "population.coding.0"),
        ("fringes", [], "fringes"),
        ("fringes.moved", [[0, 0]] * 2, "fringes.moved"),
        ("fringes.moved.1", [0], "fringes.moved.1"),
        ("fringes.moved.2.0", 3, "fringes.moved.2"),
        ("fringes.magnified", None, "fringes.magnified"),
        ("fringes.magnified.0", float("nan"), "fringes.magnified.0"),
        ("defects", [], "defects"),
        ("defects.impulses", 1.5, "defects.impulses"),
        ("defects.rows", None, "defects.rows"),
        ("defects.values", [], "defects.values"),
        ("defects.values.0", -1, "defects.values.0"),
        ("population.codings.2", {"webp_quality": 101}, "population.codings.2.webp_quality"),
        ("population.codings.0", None, "population.codings.0"),
        ("population.codings.0.luminance", [1] * 63, "population.codings.0.luminance"),
        ("population.codings.0.luminance.5", 0, "population.codings.0.luminance.5"),
        ("population.codings.0.chrominance.5", 1.5, "population.codings.0.chrominance.5"),
        ("population.codings.0.subsampling", "4:1:1", "population.codings.0.subsampling"),
        ("population.codings.0.subsampling", ["4:2:0"], "population.codings.0.subsampling"),
    ],
)
def test_what_is_no_camera_is_refused_by_the_key(key, value, named, document, tmp_path):
    path = write_profile(tmp_path, put(document, key, value))
    with pytest.raises(UserError) as refusal:
        read_profile(path)
    assert f"`{named}`" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "damaged"),
        ("[" * 100_000, "damaged"),
        ("[]", "is no camera.json"),
        ("{}", "`schema` must be given"),
        (" " * (9 << 20), "larger than"),
    ],
)
def test_a_file_that_is_no_document_is_one_sentence(text, said, tmp_path, refused):
    path = tmp_path / "camera.json"
    path.write_text(text)
    typed = ["degradation=profile", "scale=2", f"hr={tmp_path}", f"output={tmp_path / 'out'}"]
    (tmp_path / "a.png").write_bytes(b"")
    assert said in refused("degrade", [*typed, f"degradation.file={path}"])
    assert "`degradation.file` must be given" in refused("degrade", typed)


@pytest.mark.heavy
def test_a_run_keeps_the_camera_that_it_was_given(tiny, document, tmp_path, carry_out):
    path = write_profile(tmp_path, put(document, "scale", 4))
    given = ["method=supervised", "degradation=profile", f"degradation.file={path}"]
    typed = [*tiny, *given, f"runs_dir={tmp_path}", "name=it", "iterations=1"]
    assert carry_out("train", typed) == 0
    path.unlink()
    assert carry_out("train", [f"resume={tmp_path / 'it'}", "iterations=2"]) == 0
    shutil.move(tmp_path / "it", tmp_path / "moved")
    assert carry_out("export", [f"run={tmp_path / 'moved'}", "format=camera"]) == 0
    camera, _ = read_profile(tmp_path / "moved" / "export" / "camera.json")
    assert of_camera(camera)["population"] == document["population"]


@pytest.fixture
def gray(tmp_path):
    """A gray camera of 12 of 16 bits with a black level, and its document."""
    made = MeasuredCamera(2, 1, True)
    parameters = PRIOR.clone()
    parameters[3:5], parameters[6] = torch.tensor([3.0, 4.0]), 0.0  # light's noise alone
    made.set(parameters[None], [None], SensorNoise(0.2))
    sensor = Sensor(1, "16", lr=(0.0, 4095.0), hr=(0.0, 65535.0))
    return made, json.loads(json.dumps(of_camera(made, sensor))), sensor


def test_a_camera_of_a_sensor_survives_its_file(gray, tmp_path):
    _, document, _ = gray
    assert document["sensor"] == {
        "channels": 1,
        "depth": "16",
        "range": [0, 4095],
        "range_hr": [0, 65535],
        "black_level": pytest.approx(819),
        "noise_of_channels": None,
    }
    assert "black level 20.0% of the range" in document["sentence"]
    path = write_profile(tmp_path, document)
    again = Profile(str(path), 2)
    # the range of the type is none of its own
    assert again.sensor == Sensor(1, "16", lr=(0.0, 4095.0))
    assert float(again.camera.black) == pytest.approx(0.2)
    flat = torch.full((1, 1, 256, 256), 0.2)
    deepen(again)
    torch.manual_seed(0)
    dark, bright = again(flat), again(flat + 0.5)
    assert dark.std() < 0.3 * bright.std(), "light makes noise above the black level alone"
    assert ((bright * 255) % 1).std() > 0.1, "no levels of 8 bits"
    bands = MeasuredCamera(2, 5, True)
    bands.set(PRIOR[None], [None], SensorNoise(0.0, (1.0, 2.0, 3.0, 4.0, 5.0)))
    floats = Sensor(5, "float", lr=(-1.0, 9.0), hr=(-1.0, 9.0))
    document = json.loads(json.dumps(of_camera(bands, floats)))
    read, kind = read_profile(write_profile(tmp_path, document))
    assert kind == floats
    assert torch.equal(read.noise_of, bands.noise_of)
    with pytest.raises(UserError, match="is of 5 channels, but the photos have 3"):
        Profile(str(tmp_path / "camera.json"), 2)(torch.rand(1, 3, 32, 32))


def test_each_channel_may_have_its_own_blur(tmp_path):
    made = MeasuredCamera(2, 3, False, "channel")
    blurs = torch.tensor([[-0.5, 0.0, 0.0], [0.0, 0.0, 0.0], [0.5, 0.2, -0.1]])
    quiet = PRIOR.clone()
    quiet[0], quiet[3] = math.log(0.5), math.log(0.13)
    made.set(quiet[None], [None], blurs=blurs)
    document = json.loads(json.dumps(of_camera(made)))
    assert document["schema"] == 1
    path = write_profile(tmp_path, document)
    again = Profile(str(path), 2)
    assert torch.allclose(again.camera.blur_of, blurs)
    assert "0.61, 1.00, 1.65 times as wide" in again.camera.sentence()
    edge = (torch.arange(64) >= 32).float().expand(1, 3, 64, 64).contiguous()
    steps = again(edge).diff(dim=-1).abs().amax((0, 2, 3))
    assert steps[0] > steps[1] > steps[2], "the wider the blur the softer the edge"
    same = MeasuredCamera(2, 3)
    same.set(quiet[None], [None])
    torch.manual_seed(0)
    alone = same(edge, same.draws(edge))
    torch.manual_seed(0)
    assert torch.allclose(made(edge, made.draws(edge))[:, 1], alone[:, 1], atol=1e-6)
    with pytest.raises(UserError, match="is of 3 channels, but the photos have 1"):
        again(edge[:, :1])
    for value in ([[0, 0, 0]], [[0, 0], [0, 0], [0, 0]], [[9, 0, 0]] * 3, "wide"):
        with pytest.raises(UserError, match="`blur_of_channels"):
            read_profile(write_profile(tmp_path, put(document, "blur_of_channels", value)))
    with pytest.raises(UserError, match="`blur` must be one of"):
        MeasuredCamera(2, blur="own")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("channels", 0),
        ("channels", 2.0),
        ("depth", 16),
        ("depth", "12"),
        ("range", [5, 5]),
        ("range", [0]),
        ("range_hr", [0, float("nan")]),
        ("black_level", 5000),
        ("black_level", "0"),
        ("noise_of_channels", [1.0, 1.0]),
    ],
)
def test_a_sensor_that_cannot_be_is_refused_by_the_key(key, value, gray, tmp_path):
    path = write_profile(tmp_path, put(gray[1], f"sensor.{key}", value))
    with pytest.raises(UserError, match=rf"`sensor\.{key}") as refusal:
        read_profile(path)
    assert "\n" not in str(refusal.value)


def test_pairs_of_such_a_camera(gray, tmp_path, carry_out):
    """The noise of flat places is what the camera says, in the numbers of the files."""
    path = write_profile(tmp_path, gray[1])
    (tmp_path / "hr").mkdir()
    for name, share in (("dark", 0.2), ("bright", 0.7)):
        flat = np.full((200, 200), round(share * 65535), np.uint16)
        Image.fromarray(flat).save(tmp_path / "hr" / f"{name}.png")
    typed = ["degradation=profile", f"degradation.file={path}", "scale=2", f"hr={tmp_path / 'hr'}"]
    assert carry_out("degrade", [*typed, f"output={tmp_path / 'out'}"]) == 0
    lr = {n: np.array(Image.open(tmp_path / f"out/lr/{n}.png")) for n in ("dark", "bright")}
    assert {image.dtype for image in lr.values()} == {np.dtype(np.uint16)}
    for name, share in (("dark", 0.2), ("bright", 0.7)):
        assert lr[name].mean() == pytest.approx(share * 4095, rel=0.01), "the range of LR"
        expected = float(gray[0].noise_std(torch.tensor([share]))) * 4095
        assert lr[name].std() == pytest.approx(expected, rel=0.1)


def read_profile_of(document):
    """The camera of a document, at x4."""
    return checked_profile(put(document, "scale", 4), "it")[0]


def test_a_run_without_a_measured_camera_has_none_to_export(finished, refused):
    assert "whose camera was measured" in refused("export", [f"run={finished}", "format=camera"])
    assert "needs `run`" in refused("export", ["weights=x.pth", "format=camera"])


def test_a_run_of_wild_hands_its_camera_over(tiny, tmp_path, carry_out):
    typed = [*tiny, "method=wild", f"runs_dir={tmp_path}", "name=it", "iterations=1"]
    assert carry_out("train", typed) == 0
    assert carry_out("export", [f"run={tmp_path / 'it'}", "format=camera"]) == 0
    written = (tmp_path / "it" / "export" / "camera.json").read_text()
    assert json.loads(written) == json.loads((tmp_path / "it" / "camera.json").read_text())
