"""A camera is found again on photos of other scenes than the sharp ones it is measured with."""

import math
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import skimage
import torch
from scipy.ndimage import convolve
from skimage.color import rgb2ycbcr, ycbcr2rgb
from skimage.filters import gaussian

from wildsr.calibration.calibrate import calibrate
from wildsr.calibration.channels import channel_blurs
from wildsr.calibration.fit import Solution
from wildsr.calibration.measure import measured, take_over
from wildsr.calibration.population import with_few
from wildsr.calibration.rounds import Rounds, Seen
from wildsr.calibration.simulate import SharpWindows, cut
from wildsr.calibration.statistics import NAMES, WINDOW, statistics
from wildsr.calibration.study import Study
from wildsr.data import demo
from wildsr.degradation.blur import blur_and_sample
from wildsr.degradation.coding import JPEGCoding, WebPCoding, coded
from wildsr.error import UserError
from wildsr.forensics.coding import Coding as Read
from wildsr.network.degrader.measured import MeasuredCamera
from wildsr.network.degrader.physics import MARGIN, PARAMETERS, PRIOR, kernels, physical, seen
from wildsr.network.degrader.sensor import SensorNoise
from wildsr.photo.image import read_image
from wildsr.photo.sensor import Sensor, values_of
from wildsr.pixels import to_8_bit
from wildsr.run.profile import profile, read_profile, write_profile

pytestmark = pytest.mark.heavy

SCALE = 2
NOISE = PARAMETERS.index("noise")


def scene(seed, side=256):
    """Ellipses of any size and colour before one another: edges at all scales."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    photo = np.ones((side, side, 3), np.float32) * random.uniform(0.2, 0.8, 3).astype(np.float32)
    for _ in range(120):
        radius = side * 0.02 / random.uniform(0.04, 1) ** 0.7
        angle = random.uniform(0, math.pi)
        u, v = x - random.uniform(0, side), y - random.uniform(0, side)
        u, v = u * math.cos(angle) + v * math.sin(angle), v * math.cos(angle) - u * math.sin(angle)
        inside = (u / radius) ** 2 + (v / radius / random.uniform(0.3, 1)) ** 2 < 1
        photo[inside] = random.uniform(0.05, 0.95, 3)
    return (photo * 255).round().astype(np.uint8)


def taken(photo, camera, coding, seed):
    hr = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    clean = blur_and_sample(hr, kernels(camera[None], SCALE), SCALE)
    size = (1, 4, clean.shape[2] + 2 * MARGIN, clean.shape[3] + 2 * MARGIN)
    noise = torch.randn(size, generator=torch.Generator().manual_seed(seed))
    lr = coded(to_8_bit(seen(clean, camera[None], noise)), coding, (0, 0))
    return lr[0].permute(1, 2, 0).mul(255).round().byte().numpy()


@pytest.fixture(scope="module")
def sides():
    return [scene(i) for i in range(40)], [scene(100 + i) for i in range(24)]


@pytest.mark.parametrize("quality", [None, 60])
def test_the_camera_is_found(sides, quality):
    hr, others = sides
    hidden = PRIOR.clone()
    hidden[:4] = torch.tensor([math.log(0.55), 0.35, 0.3, math.log(5.0)])
    hidden[5], hidden[6] = 0.2, 0.0
    coding = None if quality is None else JPEGCoding.libjpeg(quality)
    lr = [taken(photo, hidden, coding, i) for i, photo in enumerate(others)]
    found = calibrate(lr, [coding] * len(lr), hr, SCALE)
    said, true = physical(found.groups[0].solution.camera, SCALE), physical(hidden, SCALE)
    assert said["blur_major"] == pytest.approx(true["blur_major"], rel=0.15)
    assert said["blur_minor"] == pytest.approx(true["blur_minor"], rel=0.15)
    assert abs(said["blur_angle"] - true["blur_angle"]) < 20
    level = math.hypot(said["noise_read"], said["noise_shot"] / math.sqrt(2))
    assert level == pytest.approx(5.0, rel=0.1)
    assert found.groups[0].misfit < 1
    assert found.groups[0].doubt == 0
    cameras, codings = found.population(50)
    assert len(cameras) == len(codings) == 50
    assert set(codings) == {coding}


def parts(names, side=256):
    """Squares of scikit-image's photos."""
    files = {path.stem: path for path in (Path(skimage.__file__).parent / "data").iterdir()}
    photos = [read_image(files[name]) for name in names]
    return [
        np.ascontiguousarray(photo[y : y + side, x : x + side])
        for photo in photos
        for y in range(0, photo.shape[0] - side + 1, side)
        for x in range(0, photo.shape[1] - side + 1, side)
    ]


