"""Gradio's components, changed to request files by names that the server has given them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # must be set before Gradio is imported
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gradio as gr
from gradio import component_meta
from gradio.data_classes import FileData

# Else Gradio writes a component.pyi beside this file, for every class below.
component_meta.create_or_modify_pyi = lambda *arguments: None


class Named:
    """A component whose files are requested by the names that the server has given them.

    Gradio would copy them into a cache that all visitors share, and refer to them by their paths.
    """

    drawn_as = ""  # the component of the page's scripts

    def get_block_name(self) -> str:
        """The component's name in the page's scripts."""
        return self.drawn_as

    async def async_move_resource_to_block_cache(self, path: str | Path | None) -> str | None:
        """The name that the browser requests; :class:`wildsr.app.guard.Guard` serves the file."""
        return self.move_resource_to_block_cache(path)

    def move_resource_to_block_cache(self, path: str | Path | None) -> str | None:
        """The same, for files with which the page starts."""
        return None if path is None else Path(path).name


class Image(Named, gr.Image):
    """An image."""

    drawn_as = "image"


class Slider(Named, gr.ImageSlider):
    """Two images with a slider between them."""

    drawn_as = "imageslider"


class Gallery(Named, gr.Gallery):
    """Images to choose from."""

    drawn_as = "gallery"


class Download(Named, gr.DownloadButton):
    """A button that downloads a result."""

    drawn_as = "downloadbutton"

    def postprocess(self, value: Any) -> FileData | None:
        """Convert (file, name for the user) of a result."""
        if value is None:
            return None
        path, name = value
        return FileData(path=str(path), orig_name=name)


class Drop(Named, gr.File):
    """A file input; gives the key of an upload, not a path. The guard has checked the key."""

    drawn_as = "file"

    def api_info(self) -> dict[str, Any]:
        """The type of its value (Gradio's API is not offered to programs)."""
        return {"type": "string"}

    def preprocess(self, payload: Any) -> str | None:
        """The key of the upload."""
        return payload if isinstance(payload, str) else None
