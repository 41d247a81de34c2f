"""Connect to a Ray cluster, or start one on this machine; say in a sentence what goes wrong."""

from __future__ import annotations

import importlib
import logging
import os
import socket
import time
from typing import Any

from wildsr.error import UserError
from wildsr.extra import needed

PATIENCE = 30.0  # seconds in which a cluster's address must answer; Ray itself waits ten minutes
AGAIN = 0.5  # seconds between two attempts
OWN = 2.0  # seconds in which a machine must answer itself
LOOPBACK = "127.0.0.2"  # Ray replaces 127.0.0.1 and localhost by the address that it finds


def connected(address: str) -> Any:
    """Ray, connected.

    A new cluster listens on the address of this machine that Ray finds, or, where that one cannot
    be connected to (a firewall, a VPN, a sandbox), on the loopback interface.

    Args:
        address: "ray": the cluster that this process is part of (``RAY_ADDRESS``), or else a new
            one on this machine; "ray://host:port": a running one.

    Raises:
        UserError: Ray is not installed, or the cluster does not answer.
    """
    ray = needed("ray", "ray", f"`cluster={address}`")
    needed("ray.data", "ray", f"`cluster={address}`")
    if ray.is_initialized():
        return ray
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    given: dict[str, Any] = {} if address == "ray" else {"address": address}
    running = None
    try:
        running = None if _foreign(address) else _running(address)
        if running is not None:
            wait_for(*running)
        elif address == "ray" and not _reached(ray.util.get_node_ip_address()):
            given |= {"_node_ip_address": LOOPBACK} if _reached(LOOPBACK) else {}
        quiet = {"include_dashboard": False} if address == "ray" else {}
        ray.init(**given, **quiet, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # ConnectionError, RuntimeError, errors of gRPC
        said = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        named = _named(address, running is not None)
        raise UserError(f"{named} does not answer: {said}") from error
    return ray


def wait_for(host: str, port: int, patience: float | None = None) -> None:
    """Wait until a server of gRPC answers.

    Args:
        host: name or address.
        port: of the server.
        patience: seconds; None: 30.

    Raises:
        ConnectionError: none did, or there is no such host.
    """
    patience = PATIENCE if patience is None else patience
    until = time.monotonic() + patience
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:  # said at once
        raise ConnectionError(f"there is no host {host} ({error.strerror})") from error
    why = "what is there is no cluster"
    while True:
        try:
            with socket.create_connection((host, port), max(until - time.monotonic(), 0.1)):
                pass
            if _speaks(where, until - time.monotonic()):
                return
        except OSError as error:
            why = error.strerror or str(error)
        if time.monotonic() + AGAIN > until:
            raise ConnectionError(f"nothing answered at {where} within {patience:.0f} s ({why})")
        time.sleep(AGAIN)


def _speaks(where: str, patience: float) -> bool:
    """Whether a server is one of gRPC; with certificates, Ray's own attempt shows it."""
    if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
        return True
    try:
        grpc = importlib.import_module("grpc")
    except ImportError:
        return True
    with grpc.insecure_channel(where, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=max(patience, 0.1))
        except grpc.FutureTimeoutError:
            return False
    return True


def _named(address: str, running: bool) -> str:
    """How a message calls a cluster: by where its address comes from."""
    typed = os.environ.get("RAY_ADDRESS", "")
    if address != "ray":
        return f"`cluster={address}`"
    if typed:
        return f"`cluster=ray` with RAY_ADDRESS={typed}"
    return "`cluster=ray` (that of `ray start`; `ray stop` ends it)" if running else "`cluster=ray`"


def _foreign(address: str) -> bool:
    """Whether an address is of a scheme that a plugin of Ray opens."""
    typed = os.environ.get("RAY_ADDRESS", "") if address == "ray" else address
    return "://" in typed and not typed.startswith("ray://")


def _running(address: str) -> tuple[str, int] | None:
    """Host and port of the cluster that Ray will connect to; None where it starts one.

    Raises:
        ValueError: it is no address.
    """
    typed = os.environ.get("RAY_ADDRESS", "") if address == "ray" else address
    if typed.startswith("ray://"):
        found: str | None = typed.removeprefix("ray://")
    else:  # `ray start` leaves its address in a file
        services = importlib.import_module("ray._private.services")
        found = services.canonicalize_bootstrap_address(None)
    if found is None:
        return None
    host, _, port = found.partition("/")[0].partition("?")[0].rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ValueError(f"its address must be HOST:PORT, but is {found}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _reached(address: str) -> bool:
    """Whether this machine can connect to itself at an address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with (
            socket.create_server((address, 0), family=family) as server,
            socket.create_connection(server.getsockname()[:2], OWN),
        ):
            return True
    except OSError:
        return False


def of_a_user(error: BaseException) -> UserError | None:
    """The UserError that caused an error of Ray; None if there is none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):
            return UserError(str(cause))
        cause = getattr(cause, "cause", None) or cause.__cause__
    return None


def sentence(error: BaseException) -> UserError:
    """The same; else what Ray says of it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = " ".join([type(error).__name__, *lines[:1], *lines[-1:]])
    return of_a_user(error) or UserError(
        f"The cluster failed ({said}); what was made is there, and the same command makes the rest."
    )
