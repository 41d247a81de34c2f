"""A batch of samples of different sizes, each with its random generator and history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

Size = tuple[int, int]
Drawn = Mapping[str, object]  # a step's random parameters of a sample: {"step": "jpeg", ...}


@dataclass
class Canvas:
    """Images of different sizes in one tensor, each in its top left corner.

    Attributes:
        image: (B, C, H, W); outside its own size a sample is filled with plausible content.
        sizes: (height, width) of each sample.
        hr: (height, width) of the pipeline's input.
        lr: (height, width) of the pipeline's output.
        draws: a random generator for each sample, on which alone its parameters depend.
        drawn: for each sample, the parameters that the steps so far have drawn.
    """

    image: Tensor
    sizes: list[Size]
    hr: Size
    lr: Size
    draws: Sequence[np.random.Generator]
    drawn: list[list[Drawn]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.sizes)

    def numbers(self, values: Sequence[float]) -> Tensor:
        """Convert one number for each sample to a tensor (B,) on the image's device."""
        return torch.tensor(values, device=self.image.device, dtype=self.image.dtype)

    def generators(self) -> list[torch.Generator] | None:
        """Torch generators for large draws, one for each sample on a CPU.

        None on other devices, meaning the device's generator: one draw for each sample would be
        slow.
        """
        if self.image.device.type != "cpu":
            return None
        seeds = [int(draw.integers(2**63)) for draw in self.draws]
        return [torch.Generator().manual_seed(seed) for seed in seeds]

    def note(self, step: str, **values: Sequence[object]) -> None:
        """Record the parameters that ``step`` drew: under each name, one value for each sample."""
        for index, drawn in enumerate(self.drawn):
            drawn.append({"step": step, **{name: value[index] for name, value in values.items()}})

    def part(self, indices: Sequence[int]) -> Canvas:
        """Select samples, on a canvas as large as the largest of them."""
        sizes = [self.sizes[i] for i in indices]
        height, width = (max(side) for side in zip(*sizes, strict=True))
        return replace(
            self,
            image=self.image[list(indices), :, :height, :width],
            sizes=sizes,
            draws=[self.draws[i] for i in indices],
            drawn=[self.drawn[i] for i in indices],
        )


def join(parts: Sequence[tuple[Sequence[int], Canvas]]) -> Canvas:
    """Merge several canvases; the samples are in the order of their indices."""
    height, width = (max(part.image.shape[d] for _, part in parts) for d in (2, 3))
    padded = [
        F.pad(
            part.image,
            (0, width - part.image.shape[3], 0, height - part.image.shape[2]),
            mode="replicate",
        )
        for _, part in parts
    ]
    order = np.argsort([i for indices, _ in parts for i in indices]).tolist()

    def sorted_by_index(name: str) -> list:
        whole = [value for _, part in parts for value in getattr(part, name)]
        return [whole[i] for i in order]

    return replace(
        parts[0][1],
        image=torch.cat(padded)[order],
        sizes=sorted_by_index("sizes"),
        draws=sorted_by_index("draws"),
        drawn=sorted_by_index("drawn"),
    )
