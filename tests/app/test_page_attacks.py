"""Attacks on the running page over HTTP: what a visitor who is no browser may try."""

import contextlib
import http.client
import importlib.util
import io
import json
import socket
import time

import pytest
from PIL import Image
from support.served_page import WAIT, Visitor, file_data, png, tree, until

NAME = "two.safetensors"
pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(importlib.util.find_spec("gradio") is None, reason="not installed: gradio"),
]


@pytest.fixture(scope="module")
def page(serve):
    """Stopped by SIGTERM while a visitor is there: nothing of anybody is left."""
    made = serve("upload=0.25", "limit=0.02", "visitors=1000")
    yield made
    last = Visitor(made.port)
    last.open()
    assert list(made.folder.glob("wildsr-*"))
    code, said = made.stop()
    assert "Traceback" not in said, said
    assert code == 143
    assert made.left() == [], "SIGTERM leaves nothing"


def fetch(visitor, data):
    """The file of an output, asked for as the page's scripts do."""
    return visitor.ask("GET", "/gradio_api/file=" + data["path"])


def test_a_visitor_who_does_what_visitors_do(page, visitor):
    overview, sentence = visitor.open(png(30, 20), "rose.png")
    assert "rose.png: 30 x 20 pixels" in sentence
    assert fetch(visitor, overview)[0] == 200
    looks, result, sentence = visitor.upscale(NAME)
    assert "30 x 20 to 60 x 40 pixels" in sentence
    status, headers, body = fetch(visitor, result)
    assert status == 200
    assert headers["content-disposition"].endswith("filename*=UTF-8''rose_2x.png")
    assert headers["x-content-type-options"] == "nosniff"
    with Image.open(io.BytesIO(body)) as image:
        assert image.size == (60, 40)
    assert [fetch(visitor, look)[0] for look in looks] == [200, 200]


# ---- folders of the server --------------------------------------------------------------------


def victim(folder):
    (folder / "kept").mkdir()
    (folder / "kept" / "file").write_text("x")
    return folder / "kept"


def test_no_folder_is_removed_or_written_by_a_session_of_its_name(page, visitor, tmp_path):
    folder = victim(tmp_path)
    before = tree(tmp_path)
    for session in (str(folder), f"../../../../../../{folder}", f"x/../../{folder}", "..", "."):
        for number in range(-1, 20):
            visitor.join(number, [], session)
            visitor.join(number, [{"photo": "x"}, NAME, 2, 1, 0], session)
        name = session.replace("/", "%2F")
        assert visitor.ask("GET", f"/gradio_api/heartbeat/{name}")[0] in (400, 404)
        assert visitor.ask("GET", f"/gradio_api/queue/data?session_hash={name}")[0] == 400
    time.sleep(0.5)
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    "session", ["", "a b", "ä", "x" * 65, "a\0b", None, 7, ["a"], {"a": 1}, "a/b", "..%2f"]
)
def test_a_session_is_a_plain_word(visitor, session):
    sent = {"fn_index": visitor.numbers["zoomed"], "data": [1], "session_hash": session}
    body = json.dumps(sent).encode()
    status, _, said = visitor.ask("POST", "/gradio_api/queue/join", body)
    assert status == 400
    assert b"never asked for" in said


def test_the_end_of_a_session_cannot_be_posted(visitor):
    """Not even one's own: `unload` is no event of the page's scripts."""
    numbers = set(visitor.numbers.values())
    unload = {
        one["id"] for one in visitor.config["dependencies"] if "unload" in str(one["targets"])
    }
    assert unload
    for number in unload | {max(numbers) + 1, -1, 10**6}:
        assert visitor.join(number, [])[0] == 400


def test_what_a_session_made_goes_when_its_tab_is_closed(page, visitor):
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=WAIT)
    path = f"/gradio_api/heartbeat/{visitor.session}"
    connection.request("GET", path, headers={"Cookie": visitor.cookie})
    answer = connection.getresponse()
    assert answer.read(5) == b"data:"
    before = set(page.files())
    overview, _ = visitor.open()
    _, result, _ = visitor.upscale(NAME)
    assert set(page.files()) - before
    connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
    until(lambda: not set(page.files()) - before)
    assert [fetch(visitor, one)[0] for one in (overview, result)] == [404, 404]


