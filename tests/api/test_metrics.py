"""Metrics as functions: the numbers of the panel, whatever the images are held in."""

import numpy as np
import pytest
import torch
from skimage.data import astronaut
from skimage.metrics import peak_signal_noise_ratio

import wildsr
from wildsr.metric.catalogue import CATALOGUE
from wildsr.metric.kind import Pair, Set, Setting, Single
from wildsr.metric.panel import Panel


@pytest.fixture(scope="module")
def images():
    hr = astronaut()[:192, :192]
    return {"hr": hr, "sr": (hr // 16 * 16).astype(np.uint8), "lr": hr[::4, ::4]}


def floats(image):
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None] / 255


def test_psnr_is_that_of_another_library(images):
    expected = peak_signal_noise_ratio(images["hr"], images["sr"])
    assert wildsr.psnr(images["sr"], images["hr"]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.heavy
@pytest.mark.parametrize("name", CATALOGUE)
def test_every_metric_equals_the_panels(name, images):
    degrader = wildsr.Pipeline("bicubic", scale=4)
    part = CATALOGUE[name](Setting("rgb", 0, degrader))
    function, sr = getattr(wildsr, name), images["sr"]
    panel = Panel("rgb", 0, [name], degrader)
    measured = panel.measure(*(floats(images[n]) for n in ("sr", "hr", "lr"))).get(name)
    if part.needs is not None:
        arguments = [[sr], [sr]] if isinstance(part, Set) else [sr, images["hr"]]
        if isinstance(part, Single):
            arguments = [sr]
        with pytest.raises(wildsr.UserError, match=r"needs? "):
            function(*arguments)
    elif isinstance(part, Pair):
        assert function(sr, images["hr"]) == measured
        assert function(floats(sr)[0].double(), floats(images["hr"])) == measured
    elif isinstance(part, Single):
        takes = function.__code__.co_varnames[: function.__code__.co_argcount]
        given = {"sr": sr, "lr": images["lr"], "degrader": degrader}
        assert function(**{n: given[n] for n in takes}) == measured
    elif name == "niqe_own":  # which asks for more than one small photo
        with pytest.raises(wildsr.UserError, match="needs 72 sharp blocks"):
            function([sr], [images["hr"]])
    else:
        assert function([sr], [images["hr"]]) > 0


def test_channel_and_border_count(images):
    sr, hr = images["sr"], images["hr"]
    panel = wildsr.Panel(["psnr", "ssim"], channel="y", border=4)
    found = panel.measure(sr, hr)
    assert found["psnr"] == wildsr.psnr(sr, hr, channel="y", border=4) != wildsr.psnr(sr, hr)
    assert found["ssim"] == wildsr.ssim(sr, hr, channel="y", border=4)


def test_gray_images_are_their_own_y(images):
    sr, hr = images["sr"][..., 0], images["hr"][..., 0]
    expected = peak_signal_noise_ratio(hr, sr)
    assert wildsr.psnr(sr, hr, channel="y") == pytest.approx(expected, abs=1e-4)


def test_a_panel_compares_sets(images):
    panel = wildsr.Panel(["swd", "psnr"])
    assert panel.compare([images["hr"]], [images["hr"]]) == {"swd": 0.0}
    assert panel.compare([images["sr"]], []) == {"swd": None}
    assert panel.measure(images["sr"]) == {"psnr": None}
    assert panel.missing() == {}
    assert set(wildsr.Panel(["lpips"]).missing()) <= {"lpips"}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda i: wildsr.psnr(i["sr"], i["lr"]), "must have the size of `hr`"),
        (lambda i: wildsr.psnr(i["sr"], i["hr"], channel="z"), "`channel` must be one of"),
        (
            lambda i: wildsr.psnr(i["sr"], i["hr"], border=-1),
            "`border` must be an integer of at least 0",
        ),
        (
            lambda i: wildsr.psnr(i["sr"], i["hr"], border=[1]),
            "`border` must be an integer of at least 0",
        ),
        (lambda i: wildsr.psnr("a.png", i["hr"]), "`sr` must be a numpy array"),
        (lambda i: wildsr.ms_ssim(i["lr"], i["lr"]), "as small as 48 x 48"),
        (lambda i: wildsr.swd([i["lr"][:9, :9]], [i["hr"]]), "`results` must hold an image"),
        (lambda i: wildsr.ringing(i["sr"], i["hr"][:100]), "whole number of times"),
        (lambda i: wildsr.Panel(["psnrr"]), "Did you mean 'psnr'"),
    ],
)
def test_what_cannot_be_measured(call, said, images):
    with pytest.raises(wildsr.UserError, match=said):
        call(images)