def taken_by(camera, photos, sensor):
    """What a camera makes of photos, as files of the sensor hold it and training sees it."""
    torch.manual_seed(0)
    made = []
    for photo in photos:
        sharp = torch.from_numpy(photo).permute(2, 0, 1)[None]
        with torch.no_grad():
            small = camera(sharp, camera.draws(sharp))[0].permute(1, 2, 0).numpy()
        made.append(sensor.seen(values_of(small, sensor.span(), sensor.dtype)))
    return made


def test_a_gray_16_bit_camera_with_a_black_level_is_found_in_its_file(sides, tmp_path):
    """Measured, written as camera.json and read: blur widths and noise within a tenth."""
    black, sensor = 0.1, Sensor(1, "16")
    hr, others = (
        [black + (1 - black) * photo[..., 1:2].astype(np.float32) / 255 for photo in side]
        for side in sides
    )
    hidden = PRIOR.clone()
    hidden[:5] = torch.tensor([math.log(0.55), 0.35, 0.3, math.log(4.0), 3.0])
    hidden[5], hidden[6] = 0.2, 0.0
    camera = MeasuredCamera(SCALE, 1, True)
    camera.set(hidden[None], [None], SensorNoise(black))
    lr = taken_by(camera, others, sensor)
    names = [str(number) for number in range(len(lr))]
    found = measured(names, lr, [Read()] * len(lr), hr, SCALE, 0)
    taken = MeasuredCamera(SCALE, 1, True)
    take_over(taken, found, 0)
    read, kind = read_profile(write_profile(tmp_path, profile(taken, found, sensor)))
    assert kind == sensor
    said, true = read.physical(), camera.physical()
    for name in ("blur_major", "blur_minor"):
        assert said[name] == pytest.approx(true[name], rel=0.1)
    light = torch.tensor([0.3, 0.5, 0.7, 0.9])
    assert torch.allclose(read.noise_std(light), camera.noise_std(light), rtol=0.1)
    assert said["black"] == pytest.approx(black, abs=0.05)


def test_the_blur_of_each_channel_is_found(sides, tmp_path):
    """Of two bands of 16 bits, whose blurs differ by a third; written and read again."""
    sensor = Sensor(2, "16")
    hr, others = ([p[..., :2].astype(np.float32) / 255 for p in side] for side in sides)
    hidden = PRIOR.clone()
    hidden[:5] = torch.tensor([math.log(0.5), 0.0, 0.0, math.log(2.0), 1.0])
    hidden[5], hidden[6] = 0.2, 0.0
    blurs = torch.tensor([[-0.15, 0.0, 0.0], [0.15, 0.0, 0.0]])
    camera = MeasuredCamera(SCALE, 2, True, "channel")
    camera.set(hidden[None], [None], SensorNoise(0.0, (1.0, 1.0)), blurs)
    lr = taken_by(camera, others, sensor)
    names = [str(number) for number in range(len(lr))]
    found = measured(names, lr, [Read()] * len(lr), hr, SCALE, 0, by_channel=True)
    assert "blur of the channels" in found.sentence(SCALE)
    taken = MeasuredCamera(SCALE, 2, True, "channel")
    take_over(taken, found, 0)
    read, _ = read_profile(write_profile(tmp_path, profile(taken, found, sensor)))
    cameras = read.cameras[:, 0].median() + read.blur_of[:, 0]
    assert torch.allclose(cameras.exp(), (hidden[0] + blurs[:, 0]).exp(), rtol=0.1)
    with pytest.raises(UserError, match="lossy coding keeps less of what channels differ in"):
        channel_blurs(lr, [JPEGCoding.libjpeg(75)] * len(lr), hr, SCALE)


@pytest.mark.parametrize("patches", [0.0, 1.0])
def test_denoising_is_found_where_there_was_some(patches):
    hidden = PRIOR.clone()
    for name, value in {"noise": 2.0, "denoise": 1.0, "sharpen": 1.0, "patches": patches}.items():
        hidden[PARAMETERS.index(name)] = value
    others = parts([*demo.LR, *demo.HELD_OUT])
    lr = [taken(photo, hidden, None, i) for i, photo in enumerate(others)]
    group = calibrate(lr, [None] * len(lr), parts(demo.HR), SCALE).groups[0]
    assert group.misfit < 1
    assert group.doubt == 0
    found = physical(group.solution.camera, SCALE)
    assert found["denoising"] > 0.3
    assert found["denoising_patches"] == patches


def widths(group):
    said = physical(group.solution.camera, SCALE)
    return said["blur_major"], said["blur_minor"]


