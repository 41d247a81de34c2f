"""Gradio's application behind the guard: which requests and headers are passed on to it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from wildsr.app.answer import Scope, header
from wildsr.error import first_line

PASSED = (b"host", b"content-type", b"accept", b"accept-encoding", b"accept-language")
LOG = logging.getLogger(__name__)


class Behind:
    """Passes requests on to Gradio's application, with few of their headers.

    Args:
        app: Gradio's application (ASGI).
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End all streams, because the server stops."""
        self._stopping.set()

    def _scope(self, scope: Scope, query: bytes) -> Scope:
        kept = [(name, value) for name, value in scope["headers"] if name.lower() in PASSED]
        proto = header(scope, b"x-forwarded-proto")
        if proto in ("http", "https"):  # a proxy before the page, which links to itself
            kept.append((b"x-forwarded-proto", proto.encode()))
        return {**scope, "query_string": query, "headers": kept}

    async def ask(self, scope: Scope, body: bytes, send: Any) -> None:
        """Pass a request on to Gradio with this body, no query, and few of its headers."""
        inner = self._scope(scope, b"")
        if body:
            inner["headers"].append((b"content-length", str(len(body)).encode()))
        given = asyncio.Event()

        async def receive() -> Any:
            if given.is_set():
                await asyncio.Event().wait()  # the visitor is still there
            given.set()
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(inner, receive, send)

    async def stream(self, scope: Scope, query: bytes, receive: Any, send: Any) -> None:
        """Request a stream from Gradio, which ends when the visitor leaves or the server stops."""
        stream = asyncio.create_task(self.app(self._scope(scope, query), receive, send))
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({stream, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            if not stream.done():
                stream.cancel()
            try:
                await stream
            except asyncio.CancelledError:
                pass
            except Exception as error:  # Gradio's, for a session that ended meanwhile
                LOG.info("A stream was cut: %s", first_line(error))
