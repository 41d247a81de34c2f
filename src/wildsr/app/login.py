"""Cookies of the page's visitors, and the password for one."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import secrets
from collections import OrderedDict
from urllib.parse import parse_qs

from wildsr.app.limits import Refused

ADDRESSES = 4096  # maximum number of addresses for which wrong passwords are counted
FREE = 5  # wrong passwords before an address has to wait
LONGEST = 30.0  # seconds to wait at most

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>wildsr</title>
<meta name="viewport" content="width=device-width">
<style>body{{font-family:system-ui,sans-serif;max-width:22em;margin:15vh auto;padding:0 1em}}
input,button{{font:inherit;padding:.5em;width:100%;box-sizing:border-box;margin:.3em 0}}</style>
</head><body><h1>wildsr</h1><form method="post" action="/login">
<label>Password<input type="password" name="password" autofocus required
autocomplete="current-password"></label><button>Enter</button></form><p>{said}</p></body></html>
"""
# From a link on another site the cookie (SameSite=Strict) is not sent, and a new one would take
# the place of the visitor's own: the page asks again, by itself.
AGAIN = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>wildsr</title>
<meta http-equiv="refresh" content="0"></head><body><a href="/">wildsr</a></body></html>
"""


class Login:
    """Creates and checks cookies, and checks the password.

    Args:
        port: of the server; browsers send a cookie to every port of a host.
        password: required for a cookie; None for none.
    """

    def __init__(self, port: int, password: str | None) -> None:
        self.name = f"wildsr-{port}"
        self.needed = password is not None
        self._password = (password or "").encode()
        self._key = secrets.token_bytes(32)
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def cookie(self) -> tuple[str, tuple[bytes, bytes]]:
        """A new visitor's identity, and the header that sets its cookie."""
        identity = secrets.token_hex(16)
        value = f"{self.name}={identity}.{self._sign(identity)}; Path=/; HttpOnly; SameSite=Strict"
        return identity, (b"set-cookie", value.encode())

    def identity(self, header: str | None) -> str | None:
        """The identity in a ``Cookie`` header; None without a cookie that this server signed."""
        for part in (header or "").split(";"):
            name, _, value = part.strip().partition("=")
            identity, _, signature = value.partition(".")
            right = self._sign(identity)
            if name == self.name and hmac.compare_digest(signature.encode(), right.encode()):
                return identity
        return None

    async def enter(self, body: bytes, address: str) -> None:
        """Check the password in a form; after several wrong ones an address must wait, ever longer.

        Raises:
            Refused: it is wrong, or the address must wait.
        """
        if ":" in address:  # a household has 2**64 IPv6 addresses
            network = ipaddress.ip_network(f"{address.partition('%')[0]}/64", strict=False)
            address = str(network)
        now = asyncio.get_running_loop().time()
        count, until = self._wrong.get(address, (0, 0.0))
        if now < until:
            raise Refused(429, f"Too many wrong passwords; wait {until - now:.0f} s.")
        try:
            sent = parse_qs(body.decode(), max_num_fields=4).get("password", [""])[0]
        except ValueError:
            sent = ""
        if hmac.compare_digest(sent.encode(), self._password) and self._password:
            self._wrong.pop(address, None)
            return
        pause = 0.0 if count + 1 < FREE else min(2.0 ** (count + 1 - FREE), LONGEST)
        self._wrong[address] = (count + 1, now + pause)
        self._wrong.move_to_end(address)
        while len(self._wrong) > ADDRESSES:
            self._wrong.popitem(last=False)
        await asyncio.sleep(0.5)
        raise Refused(401, "This is not the password.")

    def _sign(self, identity: str) -> str:
        return hmac.new(self._key, identity.encode(), "sha256").hexdigest()
