"""Allowed host names of the page, against DNS rebinding."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

import psutil

from wildsr.error import UserError

NAME = re.compile(
    r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?)\.?(:(?P<port>\d{1,5}))?"
)


class Hosts:
    """The names, or names and ports, that are allowed in a ``Host`` header.

    A hostile site can let its own name resolve to 127.0.0.1 (DNS rebinding). A browser then takes
    this page for that site's own, but sends the site's name in ``Host``.

    Args:
        host: the address on which the server listens.
        port: its port.
        others: further names, with any port unless they include one (as behind a reverse proxy).

    Raises:
        UserError: a further name is not valid.
    """

    def __init__(self, host: str, port: int, others: Iterable[str] = ()) -> None:
        names = {"localhost", "127.0.0.1", "[::1]", _bracketed(host.lower())}
        if host in ("0.0.0.0", "::"):
            names |= own_names()
        self._pairs: set[tuple[str, int | None]] = {(name, port) for name in names}
        for other in others:
            found = NAME.fullmatch(str(other).lower())
            if not found:
                raise UserError(
                    "`allowed_hosts` must be a list of names such as demo.example.org or "
                    f"10.0.0.7:8000, but got {other!r}."
                )
            self._pairs.add((found["name"], int(found["port"]) if found["port"] else None))

    def allow(self, host: str) -> bool:
        """Whether this value of a ``Host`` header is allowed."""
        found = NAME.fullmatch(host.lower())
        if not found:
            return False
        name, port = found["name"], found["port"]
        if (name, None) in self._pairs:
            return True
        return (name, int(port) if port else 80) in self._pairs


def same_origin(origin: str, host: str) -> bool:
    """Whether an ``Origin`` header matches the ``Host`` header of the request."""
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}":
        return False
    return parts.netloc.lower() == host.lower()


def is_loopback(host: str, port: int) -> bool:
    """Whether this address can only be reached from this computer."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return all(ipaddress.ip_address(str(entry[4][0])).is_loopback for entry in found)


def own_names() -> set[str]:
    """This computer's name and addresses, as they occur in a ``Host`` header."""
    found = {socket.gethostname().lower()}
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            if address.family in (socket.AF_INET, socket.AF_INET6):
                found.add(_bracketed(address.address.partition("%")[0].lower()))
    return found


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