# ---- files of the server ----------------------------------------------------------------------


def test_files_that_were_not_uploaded_are_not_opened(page, visitor, samples, tmp_path):
    """Whatever names them, whether they exist or not: one answer, and no copy."""
    link = tmp_path / "link.png"
    link.symlink_to(samples.parent / "private.png")
    named = [
        samples.parent / "private.png",
        samples / "sample0.png",
        samples / ".." / "private.png",
        samples.parent / "absent.png",
        link,
        "/etc/passwd",
        "/proc/self/environ",
        "/dev/zero",
        f"file://{samples.parent / 'private.png'}",
        "../../private.png",
        "private.png\0.png",
        "",
        "~/private.png",
        "A" * 5000,
        "0" * 32 + ".png",
    ]
    before = set(page.files())
    answers = set()
    for path in named:
        for more in ({}, {"is_stream": True}, {"url": f"/gradio_api/file={path}"}):
            answers.add(visitor.join(visitor.numbers["opened"], [file_data(path, **more)]))
    answers.add(visitor.join(visitor.numbers["opened"], ["/etc/passwd"]))
    answers.add(visitor.join(visitor.numbers["opened"], [{"a": file_data(named[0])}]))
    assert len(answers) == 1, answers
    status, said = answers.pop()
    assert status == 404
    assert "drop it again" in said
    assert set(page.files()) == before


def test_nothing_is_fetched_for_a_visitor(visitor):
    """A file with a `url`, or a path that is one, has the server ask an address of its network."""
    asked = []
    with socket.socket() as inner:
        inner.bind(("127.0.0.1", 0))
        inner.listen()
        inner.settimeout(1.5)
        address = f"http://127.0.0.1:{inner.getsockname()[1]}/photo.png"
        for data in (file_data(address), file_data("x.png", url=address)):
            visitor.join(visitor.numbers["opened"], [data])
        with contextlib.suppress(TimeoutError):
            asked.append(inner.accept())
    assert asked == []


@pytest.mark.parametrize(
    "where", ["event_data", "data", "request", "batched", "simple_format", "extra"]
)
def test_what_an_event_does_not_ask_for_is_not_passed_on(page, visitor, samples, where):
    """Files in fields that no component reads: Gradio's code never sees them."""
    data = file_data(samples.parent / "private.png")
    more = {where: data} if where != "data" else {}
    sent = [1, data] if where == "data" else [1]
    status, _ = visitor.join(visitor.numbers["zoomed"], sent, **more)
    assert status == (400 if where == "data" else 200)


@pytest.mark.parametrize(
    "path",
    [
        "{notes}",
        "{private}",
        "{sample}",
        "/etc/passwd",
        "../../../../etc/passwd",
        "..%2F..%2F..%2Fetc%2Fpasswd",
        "%2Fetc%2Fpasswd",
        "http://127.0.0.1:1/",
        "/proc/self/environ",
        "{marker}",
        "{temporary}",
    ],
)
@pytest.mark.parametrize("route", ["/gradio_api/file=", "/gradio_api/file/", "/file=", "/static/"])
def test_no_other_file_is_served(page, visitor, samples, route, path):
    folder = samples.parent
    (root,) = page.folder.glob("wildsr-*")
    path = path.format(
        notes=folder / "notes.txt",
        private=folder / "private.png",
        sample=samples / "sample0.png",
        marker=root / "owner",
        temporary=root,
    )
    assert visitor.get(route + path) == 404


def test_the_page_names_no_folder_of_the_server(page, visitor, samples):
    body = visitor.ask("GET", "/")[2].decode()
    overview, _ = visitor.open()
    looks, result, _ = visitor.upscale(NAME)
    for text in (body, json.dumps([overview, looks, result])):
        for folder in (page.folder, samples.parent):
            assert str(folder) not in text


