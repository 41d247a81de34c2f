"""Read requests and write responses (ASGI), within limits of size and time."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from wildsr.app.limits import Refused
from wildsr.app.session import Stored

Scope = dict[str, Any]
# The page may load only its own files; 'unsafe-inline' because some of Gradio's scripts are inline.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; worker-src 'self' blob:; connect-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
ALWAYS = [
    (b"content-security-policy", POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
LINGER = 3.0  # seconds for which the rest of a refused request is read and discarded
PART = 2**18  # bytes of a file that are sent at once
KINDS = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}  # other files are downloaded, not displayed


def header(scope: Scope, name: bytes) -> str | None:
    """A header's value; None if there is none.

    Raises:
        Refused: the header occurs twice, so that two readers could take different values.
    """
    found = [value for key, value in scope["headers"] if key.lower() == name]
    if len(found) > 1:
        raise Refused(400, "A header stands there twice.")
    return found[0].decode("latin-1") if found else None


async def chunks(receive: Any, silence: float, whole: float) -> Any:
    """The parts of a request's body as they arrive.

    Args:
        receive: ASGI's.
        silence: maximum seconds between two parts.
        whole: maximum seconds for the whole body.

    Raises:
        Refused: it arrives too slowly, or the visitor has disconnected.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + whole
    while True:
        try:
            message = await asyncio.wait_for(receive(), min(silence, max(end - loop.time(), 0)))
        except TimeoutError as error:
            raise Refused(408, "The request came too slowly.") from error
        if message["type"] == "http.disconnect":  # or nothing is left of it
            raise Refused(400, "The request ended early.")
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


async def throw_away(receive: Any, limit: int) -> None:
    """Read and discard the rest of a refused request: browsers read no response before all is sent.

    Args:
        receive: ASGI's.
        limit: maximum bytes to read.
    """
    count = 0
    with contextlib.suppress(Refused):
        async for part in chunks(receive, LINGER, LINGER):
            count += len(part)
            if count > limit:
                break


async def short_body(receive: Any, limit: int, silence: float) -> bytes:
    """Read a whole body of at most ``limit`` bytes.

    Raises:
        Refused: it is longer, or too slow.
    """
    found = bytearray()
    async for part in chunks(receive, silence, silence):
        found += part
        if len(found) > limit:
            raise Refused(413, "The request is too long.")
    return bytes(found)


async def say(
    send: Any,
    status: int,
    body: str | bytes,
    kind: str = "text/plain; charset=utf-8",
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """Send a complete response."""
    content = body.encode() if isinstance(body, str) else body
    length = (b"content-length", str(len(content)).encode())
    start = [(b"content-type", kind.encode()), length, (b"cache-control", b"no-store"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": content})


async def say_json(send: Any, status: int, content: Any) -> None:
    """Send a complete response as JSON."""
    await say(send, status, json.dumps(content), "application/json")


async def say_file(send: Any, stored: Stored) -> None:
    """Send a file to the visitor who owns it: pictures for display, others as downloads.

    Raises:
        Refused: the file does not exist any more.
    """
    kind = KINDS.get(stored.path.suffix, "application/octet-stream")
    try:
        with stored.path.open("rb") as file:  # stays readable if the session ends
            size = file.seek(0, 2)
            file.seek(0)
            headers = [
                (b"content-type", kind.encode()),
                (b"content-length", str(size).encode()),
                (b"content-disposition", disposition(stored.name, kind).encode()),
                (b"cache-control", b"private, no-store"),
            ]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            for part in _parts(file):
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
    except FileNotFoundError as error:
        raise Refused(404, "Not found.") from error


def _parts(file: Any) -> Iterator[bytes]:
    while part := file.read(PART):
        yield part


def disposition(name: str, kind: str) -> str:
    """The Content-Disposition header with a file's name, whatever characters it holds."""
    way = "inline" if kind.startswith("image/") else "attachment"
    return f"{way}; filename*=UTF-8''{quote(name, safe='')}"
