"""Gradio's components, with files that are asked for by the names that the server gave them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before it is imported: nobody is told of anybody
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gradio as gr
from gradio import component_meta
from gradio.data_classes import FileData

# Else Gradio writes a component.pyi beside this file, for every class below.
component_meta.create_or_modify_pyi = lambda *arguments: None


class Named:
    """A component whose files are asked for by the names that the server gave them.

    Gradio would copy them into a cache that all visitors share, and call them by their paths.
    """

    drawn_as = ""  # the component of the page's scripts

    def get_block_name(self) -> str:
        """By which the page's scripts draw it."""
        return self.drawn_as

    async def async_move_resource_to_block_cache(self, path: str | Path | None) -> str | None:
        """What the browser asks for; :class:`wildsr.app.guard.Guard` serves it."""
        return self.move_resource_to_block_cache(path)

    def move_resource_to_block_cache(self, path: str | Path | None) -> str | None:
        """The same, for what the page begins with."""
        return None if path is None else Path(path).name


class Image(Named, gr.Image):
    """A picture."""

    drawn_as = "image"


class Slider(Named, gr.ImageSlider):
    """Two pictures with a slider between them."""

    drawn_as = "imageslider"


class Gallery(Named, gr.Gallery):
    """Pictures to pick from."""

    drawn_as = "gallery"


class Download(Named, gr.DownloadButton):
    """A button that downloads a result."""

    drawn_as = "downloadbutton"

    def postprocess(self, value: Any) -> FileData | None:
        """From (file, what it is called) of a result."""
        if value is None:
            return None
        path, name = value
        return FileData(path=str(path), orig_name=name)


class Drop(Named, gr.File):
    """Gives the name of an upload, which is a key and no path; the guard has looked it up."""

    drawn_as = "file"

    def api_info(self) -> dict[str, Any]:
        """What it gives and takes, which no program is offered."""
        return {"type": "string"}

    def preprocess(self, payload: Any) -> str | None:
        """The key."""
        return payload if isinstance(payload, str) else None
