"""The JPEG codings of a whole folder, as counts and in one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

from wildsr.forensics.coding import HEADER, PIXELS, UNREAD, WEBP, Coding


@dataclass(frozen=True)
class Codings:
    """The codings of the photos of a folder."""

    photos: tuple[Coding, ...]

    @classmethod
    def of(cls, photos: Iterable[Coding]) -> Codings:
        """Make it from the records of the photos, in their order."""
        return cls(tuple(photos))

    @property
    def jpegs(self) -> tuple[Coding, ...]:
        """The records with a known quantisation table."""
        return tuple(photo for photo in self.photos if photo.luma is not None)

    @property
    def share(self) -> float:
        """The share of photos with a known table, 0 to 1."""
        return len(self.jpegs) / len(self.photos) if self.photos else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Counts by quality, subsampling and source, and the sentence, for a file."""
        return {
            "photos": len(self.photos),
            "jpeg": len(self.jpegs),
            "qualities": _counts(photo.quality for photo in self.jpegs),
            "not_libjpeg": sum(not photo.exact for photo in self.jpegs),
            "subsamplings": _counts(photo.subsampling for photo in self.jpegs),
            "sources": _counts(photo.source for photo in self.photos),
            "kinds": _counts(photo.kind for photo in self.photos),
            "older": _counts(p.older.quality for p in self.photos if p.older is not None),
            "enlarged": len(self.enlargements),
            "sentence": str(self),
        }

    @property
    def enlargements(self) -> tuple[float, ...]:
        """Factors by which photos were enlarged after they were taken, if they show it."""
        return tuple(photo.enlarged for photo in self.photos if photo.enlarged is not None)

    def __str__(self) -> str:
        return f"{self._coded()}{_enlarged(self.enlargements, len(self.photos))}"

    @property
    def webps(self) -> tuple[Coding, ...]:
        """The records of lossy WebP whose quality is known."""
        return tuple(p for p in self.photos if p.kind == WEBP and p.quality is not None)

    def _coded(self) -> str:
        total = len(self.photos)
        said = []
        for kind, photos in (("JPEG", self.jpegs), (WEBP, self.webps)):
            if not photos:
                continue
            details = [f"{_qualities(photos)}, {_sources(photos)}"]
            resaved = [photo.older.quality for photo in photos if photo.older is not None]
            if resaved:
                usual = round(median(quality for quality in resaved if quality is not None))
                details.append(f"{len(resaved)} re-saved, about {usual} before")
            verb = "is" if len(photos) == 1 else "are"
            said.append(f"{len(photos)} of {total} photos {verb} {kind} ({'; '.join(details)})")
        if not said and all(photo.source == UNREAD for photo in self.photos):
            said = ["JPEG is looked for in 8-bit gray and RGB alone"]
        if not said:
            said = [f"none of {total} photos show JPEG"]
        others = Counter(p.kind for p in self.photos if p.kind and p.luma is p.quality is None)
        if others:
            parts = [f"{count} {kind}" for kind, count in sorted(others.items())]
            said.append(f"{' and '.join(parts)}, whose tables are not known")
        return "; ".join(said)


def _enlarged(factors: tuple[float, ...], total: int) -> str:
    if not factors:
        return ""
    low, high = (f"{factor:.2g}" for factor in (min(factors), max(factors)))
    sizes = low if low == high else f"{low} to {high}"
    return f"; {len(factors)} of {total} were enlarged since they were taken, by about {sizes}"


def _counts(values: Iterable[object]) -> dict[str, int]:
    return {str(name): count for name, count in sorted(Counter(map(str, values)).items())}


def _qualities(photos: tuple[Coding, ...]) -> str:
    found = sorted(photo.quality for photo in photos if photo.quality is not None)
    about = "" if all(photo.exact for photo in photos) else "about "
    if found[0] == found[-1]:
        return f"quality {about}{found[0]}"
    return f"quality {about}{found[0]} to {found[-1]}"


def _sources(photos: tuple[Coding, ...]) -> str:
    sources = Counter(photo.source for photo in photos)
    if len(sources) == 1:
        place = "files" if sources[HEADER] else "pixels"
        return f"read from the {place}"
    return f"{sources[HEADER]} read from the files and {sources[PIXELS]} from the pixels"
