"""Spectra of images whose spectra are known."""

import math

import pytest
import torch

from wildsr.metric.statistic.radial_spectrum import FREQUENCIES, radial_spectrum


@pytest.mark.parametrize("std", [2.0, 10.0])
def test_white_noise_is_flat_at_its_level(std):
    gray = std * torch.randn(1, 256, 256, generator=torch.Generator().manual_seed(0))
    found = radial_spectrum(gray.expand(3, -1, -1) + 100)
    # E[log10 of an exponential variable] is -0.2507 decades: 2.5 dB under its mean.
    expected = 20 * math.log10(std) - 2.507
    # The mean was subtracted: less is left in the lowest ring.
    assert found[1:].tolist() == pytest.approx([expected] * 15, abs=0.4)


@pytest.mark.parametrize("period", [4, 8, 16])
def test_detail_of_one_size_is_found_there(period):
    noise = torch.randn(128, 128, generator=torch.Generator().manual_seed(0))
    axis = torch.fft.fftfreq(128)
    distance = (axis[:, None] ** 2 + axis**2).sqrt() - 1 / period
    ring = torch.fft.ifft2(torch.fft.fft2(noise) * (distance.abs() < 1 / 64)).real
    found = radial_spectrum(100 + 50 * ring.expand(3, -1, -1))
    assert 1 / FREQUENCIES[found.argmax()].item() == period


def test_half_the_contrast_is_six_decibels():
    photo = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0)) * 200
    difference = radial_spectrum(photo) - radial_spectrum(photo / 2)
    assert difference.tolist() == pytest.approx([20 * math.log10(2)] * 16, abs=1e-6)
