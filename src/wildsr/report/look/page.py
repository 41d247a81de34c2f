"""Write ``look.html``: the findings in one self-contained file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wildsr.report.look.folder import Folder
from wildsr.report.look.photo import Look
from wildsr.report.look.words import cameras, findings
from wildsr.report.template import filled


def page(folder: Folder, scale: int, title: str) -> str:
    """Render the page; names of files are escaped."""
    odd = {one.name: one.reason for one in folder.odd}
    members = {
        name: number
        for number, camera in enumerate(cameras(folder, scale), 1)
        for name in camera["photos"]
    }
    return filled(
        Path(__file__).with_name("page.html"),
        title=printable(title),
        findings=[(line.title, printable(line.said)) for line in findings(folder, scale)],
        cameras=[_camera(one) for one in cameras(folder, scale)],
        photos=[
            _row(look, odd.get(look.name, ""), members.get(look.name)) for look in folder.looks
        ],
        unreadable=[
            (printable(name), printable(reason))
            for name, reason in (*folder.unreadable, *folder.unreadable_sharp)
        ],
        tables=_tables(folder),
        scale=scale,
    )


def printable(text: str) -> str:
    """Make text valid UTF-8 in one line; file names may hold any bytes."""
    whole = text.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in whole)


def _camera(one: dict[str, Any]) -> dict[str, Any]:
    noise, edge = one["noise"], one["edge"]
    return {
        "share": f"{one['share']:.0%}",
        "count": len(one["photos"]),
        "said": one.get("said", ""),
        "coding": one["coding"],
        "stated": printable(", ".join(one["stated"])),
        "noise": "" if noise is None else f"{noise['median']:.1f}",
        "edge": "" if edge is None else f"{edge['median']:.1f}",
        "photos": [printable(name) for name in one["photos"]],
    }


def _row(look: Look, odd: str, camera: int | None) -> dict[str, Any]:
    def shown(value: float | None, digits: int) -> str:
        return "" if value is None else f"{value:.{digits}f}"

    return {
        "name": printable(look.name),
        "thumbnail": look.thumbnail,
        "size": f"{look.width} x {look.height}",
        "coding": str(look.coding),
        "source": {"header": "file", "pixels": "pixels"}.get(look.coding.source, ""),
        "noise": shown(look.noise, 1),
        "correlation": shown(look.correlation, 2),
        "edge": shown(look.edge, 1),
        "black": f"{look.black:.1%}",
        "white": f"{look.white:.1%}",
        "stated": printable(look.camera),
        "camera": "" if camera is None else str(camera),
        "odd": printable(odd),
    }


def _tables(folder: Folder) -> list[dict[str, Any]]:
    """Each luminance table that occurs, the most frequent first."""
    count: dict[Any, int] = {}
    for coding in folder.codings.jpegs:
        count[coding.luma, coding.quality, coding.exact] = (
            count.get((coding.luma, coding.quality, coding.exact), 0) + 1
        )
    ordered = sorted(count.items(), key=lambda item: -item[1])
    return [
        {
            "quality": f"{'' if exact else 'about '}{quality}",
            "count": photos,
            "rows": [["?" if s == 0 else str(s) for s in luma[i : i + 8]] for i in range(0, 64, 8)],
        }
        for (luma, quality, exact), photos in ordered[:6]
    ]
