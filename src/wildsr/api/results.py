"""The return value of ``wildsr.train`` and ``wildsr.evaluate``: a table and its folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from wildsr.error import unknown
from wildsr.evaluation.summary import Summary
from wildsr.report import results


class Results(Mapping[str, Mapping[str, float | None]]):
    """A mapping: name of the upscaler -> metric -> mean over the photos (None if not defined).

    In a notebook it is shown as a table.

    Attributes:
        folder: where the table, the pictures and the page are: `results.json`, `per_image.csv`,
            `report/index.html`, ...
        photos: the values of each photo: set -> photo -> upscaler -> metric -> value.

    Examples:
        >>> found = wildsr.evaluate(
        ...     {"data.lr": "lr"}, scale=4, metric="no_reference", output="looked", quiet=True
        ... )
        >>> sorted(found["bicubic"])[:2]
        ['blockiness', 'brisque']
        >>> (found.folder / "report" / "index.html").exists()
        True
    """

    def __init__(self, folder: Path, summary: Summary | None) -> None:
        self.folder, self._summary = folder, summary
        lines = [] if summary is None else summary.of_set(None)
        self._rows = {line.row: dict(line.values) for line in lines}
        self.photos: dict[str, dict[str, dict[str, Mapping[str, float | None]]]] = {}
        for outcome in () if summary is None else summary.outcomes:
            of_photo = self.photos.setdefault(outcome.photo_set, {}).setdefault(outcome.image, {})
            of_photo[outcome.row] = outcome.values

    def __getitem__(self, row: str) -> Mapping[str, float | None]:
        """The mean metrics of one upscaler.

        Raises:
            KeyError: there is no row of that name.
        """
        if row not in self._rows:
            raise KeyError(str(unknown("A row", row, self._rows)))
        return self._rows[row]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def finished(self) -> bool:
        """False after a training that was stopped; continue it by `wildsr.train(resume=folder)`."""
        return self._summary is not None

    def __repr__(self) -> str:
        if self._summary is None:
            return f"Stopped; go on with wildsr.train(resume={str(self.folder)!r})"
        return f"{results.table(self._summary, None)}\nfolder: {self.folder}"

    def _repr_markdown_(self) -> str:
        if self._summary is None:
            return repr(self)
        return f"{results.table(self._summary, None)}\n\n`{self.folder}`"
