"""ST-LPIPS against its package: recorded values, and the package where it can be imported."""

import math
import subprocess
import sys

import pytest
import torch
from skimage import data
from torch.autograd import gradcheck

from wildsr.error import UserError
from wildsr.loss.content import Content
from wildsr.loss.st_lpips import NETS, STLPIPS, shifted
from wildsr.network.trunk import shift_tolerant
from wildsr.network.trunk.encoder import load_encoder
from wildsr.network.trunk.files import MissingWeights, load_trunk, missing_trunk

# By stlpips-pytorch 0.0.2, LPIPS(net, variant="shift_tolerant"), of `waves`, in [0, 1].
RECORDED = {
    ("vgg", 64, 64): 0.5333837270736694,
    ("vgg", 61, 83): 0.5665620565414429,
    ("alex", 64, 64): 0.03914444148540497,
    ("alex", 61, 83): 0.03893516957759857,
}
INSTALLED = missing_trunk(NETS["vgg"]) is None
needs_weights = pytest.mark.skipif(not INSTALLED, reason="needs pip install stlpips-pytorch")


def waves(height, width):
    """A pair without random numbers, which differ between versions of torch."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    y, x = y.double(), x.double()
    clean = [(0.11 * x + 0.07 * y).sin(), (0.05 * x * y / 10).cos(), (0.31 * x - 0.23 * y).sin()]
    fine = [(1.9 * x).sin(), (2.3 * y).cos(), (1.1 * x + 1.7 * y).sin()]
    target = torch.stack(clean) / 3 + 0.5
    prediction = (target + torch.stack(fine) / 10).clamp(0, 1)
    return prediction[None].float(), target[None].float()


def distance(loss, prediction, target):
    return loss(prediction=loss.encoder(prediction), target=loss.encoder(target))


@needs_weights
@pytest.mark.parametrize(("case", "expected"), RECORDED.items())
def test_is_what_the_package_recorded(case, expected):
    net, *size = case
    assert distance(STLPIPS(net), *waves(*size)).item() == pytest.approx(expected, abs=1e-5)


@needs_weights
@pytest.mark.parametrize("net", NETS)
def test_is_what_the_package_says(net):
    package = pytest.importorskip("stlpips_pytorch.stlpips")
    reference = package.LPIPS(net=net, variant="shift_tolerant", verbose=False)
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, 3, 47, 66, generator=generator)
    y = (x + 0.2 * torch.randn(x.shape, generator=generator)).clamp(0, 1)
    with torch.no_grad():
        expected = reference(x, y, normalize=True).mean()
    assert distance(STLPIPS(net), x, y).item() == pytest.approx(expected.item(), abs=1e-5)


@needs_weights
@pytest.mark.heavy
def test_the_package_is_not_imported():
    code = (
        "import sys; from wildsr.loss.st_lpips import STLPIPS; STLPIPS('alex');"
        "sys.exit('stlpips_pytorch' in sys.modules or 'torchvision' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@needs_weights
@pytest.mark.parametrize("trunk", NETS.values())
def test_features_of_photos_are_of_one_size(trunk):
    crops = [getattr(data, name)() for name in ("astronaut", "coffee", "chelsea", "rocket")]
    crops = [torch.tensor(crop[40:136, 100:196]).permute(2, 0, 1) / 255 for crop in crops]
    encoder = load_encoder(trunk)
    features = encoder(torch.stack(crops))
    for layer in (name for name in encoder.layers if name.startswith("conv")):
        assert 0.6 < features[layer].std() < 1.6, layer


@needs_weights
def test_layers_are_chosen_and_add_up():
    a, b = waves(64, 64)
    heads = shift_tolerant.TRUNKS[NETS["vgg"]].heads
    parts = [distance(STLPIPS("vgg", {layer: 1}), a, b) for layer in heads]
    torch.testing.assert_close(sum(parts), distance(STLPIPS("vgg"), a, b))
    weighted = distance(STLPIPS("vgg", {"relu1_2": 3, "relu2_2": 0}), a, b)
    torch.testing.assert_close(weighted, 3 * parts[0])
    assert list(STLPIPS("vgg", {"relu1_2": 3, "relu2_2": 0}).layers) == ["relu1_2"]


@needs_weights
@pytest.mark.parametrize("shift", [0, 1.5])
def test_gradient_reaches_the_prediction_alone(shift):
    a, b = (image.requires_grad_() for image in waves(40, 36))
    loss = STLPIPS("vgg", {"relu1_2": 1, "relu2_2": 1}, shift=shift)
    distance(loss, a, b).backward()
    assert a.grad.abs().sum() > 0
    assert torch.isfinite(a.grad).all()
    assert b.grad is None
    assert loss.state_dict() == {}
    assert list(loss.parameters()) == []


@needs_weights
def test_gradient():
    loss = STLPIPS("vgg", {"relu1_2": 1})
    a, b = (image[..., :6, :6].double() for image in waves(12, 12))
    assert gradcheck(lambda x: distance(loss, x, b), (a.requires_grad_(),), fast_mode=True)


@needs_weights
def test_equal_images_have_no_distance_and_a_random_shift_keeps_that():
    image, other = waves(48, 40)
    loss = STLPIPS("vgg", {"relu1_2": 1, "relu3_3": 1}, shift=2)
    assert distance(loss, image, image) == 0
    torch.manual_seed(0)
    first, second = distance(loss, image, other), distance(loss, image, other)
    assert first != second, "another draw"
    torch.manual_seed(0)
    assert distance(loss, image, other) == first, "a run that is resumed goes on alike"
    unmoved = distance(STLPIPS("vgg", loss.layers), image, other)
    assert first == pytest.approx(unmoved.item(), rel=0.5)


def test_a_shift_of_whole_pixels_moves_pixels():
    image = torch.rand(2, 3, 12, 10)
    moved = shifted(image, torch.tensor([[2.0, 0.0], [-1.0, 3.0]]))
    torch.testing.assert_close(moved[0, :, 2:], image[0, :, :-2], atol=1e-4, rtol=0)
    torch.testing.assert_close(moved[1, :, :-1, 3:], image[1, :, 1:, :-3], atol=1e-4, rtol=0)
    ramp = torch.linspace(0, 1, 20).expand(1, 1, 20, 20)
    half = shifted(ramp, torch.tensor([[0.0, 0.5]]))
    between = (ramp[..., 4:15] + ramp[..., 5:16]) / 2
    torch.testing.assert_close(half[..., 5:16], between, atol=1e-4, rtol=0)
    assert shifted(image.bfloat16(), torch.zeros(2, 2)).dtype == torch.float32


@needs_weights
def test_alex_is_deceived_by_grids_that_vgg_sees():
    """Why the docstring warns of training on alex alone."""
    _, sharp = waves(96, 96)
    grid = torch.zeros(96, 96)
    grid[::2, ::2] = 16 / 255
    alex, vgg = (distance(STLPIPS(net), sharp + grid, sharp).item() for net in ("alex", "vgg"))
    assert vgg > 50 * alex
    assert vgg > 0.05


def test_mistakes_are_named():
    for wrong, message in (
        ({"net": "alexnet"}, "Did you mean 'alex'"),
        ({"shift": -1}, "`shift` must be from 0 to 63 pixels, but got -1"),
        ({"shift": math.nan}, "`shift`"),
        ({"layers": {"relu1_3": 1}}, "'relu1_2', .* but got 'relu1_3'"),
        ({"layers": {"relu1": 1}}, "relu1_2"),
    ):
        with pytest.raises(UserError, match=message):
            STLPIPS(**wrong)


@needs_weights
@pytest.mark.parametrize(("net", "smallest"), [("vgg", 18), ("alex", 21)])
def test_too_small_an_image_is_a_sentence(net, smallest):
    loss = STLPIPS(net)
    distance(loss, *waves(smallest, smallest + 1))
    with pytest.raises(UserError, match=f"at least {smallest} pixels"):
        distance(loss, *waves(smallest + 1, smallest - 1))


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder in which the wheel's files are looked for; nothing is there yet."""

    def located(trunk):
        return tmp_path / shift_tolerant.TRUNKS[trunk].file

    monkeypatch.setattr(shift_tolerant, "path", located)
    load_encoder.cache_clear()
    yield tmp_path
    load_encoder.cache_clear()


