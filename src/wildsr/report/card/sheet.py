"""Write the report card: table, numbers and figures."""

from __future__ import annotations

import json
from pathlib import Path

from matplotlib.figure import Figure

from wildsr.atomic import write_text, writing
from wildsr.report.card.card import Card
from wildsr.report.card.entry.entry import COLOURS

COLUMNS = 3
LETTERS = 62  # of a line under a figure


def write_card(card: Card, folder: Path) -> Path:
    """Write ``report_card.json``, ``.md`` and ``.png`` into a folder; returns the PNG's path."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(card.plain(), indent=2, allow_nan=False) + "\n"
    write_text(folder / "report_card.json", text)
    write_text(folder / "report_card.md", card.markdown())
    path = folder / "report_card.png"
    card_sheet(card, path)
    return path


def card_sheet(card: Card, path: Path) -> None:
    """Draw all entries with their verdicts into a PNG."""
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
    with writing(path) as partial:
        figure.savefig(partial, format="png", dpi=100)
