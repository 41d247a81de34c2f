"""The eight flips and rotations of an image (the dihedral group)."""

from __future__ import annotations

from torch import Tensor


def turn(images: Tensor, way: int) -> Tensor:
    """Flip and rotate ``images`` (B, C, H, W) in one of eight ways, 0 to 7; 0 is the identity.

    The bits of ``way``: 1 mirrors left to right, 2 top to bottom, 4 transposes afterwards.
    """
    turned = images.flip([-1] * (way & 1) + [-2] * (way >> 1 & 1))
    return turned.transpose(-1, -2) if way & 4 else turned


def turn_back(images: Tensor, way: int) -> Tensor:
    """Undo :func:`turn` of the same ``way`` on ``images`` (B, C, H, W)."""
    upright = images.transpose(-1, -2) if way & 4 else images
    return upright.flip([-1] * (way & 1) + [-2] * (way >> 1 & 1))
