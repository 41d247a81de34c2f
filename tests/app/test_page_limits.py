"""A page with a password and little room: who gets in, and what of whom stays."""

import importlib.util
import os
import signal
import socket
import threading
import time
from urllib.parse import urlencode

import pytest
from support.served_page import WAIT, Visitor, png, until

NAME = "two.safetensors"
PASSWORD = "correct horse"
ENTERED = []  # the visitors of a test
pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("gradio") is None, reason="not installed: gradio"),
    pytest.mark.heavy,  # a server of its own
]


@pytest.fixture(scope="module")
def page(serve):
    """Stopped by SIGHUP, in the middle of a photo: nothing of anybody is left."""
    made = serve(
        f"password={PASSWORD}", "visitors=3", "upload=4", "upload_time=2", "share=12", "storage=14"
    )
    yield made
    last = enter(made)
    last.upload(png(1200, 900), "large.png")
    code, said = made.stop(signal.SIGHUP)
    assert "Traceback" not in said, said
    assert code == 129
    assert made.left() == [], "SIGHUP leaves nothing"


@pytest.fixture(autouse=True)
def everybody_leaves(page):
    """There is room for three visitors: those of a test go with it, whichever comes next."""
    ENTERED.clear()
    yield
    for visitor in ENTERED:
        for session in visitor.sessions:
            leave(visitor, session)
    until(lambda: not page.guests())


def log_in(page, password, **headers):
    visitor = Visitor(page.port, cookie=False)
    form = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    body = urlencode({"password": password}).encode()
    status, found, said = visitor.ask("POST", "/login", body, form)
    return visitor, status, found, said


def enter(page):
    visitor, status, headers, _ = log_in(page, PASSWORD)
    assert status == 303
    visitor.take_cookie(headers)
    visitor.read_config(visitor.ask("GET", "/")[2])
    ENTERED.append(visitor)
    return visitor


def test_nobody_gets_in_without_the_password(page):
    visitor = Visitor(page.port, cookie=False)
    status, headers, body = visitor.ask("GET", "/")
    assert status == 401
    assert b'type="password"' in body
    assert b"gradio" not in body
    assert "set-cookie" not in headers
    for path in ("/theme.css", "/gradio_api/file=x", "/gradio_api/queue/data?session_hash=a"):
        assert visitor.get(path) == 401
    assert visitor.upload()[0] == 401


def test_wrong_passwords_wait_longer_and_longer_and_the_right_one_gets_in(page):
    wrong = ("", PASSWORD[:-1], PASSWORD.upper(), PASSWORD + "\0", "x" * 3000)
    codes = [log_in(page, password)[1] for password in wrong]
    assert codes == [401] * 5
    _, status, headers, said = log_in(page, PASSWORD)
    assert status == 429, "not even the right one, at once"
    assert b"wait" in said
    assert "set-cookie" not in headers
    until(lambda: log_in(page, PASSWORD)[1] == 303)
    other = {"Origin": "http://evil.example"}
    assert log_in(page, PASSWORD, **other)[1] == 403
    inside = enter(page)
    assert inside.open()[1].startswith("<p>photo.png")
    leave(inside)


def test_visitors_are_limited_until_they_go(page):
    until(lambda: not list(page.files()))
    several = [enter(page) for _ in range(5)]
    codes = [one.join(one.numbers["zoomed"], [1])[0] for one in several]
    assert codes == [200, 200, 200, 503, 503]
    for one in several[:3]:
        leave(one)
    until(lambda: several[4].join(several[4].numbers["zoomed"], [1])[0] == 200)
    leave(several[4])


def leave(visitor, session=None):
    """Open the stream that says that the tab is open, and close it."""
    with socket.create_connection(("127.0.0.1", visitor.port), WAIT) as connection:
        connection.sendall(
            f"GET /gradio_api/heartbeat/{session or visitor.session} HTTP/1.1\r\nHost: 127.0.0.1:"
            f"{visitor.port}\r\nCookie: {visitor.cookie}\r\n\r\n".encode()
        )
        said = connection.recv(32)
        assert session or b"200" in said


def test_an_upload_that_takes_too_long_is_cut_off(page):
    visitor = enter(page)
    headers, body = visitor.form(png())
    lines = ["POST /gradio_api/upload HTTP/1.1", f"Host: 127.0.0.1:{page.port}"]
    lines += [f"Cookie: {visitor.cookie}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection(("127.0.0.1", page.port), WAIT) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        for byte in body[:40]:  # never silent for long
            time.sleep(0.1)
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                break
        connection.settimeout(WAIT)
        assert b"408" in connection.recv(64)
    until(lambda: not list(page.files()))


def test_the_room_of_a_visitor_and_of_all(page):
    """12 MB each, 14 of all: uploads of 4 MB, and a result that could be larger than the rest."""
    first, second = enter(page), enter(page)
    large = png(1, 1) + bytes(4 * 2**20 - 2000)
    assert [first.upload(large)[0] for _ in range(4)] == [200, 200, 200, 413]
    status, said = second.upload(large)
    assert (status, "all visitors" in said) == (503, True)
    assert sum(path.stat().st_size for path in page.files()) <= 14 * 2**20
    small = second.open(png(600, 400))
    assert "600 x 400" in small[1]
    _, result, sentence = second.upscale(NAME)
    assert result is None
    assert "fill the room" in sentence
    leave(first)
    leave(second)
    until(lambda: sum(path.stat().st_size for path in page.files()) == 0, 90)


def test_many_at_once_are_answered(page):
    codes = []
    cookie = enter(page)

    def visit():
        for number in range(6):
            codes.append(cookie.join(cookie.numbers["zoomed"], [1], f"tab{number}")[0])

    threads = [threading.Thread(target=visit) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) == {200, 429}
    assert codes.count(200) == 16
    assert os.path.exists(f"/proc/{page.process.pid}")
