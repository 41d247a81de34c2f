"""The report card as one picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from wildsr.report.entry.entry import COLOURS

if TYPE_CHECKING:
    from wildsr.report.card import Card

COLUMNS = 3
LETTERS = 62  # of a line under a figure


def card_sheet(card: Card, path: Path) -> None:
    """Draw all entries, each with its verdict, into a PNG."""
    rows = -(-len(card.entries) // COLUMNS)
    figure = Figure(figsize=(5.2 * COLUMNS, 4.6 * rows + 0.6), layout="constrained")
    figure.suptitle(card.headline, fontsize=15, fontweight="bold", wrap=True)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
    for panel, entry in zip(axes, card.entries, strict=False):
        entry.draw(panel)
        colour = COLOURS[entry.state]
        panel.set_title(f"{entry.title}: {entry.state}", color=colour, fontweight="bold", pad=8)
        words = entry.caption(LETTERS)
        if panel.axison:
            words = f"{panel.get_xlabel()}\n\n{words}"
        panel.set_xlabel(words, fontsize=9)
    for panel in axes[len(card.entries) :]:
        panel.set_axis_off()
        panel.text(0.1, 0.6, card.photos(), fontsize=12)
    figure.savefig(path, dpi=100)