def test_samples_are_shown_by_copies_and_opened_by_number(visitor, samples):
    gallery = next(one for one in visitor.config["components"] if one["type"] == "gallery")
    files = [one["image"] for one in gallery["props"]["value"]]
    assert [fetch(visitor, file)[0] for file in files] == [200, 200]
    outputs = visitor.call("picked", [], event_data={"index": 1})
    assert "sample1.png: 32 x 24 pixels" in outputs[-1]
    for index in (-1, 2, 1.5, "0", None, True, [0], str(samples / "sample0.png"), 10**30):
        status, _ = visitor.join(visitor.numbers["picked"], [], event_data={"index": index})
        assert status == 400, index
    # The copy that is shown is nobody's upload.
    status, _ = visitor.join(visitor.numbers["opened"], [file_data(files[0]["path"])])
    assert status == 404


# ---- routes -----------------------------------------------------------------------------------

CLOSED = [
    "/config",
    "/config/",
    "/gradio_api/info",
    "/gradio_api/info/",
    "/gradio_api/openapi.json",
    "/gradio_api/user",
    "/gradio_api/login_check",
    "/gradio_api/token",
    "/gradio_api/app_id",
    "/gradio_api/dev/reload",
    "/monitoring",
    "/monitoring/summary",
    "/monitoring/x",
    "/gradio_api/deep_link?session_hash=a",
    "/gradio_api/startup-events",
    "/gradio_api/queue/status",
    "/gradio_api/vibe-code",
    "/gradio_api/vibe-starter-queries",
    "/gradio_api/runs",
    "/gradio_api/proxy=http://127.0.0.1:1/",
    "/proxy=http://127.0.0.1:1/",
    "/svelte/x.js",
    "/custom_component/a",
    "/gradio_api/custom_component/a/client/component/index.js",
    "/gradio_api/run-history/records",
    "/docs",
    "/gradio_api/stream/a/b/1/playlist.m3u8",
    "/gradio_api/stream/a/b/1/playlist-file",
    "/pwa_icon",
    "/redoc",
    "/gradio_api/call/opened/x",
    "/gradio_api/profiling/traces",
    "/gradio_api/mcp/sse",
    "/robots.txt",
    "/logout",
    "/gradio_api/mcp/schema",
    "/openapi.json",
    "/theme.css/",
    "/assets/../config",
    "/static/../../../config.py",
    "/assets/%2e%2e/x",
    "/gradio_api",
    "/gradio_api/",
    "/gradio_api//queue/data",
    "//config",
    "/gradio_api/theme.css",
]
POSTED = [
    "run/predict",
    "run/opened",
    "api/opened",
    "call/opened",
    "call/v2/opened",
    "reset",
    "cancel",
    "component_server",
    "component_server/",
    "stream/x",
    "stream/x/close",
    "process_recording",
    "vibe-edit",
    "undo-vibe-edit",
    "vibe-code",
    "run-history/connect",
    "profiling/clear",
    "queue/join/",
    "upload/",
    "login",
]


def test_every_other_route_is_closed(visitor):
    opened = {path: visitor.get(path) for path in CLOSED}
    assert set(opened.values()) == {404}, opened
    body = json.dumps({"data": [file_data("/etc/passwd")], "session_hash": "a"}).encode()
    headers = {"Content-Type": "application/json"}
    posted = {p: visitor.ask("POST", f"/gradio_api/{p}", body, headers)[0] for p in POSTED}
    assert set(posted.values()) == {404}, posted
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"):
        for path in ("/", "/gradio_api/queue/join", "/gradio_api/upload", "/theme.css"):
            assert visitor.ask(method, path)[0] == 404, (method, path)


def test_no_websocket(page, visitor):
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    upgrade["Sec-WebSocket-Key"] = "x" * 22 + "=="
    assert visitor.ask("GET", "/gradio_api/queue/join", headers=upgrade)[0] == 404


# ---- other visitors ---------------------------------------------------------------------------


def test_results_are_for_their_visitor_alone(page, visitor, other):
    key = visitor.upload()[1]
    overview, _ = visitor.open()
    looks, result, _ = visitor.upscale(NAME)
    stranger = Visitor(page.port, cookie=False)
    for data in (overview, *looks, result, {"path": key}):
        assert fetch(visitor, data)[0] == 200
        assert fetch(other, data)[0] == 404
        assert fetch(stranger, data)[0] == 403
    status, said = other.join(other.numbers["opened"], [file_data(key)])
    assert (status, "drop it again" in said) == (404, True)


