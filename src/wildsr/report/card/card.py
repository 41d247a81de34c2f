"""The report card: statistical tests of whether generated LR images look like real LR images."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from wildsr.error import UserError
from wildsr.report.card.chance import ERROR
from wildsr.report.card.entry.colour import colour_entry
from wildsr.report.card.entry.correlation import correlation_entry
from wildsr.report.card.entry.edges import edges_entry
from wildsr.report.card.entry.entry import DIFFERS, UNKNOWN, Entry
from wildsr.report.card.entry.jpeg import jpeg_entry
from wildsr.report.card.entry.noise import noise_entry
from wildsr.report.card.entry.spectrum import spectrum_entry
from wildsr.report.card.entry.two_sample import two_sample_entry
from wildsr.report.card.entry.wasserstein import wasserstein_entry

SMALLEST = 32  # pixels; a photo with a shorter side is left out
LARGEST = 256  # pixels; of a larger photo a random square of this side is taken
MAKERS: Mapping[str, Callable[[Sequence[Tensor], Sequence[Tensor], int], Entry]] = {
    "noise": noise_entry,
    "correlation": correlation_entry,
    "edges": edges_entry,
    "spectrum": spectrum_entry,
    "jpeg": jpeg_entry,
    "colour": colour_entry,
    "wasserstein": wasserstein_entry,
    "two_sample": two_sample_entry,
}


@dataclass(frozen=True)
class Card:
    """A report card, the result of :func:`card`.

    Attributes:
        entries: one for each property that was compared.
        protocol: numbers of photos, seed, and further information that the caller adds.
    """

    entries: Sequence[Entry]
    protocol: Mapping[str, object] = field(default_factory=dict)

    @property
    def headline(self) -> str:
        """The verdict of all entries in one sentence."""
        known = [entry for entry in self.entries if entry.state != UNKNOWN]
        wrong = [entry.title for entry in known if entry.state == DIFFERS]
        count, unknown = len(self.entries), len(self.entries) - len(known)
        rest = f"; {unknown} could not be judged" if unknown else ""
        if not known:
            return "Too little to judge the degradation by."
        if not wrong:
            return f"Generated LR looks like real LR in {len(known)} of {count} respects{rest}."
        listed = ", ".join(wrong)
        return f"Generated LR differs in {len(wrong)} of {count} respects: {listed}{rest}."

    def value(self, entry: str, name: str) -> float | None:
        """A number of an entry by its name; None if there is none."""
        return next((e.values.get(name) for e in self.entries if e.name == entry), None)

    def order(self) -> tuple[int, float]:
        """A sort key for cards, the best first.

        The number of entries that differ, then the sliced Wasserstein distance of the finest
        details (infinite if it is unknown).
        """
        differ = sum(entry.state == DIFFERS for entry in self.entries)
        distance = self.value("wasserstein", "distance_fine")
        return differ, math.inf if distance is None else distance

    def markdown(self) -> str:
        """Headline and table as Markdown."""
        lines = [f"**{self.headline}**", "", "| | | verdict |", "| --- | --- | --- |"]
        lines += [f"| {e.title} | {e.state} | {e.verdict} |" for e in self.entries]
        return "\n".join([*lines, ""])

    def plain(self) -> dict[str, object]:
        """Everything but the figures, as plain data for JSON."""
        entries = [
            {
                "name": entry.name,
                "title": entry.title,
                "state": entry.state,
                "verdict": entry.verdict,
                "severity": None if math.isnan(entry.severity) else entry.severity,
                "values": dict(entry.values),
            }
            for entry in self.entries
        ]
        return {"headline": self.headline, "entries": entries, "protocol": dict(self.protocol)}

    def photos(self) -> str:
        """Describe in words which photos were compared."""
        told = {"real": "real LR", "fake": "generated LR"}
        lines = []
        for name, words in told.items():
            line = f"{self.protocol.get(f'{name}_photos', '?')} photos of {words}"
            if f"{name}_held_out" in self.protocol:
                line += f",\n    {self.protocol[f'{name}_held_out']} of them not trained on"
            lines.append(line)
        return "\n".join(lines)


def card(
    real: Sequence[Tensor],
    fake: Sequence[Tensor],
    seed: int = 0,
    protocol: Mapping[str, object] | None = None,
) -> Card:
    """Compare generated LR with real LR, which may show other scenes.

    Args:
        real: photos of the camera, (3, H, W) uint8, tensors or arrays.
        fake: results of the degradation on HR photos, likewise. Cross-validation folds and error
            bars treat images as independent: crops of one photo must be joined into one image.
        seed: of all random choices; the same seed gives the same card.
        protocol: further information that is stored with the numbers.

    Returns:
        The card; entries that cannot be judged say why.

    Raises:
        UserError: another shape or dtype, or a set without a photo of at least 32x32 pixels.
    """
    generator = torch.Generator().manual_seed(seed)
    sets = {
        "real": _seen(real, "real", generator),
        "fake": _seen(fake, "fake", generator),
    }
    stated: dict[str, object] = {}
    for name, given in (("real", real), ("fake", fake)):
        stated[f"{name}_photos"] = len(sets[name])
        stated[f"{name}_left_out"] = len(given) - len(sets[name])
    stated |= {"largest_side": LARGEST, "seed": seed, "false_alarms_per_line": ERROR}
    with torch.no_grad():
        entries = [make(sets["real"], sets["fake"], seed) for make in MAKERS.values()]
    return Card(entries, stated | dict(protocol or {}))


WORDS = {"real": "real", "fake": "generated"}


def _seen(photos: Sequence[Tensor], argument: str, generator: torch.Generator) -> list[Tensor]:
    """Those that are large enough, cut to what is looked at, in float64 from 0 to 255."""
    kept = []
    for given in photos:
        photo = torch.as_tensor(given)
        if photo.dtype != torch.uint8 or photo.ndim != 3 or photo.shape[0] != 3:
            raise UserError(
                f"Argument `{argument}` must hold uint8 images of shape (3, H, W), but got "
                f"{str(photo.dtype).removeprefix('torch.')} {tuple(photo.shape)}."
            )
        if min(photo.shape[1:]) < SMALLEST:
            continue
        for dim in (1, 2):
            side = min(photo.shape[dim], LARGEST)
            start = int(torch.randint(photo.shape[dim] - side + 1, (), generator=generator))
            photo = photo.narrow(dim, start, side)
        kept.append(photo.double())
    if not kept:
        raise UserError(
            f"Argument `{argument}`, {WORDS[argument]} LR, must hold at least one photo of "
            f"{SMALLEST}x{SMALLEST} pixels or more, but got {len(photos)} smaller ones."
        )
    return kept
