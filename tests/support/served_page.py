"""The page as a process, and a visitor who speaks HTTP by hand: no browser stands between."""

import http.client
import io
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from support.ports import free_port

WAIT = 120  # seconds, at most: other programs may have the cores
PROGRAM = "import sys; from wildsr.cli.main import start; sys.exit(start('app', sys.argv[1:]))"


def png(width=30, height=20, seed=0):
    """A small photo's bytes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


class Served:
    """``app`` in a process of its own, whose temporary folder is ``folder``."""

    def __init__(self, folder, *typed):
        self.port = free_port()
        self.folder, self.root = folder, None
        call = [sys.executable, "-c", PROGRAM, *map(str, typed), f"port={self.port}", "device=cpu"]
        environment = {**os.environ, "TMPDIR": str(folder)}
        self.process = subprocess.Popen(
            call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        deadline = time.monotonic() + WAIT
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return
            except OSError:
                assert self.process.poll() is None, self.process.stdout.read()
                assert time.monotonic() < deadline, "the page did not come up"
                time.sleep(0.1)

    def files(self):
        """What the server keeps, without what it keeps for everybody."""
        skipped = ("samples", "gradio", "owner", "uploads")
        for root in self.folder.glob("wildsr-*"):
            for folder, _, names in os.walk(root):  # which does not mind what goes meanwhile
                for path in (Path(folder, name) for name in names):
                    if path.relative_to(root).parts[0] not in skipped:
                        yield path

    def guests(self):
        """The folders of the visitors who are there."""
        skipped = ("samples", "gradio", "owner", "uploads")
        found = [path for root in self.folder.glob("wildsr-*") for path in root.iterdir()]
        return [path for path in found if path.is_dir() and path.name not in skipped]

    def left(self):
        """What is in the temporary folder, but for torch's own."""
        return [path for path in tree(self.folder) if "/torchinductor_" not in path]

    def stop(self, number=signal.SIGTERM):
        """(exit code, what it said)."""
        self.process.send_signal(number)
        said = self.process.communicate(timeout=WAIT)[0]
        return self.process.returncode, said


class Visitor:
    """A client with a cookie, as the page's scripts in a browser are one."""

    def __init__(self, port, cookie=True):
        self.port, self.cookie, self.session = port, None, secrets.token_hex(5)
        self.numbers, self.config, self.sessions = {}, {}, {self.session}
        if cookie:
            status, headers, body = self.ask("GET", "/")
            assert status == 200, body
            self.take_cookie(headers)
            self.read_config(body)

    def take_cookie(self, headers):
        self.cookie = headers.get("set-cookie", "").partition(";")[0]

    def read_config(self, body):
        text = body.decode().partition("window.gradio_config = ")[2]
        self.config = json.JSONDecoder().raw_decode(text)[0]
        self.numbers = {one["api_name"]: one["id"] for one in self.config["dependencies"]}

    def ask(self, method, path, body=None, headers=(), timeout=WAIT):
        """(status, headers with small names, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            given = dict(headers)
            connection.putrequest(
                method, path, skip_host="Host" in given, skip_accept_encoding=True
            )
            if self.cookie:
                given.setdefault("Cookie", self.cookie)
            if body is not None and "Transfer-Encoding" not in given:
                given.setdefault("Content-Length", str(len(body)))
            for name, value in given.items():
                connection.putheader(name, value)
            connection.endheaders()
            if body is not None:
                connection.send(body)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, answer.read()
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.ask("GET", path, headers=headers)[0]

    def form(self, content, name="photo.png", boundary="b0undary"):
        """The headers and the body of an upload."""
        raw = name if isinstance(name, bytes) else name.encode()
        body = b'--%s\r\nContent-Disposition: form-data; name="files"; filename="%s"\r\n' % (
            boundary.encode(),
            raw,
        )
        body += b"Content-Type: image/png\r\n\r\n" + content + b"\r\n--%s--\r\n" % boundary.encode()
        return {"Content-Type": f"multipart/form-data; boundary={boundary}"}, body

    def upload(self, content=None, name="photo.png"):
        """(status, key or sentence)."""
        headers, body = self.form(png() if content is None else content, name)
        status, _, answer = self.ask("POST", "/gradio_api/upload", body, headers)
        return status, json.loads(answer)[0] if status == 200 else answer.decode()

    def join(self, number, data, session=None, **more):
        """(status, what it said)."""
        sent = {"fn_index": number, "data": data, "trigger_id": None, **more}
        sent["session_hash"] = self.session if session is None else session
        self.sessions.add(sent["session_hash"])
        headers = {"Content-Type": "application/json"}
        body = json.dumps(sent).encode()
        status, _, answer = self.ask("POST", "/gradio_api/queue/join", body, headers)
        return status, answer.decode()

    def result(self, session=None):
        """The events' last messages, until the stream ends."""
        name = self.session if session is None else session
        _, _, body = self.ask("GET", f"/gradio_api/queue/data?session_hash={name}")
        lines = [line[6:] for line in body.decode().split("\n") if line.startswith("data: ")]
        return [m for m in map(json.loads, lines) if m["msg"] == "process_completed"]

    def call(self, name, data, **more):
        """The outputs of one event."""
        status, said = self.join(self.numbers[name], data, **more)
        assert status == 200, said
        (message,) = self.result()
        assert message["success"], message
        return message["output"]["data"]

    def open(self, content=None, name="photo.png"):
        """Upload a photo and open it: (overview's data, sentence)."""
        status, key = self.upload(content, name)
        assert status == 200, key
        outputs = self.call("opened", [file_data(key)])
        return outputs[0], outputs[3]

    def upscale(self, weights):
        """(looks, the result's data, sentence)."""
        looks, download, sentence = self.call("upscale", [weights, 2, 1, 0])
        return looks, (download or {}).get("value"), sentence


def file_data(path, **more):
    """What the page's scripts send for a file."""
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}, "orig_name": "x.png", **more}


def until(condition, wait=WAIT):
    """Wait for something to be so."""
    deadline = time.monotonic() + wait
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
    return found


def tree(folder: Path):
    """Every path below a folder."""
    return sorted(str(path) for path in folder.rglob("*"))
