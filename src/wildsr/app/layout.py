"""Lay out the page: its Gradio components, and the callbacks that they call."""

from __future__ import annotations

from typing import Any

from wildsr.app import component  # isort: skip (it sets Gradio's environment)

import gradio as gr

from wildsr.app.page import HINT, Page
from wildsr.app.sentence import said
from wildsr.app.studio import STRENGTHS, ZOOMS
from wildsr.photo.image import SUFFIXES

CSS = """
.gradio-container {width: 100%; max-width: 1280px !important; margin: auto}
#look img {image-rendering: pixelated}
#status p {margin: 0}
#status .wrong {font-weight: 600}
"""
THEME: Any = gr.themes.Default(
    primary_hue="emerald",
    font=["system-ui", "sans-serif"],  # the computer's own: nothing is fetched
    font_mono=["ui-monospace", "monospace"],
)


def laid_out(page: Page) -> gr.Blocks:
    """Build the Gradio page and connect its components with the callbacks of ``page``."""
    names = list(page.studio.loaders)
    found = page.studio.factors(names[0])
    thumbnails = page.thumbnails()
    with gr.Blocks(title="wildsr", analytics_enabled=False) as blocks:
        gr.Markdown("# wildsr\nDrop a photo, upscale it, and look closely.")
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                file = component.Drop(
                    label=f"Photo (at most {page.studio.limit:g} megapixels)",
                    file_types=list(SUFFIXES),
                    height=160,
                    elem_id="photo",
                )
                file.data_model = None  # its value is a key, not file data
                gallery = component.Gallery(
                    thumbnails,
                    label="or a sample",
                    columns=3,
                    height=140,
                    object_fit="cover",
                    allow_preview=False,
                    buttons=[],
                    visible=bool(thumbnails),
                    elem_id="samples",
                )
                name = gr.Dropdown(names, value=names[0], label="Weights", elem_id="weights")
                factor = gr.Radio(
                    [(f"{one:g}", one) for one in found],
                    value=found[-1],
                    label="Factor",
                    elem_id="factor",
                )
                default = page.studio.finished.get(names[0])
                strength = gr.Slider(
                    STRENGTHS[0],
                    STRENGTHS[-1],
                    value=default or 0,
                    step=STRENGTHS[1],
                    label="Strength: faithful to sharp",
                    visible=default is not None,
                    elem_id="strength",
                )
                button = gr.Button("Upscale", variant="primary", elem_id="upscale")
                whole = component.Image(
                    label="The photo: click where to look",
                    interactive=False,
                    buttons=[],
                    elem_id="whole",
                )
            with gr.Column(scale=5, min_width=500):
                status = gr.HTML(said(HINT), elem_id="status", min_height=28, js_on_load=None)
                look = component.Slider(
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
                download = component.Download(
                    "Download the whole result", interactive=False, elem_id="download"
                )
        # Without these, one visitor's click would wait for another's photo.
        quick: dict[str, Any] = {"concurrency_limit": 4, "api_visibility": "private"}
        opened = [whole, look, download, status]
        file.upload(page.opened, file, opened, api_name="opened", **quick)
        file.clear(page.opened, file, opened, api_name="cleared", **quick)
        gallery.select(page.picked, None, [file, *opened], api_name="picked", **quick)
        name.change(page.factors, name, [factor, strength], api_name="factors", **quick)
        button.click(
            page.upscale,
            [name, factor, zoom, strength],
            [look, download, status],
            concurrency_limit=1,
            api_name="upscale",
            api_visibility="private",
            show_progress_on=look,
        )
        whole.select(page.pointed, zoom, look, api_name="pointed", **quick)
        zoom.change(page.zoomed, zoom, look, api_name="zoomed", **quick)
        blocks.unload(_left)  # the browser keeps a connection open, whose end the guard notices
    return blocks


def _left() -> None:
    """A visitor has gone: nothing that Gradio has to do."""
