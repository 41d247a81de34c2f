"""Where a model card goes, so that it replaces nobody else's, and what an earlier one lists."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wildsr.export.model_card import TAGS, UNKNOWN, File

PICTURES = ("contact", "degradation")  # of a run, which are copied beside its card


def card_place(wanted: Path, of_weights: bool) -> Path:
    """The file for a card: ``wanted``, or a name beside it where another card has that.

    Args:
        wanted: such as ``4x_Leaves.md``.
        of_weights: whether the card is of weights without a run, which says less than a run's.
    """
    path, number = wanted, 1
    while not _free(path, of_weights):
        end = ".export" if number == 1 else f".export-{number}"
        path, number = wanted.with_name(f"{wanted.stem}{end}.md"), number + 1
    return path


def picture_beside(card: Path, name: str) -> Path:
    """The file of a picture that a card shows."""
    return card.with_name(f"{card.stem}.{name}.png")


def kept_files(card: Path, new: Sequence[File]) -> list[str]:
    """The table rows of an earlier card about other files that still exist."""
    written = {file.name for file in new}
    return [
        row for name, row in _rows(card) if name not in written and card.with_name(name).is_file()
    ]


def listed(card: Path) -> set[str]:
    """The files that an earlier card lists."""
    return {name for name, _ in _rows(card)}


def _rows(card: Path) -> list[tuple[str, str]]:
    """The rows of an earlier card's tables, each with its first cell."""
    rows = [line for line in _text(card).splitlines() if line.startswith("| ")]
    return [(row.split("|")[1].strip(), row) for row in rows]


def _text(card: Path) -> str:
    """What a card says; nothing where there is none, or it cannot be read."""
    try:
        return card.read_text("utf-8", errors="replace")
    except OSError:
        return ""


def _free(card: Path, of_weights: bool) -> bool:
    """Whether there is no card, or one that an earlier export of the same kind wrote."""
    if not card.exists():
        pictures = () if of_weights else PICTURES
        return not any(picture_beside(card, name).exists() for name in pictures)
    lines = _text(card).splitlines()
    return TAGS in lines and (UNKNOWN in lines or not of_weights)
