"""Networks of any number of channels, and weights of RGB as their start."""

import pytest
import torch

from wildsr.config.compose import configure
from wildsr.config.make import make, start_from
from wildsr.network.channels import adapted
from wildsr.network.upscaler.compact import Compact
from wildsr.network.upscaler.edsr import EDSR
from wildsr.network.upscaler.published import Published
from wildsr.network.upscaler.rrdb import RRDBNet

UPSCALERS = {
    "compact_small": 4,
    "dbpn_small": 2,
    "edsr_small": 2,
    "lapsrn": 2,
    "rrdb_small": 2,
    "srcnn": 2,
    "srresnet": 2,
    "swinir_light": 2,
    "vdsr": 2,
}
SMALL = {"features": 12, "blocks": 1, "depth": 2, "stages": 2, "convolutions": 1, "growth": 4}
SMALL |= {"initial_features": 8, "groups": 1, "heads": 2, "image_size": 16}


def small(name, channels):
    scale = UPSCALERS[name]
    typed = [f"network/upscaler={name}", f"scale={scale}", f"sensor.channels={channels}"]
    node = configure("train", typed).network.upscaler
    for key, value in SMALL.items():
        if key in node and isinstance(node[key], int):
            node[key] = value
    torch.manual_seed(0)
    return make(node, "network.upscaler"), scale


@pytest.mark.parametrize("name", UPSCALERS)
@pytest.mark.parametrize("channels", [1, 5])
def test_upscalers_take_the_sensors_channels(name, channels):
    network, scale = small(name, channels)
    assert network.channels == channels
    assert network.eval()(torch.rand(1, channels, 16, 16)).shape == (
        1,
        channels,
        16 * scale,
        16 * scale,
    )


@pytest.mark.heavy
@pytest.mark.parametrize("name", UPSCALERS)
def test_rgb_weights_start_a_gray_network(name):
    rgb, _ = small(name, 3)
    gray, _ = small(name, 1)
    gray.load_state_dict(dict(adapted(rgb.state_dict(), gray, f"`weights` {name}")))
    image = torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        expected = rgb.eval()(image.expand(-1, 3, -1, -1)).mean(1, keepdim=True)
        found = gray.eval()(image)
    # DIV2K's mean differs by channel; the border is padded after it is taken, which attention sees.
    inner = (..., slice(8, -8), slice(8, -8))
    most = {"edsr_small": 1e-4, "swinir_light": 0.05}.get(name, 1e-5)
    assert (found - expected)[inner].abs().max() < most


def test_rgb_weights_start_networks_of_more_channels():
    rgb, many = Compact(2, 8, 1), Compact(2, 8, 1, channels=6)
    many.load_state_dict(dict(adapted(rgb.state_dict(), many, "`weights`")))
    image = torch.rand(1, 1, 8, 8)
    with torch.no_grad():
        expected = rgb(image.expand(-1, 3, -1, -1)).mean(1, keepdim=True).expand(-1, 6, -1, -1)
        assert torch.allclose(many(image.expand(-1, 6, -1, -1)), expected, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 4])
def test_the_mean_that_is_subtracted_from_rgb_is_that_of_each_channel(channels):
    torch.manual_seed(0)
    rgb, other = EDSR(2, 8, 1), EDSR(2, 8, 1, channels=channels)
    with torch.no_grad():
        rgb.head[0].weight.mul_(torch.tensor([5.0, 1.0, -3.0]).view(1, 3, 1, 1))
    other.load_state_dict(dict(adapted(rgb.state_dict(), other, "`weights`")))
    image = torch.rand(1, 1, 24, 24)
    with torch.no_grad():
        expected = rgb(image.expand(-1, 3, -1, -1)).mean(1, keepdim=True)
        found = other(image.expand(-1, channels, -1, -1)).mean(1, keepdim=True)
    inner = (..., slice(16, -16), slice(16, -16))  # the border is padded after the mean is taken
    assert torch.allclose(found[inner], expected[inner], atol=1e-5)


def test_weights_of_another_scale_are_not_taken_for_those_of_other_channels():
    weights = Compact(4, 8, 1).state_dict()  # its last layer has 48 outputs; at scale 2 of 12 bands
    assert adapted(weights, Compact(2, 8, 1), "`weights`") is weights


def test_unshuffled_pixels_stay_beside_their_channel():
    rgb, gray = RRDBNet(2, 8, 1, 4), RRDBNet(2, 8, 1, 4, channels=1)
    gray.load_state_dict(dict(adapted(rgb.state_dict(), gray, "`weights`")))
    image = torch.rand(1, 1, 8, 8)
    with torch.no_grad():
        expected = rgb(image.expand(-1, 3, -1, -1)).mean(1, keepdim=True)
        assert torch.allclose(gray(image), expected, atol=1e-6)


def test_it_is_said_and_weights_of_another_network_are_not_touched(caplog):
    rgb, other = Compact(2, 8, 1), Compact(2, 9, 1, channels=1)
    weights = rgb.state_dict()
    assert adapted(weights, other, "`weights` x") is weights
    assert adapted(weights, Compact(2, 8, 1), "`weights` x") is weights
    adapted(weights, Compact(2, 8, 1, channels=1), "`weights` photo.pth")
    assert "`weights` photo.pth are of RGB, the photos of gray" in caplog.text


@pytest.mark.parametrize("made", [Compact(4, 8, 2), RRDBNet(4, 8, 1, 32)], ids=["compact", "rrdb"])
@pytest.mark.parametrize("channels", [1, 4])
def test_published_weights_start_other_channels(tmp_path, made, channels):
    path = tmp_path / "photo.pth"
    torch.save({"params": made.state_dict()}, path)
    network = Published(path, 4, channels).eval()
    assert network.channels == channels
    image = torch.rand(1, 1, 12, 12)
    with torch.no_grad():
        expected = made(image.expand(-1, 3, -1, -1)).mean(1, keepdim=True)
        found = network(image.expand(-1, channels, -1, -1))
    assert torch.allclose(found, expected.expand(-1, channels, -1, -1), atol=1e-5)


def test_start_from_a_file_of_rgb(tmp_path):
    path = tmp_path / "rgb.pth"
    torch.save(Compact(2, 8, 1).state_dict(), path)
    gray = Compact(2, 8, 1, channels=1)
    start_from(gray, str(path))
    assert torch.isfinite(gray(torch.rand(1, 1, 8, 8))).all()
