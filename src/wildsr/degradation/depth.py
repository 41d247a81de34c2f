"""How many levels degraded images have: those of 8 bits, or any."""

from __future__ import annotations

from torch import Tensor, nn

from wildsr.pixels import clamped, to_8_bit


def stored(images: Tensor, deep: bool) -> Tensor:
    """Degraded images in [0, 1] as files hold them: of 8 bits in 255ths, ``deep`` ones as they are.

    With the gradient of the identity.
    """
    return clamped(images) if deep else to_8_bit(images)


def deepen(module: nn.Module) -> nn.Module:
    """Let a degradation give values between the 256 levels of 8 bits, for files of more.

    Whatever in it rounds at its end has an attribute ``deep``, which is set. What JPEG has coded
    keeps the levels of JPEG. Returns ``module``.
    """
    for part in module.modules():
        if getattr(part, "deep", None) is False:
            setattr(part, "deep", True)  # noqa: B010 (no parameter, nor a module)
    return module
