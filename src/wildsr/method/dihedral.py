"""Flip and turn images in the eight ways of the dihedral group."""

from __future__ import annotations

from torch import Tensor


def lay(images: Tensor, way: int) -> Tensor:
    """Flip and turn ``images`` (B, C, H, W) in one of eight ways; 0 leaves them as they are.

    The bits of ``way``: 1 mirrors left to right, 2 top to bottom, 4 transposes afterwards.
    """
    laid = images.flip([-1] * (way & 1) + [-2] * (way >> 1 & 1))
    return laid.transpose(-1, -2) if way & 4 else laid


def lay_back(images: Tensor, way: int) -> Tensor:
    """Undo :func:`lay`."""
    upright = images.transpose(-1, -2) if way & 4 else images
    return upright.flip([-1] * (way & 1) + [-2] * (way >> 1 & 1))
