"""Refuse a site that would fetch something from elsewhere when it is read."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

ELSEWHERE = re.compile(r"\s*(https?:)?//", re.IGNORECASE)
FETCHED = {  # element -> the attribute by which a browser fetches
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
}
NOTHING = {"canonical", "next", "prev", "alternate", "license", "author"}  # links that only state


class Reader(HTMLParser):
    """Collects what a page fetches from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """One element."""
        given = {name: value or "" for name, value in attributes}
        address = given.get(FETCHED.get(tag, ""), "")
        stated = tag == "link" and set(given.get("rel", "").split()) <= NOTHING
        if ELSEWHERE.match(address) and not stated:
            self.found.append(address)
        self.found += _of_style(given.get("style", ""))

    def handle_data(self, data: str) -> None:
        """Text; that of a style sheet may fetch, too."""
        if self.cdata_elem == "style":
            self.found += _of_style(data)


def _of_style(text: str) -> list[str]:
    found = re.findall(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')\s;]+)", text)
    return [str(address) for address in found]


def fetched(site: Path) -> dict[str, list[str]]:
    """Page or style sheet -> addresses elsewhere that a browser would fetch for it."""
    found = {}
    for path in sorted(site.rglob("*.html")):
        reader = Reader()
        reader.feed(path.read_text(encoding="utf-8"))
        found[str(path.relative_to(site))] = reader.found
    for path in sorted(site.rglob("*.css")):
        found[str(path.relative_to(site))] = _of_style(path.read_text(encoding="utf-8"))
    return {name: addresses for name, addresses in found.items() if addresses}


def on_post_build(config: Any) -> None:
    """Look at what was built."""
    from mkdocs.exceptions import PluginError

    if found := fetched(Path(config.site_dir)):
        raise PluginError(f"The site would fetch from elsewhere: {found}")