def test_colours_that_no_camera_explains_do_not_hide_the_blur(sides):
    """Web and video codecs smooth colour and leave luma: the camera is what luma shows."""
    hr, others = sides
    hidden = PRIOR.clone()
    hidden[:4] = torch.tensor([math.log(0.55), 0.0, 0.0, math.log(3.0)])
    hidden[5], hidden[6] = 0.2, 0.0
    lr = []
    for number, photo in enumerate(others):
        ycc = rgb2ycbcr(taken(photo, hidden, None, number))
        ycc[..., 1:] = gaussian(ycc[..., 1:], 3, channel_axis=2)
        lr.append((ycbcr2rgb(ycc).clip(0, 1) * 255).round().astype(np.uint8))
    group = calibrate(lr, [None] * len(lr), hr, SCALE).groups[0]
    assert group.doubt == 0
    assert widths(group) == pytest.approx([SCALE * 0.55] * 2, rel=0.1)
    assert not group.solution.by_all
    quiet = group.solution.misfit[[NAMES.index("quiet blue, high"), NAMES.index("quiet red, high")]]
    assert float(quiet.max()) < -3


def test_webp_that_was_stored_without_loss_is_found(sides):
    """It leaves no grid; the folder's colours show it, and that a folder never was WebP."""
    sharp, others = sides
    camera = PRIOR.clone()
    camera[0], camera[NOISE] = math.log(0.7), math.log(3.0)
    plain = [taken(photo, camera, None, i) for i, photo in enumerate(others)]
    webp = [WebPCoding(50).applied(photo) for photo in plain]
    names = [str(i) for i in range(len(others))]
    for photos, kinds in ((plain, {None}), (webp, {"WebP"})):
        seen = [Read()] * len(photos)
        found = measured(names, photos, seen, sharp, SCALE, 0, by_channel=kinds != {None})
        assert {coding.kind for coding in found.codings.photos} == kinds
    assert all(abs(coding.quality - 50) < 20 for coding in found.codings.photos)
    assert f"{len(webp)} of {len(webp)} photos are WebP (quality about" in found.sentence(SCALE)
    assert found.blurs is None
    assert "lossy coding" in found.shared
    degrader = MeasuredCamera(SCALE)
    take_over(degrader, found, 0)
    assert {type(coding) for coding in degrader.codings()} == {WebPCoding}
    assert physical(found.calibration.groups[0].solution.camera, SCALE)["blur_major"] < 1.8


@pytest.mark.parametrize(("misfit", "taken"), [(0.6, True), (1.3, False)])
def test_a_camera_of_luma_alone_has_to_explain_it_well(monkeypatch, misfit, taken):
    """What fits luma halfway, as on a real camera's softer scenes, is no camera at all."""
    count = len(NAMES) - 4
    blank = torch.zeros(len(PARAMETERS))
    found = Solution(PRIOR.clone(), blank, torch.zeros(len(NAMES)), misfit * count, count)
    poor = Solution(PRIOR.clone(), blank, torch.zeros(len(NAMES)), 8.0 * len(NAMES))

    class Fixed:
        def near(self, *_):
            return found

        def around(self, *_):
            return None

        def solve(self, *_):
            return found

    monkeypatch.setattr(Study, "_confirmed", lambda *_: True)
    monkeypatch.setattr("wildsr.calibration.study.with_smooth", lambda *_: (found, frozenset()))
    seen = Seen.alike(torch.zeros(3, len(NAMES)), [None] * 3)
    solution, _ = Study(Fixed())._by_luma(poor, None, seen)
    assert (solution is not poor) == taken


@pytest.mark.parametrize("read", [0.5, 4.0])
def test_the_edges_confirm_the_blur_and_no_other_one(sides, read):
    """Whatever the noise is: the first guess may have been far from it."""
    hr, others = sides
    random = np.random.default_rng(0)
    hidden = PRIOR.clone()
    hidden[:4] = torch.tensor([math.log(0.55), 0.0, 0.0, math.log(read)])
    hidden[5], hidden[6] = 0.2, 0.0
    sharp, fresh = (SharpWindows(hr, 60, SCALE, WINDOW, random) for _ in range(2))
    lr = [[taken(photo, hidden, None, i)] * 3 for i, photo in enumerate(others)]
    figures = torch.stack([statistics(cut(photos, WINDOW, random)).mean(0) for photos in lr])
    study, seen_photos = Study(Rounds(sharp, fresh, random)), Seen.alike(figures, [None] * len(lr))
    for wider, confirmed in ((0.0, True), (0.4, False), (-0.4, False)):
        camera = hidden.clone()
        camera[0] += wider
        found = Solution(camera, torch.zeros(len(PARAMETERS)), torch.zeros(len(NAMES)), 0.0)
        assert study._confirmed(found, seen_photos) is confirmed