def test_without_the_wheel_a_sentence_says_what_to_install(elsewhere, monkeypatch):
    monkeypatch.setenv("WILDSR_DOWNLOAD", "1")  # pip alone brings it
    with pytest.raises(MissingWeights, match=r"vgg_shift_tolerant.pth .* pip install stlpips-p"):
        STLPIPS("vgg")


def test_another_file_of_that_name_is_not_read(elsewhere):
    torch.save({}, elsewhere / "alex_shift_tolerant.pth")
    with pytest.raises(MissingWeights, match=r"cannot be read .* pip install --force-reinstall"):
        load_trunk("alexnet_shift_tolerant")


def test_without_metadata_the_file_is_expected_where_pip_puts_it(monkeypatch):
    def absent(name):
        raise shift_tolerant.PackageNotFoundError(name)

    monkeypatch.setattr(shift_tolerant, "distribution", absent)
    assert str(shift_tolerant.path(NETS["vgg"])).endswith(
        "stlpips_pytorch/weights/vST0.0/vgg_shift_tolerant.pth"
    )


@needs_weights
def test_content_without_torchvisions_file_looks_through_this_vgg(no_weights):
    a, b = waves(32, 32)
    loss = Content({"conv1_2": 0.1, "conv3_4": 1, "conv3_3": 2})
    assert (loss.trunk, loss.encoder.name) == ("vgg19", "vgg16_shift_tolerant")
    assert loss.layers == {"conv1_2": 0.1, "conv3_3": 3.0}
    same = Content({"conv1_2": 0.1, "conv3_3": 3}, trunk="vgg16_shift_tolerant")
    assert same.encoder is loss.encoder, "one pass serves both, and ST-LPIPS"
    assert loss.encoder is STLPIPS("vgg").encoder
    assert distance(loss, a, b) == distance(same, a, b) > 0
    with pytest.raises(MissingWeights, match="alexnet-owt"):
        Content({"conv1": 1}, trunk="alexnet")


@needs_weights
def test_content_prefers_torchvisions_file(on_disk):
    assert Content({"conv3_4": 1}).encoder.name == "vgg19"


@needs_weights
def test_content_downloads_where_that_is_allowed(no_weights, monkeypatch):
    monkeypatch.setenv("WILDSR_DOWNLOAD", "1")
    asked = []
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda url, *_, **__: asked.append(url))
    with pytest.raises(MissingWeights, match="vgg19"):
        Content({"conv3_4": 1})
    assert asked