def test_the_same_session_of_another_cookie_is_another_session(visitor, other):
    visitor.open(png(30, 20))
    other.session = visitor.session
    sentence = other.call("upscale", [NAME, 2, 1, 0])[-1]
    assert "Drop a photo" in sentence
    assert other.call("zoomed", [1]) == [None]
    assert visitor.upscale(NAME)[1] is not None


def test_messages_go_to_their_session(visitor, other):
    visitor.open()
    assert visitor.join(visitor.numbers["zoomed"], [1])[0] == 200
    other.session = visitor.session
    path = f"/gradio_api/queue/data?session_hash={other.session}"
    status, _, body = other.ask("GET", path)
    assert status == 404
    assert b"process_completed" not in body
    assert len(visitor.result()) == 1


@pytest.mark.parametrize("change", ["none", "made up", "unsigned", "other signature"])
def test_a_cookie_is_the_servers_own(page, visitor, other, change):
    name, _, value = visitor.cookie.partition("=")
    identity, _, _ = value.partition(".")
    visitor.cookie = {
        "none": None,
        "made up": f"{name}={'0' * 32}.{'0' * 64}",
        "unsigned": f"{name}={identity}",
        "other signature": f"{name}={identity}.{other.cookie.partition('.')[2]}",
    }[change]
    assert visitor.join(visitor.numbers["zoomed"], [1])[0] == 403
    assert visitor.upload()[0] == 403


def test_the_cookie_is_hidden_from_scripts_and_other_sites(page):
    headers = Visitor(page.port, cookie=False).ask("GET", "/")[1]
    assert "HttpOnly" in headers["set-cookie"]
    assert "SameSite=Strict" in headers["set-cookie"]
    assert "no-store" in headers["cache-control"]


def test_a_link_from_elsewhere_takes_no_cookie_away(page):
    headers = {"Sec-Fetch-Site": "cross-site"}
    status, found, body = Visitor(page.port, cookie=False).ask("GET", "/", headers=headers)
    assert status == 200
    assert "set-cookie" not in found
    assert b'http-equiv="refresh"' in body


# ---- other sites ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1.evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost:{port}@evil.example",
        "localhost:{port}/",
        "0.0.0.0:{port}",
        "",
        "[::1]:{port}]",
        "127.0.0.1:{port} evil.example",
    ],
)
def test_a_name_that_is_not_the_pages_is_refused(page, visitor, host):
    host = host.format(port=page.port)
    for path in ("/", "/theme.css", "/gradio_api/queue/data?session_hash=a"):
        assert visitor.get(path, Host=host) in (400, 403)


def test_the_names_of_this_computer_are_let_in(page, visitor):
    for name in ("127.0.0.1", "localhost", "LOCALHOST", "[::1]"):
        assert visitor.get("/", Host=f"{name}:{page.port}") == 200


def test_without_a_host_or_with_two_nothing_is_answered(page):
    for head in (b"GET / HTTP/1.0\r\n", b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nHost: evil\r\n"):
        with socket.create_connection(("127.0.0.1", page.port), 30) as connection:
            connection.sendall((head % page.port if b"%d" in head else head) + b"\r\n")
            assert connection.recv(64).split()[1] in (b"400", b"403")


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1", "", "file://", "x",
     "http://127.0.0.1:{port}.evil.example", "http://127.0.0.1:{port}/", "http://localhost:{port}"],
)  # fmt: skip
def test_other_sites_may_neither_post_nor_read(page, visitor, origin):
    headers = {"Origin": origin.format(port=page.port)}
    form, body = visitor.form(png())
    assert visitor.ask("POST", "/gradio_api/upload", body, {**form, **headers})[0] == 403
    assert visitor.ask("POST", "/gradio_api/queue/join", b"{}", headers)[0] == 403
    status, found, _ = visitor.ask("GET", "/", headers=headers)
    assert status == 403
    assert not [name for name in found if name.startswith("access-control")]


def test_its_own_site_may_and_cors_is_never_granted(page, visitor):
    headers = {"Origin": f"http://127.0.0.1:{page.port}"}
    status, found, _ = visitor.ask("GET", "/", headers=headers)
    assert status == 200
    assert not [name for name in found if name.startswith("access-control")]
    for site in ("cross-site", "same-site"):
        assert visitor.get("/theme.css", **{"Sec-Fetch-Site": site}) == 403


