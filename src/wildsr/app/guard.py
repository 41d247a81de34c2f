"""The guard before Gradio: passes only a fixed list of routes, for visitors with a cookie."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

from wildsr.app.answer import ALWAYS, Scope, header, say, say_file, say_json, short_body, throw_away
from wildsr.app.behind import Behind
from wildsr.app.host import Hosts
from wildsr.app.join import KEY, LOST, UPLOAD, Form, read_click, session_name
from wildsr.app.limits import Refused
from wildsr.app.login import AGAIN, PAGE, Login
from wildsr.app.origin import check_origin
from wildsr.app.session import Session, Visitor
from wildsr.app.upload import receive_photo
from wildsr.app.visitor import Visitors

API = "/gradio_api"
STATIC = re.compile(r"/(assets|static)(/[A-Za-z0-9_@-][A-Za-z0-9_@.-]*)+")
BODY = 2**16  # maximum bytes of an event that the page sends
TICK = 5.0  # seconds between two clean-ups of abandoned sessions
UNKNOWN = "Open the page first: this browser has no cookie of it, or one from before a restart."


class Guard:
    """An ASGI application around Gradio's, which only gets requests that were checked and rebuilt.

    Args:
        inner: Gradio's application.
        visitors: the known visitors and their limits.
        forms: event number of the page -> what it may send.
        hosts: allowed names of the page.
        login: cookies and password.
        forget: called with the id of a session that has ended.
    """

    def __init__(
        self,
        inner: Any,
        visitors: Visitors,
        forms: Mapping[int, Form],
        hosts: Hosts,
        login: Login,
        forget: Callable[[str], Awaitable[None]],
    ) -> None:
        self.visitors, self.forms = visitors, forms
        self.hosts, self.login, self.forget = hosts, login, forget
        self.limits = visitors.limits
        self._open = 0
        self._behind = Behind(inner)

    def stop(self) -> None:
        """Stop: computations for visitors and their streams end."""
        self.visitors.closed = True
        self._behind.stop()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Respond to a request (ASGI)."""
        if scope["type"] == "lifespan":
            sweeper = asyncio.create_task(self._sweep())
            try:
                await self._behind.app(scope, receive, send)
            finally:
                sweeper.cancel()
                self.visitors.close()
            return
        if scope["type"] != "http":  # the page uses no WebSocket
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        begun = gone = False
        more = scope["method"] == "POST"  # of the request to come

        async def heard() -> Any:
            nonlocal more
            message = await receive()
            more = bool(message.get("more_body"))
            return message

        async def closed(message: Any) -> None:
            nonlocal begun, gone
            if message["type"] == "http.response.start":
                begun = True
                kept = [
                    (name, value)
                    for name, value in message.get("headers", [])
                    if not name.lower().startswith(b"access-control-") and name.lower() != b"server"
                ]
                message = {**message, "headers": [*kept, *ALWAYS]}
            try:
                await asyncio.wait_for(send(message), self.limits.patience)
            except TimeoutError as error:
                gone = True
                raise ConnectionAbortedError("what is sent is not taken") from error

        self._open += 1
        try:
            if self._open > self.limits.connections:
                raise Refused(503, "Too many requests are open; try again later.")
            await self._answer(scope, heard, closed)
        except Refused as refused:
            if not begun:  # else the connection is cut
                if more:
                    await throw_away(receive, 2 * self.limits.upload)
                await self._refuse(scope, closed, refused)
        except Exception:
            if not gone:
                raise
        finally:
            self._open -= 1

    async def _refuse(self, scope: Scope, send: Any, refused: Refused) -> None:
        end = [(b"connection", b"close")] if scope["method"] == "POST" else []
        if scope["path"].startswith(f"{API}/queue/"):
            body = json.dumps({"detail": str(refused)})
            await say(send, refused.status, body, "application/json", end)
        else:
            await say(send, refused.status, str(refused), headers=end)

    async def _answer(self, scope: Scope, receive: Any, send: Any) -> None:
        check_origin(scope, self.hosts)
        method, path = scope["method"], scope["path"]
        if b"%" in scope.get("raw_path", b"") or "\0" in path:
            raise Refused(404, "Not found.")
        identity = self.login.identity(header(scope, b"cookie"))
        if path == "/login" and method == "POST" and self.login.needed:
            return await self._login(scope, receive, send)
        if path == "/" and method in ("GET", "HEAD"):
            return await self._front(scope, receive, send, identity)
        if path in ("/favicon.ico", "/manifest.json") and method == "GET":
            return await self._behind.ask(scope, b"", send)  # browsers ask for them without cookies
        if identity is None:
            raise Refused(401 if self.login.needed else 403, UNKNOWN)
        if method == "GET" and (STATIC.fullmatch(path) or path == "/theme.css"):
            return await self._behind.ask(scope, b"", send)
        if method == "GET" and path.startswith(f"{API}/file="):
            stored = self.visitors.find(identity, path.removeprefix(f"{API}/file="))
            if stored is None:
                raise Refused(404, "Not found.")
            async with self._visit(identity):
                return await say_file(send, stored)
        routes: dict[tuple[str, str], Any] = {
            ("POST", "upload"): self._upload,
            ("GET", "upload_progress"): self._progress,
            ("POST", "queue/join"): self._join,
            ("GET", "queue/data"): self._data,
        }
        name = path.removeprefix(f"{API}/") if path.startswith(f"{API}/") else ""
        found = self._heartbeat if name.startswith("heartbeat/") else routes.get((method, name))
        if found is None or (found == self._heartbeat and method != "GET"):
            raise Refused(404, "Not found.")
        async with self._visit(identity) as visitor:
            await found(visitor, scope, receive, send)

    @asynccontextmanager
    async def _visit(self, identity: str) -> AsyncIterator[Visitor]:
        visitor = self.visitors.visitor(identity)
        if visitor.requests >= self.limits.requests:
            raise Refused(429, "Too many of your requests are open; close a tab of the page.")
        visitor.requests += 1
        try:
            yield visitor
        finally:
            visitor.requests -= 1

    async def _front(self, scope: Scope, receive: Any, send: Any, identity: str | None) -> None:
        headers: list[tuple[bytes, bytes]] = []
        if identity is None:
            if header(scope, b"sec-fetch-site") in ("cross-site", "same-site"):
                return await say(send, 200, AGAIN, "text/html; charset=utf-8")
            if self.login.needed:
                page = PAGE.format(said="")
                return await say(send, 401, page, "text/html; charset=utf-8")
            headers = [self.login.cookie()[1]]

        async def with_cookie(message: Any) -> None:
            if message["type"] == "http.response.start":
                kept = [h for h in message["headers"] if h[0].lower() != b"cache-control"]
                message = {**message, "headers": [*kept, (b"cache-control", b"no-store"), *headers]}
            await send(message)

        await self._behind.ask(scope, b"", with_cookie)

    async def _login(self, scope: Scope, receive: Any, send: Any) -> None:
        body = await short_body(receive, 4096, self.limits.silence)
        try:
            await self.login.enter(body, (scope.get("client") or ("",))[0])
        except Refused as refused:
            page = PAGE.format(said=str(refused))
            return await say(send, refused.status, page, "text/html; charset=utf-8")
        headers = [self.login.cookie()[1], (b"location", b"/")]
        await say(send, 303, "", headers=headers)

    async def _upload(self, visitor: Visitor, scope: Scope, receive: Any, send: Any) -> None:
        ledger = self.visitors.ledger
        stored = await receive_photo(scope, receive, visitor, ledger, self.limits)
        await say_json(send, 200, [stored.path.name])

    async def _progress(self, visitor: Visitor, scope: Scope, receive: Any, send: Any) -> None:
        await say(send, 200, 'data: {"msg": "done"}\n\n', "text/event-stream")

    async def _join(self, visitor: Visitor, scope: Scope, receive: Any, send: Any) -> None:
        body = await short_body(receive, BODY, self.limits.silence)
        click = read_click(body, self.forms)
        inputs = zip(self.forms[click.event].inputs, click.data, strict=True)
        for kind, value in inputs:
            if kind == UPLOAD and value is not None and not self._has(visitor, value):
                raise Refused(404, LOST)
        session = self.visitors.session(visitor, click.session)
        mine = [one.waiting for one in visitor.sessions.values()]
        if sum(map(len, mine)) >= self.limits.pending:
            raise Refused(429, "Too many of your clicks wait for an answer; try again later.")
        if click.heavy:
            heavy = sum(sum(one.values()) for one in mine)
            self.visitors.check_turns(heavy, self.visitors.waiting())
        answer = bytearray()
        ticket = f"joining {id(answer)}"
        session.waiting[ticket] = click.heavy

        async def noting(message: Any) -> None:
            if message["type"] == "http.response.body":
                answer.extend(message.get("body", b""))
                if not message.get("more_body"):
                    del session.waiting[ticket]
                    with contextlib.suppress(ValueError, KeyError, TypeError):
                        session.waiting[json.loads(answer)["event_id"]] = click.heavy
            await send(message)

        try:
            await self._behind.ask(scope, click.body(session.id), noting)
        finally:
            session.waiting.pop(ticket, None)

    def _has(self, visitor: Visitor, key: str) -> bool:
        shelves = [visitor.uploads, *(one.files for one in visitor.sessions.values())]
        return any(key in shelf for shelf in shelves) and KEY.fullmatch(key) is not None

    async def _data(self, visitor: Visitor, scope: Scope, receive: Any, send: Any) -> None:
        query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=8)
        session = self.visitors.session(visitor, session_name(query.get("session_hash", [""])[0]))
        if not session.waiting:
            raise Refused(404, "Nothing is being done for this page.")
        if session.connections >= 4:
            raise Refused(429, "The page is open too often; close a tab.")

        async def noting(message: Any) -> None:
            for line in message.get("body", b"").split(b"\n"):
                if b'"process_completed"' in line:
                    with contextlib.suppress(ValueError, KeyError, TypeError):
                        said = json.loads(line.removeprefix(b"data: "))
                        session.waiting.pop(said["event_id"], None)
            await send(message)

        query_string = f"session_hash={session.id}".encode()
        async with self._connected(session):
            await self._behind.stream(scope, query_string, receive, noting)
        session.waiting.clear()  # Gradio drops events without a listener

    async def _heartbeat(self, visitor: Visitor, scope: Scope, receive: Any, send: Any) -> None:
        name = session_name(scope["path"].removeprefix(f"{API}/heartbeat/"))
        session = self.visitors.session(visitor, name)
        path = f"{API}/heartbeat/{session.id}"
        inner = {**scope, "path": path, "raw_path": path.encode()}
        session.beats += 1
        try:
            async with self._connected(session):
                await self._behind.stream(inner, b"", receive, send)
        finally:
            session.beats -= 1
            if not session.beats:
                await self._end(session)

    @asynccontextmanager
    async def _connected(self, session: Session) -> AsyncIterator[None]:
        session.connections += 1
        try:
            yield
        finally:
            session.connections -= 1

    async def _end(self, session: Session) -> None:
        await asyncio.to_thread(self.visitors.end, session)
        await self.forget(session.id)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            for session in await asyncio.to_thread(self.visitors.sweep):
                await self.forget(session.id)
