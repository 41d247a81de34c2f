"""Batches of unpaired training crops, each determined by its number and the seed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from wildsr.data.crops import draw
from wildsr.data.packed import PackedStore
from wildsr.data.pairs import Pairs


class Batches(IterableDataset[dict[str, Tensor]]):
    """Iterates over batches of unpaired crops.

    ``{"hr": uint8 (B, 3, sP, sP), "real_lr": uint8 (B, 3, P, P)}``.

    If asked for, ``other_hr`` is a second draw of sharp crops, independent of ``hr``. With pairs,
    the first crops of ``hr`` come from their HR photos, and ``pair_lr``, uint8 (paired, 3, P, P),
    from the same places of their LR photos.

    Batch ``i`` is a pure function of ``(seed, i, rank)``, so resuming at iteration ``i`` needs no
    state, and worker processes share the iterations without changing anything. LR and HR have
    independent generators: shuffling two lists once would pair the same photos for the whole run.
    There is no ``__len__``, about which Lightning would warn; a run counts iterations itself.

    Args:
        lr: real LR photos.
        hr: sharp photos.
        scale: HR pixels per LR pixel, s.
        patch: side of an LR patch in LR pixels, P.
        batch: patches of each kind, B.
        seed: at least 0.
        start: first iteration.
        stop: one past the last iteration.
        rank: of this process in distributed training.
        other_hr: draw sharp crops twice.
        pairs: photos with ground truth.
        paired: number of crops of a batch that come from them.
    """

    def __init__(
        self,
        lr: PackedStore,
        hr: PackedStore,
        scale: int,
        patch: int,
        batch: int,
        seed: int,
        start: int,
        stop: int,
        rank: int = 0,
        other_hr: bool = False,
        pairs: Pairs | None = None,
        paired: int = 0,
    ) -> None:
        self.lr, self.hr, self.other_hr = lr, hr, other_hr
        self.scale, self.patch, self.batch = scale, patch, batch
        self.seed, self.start, self.stop, self.rank = seed, start, stop, rank
        self.pairs, self.paired = pairs, paired

    def at(self, iteration: int) -> dict[str, Tensor]:
        """The batch of one iteration."""
        for_lr, for_hr, for_other, for_pairs = (
            np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))
            for key in ((iteration, self.rank, domain) for domain in range(4))
        )
        side = self.patch * self.scale
        crops = {
            "hr": draw(self.hr, side, self.batch, for_hr),
            "real_lr": draw(self.lr, self.patch, self.batch, for_lr),
        }
        if self.other_hr:
            crops["other_hr"] = draw(self.hr, side, self.batch, for_other)
        if self.pairs is not None:
            crops["pair_lr"], sharp = self.pairs.draw(self.patch, self.paired, for_pairs)
            crops["hr"] = torch.cat([sharp, crops["hr"][self.paired :]])
        return crops

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        # The loader asks its workers in turn, so dealing in turn keeps the order.
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        for iteration in range(self.start + first, self.stop, step):
            yield self.at(iteration)