# ---- uploads ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["../../../../tmp/x.png", "..\\..\\x.png", "/etc/x.png", "a\0b.png", "%2e%2e%2fx.png",
     "....//x.png", "C:\\x.png", ".png.png", "\u202egnp.png", "x" * 3000 + ".png", "a/b/c.png",
     "con.png", "-rf.png", "$(id).png", b"\xff\xfe.png"],
)  # fmt: skip
def test_a_files_name_is_no_path(page, visitor, name):
    before = set(page.files())
    status, key = visitor.upload(name=name)
    assert status in (200, 400)
    if status == 200:
        (made,) = set(page.files()) - before
        assert made.name == key
        assert len(key) == 36
        assert (made.stat().st_mode & 0o777, made.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        sentence = visitor.call("opened", [file_data(key)])[-1]
        assert "30 x 20 pixels" in sentence
        assert "/" not in sentence.partition(":")[0].replace("<p>", "")


@pytest.mark.parametrize(
    "name", ["x.pth", "x.zip", "x.svg", "x.html", "x", "x.png.pth", "x.png/", "x.safetensors", ""]
)
def test_other_kinds_of_files_are_not_taken(page, visitor, name):
    before = set(page.files())
    status, said = visitor.upload(name=name)
    assert (status, "png, jpg" in said or "form" in said) == (415 if name else status, True)
    assert status in (400, 415)
    assert set(page.files()) == before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"words",
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='/etc/passwd'/></svg>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"PK\3\4" + bytes(50),
        b"\x80\x04\x95" + bytes(50),
        b"#EXTM3U\nfile:///etc/passwd\n",
        b"push graphic-context\nimage over 0,0 0,0 '/etc/passwd'\n",
        png()[:60],
    ],
)
def test_what_is_no_photo_is_a_sentence_and_does_not_stay(page, visitor, content):
    before = set(page.files())
    status, key = visitor.upload(content, "rose.png")
    assert status == 200
    outputs = visitor.call("opened", [file_data(key)])
    assert outputs[0] is None
    assert "rose.png" in outputs[-1]
    assert "passwd" not in outputs[-1]
    assert set(page.files()) == before


def test_more_pixels_than_allowed_are_a_sentence(visitor):
    _, sentence = visitor.open(png(300, 200), "large.png")
    assert "large.png has 300 x 200 pixels" in sentence


