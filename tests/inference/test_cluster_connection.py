"""Which address a cluster gets, and what is said where none answers."""

import importlib
import socket

import pytest
from support.ports import free_port

from wildsr.error import UserError
from wildsr.inference import cluster_connection
from wildsr.inference.cluster_connection import LOOPBACK, connected, wait_for


@pytest.fixture
def begun(monkeypatch):
    """What Ray was asked to begin; nothing is."""
    ray = pytest.importorskip("ray", reason="no ray: pip install 'wildsr[ray]'")
    pytest.importorskip("ray.data", reason="no pyarrow: pip install 'wildsr[ray]'")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(cluster_connection, "PATIENCE", 0.3)
    services = importlib.import_module("ray._private.services")
    monkeypatch.setattr(services, "find_bootstrap_address", lambda folder: None)
    asked = []
    monkeypatch.setattr(ray, "init", lambda **given: asked.append(given))
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    return asked


@pytest.fixture
def silent():
    """The address of a server that takes calls and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    ("found", "given"),
    [("192.0.2.77", LOOPBACK), ("127.0.0.1", None)],  # the first is nobody's, by RFC 5737
    ids=["not reached", "reached"],
)
def test_a_new_cluster_listens_where_this_machine_reaches_itself(begun, monkeypatch, found, given):
    import ray.util

    monkeypatch.setattr(ray.util, "get_node_ip_address", lambda: found)
    connected("ray")
    assert [asked.get("_node_ip_address") for asked in begun] == [given]


@pytest.mark.parametrize("typed", ["ray", "ray://"])
def test_a_cluster_that_is_not_there_costs_seconds_and_a_sentence(begun, monkeypatch, typed):
    address = f"127.0.0.1:{free_port()}"
    if typed == "ray":
        services = importlib.import_module("ray._private.services")
        monkeypatch.setattr(services, "resolve_ip_for_localhost", lambda host: host)
        monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(UserError, match=f"does not answer: nothing answered at {address} within"):
        connected(typed if typed == "ray" else typed + address)
    assert begun == []


def test_what_is_no_cluster(begun, silent):
    with pytest.raises(UserError, match=r"within 0 s \(what is there is no cluster\)"):
        connected(f"ray://{silent}")
    with pytest.raises(UserError, match=r"address must be HOST:PORT, but is 127\.0\.0\.1"):
        connected("ray://127.0.0.1")
    with pytest.raises(UserError, match=r"there is no host wildsr\.invalid"):
        connected("ray://wildsr.invalid:10001")
    assert begun == []


def test_a_cluster_that_answers_is_waited_for():
    grpc = pytest.importorskip("grpc", reason="no grpcio: pip install 'wildsr[ray]'")
    from concurrent.futures import ThreadPoolExecutor

    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        wait_for("127.0.0.1", port, patience=20)
    finally:
        server.stop(None)
    with pytest.raises(ConnectionError, match="nothing answered"):
        wait_for("127.0.0.1", port, patience=0.3)
