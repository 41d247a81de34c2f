"""Front-ends of critics without parameters: transforms before the first layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wildsr.argument import check_counts
from wildsr.error import UserError, unknown
from wildsr.network.padding import pad_to
from wildsr.network.window import Window
from wildsr.pixels import LUMA


class Front(nn.Module):
    """Base class of front-ends: transforms of the image before a critic's first layer.

    The defaults are those of a per-pixel transform that keeps the channels. Differentiable (twice,
    for gradient penalties), so that gradient reaches the generator.

    Attributes:
        layer: kernel size, stride and padding of a convolution with the same receptive field.
    """

    layer: tuple[int, int, int] = (1, 1, 0)

    def channels(self, inputs: int) -> int:
        """The number of output channels for ``inputs`` input channels."""
        return inputs

    def window(self, inputs: Window) -> Window:
        """The receptive field of an output, given that of its inputs."""
        return inputs.after(*self.layer)


class Chain(Front):
    """Applies several front-ends one after the other.

    Args:
        front: one front-end, several by name in their order (None entries are skipped), or None.

    Raises:
        UserError: something that is not a front-end.
    """

    def __init__(self, front: nn.Module | Mapping[str, nn.Module | None] | None = None) -> None:
        super().__init__()
        self.members = nn.ModuleList()
        for member in front.values() if isinstance(front, Mapping) else [front]:
            if isinstance(member, Front):
                self.members.append(member)
            elif member is not None:
                raise UserError(
                    "Argument `front` must be made of front-ends (of wildsr.network.front.front, "
                    f"or of your own from its class Front), but got {type(member).__name__}."
                )

    def channels(self, inputs: int) -> int:
        """The number of output channels of the last one."""
        for member in self.members:
            inputs = member.channels(inputs)  # type: ignore[operator]
        return inputs

    def window(self, inputs: Window) -> Window:
        """The receptive field of an output of the last one."""
        for member in self.members:
            inputs = member.window(inputs)  # type: ignore[operator]
        return inputs

    def forward(self, image: Tensor) -> Tensor:
        """Apply all of them to ``image`` (B, C, H, W)."""
        for member in self.members:
            image = member(image)
        return image


class Raw(Front):
    """Passes the image on unchanged.

    Shapes:
        (B, C, H, W) -> the same.
    """

    def forward(self, image: Tensor) -> Tensor:
        """Return ``image``."""
        return image


class Gray(Front):
    """Converts RGB to luma (BT.601, full range), so that the critic sees no colour.

    A one-channel image stays as it is; of any other number of channels the mean is taken.
    """

    def channels(self, inputs: int) -> int:
        """Always 1."""
        return 1

    def forward(self, image: Tensor) -> Tensor:
        """Convert (B, C, H, W) to (B, 1, H, W), both in [0, 1]."""
        if image.shape[1] != 3:
            return image.mean(1, keepdim=True)
        weights = image.new_tensor(LUMA).view(1, 3, 1, 1)
        return (image * weights).sum(1, keepdim=True)


class HighPass(Front):
    """Subtracts a low-pass filtered image: texture and noise remain, around 0.

    ``image - K * image`` with K a box or a Gaussian of ``size`` pixels and sum 1. The border pixels
    are repeated, so that a constant image gives 0 everywhere. The critics of DSGAN (Fritsche et
    al. 2019, arXiv:1911.07850) and DASR (Wei et al. 2021, arXiv:2004.01178) see this, with a box
    of 5. Two differences: at the border they average only pixels inside the image, and they pass
    on half of the result plus 0.5.

    Args:
        kind: "average" (the box) or "gaussian".
        size: side of K in pixels; odd.
        sigma: standard deviation of the Gaussian in pixels; None is size / 6.

    Shapes:
        (B, C, H, W) in [0, 1] -> (B, C, H, W) in [-1, 1].

    Raises:
        UserError: an unknown kind; a size that is not odd; a sigma that is not positive, or one
            for the box.
    """

    taps: Tensor

    def __init__(self, kind: str = "average", size: int = 5, sigma: float | None = None) -> None:
        super().__init__()
        check_counts(size=size)
        if kind not in ("average", "gaussian"):
            raise unknown("Argument `kind`", kind, ("average", "gaussian"))
        if size % 2 == 0:
            raise UserError(f"Argument `size` must be odd, but got {size!r}.")
        if sigma is not None and (kind == "average" or sigma <= 0):
            raise UserError(
                "Argument `sigma` must be null for `kind` 'average' and null or positive for "
                f"'gaussian', but got {sigma!r} for {kind!r}."
            )
        taps = torch.ones(size)
        if kind == "gaussian":
            offsets = torch.arange(size) - size // 2
            taps = torch.exp(-offsets.square() / (2 * (sigma or size / 6) ** 2))
        self.size, self.layer = size, (size, 1, size // 2)
        self.register_buffer("taps", taps, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Return the high-pass of ``image`` (B, C, H, W), in float32 at least."""
        # A small difference of large numbers, which would vanish in bfloat16.
        with torch.autocast(image.device.type, enabled=False):
            image = image.to(torch.promote_types(image.dtype, self.taps.dtype))
            taps, half = self.taps.to(image.dtype), self.size // 2
            taps = taps / taps.sum()  # here, in the precision of the image
            channels = image.flatten(0, 1)[:, None]  # (BC, 1, H, W): quicker than groups
            low = F.pad(channels, [half] * 4, mode="replicate")
            low = F.conv2d(F.conv2d(low, taps.view(1, 1, -1, 1)), taps.view(1, 1, 1, -1))
            return image - low.view_as(image)


