"""Say what a search for photos did not take."""

from __future__ import annotations

from collections import Counter

SHOWN = 6  # suffixes that a line names


class LeftOut:
    """What a search did not take."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.links = self.odd = 0
        self.closed: list[str] = []
        self.virtual: list[str] = []
        self.results: list[str] = []

    def words(self) -> str:
        """All of it in half a sentence; empty for nothing."""
        parts = []
        if self.kinds:
            named = [f"{count} {kind}" for kind, count in self.kinds.most_common(SHOWN)]
            named += ["..."] if len(self.kinds) > SHOWN else []
            parts.append(f"{_files(self.kinds.total())} of other kinds ({', '.join(named)})")
        if self.links:
            parts.append(f"{self.links} link{'s' * (self.links > 1)} that lead out of the folder")
        if self.odd:
            parts.append(f"{_files(self.odd)} that cannot be opened as regular files")
        if self.results:
            several = "s" * (len(self.results) > 1)
            parts.append(f"{len(self.results)} folder{several} of results ({self.results[0]})")
        if self.virtual:
            several = "s" * (len(self.virtual) > 1)
            first = ", ".join(self.virtual[:2]) + ", ..." * (len(self.virtual) > 2)
            parts.append(f"{len(self.virtual)} virtual file system{several} ({first})")
        if self.closed:
            several = "s" * (len(self.closed) > 1)
            first = self.closed[0]
            parts.append(f"{len(self.closed)} folder{several} that cannot be listed ({first})")
        return "; ".join(parts)

    def because(self) -> str:
        """The same as an explanation."""
        words = self.words()
        return f" (left out: {words})" if words else ""


def _files(count: int) -> str:
    return f"{count} file{'s' * (count > 1)}"
