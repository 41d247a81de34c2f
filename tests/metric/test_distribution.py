"""FID and KID: their formulas by hand and by torchmetrics, and the loading of their network."""

import math

import pytest
import torch
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance, _compute_fid
from torchmetrics.image.kid import KernelInceptionDistance

from wildsr.metric import distribution
from wildsr.metric.distribution import FILE, Inception, fid, frechet, kernel, kid, swd
from wildsr.metric.kind import Setting, TooSmall
from wildsr.metric.panel import Panel

SETTING = Setting("rgb", 0)


def features(count, size=6, seed=0, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(count, size, generator=generator) @ torch.rand(
        size, size, generator=generator
    )
    return mixed + shift


# Formulas ---------------------------------------------------------------------------------------


def test_frechet_by_hand():
    # One dimension: (m1 - m2)^2 + (s1 - s2)^2 with deviations sqrt(2) and 3 sqrt(2).
    a, b = torch.tensor([[0.0], [2.0]]), torch.tensor([[4.0], [10.0]])
    assert frechet(a, b) == pytest.approx((1 - 7) ** 2 + (2**0.5 - 3 * 2**0.5) ** 2)
    assert frechet(a, a) == pytest.approx(0, abs=1e-9)
    assert math.isnan(frechet(a[:1], b))


@pytest.mark.parametrize("counts", [(40, 30), (5, 40), (4, 5)])
def test_frechet_is_torchmetrics_with_more_and_with_fewer_patches_than_features(counts):
    a, b = (features(count, seed=s, shift=s).double() for s, count in enumerate(counts))
    moments = [(x.mean(0), x.T.cov()) for x in (a, b)]
    expected = _compute_fid(*moments[0], *moments[1]).item()
    assert frechet(a, b) == pytest.approx(expected, rel=1e-6)


def test_kernel_by_hand():
    # k(x, y) = (x y + 1)^3 in one dimension: x = 0, 1 and y = 2, 3.
    a, b = torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0], [3.0]])
    within = (1 + 343) * 2 / 2  # k(0, 1) and k(2, 3), each twice, over m (m - 1)
    across = (1 + 1 + 27 + 64) * 2 / 4
    assert kernel(a, b) == pytest.approx(1000 * (within - across))
    assert math.isnan(kernel(a[:1], b))


class Pooled(nn.Module):
    """Mean colours in place of Inception; keeps the patches it is given."""

    num_features = 12

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, images):
        assert images.dtype == torch.uint8
        self.seen.append(images)
        return torch.nn.functional.adaptive_avg_pool2d(images.float() / 255, 2).flatten(1)


def described_and_patches(seed, brightness):
    network = Pooled()
    images = torch.rand(2, 1, 3, 140, 150, generator=torch.Generator().manual_seed(seed))
    described = torch.cat([Inception(network)(image * brightness) for image in images])
    return described, torch.cat(network.seen)


def test_the_metrics_are_torchmetrics_on_the_same_patches():
    ours, our_patches = described_and_patches(0, 0.8)
    sharp, sharp_patches = described_and_patches(1, 1.0)
    assert our_patches.shape == (2 * distribution.PATCHES, 3, 128, 128)
    for reference, found in (
        (FrechetInceptionDistance(Pooled()).set_dtype(torch.float64), frechet(ours, sharp)),
        (KernelInceptionDistance(Pooled(), subsets=1, subset_size=16), kernel(ours, sharp) / 1000),
    ):
        reference.update(sharp_patches, real=True)
        reference.update(our_patches, real=False)
        expected = reference.compute()
        expected = expected[0] if isinstance(expected, tuple) else expected
        assert found == pytest.approx(expected.item(), rel=1e-3, abs=1e-5)


# The network ------------------------------------------------------------------------------------


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The empty folder that torch looks into; nothing is fetched."""

    def refuse(*arguments, **options):
        raise AssertionError("touched the network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("WILDSR_DOWNLOAD", raising=False)
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    distribution._inception.cache_clear()
    yield folder
    distribution._inception.cache_clear()


@pytest.fixture(scope="module")
def random_inception(tmp_path_factory):
    """A file of the published layout with random numbers."""
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    extractor = module.FeatureExtractorInceptionV3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "load_state_dict_from_url", lambda *a, **k: {})
        patch.setattr(extractor, "load_state_dict", lambda self, state: None)
        torch.manual_seed(0)
        network = extractor("inception-v3-compat", ["2048"])
    file = tmp_path_factory.mktemp("inception") / FILE
    torch.save(network.state_dict(), file)
    return file


def test_the_files_name_is_torch_fidelitys():
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    assert module.URL_INCEPTION_V3.rsplit("/", 1)[-1] == FILE


def test_absent_weights_are_named_and_stop_nothing(hub):
    for build in (fid, kid):
        metric = build(SETTING)
        assert metric.needs.what == FILE
        assert str(hub) in metric.needs.how
    panel = Panel("rgb", 0, ["fid", "swd", "kid"])
    row, sharp = panel.gather(), panel.gather()
    image = torch.rand(1, 3, 130, 130, generator=torch.Generator().manual_seed(0))
    row.add(image)
    sharp.add(image)
    assert panel.compare(row, sharp) == {"fid": None, "swd": 0.0, "kid": None}


def test_a_file_of_random_weights_is_loaded(hub, random_inception, monkeypatch):
    monkeypatch.setattr(distribution, "PATCHES", 2)
    (hub / FILE).symlink_to(random_inception)
    panel = Panel("rgb", 0, ["fid", "kid"])
    assert panel.missing() == {}
    assert panel.parts["fid"].describe is panel.parts["kid"].describe  # one pass for both
    row, sharp = panel.gather(), panel.gather()
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, 128, 133, generator=generator)
    row.add(image * 0.5)
    sharp.add(image)
    sharp.add(torch.rand(1, 3, 127, 300))  # too small: left out
    (described,) = sharp.kept.values()
    assert [tuple(x.shape) for x in described] == [(2, 2048)]
    found = panel.compare(row, sharp)
    assert found["fid"] > 0
    assert math.isfinite(found["kid"])
    assert panel.compare(sharp, sharp)["fid"] == pytest.approx(0, abs=1e-6)
    weights = panel.protocol()["fid"]["weights"]
    assert list(weights) == [FILE]
    assert len(weights[FILE].removeprefix("sha256 ")) == 16


def test_a_damaged_file_is_named(hub):
    (hub / FILE).write_bytes(b"nothing")
    needs = fid(SETTING).needs
    assert needs.what == FILE
    assert f"cannot read {hub / FILE}" in needs.how


def test_small_images():
    with pytest.raises(TooSmall, match="needs 128 x 128 pixels, but got 127 x 200"):
        Inception(None)(torch.rand(1, 3, 127, 200))
    with pytest.raises(TooSmall, match="needs 25 x 25 pixels, but got 30 x 24"):
        swd(SETTING).describe(torch.rand(1, 3, 30, 24))
