"""Upscalers from published weights, of any architecture that spandrel knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wildsr.error import UserError, first_line
from wildsr.network.channels import ends_of, spread_ends
from wildsr.network.padding import pad_to
from wildsr.network.size_limit import size_limit
from wildsr.network.weights import read_weights


class Published(nn.Module):
    """A trained upscaler of any architecture that the spandrel package knows.

    The state dict has the architecture's original key names, so that fine-tuned weights open in the
    same tools as the published file.

    Args:
        weights: the file; see :func:`read_weights`.
        scale: HR size / LR size; None takes the file's.
        channels: of the images; if they differ from the file's, its first and last layer are
            adapted (:mod:`wildsr.network.channels`). None takes the file's.

    Shapes:
        lr (B, 3, H, W) in [0, 1], of any size (the border is repeated where the architecture needs
        certain sizes, and cut back) -> (B, 3, scale H, scale W), not clamped.

    Raises:
        UserError: no file, an architecture that spandrel does not know or that does not map one
            image to one image, another scale than the file's.
    """

    def __init__(
        self, weights: str | Path | None, scale: int | None = None, channels: int | None = None
    ) -> None:
        super().__init__()
        if weights is None:
            raise UserError("Argument `weights` must be a file of weights, but got None.")
        path = Path(weights).expanduser()
        self._take(read_weights(path), path, scale, channels)

    @classmethod
    def of(cls, weights: dict[str, Tensor], path: Path) -> Published:
        """Build one from weights that have been read from a file already.

        Args:
            weights: the state dict with its original names; tensors in the architecture's shapes.
            path: the file, as errors call it.
        """
        made = cls.__new__(cls)
        nn.Module.__init__(made)
        made._take(weights, path, None, None)
        return made

    def _take(
        self, state: dict[str, Tensor], path: Path, scale: int | None, channels: int | None
    ) -> None:
        found = _loaded(state, path)
        if channels not in (None, found.input_channels):
            found = _loaded(_of_channels(state, found, channels, path), path)
            if found.input_channels != channels:
                raise UserError(
                    f"`weights`: {path} ({found.architecture.name}) cannot begin a network of "
                    f"{channels} channels."
                )
        if scale not in (None, found.scale):
            raise UserError(
                f"Argument `scale` must be that of {path}, {found.scale}, but got {scale!r}."
            )
        self.channels = int(found.input_channels)
        self.scale, self.architecture = int(found.scale), str(found.architecture.name)
        needs = found.size_requirements
        self.multiple, self.minimum, self.square = needs.multiple_of, needs.minimum, needs.square
        self.network = found.model.float().train().requires_grad_(True)
        self.register_state_dict_post_hook(_without_prefix)
        self.register_load_state_dict_pre_hook(_with_prefix)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, 3, H, W)."""
        height, width = lr.shape[-2:]
        least = max(self.minimum, 1, *((height, width) if self.square else ()))
        sr: Tensor = self.network(pad_to(lr, self.multiple, least))
        return sr[..., : height * self.scale, : width * self.scale]


def _loaded(state: dict[str, Tensor], path: Path) -> Any:
    """What spandrel makes of weights: a network from one image to one of as many channels.

    Raises:
        UserError: it knows no such architecture, or it is another kind of network.
    """
    from spandrel import ImageModelDescriptor, ModelLoader  # slow to import

    try:
        with size_limit(state.values(), f"`weights`: {path}"):
            found = ModelLoader(device="cpu").load_from_state_dict(state)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"`weights`: {path} is of no architecture that spandrel knows: {first_line(error)}"
        ) from error
    if not isinstance(found, ImageModelDescriptor) or found.input_channels != found.output_channels:
        raise UserError(f"`weights`: {path} does not take one image and make one of its kind.")
    return found


def _of_channels(
    state: dict[str, Tensor], found: Any, channels: int, path: Path
) -> dict[str, Tensor]:
    """Weights of another number of channels, by the layers that an image meets first and last."""
    needs, own = found.size_requirements, int(found.input_channels)
    side = max(needs.minimum, needs.multiple_of * 16, 16)
    first, last = ends_of(found.model.float().eval(), torch.zeros(1, own, side, side))
    named = found.model.state_dict()
    what = f"`weights` {path}"
    return spread_ends(named, first, last, own, channels, what)


def _without_prefix(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Names as in the file, not behind the wrapper's attribute."""
    inner = f"{prefix}network."
    for name in [name for name in state if name.startswith(inner)]:
        state[prefix + name.removeprefix(inner)] = state.pop(name)


def _with_prefix(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    for name in [name for name in state if name.startswith(prefix)]:
        state[f"{prefix}network.{name.removeprefix(prefix)}"] = state.pop(name)
