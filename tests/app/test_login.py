"""The page's password, its cookies, and what visitors are told, without a server."""

import asyncio
from pathlib import Path

import pytest

pytest.importorskip("gradio")
from wildsr.app import login
from wildsr.app.limits import Refused
from wildsr.app.login import Login
from wildsr.app.sentence import said, told
from wildsr.app.session import Stored
from wildsr.error import UserError


@pytest.fixture
def tried(monkeypatch):
    """``tried(door, words, address)``: the status and the sentence of each attempt, at once."""

    async def at_once(seconds):
        pass

    async def one_after_the_other(door, words, address):
        found = []
        for word in words:
            try:
                await door.enter(word, address)
            except Refused as refused:
                found.append((refused.status, str(refused)))
            else:
                found.append("in")
        return found

    def attempt(door, words, address="10.0.0.1"):
        return asyncio.run(one_after_the_other(door, words, address))

    monkeypatch.setattr(login.asyncio, "sleep", at_once)
    return attempt


def test_the_right_password_lets_in_and_a_wrong_one_does_not(tried):
    door = Login(7860, "grün & blau")
    right = b"password=gr%C3%BCn+%26+blau"
    wrong = (401, "This is not the password.")
    assert tried(door, [right]) == ["in"]
    for body in (b"", b"password=", b"password=x", b"\xff", b"&".join([b"a=1"] * 9)):
        assert tried(door, [body], f"10.0.0.{len(body)}1") == [wrong]


def test_who_guesses_waits_and_a_household_counts_as_one(tried):
    door = Login(7860, "secret")
    guesses = [b"password=x"] * (login.FREE + 1)
    found = tried(door, guesses, "2001:db8::1%eth0")
    assert [status for status, _ in found] == [401] * login.FREE + [429]
    assert found[-1][1].startswith("Too many wrong passwords; wait ")
    assert tried(door, [b"password=secret"], "2001:db8::2")[0][0] == 429
    assert tried(door, [b"password=secret"], "2001:db8:0:1::1") == ["in"]


def test_a_right_password_forgives_and_addresses_are_bounded(tried, monkeypatch):
    monkeypatch.setattr(login, "ADDRESSES", 2)
    door = Login(7860, "secret")
    tried(door, [b"password=x"] * (login.FREE - 1))
    assert tried(door, [b"password=secret", b"password=x"]) == [
        "in",
        (401, "This is not the password."),
    ]
    for last in range(5):
        tried(door, [b"password=x"], f"10.0.1.{last}")
    assert len(door._wrong) == 2


def test_only_our_own_cookies_are_known():
    door = Login(7860, None)
    identity, (name, value) = door.cookie()
    assert name == b"set-cookie"
    mine = value.decode().split(";")[0]
    assert door.identity(f"other=1; {mine}") == identity
    assert Login(7860, None).identity(mine) is None
    assert door.identity(mine[:-1] + ("0" if mine[-1] != "0" else "1")) is None
    assert door.identity(None) is None


def test_sentences_hold_no_folder_and_no_markup():
    photo = Stored(Path("/srv/visitors/ab12/0f.png"), "my photo.png", 9)
    told_of = told(UserError("Image /srv/visitors/ab12/0f.png cannot be read: damaged."), photo)
    assert told_of == "Image my photo.png cannot be read: damaged."
    odd = told(RuntimeError("no room in /srv/visitors/ab12/0f.png\nat line 7"), photo)
    assert odd == "my photo.png cannot be read: no room in my photo.png"
    assert told(OSError("lost /etc/wildsr/key"), None) == "lost key"
    assert said("<b>&", wrong=True) == '<p class="wrong">&lt;b&gt;&amp;</p>'
    assert said("done") == "<p>done</p>"
