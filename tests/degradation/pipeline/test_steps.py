import pytest
import torch

from wildsr.degradation.pipeline.blur import Blur, Sharpen, Sinc
from wildsr.degradation.pipeline.noise import JPEG, Noise, Sensor
from wildsr.degradation.pipeline.pipeline import Pipeline
from wildsr.degradation.pipeline.resize import InverseResize, RandomResize, ShiftedNearest, ToLR
from wildsr.degradation.sharpen import usm
from wildsr.error import UserError


def gray_field(count, side, value=0.5):
    return torch.full((count, 3, side, side), value)


def ramp(side):
    """Brightness of a pixel's middle, growing to the right and downwards."""
    x = (torch.arange(side) + 0.5) / side
    return ((x[:, None] + x) / 2).expand(1, 3, -1, -1)


def run(step, hr, scale=1, seeds=None, **after):
    pipeline = Pipeline(scale, {"step": step, **after})
    lr = pipeline(hr, range(len(hr)) if seeds is None else seeds)
    return lr, pipeline.drawn


@pytest.mark.parametrize("kind", ["isotropic", "anisotropic"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_shifted_blur_and_nearest_leave_the_picture_in_its_place(scale, kind):
    side = 24 * scale
    lr, drawn = run(ShiftedNearest({kind: 1}, (1.0, 2.0)), ramp(side), scale)
    inner = slice(6, 18)
    expected = ramp(24)[..., inner, inner]
    torch.testing.assert_close(lr[..., inner, inner], expected, atol=1.1 / 255, rtol=0)
    assert drawn[0][-1] == {"step": "resize", "kind": "nearest", "size": "24x24"}


def test_sizes_of_the_resizings():
    hr = torch.rand(100, 3, 32, 32)
    for step, low, high in (
        (RandomResize((0.5, 1.5), 1, 1, 0, of="hr"), 16, 48),
        (RandomResize((0.5, 1.5), 1, 1, 0, of="lr"), 4, 12),
        (InverseResize((1, 8)), 4, 32),
    ):
        _, drawn = run(step, hr, 4, to_lr=ToLR())
        sides = [int(sample[0]["size"].split("x")[0]) for sample in drawn]
        assert low <= min(sides) < low + 3
        assert high - 5 < max(sides) <= high
    inverse = [int(sample[0]["size"].split("x")[0]) for sample in drawn]
    # 1 / f with f uniform in [1, 8]: half of them smaller than 32 / 4.5
    assert sum(side < 32 / 4.5 for side in inverse) == pytest.approx(50, abs=17)


def test_kinds_of_kernels():
    hr = torch.zeros(40, 3, 21, 21)
    hr[:, :, 10, 10] = 1
    for kind in ("isotropic", "plateau", "generalized"):
        lr, _ = run(Blur({kind: 1}, (2, 2), sizes=(21, 21)), hr)
        torch.testing.assert_close(lr, lr.transpose(2, 3), atol=1.1 / 255, rtol=0)
    lr, drawn = run(Blur({"anisotropic": 1}, (0.5, 4), power=2, sizes=(21, 21)), hr)
    assert (lr - lr.transpose(2, 3)).abs().amax((1, 2, 3)).gt(1.5 / 255).sum() > 15
    said = [sample[0]["kernel"] for sample in drawn]
    widths = [float(w) for line in said for w in line.split()[1].removesuffix("px").split("x")]
    assert 0.5 <= min(widths) < max(widths) <= 4
    assert sum(w * w for w in widths) / 80 == pytest.approx((0.25 + 16) / 2, rel=0.2)


def test_a_sinc_rings():
    hr = torch.zeros(1, 3, 41, 41)
    hr[..., 20:] = 0.8
    hr += 0.1
    lr, drawn = run(Sinc((1.2, 1.3), sizes=(21, 21)), hr)
    assert lr.max() > 0.9 + 4 / 255
    assert lr.min() < 0.1 - 4 / 255
    assert "sinc, cutoff 1.2" in drawn[0][0]["kernel"]


def test_levels_of_the_noises():
    hr = gray_field(8, 64)
    for kind, expected in (("gaussian", 10), ("speckle", 5), ("poisson_gauss", None)):
        lr, drawn = run(Noise({kind: 1}, sigma=(10, 10)), hr)
        level = float((lr - 0.5).std() * 255)
        # of a sensor read^2 + shot^2 * brightness, both 10
        assert level == pytest.approx(expected or (100 + 50) ** 0.5, rel=0.05)
        assert drawn[0][0] == {"step": "noise", "kind": kind, "level": 10.0}
    for kind in ("poisson", "exact_poisson"):
        lr, _ = run(Noise({kind: 1}, poisson=(1, 1)), ramp(64).expand(8, -1, -1, -1))
        residual = lr - ramp(64)
        # 127 levels are there, so 128 photons at full brightness
        bright = residual[..., -16:, -16:]
        assert float(bright.std()) == pytest.approx((0.875 / 128) ** 0.5, rel=0.1)
        assert float(residual[..., :8, :8].std()) < 0.5 * float(bright.std())


def test_gray_and_coloured_noise():
    hr = gray_field(60, 8)
    lr, drawn = run(Noise({"gaussian": 1}, sigma=(8, 8), gray=0.5), hr)
    same = ((lr[:, 0] - lr[:, 1]).abs().amax((1, 2)) == 0).tolist()
    assert same == [sample[0]["kind"] == "gray gaussian" for sample in drawn]
    assert 18 < sum(same) < 42
    lr, _ = run(Noise({"covariance": 1}, sigma=(10, 10)), gray_field(60, 32))
    noise = (lr - 0.5).flatten(2)
    covariance = noise @ noise.transpose(1, 2) / noise.shape[-1] * 255**2
    largest = torch.linalg.eigvalsh(covariance)[:, -1]
    assert largest.max() < 100 * 1.15
    assert covariance[:, 0, 1].abs().mean() > 5  # the channels do not go alone


def test_a_sensor_without_noise_gives_the_picture_back():
    quiet = Sensor(read=(0, 0), shot=(0, 0))
    smooth = 0.2 + 0.6 * ramp(32)
    lr, _ = run(quiet, smooth)
    torch.testing.assert_close(lr[..., 4:-4, 4:-4], smooth[..., 4:-4, 4:-4], atol=3 / 255, rtol=0)
    loud, drawn = run(Sensor(read=(4, 4), shot=(16, 16)), gray_field(4, 64))
    noise = loud - loud.mean((2, 3), keepdim=True)
    assert 2 < float(noise.std() * 255) < 30
    # demosaicking spreads noise over neighbours
    neighbours = (noise[..., 1:] * noise[..., :-1]).mean() / noise.square().mean()
    assert neighbours > 0.15
    assert drawn[0][0]["read"] == 4


def test_sharpening_comes_from_the_published_filter():
    hr = torch.rand(2, 3, 20, 20)
    lr, _ = run(Sharpen(0.5, 10, 5), hr)
    torch.testing.assert_close(lr, usm(hr, 0.5, 10, 5).clamp(0, 1), atol=0.51 / 255, rtol=0)


def test_mistakes_are_named():
    with pytest.raises(UserError, match=r"`of` must be one of \['hr', 'lr'\], but got 'sr'"):
        RandomResize((0.5, 1), 1, 1, 1, of="sr")
    with pytest.raises(
        UserError, match=r"`sizes` must be two odd numbers, the smaller first, but got \(6, 9\)"
    ):
        Blur({"isotropic": 1}, (1, 2), sizes=(6, 9))


@pytest.mark.parametrize("channels", [1, 3])
def test_noise_correlated_between_the_channels_of_gray_and_rgb(channels):
    hr = torch.full((1, channels, 64, 64), 0.5)
    lr, _ = run(Noise({"covariance": 1}, (20, 20)), hr)
    assert lr.shape == hr.shape
    assert 0.5 / 255 < (lr - hr).std() < 20 / 255


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: JPEG((0, 90)), "`quality` must be within 1 to 100"),
        (lambda: JPEG(50), "`quality` must be two numbers, the smaller first, but got 50"),
        (lambda: JPEG((30, 50), "4:1:1"), r"`subsampling` must be one of \[.*but got '4:1:1'"),
        (lambda: Noise({"gaussian": 1}, sigma="ab"), "`sigma` must be two numbers"),
        (lambda: Noise({"gaussian": 1}, sigma=(-1, 2)), "`sigma` must be two numbers from 0 on"),
        (lambda: Noise({"gaussian": "much"}), "`kinds` must be numbers from 0 on"),
        (lambda: Blur({"isotropic": 1}, (-1, 2)), "`sigma` must be two numbers above 0"),
        (lambda: InverseResize((0, 0)), r"`bounds` must be two numbers above 0, but got \(0, 0\)"),
        (lambda: RandomResize(("a", "b"), 1, 1, 1), "`bounds` must be two numbers"),
        (lambda: RandomResize((0.5, 2), 1, 1, 1, kinds={"cubic": 1}), "`kinds` must be one of"),
        (lambda: ToLR({"cubic": 1}), r"`kinds` must be one of \['area'.*but got 'cubic'"),
        (lambda: Sensor(red=(0, 1)), "`red` must be two numbers above 0"),
        (
            lambda: Noise({"gaussian": 1}, gray="half"),
            r"`gray` must be in \[0, 1\], but got 'half'",
        ),
        (lambda: Blur({"isotropic": 1}, (1, 2), sinc=2), r"`sinc` must be in \[0, 1\]"),
        (lambda: Blur({"isotropic": 1}, (1, 2), power=0), "`power` must be above 0, but got 0"),
        (lambda: Sinc(sizes=7), "`sizes` must be two odd numbers"),
        (lambda: JPEG((30, 101)), "`quality` must be within 1 to 100"),
        (lambda: Sinc(sizes=(8, 21)), "`sizes` must be two odd numbers"),
        (lambda: Sinc(sizes=(21, 7)), "`sizes` must be two odd numbers"),
        (lambda: Blur({"isotropic": 1}, (1, 2), sizes=(9, 7)), "`sizes` must be two odd numbers"),
    ],
)
def test_what_a_kernel_and_a_coder_cannot_be_is_refused(made, said):
    with pytest.raises(UserError, match=said):
        made()
