"""Refuse requests that other sites send through a visitor's browser."""

from __future__ import annotations

from wildsr.app.answer import Scope, header
from wildsr.app.host import Hosts, same_origin
from wildsr.app.limits import Refused


def check_origin(scope: Scope, hosts: Hosts) -> None:
    """Refuse a request with a foreign host name, or from another site.

    Args:
        scope: of the request (ASGI).
        hosts: the allowed names of the page.

    Raises:
        Refused: status 403.
    """
    host, origin = header(scope, b"host") or "", header(scope, b"origin")
    if not hosts.allow(host):
        raise Refused(
            403, "The page does not go by this name; `allowed_hosts` gives it further names."
        )
    site = header(scope, b"sec-fetch-site")
    front = scope["path"] == "/" and scope["method"] in ("GET", "HEAD")
    foreign = site in ("cross-site", "same-site") and not front
    if foreign or (origin is not None and not same_origin(origin, host)):
        raise Refused(403, "Other sites may not use the page.")