def test_a_file_that_is_too_large_is_cut_off_as_it_comes(page, visitor):
    """Also without a length; the server closes long before all has come."""
    before = set(page.files())
    assert visitor.upload(bytes(2**18 + 1))[0] == 413
    headers, body = visitor.form(b"")
    head = body.partition(b"\r\n--b0undary--")[0]
    lines = ["POST /gradio_api/upload HTTP/1.1", f"Host: 127.0.0.1:{page.port}"]
    lines += [f"Cookie: {visitor.cookie}", "Transfer-Encoding: chunked"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    sent = 0
    with socket.create_connection(("127.0.0.1", page.port), 60) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        connection.sendall(b"%x\r\n%s\r\n" % (len(head), head))
        part = bytes(2**16)
        try:
            while sent < 2**28:
                connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
                sent += len(part)
        except OSError:
            pass
    assert sent < 2**26, "it took 256 MB for a limit of 0.25"
    assert set(page.files()) == before


@pytest.mark.parametrize(
    "form",
    [
        ("text/plain", b"x"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=", b"x"),
        ("multipart/form-data; boundary=" + "b" * 300, b"x"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx"),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"A: b\r\n" * 2000),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"A" * 9000 + b": b\r\n\r\n"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--b--\r\n"),
        (None, b"x"),
    ],
)
def test_a_form_that_is_none_is_a_sentence(page, visitor, form):
    kind, body = form
    before = set(page.files())
    headers = {} if kind is None else {"Content-Type": kind}
    status, _, said = visitor.ask("POST", "/gradio_api/upload", body, headers)
    assert status == 400
    assert said.endswith(b".")
    assert set(page.files()) == before


def test_two_files_at_once_and_uploads_that_nobody_opens(page, other):
    headers, body = other.form(png())
    twice = body.replace(b"\r\n--b0undary--\r\n", b"\r\n") + body
    assert other.ask("POST", "/gradio_api/upload", twice, headers)[0] == 400
    codes = [other.upload()[0] for _ in range(10)]
    assert codes == [200] * 8 + [429] * 2


def test_an_upload_that_ends_early_leaves_nothing(page, visitor):
    before = set(page.files())
    headers, body = visitor.form(png())
    lines = ["POST /gradio_api/upload HTTP/1.1", f"Host: 127.0.0.1:{page.port}"]
    lines += [f"Cookie: {visitor.cookie}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection(("127.0.0.1", page.port), 60) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body[:200])
        until(lambda: set(page.files()) != before)
    until(lambda: set(page.files()) == before)


# ---- words ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("<img src=x onerror=alert(1)>.png", "&lt;img src=x onerror=alert(1)&gt;.png"),
        ("[x](javascript:alert(1)).png", "[x](javascript:alert(1)).png"),
        ("${alert(1)}{{1}}.png", "${alert(1)}{{1}}.png"),
        ("a&b'c.png", "a&amp;b&#x27;c.png"),
    ],
)
def test_a_name_is_text(visitor, name, shown):
    assert f"<p>{shown}: " in visitor.open(name=name)[1]
    _, result, sentence = visitor.upscale(NAME)
    assert "<img" not in sentence
    disposition = fetch(visitor, result)[1]["content-disposition"]
    assert not set('<>[]()${}"') & set(disposition)
    wrong = visitor.open(b"words", name)[1]
    assert "<img" not in wrong
    assert shown in wrong


def test_every_answer_forbids_to_load_from_elsewhere_and_to_be_framed(visitor):
    for path in ("/", "/theme.css", "/gradio_api/file=x", "/config"):
        headers = visitor.ask("GET", path)[1]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert "server" not in headers


# ---- floods -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"[" * 60000, b'{"data": NaN}', b"1" * 60000, b"\xff\xfe", b"{}",
     b'{"fn_index": 1e999}', b'{"fn_index": true, "data": []}', b'{"fn_index": 0, "data": {}}'],
)  # fmt: skip
def test_a_click_that_is_none_is_a_sentence(visitor, body):
    status, _, said = visitor.ask("POST", "/gradio_api/queue/join", body)
    assert status == 400
    assert "never asked for" in json.loads(said)["detail"]


def test_a_click_that_is_too_long_is_not_read(visitor):
    assert visitor.ask("POST", "/gradio_api/queue/join", bytes(2**16 + 1))[0] == 413


@pytest.mark.parametrize(
    "data",
    [["three.safetensors", 2, 1, 0], [NAME, 3.7, 1, 0], [NAME, 2, 99, 0], [NAME, "2", 1, 0],
     [NAME, True, 1, 0], [NAME, 2, 1], [NAME, 2, 1, 0, 1], [[NAME], 2, 1, 0], [None] * 4,
     [NAME, 1e308, 1, 0], [NAME, 2, 1, 0.3], [NAME, 2, 1, True], [NAME, 2, 1, "1"]],
)  # fmt: skip
def test_values_that_are_no_choice_do_not_reach_the_queue(visitor, data):
    assert visitor.join(visitor.numbers["upscale"], data)[0] == 400


def test_clicks_that_wait_are_limited(page, other):
    heavy = [other.join(other.numbers["upscale"], [NAME, 2, 1, 0]) for _ in range(5)]
    assert [status for status, _ in heavy] == [200, 200, 429, 429, 429]
    assert "wait for one of them" in heavy[-1][1]
    light = [other.join(other.numbers["zoomed"], [1])[0] for _ in range(20)]
    assert light == [200] * 14 + [429] * 6
    other.result()
    assert other.join(other.numbers["upscale"], [NAME, 2, 1, 0])[0] == 200


def test_tabs_of_a_visitor_are_limited(page, other):
    codes = [other.join(other.numbers["zoomed"], [1], f"tab{n}")[0] for n in range(12)]
    assert codes == [200] * 8 + [429] * 4
