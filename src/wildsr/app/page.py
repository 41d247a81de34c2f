"""The page: Gradio's components around a studio; visitors see only their own photos."""

from __future__ import annotations

import html
import secrets
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from wildsr.app import component  # noqa: F401  # isort: skip (it sets Gradio's environment)

import gradio as gr
from PIL import Image

from wildsr.app.join import UPLOAD, Form
from wildsr.app.limits import Refused
from wildsr.app.sentence import said, told
from wildsr.app.session import GONE, Session, Stored
from wildsr.app.studio import (
    FACTORS,
    STRENGTHS,
    ZOOMS,
    Result,
    Studio,
    close_look,
    overview,
)
from wildsr.app.visitor import Visitors
from wildsr.error import UserError
from wildsr.photo.image import Pixels

THUMB = 320  # pixels of the longer side of a sample's thumbnail
HINT = "Drop a photo or pick a sample, then press Upscale."
# Empty values for overview, close look and download button.
NOTHING: tuple[Any, ...] = (None, None, gr.update(value=None, interactive=False))


class Page:
    """The callbacks of the page's components.

    Args:
        studio: the upscalers.
        samples: photos to choose from.
        visitors: the owners of photos and results.
    """

    def __init__(self, studio: Studio, samples: list[Path], visitors: Visitors) -> None:
        self.studio, self.visitors = studio, visitors
        self.samples = [Stored(path, path.name, 0) for path in samples]

    def opened(self, key: str | None, request: gr.Request) -> tuple[Any, ...]:
        """A photo was dropped: return its overview, no close look, no file, and a message."""
        session = self._session(request)
        if key is None:
            return (*NOTHING, said(HINT))
        stored = session.visitor.uploads.get(key) or session.files.get(key)
        if stored is None:
            return (*NOTHING, said("This photo is not here; drop it again.", wrong=True))
        answer = self._open(session, stored)
        if session.photo is not stored:
            self.visitors.discard(session.visitor, stored)
        return answer

    def picked(self, event: gr.SelectData, request: gr.Request) -> tuple[Any, ...]:
        """A sample was chosen: like a dropped photo, and the file input is cleared."""
        return None, *self._open(self._session(request), self.samples[int(event.index)])

    def _open(self, session: Session, stored: Stored) -> tuple[Any, ...]:
        try:
            with session.hold():
                width, height = self.studio.look(stored.path)
                seen = overview(stored.path, self.studio.sight)
                shown = self._write(session, seen, "whole")
                session.open(stored, (seen.shape[1], seen.shape[0]))
        except Exception as error:  # UserError, and libvips' own for files that end early
            return (*NOTHING, said(told(error, stored), wrong=True))
        return shown, *NOTHING[1:], said(f"{stored.name}: {width} x {height} pixels")

    def factors(self, name: str) -> tuple[Any, Any]:
        """An upscaler was chosen: return its factors, and its strength if it has a finish.

        Raises:
            gr.Error: it cannot be loaded.
        """
        try:
            found = self.studio.factors(name)
        except UserError as error:
            sentence = html.escape(told(error, None))
            raise gr.Error(sentence, print_exception=False) from error
        choices = [(f"{factor:g}", factor) for factor in found]
        default = self.studio.finished.get(name)
        return (
            gr.update(choices=choices, value=found[-1]),
            gr.update(visible=default is not None, value=default or 0),
        )

    def upscale(
        self,
        name: str,
        factor: float,
        zoom: int,
        strength: float,
        request: gr.Request,
        progress: Any = gr.Progress(),  # noqa: B008 (Gradio finds it by this default)
    ) -> tuple[Any, ...]:
        """The button was pressed: return two close looks, the file, and a message."""
        session = self._session(request)
        photo = session.photo
        if photo is None:
            return gr.skip(), gr.skip(), said("Drop a photo or pick a sample first.", wrong=True)
        progress(0, desc="upscaling")

        def onwards(done: int, whole: int) -> None:
            if session.closed or self.visitors.closed:
                raise Refused(410, GONE)
            progress(done / max(whole, 1), desc="upscaling")

        try:
            with session.hold(), self.visitors.turn(session.visitor):
                result = self._result(session, photo, name, float(factor), float(strength), onwards)
                if session.photo is not photo:  # another one was dropped meanwhile
                    return gr.skip(), gr.skip(), gr.skip()
                looks = self._looks(session, zoom)
        except Exception as error:  # any error is shown to the visitor
            return gr.skip(), gr.skip(), said(told(error, photo), wrong=True)
        at = f" at strength {strength:g}" if name in self.studio.finished else ""
        about = (
            f"{result.size[0]} x {result.size[1]} to {result.larger[0]} x {result.larger[1]} "
            f"pixels by {name}{at} in {result.seconds:.1f} s"
        )
        assert session.result is not None  # set just now
        file = (session.result.path, session.result.name)
        return looks, gr.update(value=file, interactive=True), said(about)

    def _result(
        self,
        session: Session,
        photo: Stored,
        name: str,
        factor: float,
        strength: float,
        progress: Callable[[int, int], None],
    ) -> Result:
        """Upscale a photo into the session's folder."""
        if session.result is not None:
            session.drop(session.result)
            session.result = None
        with self.visitors.ledger.reserved(session.visitor, self.studio.room(photo.path, factor)):
            made = self.studio.upscale(photo.path, name, factor, session.folder, progress, strength)
        path = made.path.rename(session.place(made.path.suffix))
        shown = f"{PurePosixPath(photo.name).stem}_{factor:g}x{path.suffix}"
        stored = session.keep(path, shown, "result")
        if session.photo is photo:
            session.result = stored
        else:
            session.drop(stored)
        return made

    def pointed(self, zoom: int, event: gr.SelectData, request: gr.Request) -> Any:
        """The overview was clicked: return close looks at that place."""
        session = self._session(request)
        x, y = (min(at / side, 1) for at, side in zip(event.index, session.size, strict=True))
        session.centre = (x, y)
        return self._looks(session, zoom)

    def zoomed(self, zoom: int, request: gr.Request) -> Any:
        """Another zoom was chosen: return close looks with it."""
        return self._looks(self._session(request), zoom)

    def _looks(self, session: Session, zoom: int) -> tuple[str, str] | None:
        photo, result = session.photo, session.result
        if photo is None or result is None:
            return None
        with session.hold():
            sight = self.studio.sight
            sides = close_look(photo.path, result.path, session.centre, int(zoom), sight)
            before, after = (self._write(session, side, "look") for side in sides)
        return before, after

    def _write(self, session: Session, pixels: Pixels, role: str) -> str:
        """Pixels as a picture for the page."""
        path = session.place(".png")
        Image.fromarray(pixels).save(path, compress_level=3)
        return str(session.keep(path, path.name, role).path)

    def _session(self, request: gr.Request) -> Session:
        try:
            return self.visitors.by_id(request.session_hash)
        except Refused as refused:
            raise gr.Error(str(refused), print_exception=False) from refused

    def thumbnails(self) -> list[str]:
        """Small copies of the samples that can be opened, which everybody may see."""
        folder = self.visitors.folder / "samples"
        folder.mkdir(0o700, exist_ok=True)
        whole, self.samples, paths = self.samples, [], []
        for sample in whole:
            try:
                self.studio.look(sample.path)
                small = Image.fromarray(overview(sample.path, self.studio.sight))
            except Exception:  # an unreadable sample is not offered
                continue
            small.thumbnail((THUMB, THUMB))
            path = folder / f"{secrets.token_hex(16)}.png"
            small.save(path)
            self.visitors.samples[path.name] = Stored(path, path.name, path.stat().st_size)
            self.samples.append(sample)
            paths.append(str(path))
        return paths

    def forms(self, page: gr.Blocks) -> dict[int, Form]:
        """The values that each event of the page may send; the guard refuses all others."""
        names = tuple(self.studio.loaders)
        named = {
            "opened": Form((UPLOAD,)),
            "cleared": Form((UPLOAD,)),
            "picked": Form((), "index", len(self.samples)),
            "factors": Form((names,)),
            "upscale": Form((names, FACTORS, ZOOMS, STRENGTHS), heavy=True),
            "pointed": Form((ZOOMS,), "point"),
            "zoomed": Form((ZOOMS,)),
        }
        events = {number: str(event.api_name) for number, event in page.fns.items()}
        return {number: named[name] for number, name in events.items() if name in named}
