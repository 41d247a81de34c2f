"""The VGG-style critic of SRGAN and ESRGAN: one logit for the whole image."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from wildsr.argument import check_counts
from wildsr.error import UserError, unknown
from wildsr.network.critic.critic import Critic
from wildsr.network.critic.patch import NORMS
from wildsr.network.padding import pad_to


class VGGCritic(Critic):
    """SRGAN's discriminator (Ledig et al. 2017, arXiv:1609.04802, fig. 4), for any image size.

    Pairs of a convolution and a strided one that halves the size, features, 2 features, 4, 8, 8,
    ... channels, then two dense layers; LeakyReLU 0.2 after all but the last. The defaults are
    those of ESRGAN's code (Wang et al. 2018, arXiv:1809.00219) for 128 pixels: 14.5 million
    parameters. SRGAN's own, for 96: ``pairs=4, kernel=3, dense=1024, grid=6``.

    Two differences: the last maps are averaged down (or repeated up) to a fixed grid before the
    dense layers, which changes nothing at those sizes and allows all others; and the sigmoid is
    part of the loss.

    Args:
        features: channels of the first pair; doubled up to eightfold.
        pairs: how often the size is halved.
        kernel: side of the strided convolutions, 3 or 4; the others have 3.
        dense: units of the first dense layer.
        grid: side of the map that it sees.
        norm: "batch" (published: after every convolution but the first), "instance" (there, without
            parameters), "spectral" (on every layer) or "none".
        in_channels: of the image.
        front: what the image passes first (see wildsr.network.front.front).

    Shapes:
        image (B, in_channels, H, W), [0, 1] -> logits (B, 1). Sides below 2^pairs are enlarged to
        that by repeating the border.

    Raises:
        UserError: a count, kernel, norm or front that does not exist; nothing to normalise over (a
            batch of one, or an image too small for instance normalisation).
    """

    def __init__(
        self,
        features: int = 64,
        pairs: int = 5,
        kernel: int = 4,
        dense: int = 100,
        grid: int = 4,
        norm: str = "batch",
        in_channels: int = 3,
        front: nn.Module | Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__(front)
        check_counts(features=features, pairs=pairs, dense=dense, grid=grid)
        check_counts(in_channels=in_channels)
        if kernel not in (3, 4):
            raise UserError(f"Argument `kernel` must be one of [3, 4], but got {kernel!r}.")
        if norm not in NORMS:
            raise unknown("Argument `norm`", norm, NORMS)
        self.pairs, self.kernel, self.grid, self.norm = pairs, kernel, grid, norm
        inputs, modules = self.front.channels(in_channels), list[nn.Module]()
        for i in range(pairs):
            width = features * min(2**i, 8)
            for side, stride in ((3, 1), (kernel, 2)):
                inner = bool(modules)
                bias = not (inner and norm == "batch")  # batch normalisation has its own
                convolution = nn.Conv2d(inputs, width, side, stride, 1, bias=bias)
                modules += [*NORMS[norm](convolution, inner), nn.LeakyReLU(0.2, inplace=True)]
                inputs = width
        self.body = nn.Sequential(*modules)
        self.dense, self.last = nn.Linear(inputs * grid**2, dense), nn.Linear(dense, 1)
        if norm == "spectral":
            spectral_norm(self.dense)
            spectral_norm(self.last)

    def stages(self, x: Tensor) -> list[Tensor]:
        """The map after each convolution's activation, the dense layer's, the logits (B, 1)."""
        x = pad_to(x, 1, minimum=2**self.pairs)
        self._check_places(x)
        found = []
        for module in self.body:
            x = module(x)
            if isinstance(module, nn.LeakyReLU):
                found.append(x)
        x = F.leaky_relu(self.dense(F.adaptive_avg_pool2d(x, self.grid).flatten(1)), 0.2)
        return [*found, x, self.last(x)]

    def _check_places(self, x: Tensor) -> None:
        height, width = x.shape[-2:]
        for _ in range(self.pairs):
            height, width = ((side + 2 - self.kernel) // 2 + 1 for side in (height, width))
        places = height * width
        if self.norm == "batch" and self.training and len(x) * places < 2:
            raise UserError(
                "Argument `image` must be a batch of at least 2 for `norm` 'batch' at this size, "
                f"but got {tuple(x.shape)} at the first layer; raise `data.batch`."
            )
        if self.norm == "instance" and places < 2:
            raise UserError(
                "Argument `image` is too small for `norm` 'instance', which needs two or more "
                f"places to normalise over, but got {tuple(x.shape)} at the first layer; use fewer "
                "`pairs`."
            )
