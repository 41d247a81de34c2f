"""The server: closes connections that send nothing, and cleans up after signals."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from wildsr.app.signals import SIGNALS

HEAD = 15.0  # seconds in which a request's headers must arrive
CONNECTIONS = 512


class _Prompt(H11Protocol):
    """HTTP/1.1 with a limit of connections, and of the time until a request's headers arrived."""

    _late: Any = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
            return
        self._expect()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._unset()
        elif self._late is None:
            self._expect()

    def on_response_complete(self) -> None:
        self._unset()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset()
        super().connection_lost(exc)

    def _expect(self) -> None:
        self._unset()
        self._late = self.loop.call_later(HEAD, self.transport.abort)

    def _unset(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class _Server(uvicorn.Server):
    """uvicorn's, which after a signal gives its caller the time to tidy up."""

    should_exit: bool
    force_exit: bool
    stopped_by: int | None = None
    stop: Callable[[], None]

    async def shutdown(self, sockets: Any = None) -> None:
        self.stop()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {
            one: signal.signal(one, self.handle_exit)
            for one in SIGNALS
            if signal.getsignal(one) is not signal.SIG_IGN  # as under nohup
        }
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True
        self.stopped_by = self.stopped_by or sig


def serve(application: Any, host: str, port: int, stop: Callable[[], None]) -> int | None:
    """Serve until a signal arrives.

    Args:
        application: ASGI.
        host: address to listen on.
        port: its port.
        stop: called when the server begins to stop.

    Returns:
        The signal.
    """
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        log_level="warning",
        http=_Prompt,
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=2**15,
    )
    server = _Server(config)
    server.stop = stop
    server.run()
    return server.stopped_by
