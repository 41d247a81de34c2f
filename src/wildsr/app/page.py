"""The page: Gradio's components around a studio; what each visitor does stays theirs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before it is imported: nobody is told of anybody
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gradio as gr

from wildsr.app.studio import ZOOMS, Result, Studio, close_look, overview
from wildsr.error import UserError
from wildsr.photo.image import SUFFIXES

HINT = "Drop a photo or pick a sample, then press Upscale."
CSS = """
.gradio-container {width: 100%; max-width: 1280px !important; margin: auto}
#look img {image-rendering: pixelated}
#status p {margin: 0}
"""
THEME: Any = gr.themes.Default(
    primary_hue="emerald",
    font=["system-ui", "sans-serif"],  # the computer's own: nothing is fetched
    font_mono=["ui-monospace", "monospace"],
)


class Page:
    """What the page's components call.

    Args:
        studio: the upscalers.
        samples: photos to pick from.
        folder: where results are kept while a visitor is there, a folder for each.
    """

    def __init__(self, studio: Studio, samples: list[Path], folder: Path) -> None:
        self.studio, self.samples, self.folder = studio, samples, folder

    def opened(self, path: str | None) -> tuple[Any, ...]:
        """A photo was dropped or picked: the visitor's state, the overview, a sentence."""
        blank: tuple[Any, ...] = ({}, None, None, gr.update(value=None, interactive=False))
        if not path:
            return (*blank, HINT)
        try:
            width, height = self.studio.look(Path(path))
            seen = overview(Path(path))
        except UserError as error:
            return (*blank, f"**{error}**".replace(str(path), Path(path).name))
        except Exception as error:  # libvips' own, for files that end early
            return (*blank, f"**{Path(path).name} cannot be read: {str(error).splitlines()[0]}**")
        state = {"photo": path, "size": seen.shape[1::-1]}
        about = f"{Path(path).name}: {width} x {height} pixels"
        return (state, seen, None, gr.update(value=None, interactive=False), about)

    def picked(self, event: gr.SelectData) -> str:
        """A sample was picked: its file."""
        return str(self.samples[int(event.index)])

    def factors(self, name: str) -> Any:
        """An upscaler was chosen: the factors that it has."""
        found = self.studio.factors(name)
        return gr.update(choices=[(f"{factor:g}", factor) for factor in found], value=found[-1])

    def upscale(
        self,
        state: dict[str, Any],
        name: str,
        factor: float,
        zoom: int,
        request: gr.Request,
        progress: Any = gr.Progress(),  # noqa: B008 (how Gradio finds it)
    ) -> tuple[Any, ...]:
        """The button: the state with the result, two close looks, the file, a sentence."""
        nothing = (state, gr.skip(), gr.skip())
        if not state.get("photo"):
            return (*nothing, "**Drop a photo or pick a sample first.**")
        progress(0, desc="upscaling")
        own = self.folder / str(request.session_hash)
        try:
            result: Result = self.studio.upscale(
                Path(state["photo"]),
                name,
                float(factor),
                own,
                lambda done, all: progress(done / max(all, 1), desc="upscaling"),
            )
        except UserError as error:
            return (*nothing, f"**{error}**")
        state = {**state, "result": str(result.path), "centre": state.get("centre", (0.5, 0.5))}
        about = (
            f"{result.size[0]} x {result.size[1]} to {result.larger[0]} x {result.larger[1]} "
            f"pixels by {name} in {result.seconds:.1f} s"
        )
        download = gr.update(value=str(result.path), interactive=True)
        return state, self._looks(state, zoom), download, about

    def pointed(self, state: dict[str, Any], zoom: int, event: gr.SelectData) -> tuple[Any, ...]:
        """A spot of the overview was clicked: look there."""
        if not state.get("photo"):
            return state, None
        x, y = (at / side for at, side in zip(event.index, state["size"], strict=True))
        state = {**state, "centre": (x, y)}
        return state, self._looks(state, zoom)

    def _looks(self, state: dict[str, Any], zoom: int) -> Any:
        if not state.get("result"):
            return None
        return close_look(Path(state["photo"]), Path(state["result"]), state["centre"], int(zoom))

    def zoomed(self, state: dict[str, Any], zoom: int) -> Any:
        """Another zoom was chosen."""
        return self._looks(state, zoom)

    def left(self, request: gr.Request) -> None:
        """A visitor has gone, and with them what they made."""
        shutil.rmtree(self.folder / str(request.session_hash), ignore_errors=True)

    def blocks(self) -> gr.Blocks:
        """The page itself."""
        names = list(self.studio.loaders)
        found = self.studio.factors(names[0])
        with gr.Blocks(title="wildsr", analytics_enabled=False, delete_cache=(600, 3600)) as page:
            state = gr.State({})
            gr.Markdown("# wildsr\nDrop a photo, upscale it, and look closely.")
            with gr.Row():
                with gr.Column(scale=2, min_width=300):
                    file = gr.File(
                        label=f"Photo (at most {self.studio.limit:g} megapixels)",
                        file_types=list(SUFFIXES),
                        height=160,
                        elem_id="photo",
                    )
                    gallery = gr.Gallery(
                        [str(path) for path in self.samples],
                        label="or a sample",
                        columns=3,
                        height=140,
                        object_fit="cover",
                        allow_preview=False,
                        buttons=[],
                        visible=bool(self.samples),
                        elem_id="samples",
                    )
                    name = gr.Dropdown(names, value=names[0], label="Weights", elem_id="weights")
                    factor = gr.Radio(
                        [(f"{one:g}", one) for one in found],
                        value=found[-1],
                        label="Factor",
                        elem_id="factor",
                    )
                    button = gr.Button("Upscale", variant="primary", elem_id="upscale")
                    whole = gr.Image(
                        label="The photo: click where to look",
                        interactive=False,
                        buttons=[],
                        elem_id="whole",
                    )
                with gr.Column(scale=5, min_width=500):
                    status = gr.Markdown(HINT, elem_id="status", min_height=28)
                    look = gr.ImageSlider(
                        label="bicubic | upscaled, pixel for pixel",
                        interactive=False,
                        format="png",
                        max_height=720,
                        buttons=["fullscreen"],
                        elem_id="look",
                    )
                    zoom = gr.Radio(
                        [(f"{100 * one} %", one) for one in ZOOMS],
                        value=1,
                        label="Zoom",
                        elem_id="zoom",
                    )
                    download = gr.DownloadButton(
                        "Download the whole result", interactive=False, elem_id="download"
                    )
            # Without these, one visitor's click would wait for another's photo.
            quick: dict[str, Any] = {"concurrency_limit": 4, "api_visibility": "private"}
            opened = [state, whole, look, download, status]
            file.change(self.opened, file, opened, **quick)
            gallery.select(self.picked, None, file, **quick)
            name.change(self.factors, name, factor, **quick)
            button.click(
                self.upscale,
                [state, name, factor, zoom],
                [state, look, download, status],
                concurrency_limit=1,
                api_visibility="private",
                show_progress_on=look,
            )
            whole.select(self.pointed, [state, zoom], [state, look], **quick)
            zoom.change(self.zoomed, [state, zoom], look, **quick)
            page.unload(self.left)
        return page
