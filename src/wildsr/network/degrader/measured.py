"""A camera that was measured: each picture as one of the photos of a folder was taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from wildsr.degradation.blur import blur_and_sample
from wildsr.degradation.coding import UNIT, Coding, coded_each
from wildsr.network.degrader.physics import (
    HIGHEST,
    LOWEST,
    MARGIN,
    PARAMETERS,
    PRIOR,
    kernels,
    physical,
    with_noise,
)

SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
Draws = tuple[Tensor, Tensor, Tensor]


class MeasuredCamera(nn.Module):
    """``lr = jpeg(sample(blur(hr)) + noise)``, its numbers those of a measured population.

    Every picture is taken by one of a population of cameras
    (:mod:`wildsr.network.degrader.physics`), and coded with the tables that go with it, on a grid
    of blocks that lies anywhere. Without a measurement it is the
    camera that is expected before anything is seen, without JPEG.

    Attributes:
        shift: (P,) what training adds to all cameras; 0 where there is no critic to learn it from.

    Args:
        scale: HR pixels for each LR pixel and direction.
    """

    cameras: Tensor  # (n, P)
    tables: Tensor  # (K, 2, 64)
    subsamplings: Tensor  # (K,) indices of SUBSAMPLINGS
    coding: Tensor  # (n,) indices of tables, -1 for photos without JPEG

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.shift = nn.Parameter(torch.zeros(len(PARAMETERS)))
        self.register_buffer("cameras", PRIOR[None].clone())
        self.register_buffer("tables", torch.zeros(0, 2, 64, dtype=torch.int32))
        self.register_buffer("subsamplings", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("coding", torch.full((1,), -1))
        self._codings: list[Coding] | None = None
        self._kernels: Tensor | None = None

    def set(self, cameras: Tensor, codings: Sequence[Coding | None]) -> None:
        """Take over a population: cameras (n, P), drawn evenly, and the coding of each."""
        kinds = list(dict.fromkeys(c for c in codings if c is not None))
        self.cameras = cameras.clone().clamp(LOWEST, HIGHEST)
        tables = [[kind.luminance, kind.chrominance] for kind in kinds]
        self.tables = torch.tensor(tables, dtype=torch.int32).view(-1, 2, 64)
        chosen = [SUBSAMPLINGS.index(kind.subsampling) for kind in kinds]
        self.subsamplings = torch.tensor(chosen, dtype=torch.int64)
        self.coding = torch.tensor([-1 if c is None else kinds.index(c) for c in codings])
        self._codings = self._kernels = None

    def draws(self, hr: Tensor) -> Draws:
        """The random numbers of ``forward`` for ``hr`` (B, 3, H, W).

        Which camera (B,); standard normal (B, 4, h, w) for the noise, with its margin; the phase of
        the grid of blocks (B, 2).
        """
        count, _, height, width = hr.shape
        which = torch.randint(len(self.cameras), (count,))
        size = (height // self.scale + 2 * MARGIN, width // self.scale + 2 * MARGIN)
        noise = torch.randn(count, 4, *size, device=hr.device)
        return which, noise, torch.randint(0, UNIT, (count, 2))

    def forward(self, hr: Tensor, draws: Draws) -> Tensor:
        """The LR picture (B, 3, H/s, W/s) of ``hr`` (B, 3, H, W) in [0, 1], given its draws.

        Not clamped, unless there is JPEG, whose gradient is that of the identity.
        """
        which, noise, phase = draws
        camera = self.cameras[which] + self.shift
        clean = blur_and_sample(hr.float(), self._blurs(which), self.scale)
        lr = with_noise(clean, camera, noise)
        index = self.coding[which].tolist()
        if max(index) < 0:
            return lr
        kinds = self._kinds()
        codings = [None if i < 0 else kinds[i] for i in index]
        phases = [(int(y), int(x)) for y, x in phase.tolist()]
        result = coded_each(lr, codings, phases)
        return result + (lr - lr.detach()) if lr.requires_grad else result

    def physical(self) -> dict[str, float]:
        """The median camera as a report prints it: HR pixels, degrees, 1/255, shares."""
        return physical((self.cameras.median(0).values + self.shift).detach().cpu(), self.scale)

    def _blurs(self, which: Tensor) -> Tensor:
        """The kernels (B, k, k) of some cameras, made once where they are not learned."""
        if self.shift.requires_grad and torch.is_grad_enabled():
            self._kernels = None
            return kernels(self.cameras[which] + self.shift, self.scale)
        if self._kernels is None or self._kernels.device != self.cameras.device:
            every = self.cameras + self.shift.detach()
            self._kernels = torch.cat([kernels(part, self.scale) for part in every.split(32)])
        return self._kernels[which]

    def _kinds(self) -> list[Coding]:
        if self._codings is None:
            self._codings = [
                Coding(tuple(luminance), tuple(chrominance), SUBSAMPLINGS[index])
                for (luminance, chrominance), index in zip(
                    self.tables.tolist(), self.subsamplings.tolist(), strict=True
                )
            ]
        return self._codings

    def _load_from_state_dict(self, state: Mapping[str, Any], prefix: str, *more: Any) -> None:
        for name in ("cameras", "tables", "subsamplings", "coding"):
            if prefix + name in state:  # as many as there were photos
                here = getattr(self, name)
                setattr(self, name, torch.empty_like(state[prefix + name], device=here.device))
        self._codings = self._kernels = None
        super()._load_from_state_dict(state, prefix, *more)
