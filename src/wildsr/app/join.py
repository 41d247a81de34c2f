"""Validate events (clicks) that the page sends, and rebuild them for Gradio from valid values."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from wildsr.app.limits import Refused

SESSION = re.compile(r"[A-Za-z0-9_-]{1,64}")
KEY = re.compile(r"[0-9a-f]{32}\.[a-z0-9]{1,5}")
UPLOAD = "upload"
Kind = Literal["upload"] | Sequence[Any]
STRANGE = "The page sent something that it never asked for; reload it."
LOST = "This photo is not here; drop it again."


@dataclass(frozen=True)
class Form:
    """The values that an event of the page may send.

    Attributes:
        inputs: for each input the allowed values, or ``UPLOAD`` for a visitor's file.
        pointed: what the event selects: "point" for (x, y), "index" for one of ``count``.
        count: number of things that can be selected.
        heavy: whether a photo is upscaled.
    """

    inputs: tuple[Kind, ...] = ()
    pointed: Literal["point", "index"] | None = None
    count: int = 0
    heavy: bool = False


@dataclass(frozen=True)
class Click:
    """A valid event.

    Attributes:
        session: the visitor's name for the session; only used as a key of a dictionary.
        event: number of the page's event.
        trigger: number of the component.
        data: the inputs; each is one of the server's own values, or the key of an upload.
        pointed: the selected point or index.
        heavy: whether a photo is upscaled.
    """

    session: str
    event: int
    trigger: int | None
    data: list[Any]
    pointed: int | list[float] | None
    heavy: bool

    def body(self, session: str) -> bytes:
        """The request for Gradio, with the server's own name of the session."""
        pointed = None if self.pointed is None else {"index": self.pointed, "value": None}
        return json.dumps(
            {
                "data": self.data,
                "event_data": pointed,
                "fn_index": self.event,
                "trigger_id": self.trigger,
                "session_hash": session,
            }
        ).encode()


def session_name(sent: object) -> str:
    """Check the name of a session that a visitor sent.

    Raises:
        Refused: it is not valid.
    """
    if not (isinstance(sent, str) and SESSION.fullmatch(sent)):
        raise Refused(400, STRANGE)
    return sent


def read_click(body: bytes, forms: Mapping[int, Form]) -> Click:
    """Parse an event, taking only values that its form allows.

    Raises:
        Refused: it fits no form.
    """
    try:
        sent = json.loads(body, parse_constant=_strange)
    except (ValueError, RecursionError) as error:
        raise Refused(400, STRANGE) from error
    if not isinstance(sent, dict):
        raise Refused(400, STRANGE)
    number, data, trigger = sent.get("fn_index"), sent.get("data"), sent.get("trigger_id")
    if type(number) is not int or number not in forms or not isinstance(data, list):
        raise Refused(400, STRANGE)
    form = forms[number]
    if len(data) != len(form.inputs) or not (trigger is None or type(trigger) is int):
        raise Refused(400, STRANGE)
    if trigger is not None and not 0 <= trigger < 10_000:
        raise Refused(400, STRANGE)
    values = [_value(one, kind) for one, kind in zip(data, form.inputs, strict=True)]
    pointed = _pointed(sent.get("event_data"), form) if form.pointed else None
    session = session_name(sent.get("session_hash"))
    return Click(session, number, trigger, values, pointed, form.heavy)


def _strange(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity


def _value(sent: object, kind: Kind) -> Any:
    if kind == UPLOAD:
        if sent is None:
            return None
        key = sent.get("path") if isinstance(sent, dict) else None
        if not (isinstance(key, str) and KEY.fullmatch(key)):
            raise Refused(404, LOST)
        return key
    plain = isinstance(sent, str | int | float) and not isinstance(sent, bool)
    for own in kind:
        if plain and own == sent:
            return own
    raise Refused(400, STRANGE)


def _pointed(sent: object, form: Form) -> int | list[float]:
    index = sent.get("index") if isinstance(sent, dict) else None
    if form.pointed == "index" and type(index) is int and 0 <= index < form.count:
        return index
    if form.pointed == "point" and isinstance(index, list) and len(index) == 2:
        point = [_coordinate(one) for one in index]
        return point
    raise Refused(400, STRANGE)


def _coordinate(sent: object) -> float:
    if isinstance(sent, bool) or not isinstance(sent, int | float):
        raise Refused(400, STRANGE)
    if not (0 <= sent < 1e6 and math.isfinite(sent)):
        raise Refused(400, STRANGE)
    return sent