class Lost(Rounds):
    """Rounds that never leave no noise by themselves, as JPEG can make them do."""

    def solve(self, model, seen, held=MappingProxyType({})):
        faint = float(model.centre[NOISE]) < math.log(1.5)
        return super().solve(model, seen, held | ({NOISE: math.log(0.15)} if faint else {}))


def test_noise_is_found_where_a_fit_from_none_finds_no_way_out(sides):
    """A Bayer mosaic filled in, whose noise JPEG hides from a camera that starts with none."""
    hr, others = sides
    random, coding = np.random.default_rng(0), JPEGCoding.libjpeg(85)
    hidden = PRIOR.clone()
    hidden[0] = math.log(0.5)
    hidden[3:7] = torch.tensor([math.log(0.12), 0.0, 0.2, 0.0])
    figures = []
    sharp, fresh = (SharpWindows(hr, 60, SCALE, WINDOW, random) for _ in range(2))
    for photo in others:
        clean = taken(photo, hidden, None, 0).astype(np.float32)
        noisy = clean + random.normal(0, 1, clean.shape) * (2 + 5 * np.sqrt(clean / 255))
        lr = coded(to_8_bit(filled_in(noisy)), coding, (0, 0))[0].permute(1, 2, 0)
        photos = [lr.mul(255).round().byte().numpy()] * 3
        figures.append(statistics(cut(photos, WINDOW, random)).mean(0))
    start = PRIOR.clone()
    start[0], start[NOISE] = hidden[0], math.log(0.15)
    study = Study(Lost(sharp, fresh, random))
    group = study.measure(start, torch.stack(figures), [coding] * len(others))
    assert group.misfit < 1
    assert group.solution.by_all  # of colours, too
    assert float(group.solution.camera[NOISE].exp()) > 2


def filled_in(rgb):
    """A Bayer mosaic of (H, W, 3) in 0 to 255, filled in bilinearly: (1, 3, H, W) in [0, 1]."""
    mosaic = np.zeros_like(rgb)
    for channel, row, column in ((0, 0, 0), (1, 0, 1), (1, 1, 0), (2, 1, 1)):
        mosaic[row::2, column::2, channel] = 1
    weights = np.outer([1, 2, 1], [1, 2, 1])[..., None]
    sums, counts = (convolve(x, weights, mode="mirror") for x in (rgb * mosaic, mosaic))
    filled = torch.from_numpy((sums / counts).clip(0, 255) / 255).float()
    return filled.permute(2, 0, 1)[None]


@pytest.mark.parametrize("count", [1, 4])
def test_a_few_photos_are_trained_through_bicubic_too(sides, count):
    hr, others = sides
    hidden = PRIOR.clone()
    hidden[:4] = torch.tensor([math.log(0.4), 0.0, 0.0, math.log(5.0)])
    lr = [taken(photo, hidden, None, i) for i, photo in enumerate(others[:count])]
    found = calibrate(lr, [None] * count, hr, SCALE)
    cameras, codings = found.population()
    share = float((cameras[:, PARAMETERS.index("bicubic")] == 1).float().mean())
    assert share == pytest.approx(found.groups[0].bicubic, abs=0.05)
    assert 0.4 < share < 1
    assert len(codings) == len(cameras) == 256


def test_a_few_photos_of_a_far_wider_blur_are_not_trained_through_bicubic(sides):
    hr, others = sides
    hidden = PRIOR.clone()  # at 30 degrees, as no scene is blurred
    hidden[:4] = torch.tensor([math.log(0.7), 0.5, 0.9, math.log(3.0)])
    lr = [taken(photo, hidden, None, i) for i, photo in enumerate(others[:6])]
    assert calibrate(lr, [None] * 6, hr, SCALE).groups[0].bicubic < 0.1


@pytest.mark.parametrize(
    ("photos", "worse", "least"),
    [(1, 0.0, 0.64), (6, 0.0, 0.35), (6, 28.0, 0.175), (6, 24.0, 0.35), (6, 32.0, 0), (12, 0.0, 0)],
)
def test_few_photos_leave_a_share_to_bicubic_unless_it_is_far_worse(photos, worse, least):
    assert with_few(0.0, photos, worse) == pytest.approx(least, abs=0.005)


def test_it_is_a_function_of_its_arguments(sides):
    hr, others = sides
    lr = [taken(photo, PRIOR, None, i) for i, photo in enumerate(others[:3])]
    first, second = (calibrate(lr, [None] * 3, hr[:8], SCALE, seed=3) for _ in range(2))
    assert torch.equal(first.population()[0], second.population()[0])


def test_photos_too_small_for_a_window_are_refused(sides):
    with pytest.raises(UserError, match="32x32"):
        calibrate([np.zeros((20, 40, 3), np.uint8)], [None], sides[0], SCALE)
