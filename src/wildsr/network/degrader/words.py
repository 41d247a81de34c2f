"""Describe measured cameras in words."""

from __future__ import annotations

import math

from torch import Tensor


def blurs_sentence(blurs: Tensor) -> str:
    """Say how wide the blur of each channel is beside that of all, (C, 3)."""
    widths = ", ".join(f"{float(width):.2f}" for width in blurs[:, 0].exp())
    return f"blur of the channels {widths} times as wide as that of all"


def sentence(said: dict[str, float]) -> str:
    """Describe a camera in words, given its parameters as ``MeasuredCamera.physical`` has them."""
    if said.get("bicubic", 0.0) > 0.5:
        words = "antialiased bicubic downscaling"
    else:
        words = f"blur {said['blur_major']:.1f} x {said['blur_minor']:.1f} px"
        if said["blur_major"] > 1.15 * said["blur_minor"]:
            words += f" along {said['blur_angle']:.0f} degrees"
        if said["blur_exponent"] > 1.5:
            words += " (a plateau, as of motion or a disc)"
    lift = said.get("noise_lift", 1.0)
    dark = said["noise_read"] * lift
    white = math.hypot(said["noise_read"], said["noise_shot"]) / lift
    words += f", noise {dark:.1f}/255 in the dark and {white:.1f}/255 at white"
    if "black" in said:
        words += f", black level {said['black']:.1%} of the range"
    if said["noise_correlation"] > 0.3:
        words += f", correlated over {said['noise_correlation']:.1f} px"
    if said["noise_gray"] > 0.3:
        words += f", {said['noise_gray']:.0%} of it the same in all channels"
    if said.get("noise_blotch", 1.0) > 1.2:
        words += f", in colour {said['noise_blotch']:.1f} times as coarse"
    if said.get("denoising", 0.0) > 0.05:
        words += f", denoised by {said['denoising']:.0%}"
        if said.get("denoising_patches", 0.0) > 0.5:
            words += " (comparing patches)"
    if abs(said["sharpening"]) > 0.05:
        words += f", sharpened by {said['sharpening']:.1f}"
    return words
