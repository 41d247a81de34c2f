"""A method's degradation as a network: HR photos in, generated LR out."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from wildsr.error import UserError
from wildsr.inference.windows import Overlap, spans
from wildsr.method.part import Method, Value, deepened, draw
from wildsr.pixels import clamped

MARGIN = 48  # LR pixels around a tile; the receptive field of 16 residual blocks has radius 35
SEAMS = Overlap(MARGIN, 0)  # tiles with the same random numbers need no blending
UNIT = 16  # LR pixels; tiles start at multiples of it, so that JPEG blocks stay aligned


class Degrader(nn.Module):
    """Generates LR as for a method's training of the upscaler.

    Args:
        method: the method's class; it computes ``seen_lr`` (else ``fake_lr``) from ``hr`` alone.
        networks: at least those that this depends on.
        scale: HR size / LR size, s.
        tile: side in HR pixels above which images are degraded in tiles; None: never in tiles.

    Raises:
        UserError: the method generates no LR.
    """

    deep = False  # see :func:`wildsr.degradation.depth.deepen`

    def __init__(
        self,
        method: type[Method],
        networks: Mapping[str, nn.Module],
        scale: int,
        tile: int | None = None,
    ) -> None:
        super().__init__()
        self.method, self.scale, self.tile = method, scale, tile
        self.output = next((n for n in ("seen_lr", "fake_lr") if hasattr(method, n)), "")
        if not self.output:
            raise UserError(f"The method {method.__name__} generates no LR, so it has no degrader.")
        self.networks = nn.ModuleDict(networks)
        # Known degradations draw random numbers inside, which tiles could not share; they are fast.
        self.known = not any(True for _ in self.networks.parameters())

    def train(self, mode: bool = True) -> Degrader:
        """Stay in evaluation mode, so that batch statistics are those of training."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, hr: Tensor) -> Tensor:
        """Degrade (B, C, sH, sW) in [0, 1] to (B, C, H, W) in [0, 1], rounded to 8 bits.

        Photos of more than 8 bits are not rounded. Random numbers come from torch's global
        generator.
        """
        if self.known or self.tile is None or max(hr.shape[-2:]) <= self.tile:
            return self._rounded(self._made(self._step(hr)))
        return self._tiled(hr, self.tile // self.scale)

    def sources(self, hr: Tensor) -> set[str]:
        """Names of the networks that the LR of ``hr`` (B, C, sH, sW) depends on."""
        with torch.random.fork_rng(), torch.no_grad():
            step = self._step(hr)
            with step.sources() as found:
                self._made(step)
        return found

    def _tiled(self, hr: Tensor, tile: int) -> Tensor:
        """Tiles of ``tile`` LR pixels that share the draws of the whole."""
        scale, step = self.scale, self._step(hr)
        draws = {name: getattr(step, name) for name in self.method.parts[draw]}
        batch, channels, height, width = (*hr.shape[:2], *(n // scale for n in hr.shape[-2:]))
        lr = hr.new_empty(batch, channels, height, width)
        for down in spans(height, tile, SEAMS, UNIT):
            for across in spans(width, tile, SEAMS, UNIT):
                rows, columns = slice(down.first, down.last), slice(across.first, across.last)
                seen = self._step(
                    hr[
                        ...,
                        rows.start * scale : rows.stop * scale,
                        columns.start * scale : columns.stop * scale,
                    ]
                )
                for name, value in draws.items():
                    seen.kept[name] = (_crop(value, (height, width), rows, columns), frozenset())
                made = self._rounded(self._made(seen))
                lr[..., down.start : down.stop, across.start : across.stop] = made[
                    ...,
                    down.start - rows.start : down.stop - rows.start,
                    across.start - columns.start : across.stop - columns.start,
                ]
        return lr

    def _step(self, hr: Tensor) -> Method:
        method = deepened(self.method) if self.deep and not self.method.deep else self.method
        return method(dict(self.networks.items()), {"hr": hr}, self.scale)

    def _rounded(self, made: Tensor) -> Tensor:
        return (clamped(made) if self.deep else self.method.rounded(made)).clamp(0, 1)

    def _made(self, step: Method) -> Tensor:
        made: Tensor = getattr(step, self.output)
        return made


def _crop(drawn: Value, size: tuple[int, int], rows: slice, columns: slice) -> Value:
    """The part of a draw that belongs to a tile: of maps a window, all of everything else.

    A map is (B, C, H + m, W + m) for LR of (H, W), with a margin m of what filters it; a side of 1
    is of all rows or columns.
    """
    if isinstance(drawn, tuple):
        return tuple(_crop(part, size, rows, columns) for part in drawn)  # type: ignore[misc]
    if not isinstance(drawn, Tensor) or drawn.ndim != 4:
        return drawn
    margins = {has - side for has, side in zip(drawn.shape[-2:], size, strict=True) if has != 1}
    if len(margins) != 1 or min(margins) < 0:
        return drawn
    (margin,) = margins
    for dim, part in ((-2, rows), (-1, columns)):
        if drawn.shape[dim] != 1:
            drawn = drawn.narrow(dim, part.start, part.stop - part.start + margin)
    return drawn