class Details(Front):
    """Concatenates the centred image and its amplified high-pass.

    ``[image - 1/2, gain (image - average of 3x3)]``. A critic notices weak noise (a few levels of
    255) much earlier in the amplified high-pass than in the image; the image adds brightness and
    colour.

    Args:
        gain: factor of the high-pass.
    """

    def __init__(self, gain: float = 8.0) -> None:
        super().__init__()
        self.gain, self.details = gain, HighPass("average", 3)
        self.layer = self.details.layer

    def channels(self, inputs: int) -> int:
        """Twice the inputs: image and details."""
        return 2 * inputs

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, 2C, H, W): the image minus 0.5, then its amplified high-pass."""
        return torch.cat([image - 0.5, self.gain * self.details(image)], 1)


class Haar(Front):
    """Splits the image into bands of the orthonormal Haar transform, at half the size.

    Of each 2x2 block [[a, b], [c, d]]: ll = (a + b + c + d) / 2, lh = (a + b - c - d) / 2
    (difference of the rows), hl = (a - b + c - d) / 2 (of the columns), hh = (a - b - c + d) / 2.
    The critic of DASR (Wei et al. 2021, arXiv:2004.01178) sees lh, hl and hh, each halved and
    plus 0.5; here they stay around 0.

    Args:
        bands: the bands to concatenate, in this order.

    Shapes:
        (B, C, H, W) in [0, 1] -> (B, bands C, ceil(H / 2), ceil(W / 2)); details in [-1, 1], ll in
        [0, 2]. The last row and column of odd sizes are repeated.

    Raises:
        UserError: no bands, or one that does not exist.
    """

    layer = (2, 2, 0)
    SIGNS = {"ll": (1, 1, 1, 1), "lh": (1, 1, -1, -1), "hl": (1, -1, 1, -1), "hh": (1, -1, -1, 1)}

    def __init__(self, bands: Sequence[str] = ("lh", "hl", "hh")) -> None:
        super().__init__()
        self.bands = (bands,) if isinstance(bands, str) else tuple(bands)
        for band in self.bands or (None,):
            if band not in self.SIGNS:
                raise unknown("Each of `bands`", band, self.SIGNS)

    def channels(self, inputs: int) -> int:
        """The inputs times the number of chosen bands."""
        return inputs * len(self.bands)

    def forward(self, image: Tensor) -> Tensor:
        """Return the chosen bands of ``image`` (B, C, H, W)."""
        image = pad_to(image.to(torch.promote_types(image.dtype, torch.float32)), 2)
        corners = [image[..., i::2, j::2] for i in (0, 1) for j in (0, 1)]
        bands = []
        for name in self.bands:
            signed = [sign * x for sign, x in zip(self.SIGNS[name], corners, strict=True)]
            bands.append(((signed[0] + signed[1]) + (signed[2] + signed[3])) / 2)
        return torch.cat(bands, 1)


class Noise(Front):
    """Adds Gaussian noise to the critic's input, in training mode only.

    It blurs the distributions of real and fake images until they overlap, so that the critic's
    gradient does not vanish (Arjovsky and Bottou 2017, arXiv:1701.04862; Sønderby et al. 2017,
    arXiv:1610.04490).

    Args:
        std: standard deviation, in [0, 1] units.

    Raises:
        UserError: a negative std.
    """

    def __init__(self, std: float = 0.05) -> None:
        super().__init__()
        if not std >= 0:
            raise UserError(f"Argument `std` must not be negative, but got {std!r}.")
        self.std = std

    def forward(self, image: Tensor) -> Tensor:
        """Add noise to ``image`` (B, C, H, W), independent by pixel and channel; not clamped."""
        return image + self.std * torch.randn_like(image) if self.training else image
