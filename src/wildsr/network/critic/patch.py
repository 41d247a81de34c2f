"""The PatchGAN critic: one logit for every patch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from wildsr.argument import check_counts
from wildsr.error import UserError, unknown
from wildsr.network.critic.critic import Critic
from wildsr.network.window import Window

NORMS: dict[str, Callable[[nn.Conv2d, bool], list[nn.Module]]] = {
    "batch": lambda conv, inner: [conv, nn.BatchNorm2d(conv.out_channels)] if inner else [conv],
    "instance": lambda conv, inner: (
        [conv, nn.InstanceNorm2d(conv.out_channels)] if inner else [conv]
    ),
    "none": lambda conv, inner: [conv],
    "spectral": lambda conv, inner: [spectral_norm(conv)],
}


class PatchCritic(Critic):
    """PatchGAN (Isola et al. 2017, arXiv:1611.07004), with strides for small LR images.

    ``layers`` convolutions of features, 2 features, 4, 8, 8, ... channels with LeakyReLU 0.2, then
    one to a single channel. The first has ``first_stride``, the last with features and the one to
    the logits have stride 1, those between have ``stride``. Published receptive fields: 11 pixels
    (kernel 3, stride 1: PDM-SR, joint), 25 (kernel 3, stride 2: PDM-SR, degradation), 37 (kernel
    4, stride 2) and 70 (kernel 4, strides 2, 2: CycleGAN).

    The map has one channel, not 64 as in some re-implementations. Padding is kernel // 2, so that
    the map is never empty. Instance normalisation removes mean and contrast of every channel from
    each image; a critic that has to judge a noise level or a colour sees more without it.

    Args:
        features: channels of the first layer; doubled up to eightfold.
        layers: convolutions before the one to the logits.
        kernel: side of every convolution.
        stride: of the inner layers.
        norm: "instance" (published: after all but the first and the last, without parameters),
            "batch" (there), "spectral" (on every convolution) or "none".
        in_channels: of the image.
        first_stride: of the first layer.
        front: what the image passes first (see wildsr.network.front.front).
        last_kernel: side of the convolution to the logits; None is ``kernel``.

    Shapes:
        image (B, in_channels, H, W), [0, 1] -> logits (B, 1, h, w).

    Raises:
        UserError: a count, norm or front that does not exist; an image too small for its
            normalisation.
    """

    def __init__(
        self,
        features: int = 64,
        layers: int = 4,
        kernel: int = 3,
        stride: int = 1,
        norm: str = "instance",
        in_channels: int = 3,
        first_stride: int = 1,
        front: nn.Module | Mapping[str, nn.Module] | None = None,
        last_kernel: int | None = None,
    ) -> None:
        super().__init__(front)
        last_kernel = kernel if last_kernel is None else last_kernel
        check_counts(features=features, layers=layers, kernel=kernel, stride=stride)
        check_counts(in_channels=in_channels, first_stride=first_stride, last_kernel=last_kernel)
        if norm not in NORMS:
            raise unknown("Argument `norm`", norm, NORMS)
        inner = [stride] * (layers - 2) + [1] * (layers > 1)
        self.norm, self.strides = norm, [first_stride, *inner, 1]
        self.kernels = [kernel] * layers + [last_kernel]
        channels = self.front.channels(in_channels)
        widths = [channels, *[features * min(2**i, 8) for i in range(layers)], 1]
        modules: list[nn.Module] = []
        for i, (side, step) in enumerate(zip(self.kernels, self.strides, strict=True)):
            convolution = nn.Conv2d(widths[i], widths[i + 1], side, step, side // 2)
            modules += NORMS[norm](convolution, 0 < i < layers)
            modules += [nn.LeakyReLU(0.2, inplace=True)] if i < layers else []
        self.body = nn.Sequential(*modules)

    @property
    def window(self) -> Window:
        """The receptive field of one logit in image pixels, apart from normalisation statistics.

        It is that before the front-end: Haar doubles its side, a high-pass adds its size - 1.
        """
        window = self.front.window(Window())
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            window = window.after(kernel, stride, kernel // 2)
        return window

    def stages(self, x: Tensor) -> list[Tensor]:
        """The map after each layer's activation, then the logits (B, 1, h, w).

        Raises:
            UserError: an image too small for its normalisation.
        """
        normalises = self.norm == "instance" or (self.norm == "batch" and self.training)
        together = len(x) if self.norm == "batch" else 1
        if normalises and together * self._smallest_map(*x.shape[-2:]) < 2:
            raise UserError(
                f"Argument `image` is too small for `norm` {self.norm!r}, which needs two or more "
                f"places to normalise over, but got {tuple(x.shape)} at the first layer."
            )
        found = []
        for module in self.body:
            x = module(x)
            if isinstance(module, nn.LeakyReLU):
                found.append(x)
        return [*found, x]

    def _smallest_map(self, height: int, width: int) -> float:
        """The fewest places that any normalisation has to work with."""
        places = []
        for kernel, stride in zip(self.kernels[:-1], self.strides[:-1], strict=True):
            height, width = (
                (side + 2 * (kernel // 2) - kernel) // stride + 1 for side in (height, width)
            )
            places.append(height * width)
        return min(places[1:], default=float("inf"))  # the first layer has none
