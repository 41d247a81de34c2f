"""The names that lead to the page."""

import pytest

from wildsr.app.host import Hosts, is_loopback, own_names, same_origin
from wildsr.error import UserError


def test_of_this_computer_alone():
    hosts = Hosts("127.0.0.1", 7860)
    good = ("127.0.0.1:7860", "localhost:7860", "LocalHost:7860", "localhost.:7860", "[::1]:7860")
    assert all(map(hosts.allow, good))
    bad = ("127.0.0.1", "localhost:80", "evil.example:7860", "", ":7860", "localhost:7860,evil")
    assert not any(map(hosts.allow, (*bad, "localhost:7860 ", "localhost:07860x", "10.0.0.1:7860")))


def test_of_a_port_that_browsers_leave_out():
    assert Hosts("127.0.0.1", 80).allow("localhost")


def test_an_address_that_was_chosen_and_all_of_a_computers():
    assert Hosts("10.1.2.3", 8000).allow("10.1.2.3:8000")
    assert not Hosts("10.1.2.3", 8000).allow("10.1.2.4:8000")
    everywhere = Hosts("0.0.0.0", 8000)
    assert all(everywhere.allow(f"{name}:8000") for name in own_names())
    assert not everywhere.allow("evil.example:8000")


def test_further_names():
    hosts = Hosts("127.0.0.1", 7860, ["Demo.example.org", "10.0.0.7:8000", "[2001:db8::1]"])
    for good in ("demo.example.org", "demo.example.org:443", "10.0.0.7:8000", "[2001:DB8::1]:1"):
        assert hosts.allow(good)
    for bad in ("10.0.0.7", "10.0.0.7:80", "x.demo.example.org", "example.org"):
        assert not hosts.allow(bad)
    for none in ("*", "http://a", "a b", "", "a:b"):
        with pytest.raises(UserError, match="`allowed_hosts` must be a list of names"):
            Hosts("127.0.0.1", 7860, [none])


def test_origins():
    assert same_origin("http://localhost:7860", "localhost:7860")
    assert same_origin("https://demo.example.org", "demo.example.org")
    for bad in ("null", "", "localhost:7860", "http://localhost:7861", "http://localhost:7860/"):
        assert not same_origin(bad, "localhost:7860")
    for bad in ("ftp://localhost:7860", "http://a@localhost:7860", "http://localhost:7860#"):
        assert not same_origin(bad, "localhost:7860")


def test_what_lets_nobody_else_in():
    assert all(is_loopback(host, 1) for host in ("127.0.0.1", "127.8.9.1", "localhost", "::1"))
    assert not any(is_loopback(host, 1) for host in ("0.0.0.0", "::", "0", "10.0.0.1", "no.where"))
