"""Errors of other libraries in one line."""

import pytest

from wildsr.error import first_line, nearest


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("one line", "one line"),
        ("first\nsecond", "first"),
        (
            "Error loading 'a.B':\nAttributeError(\"no B\")\nmore",
            "Error loading 'a.B': AttributeError(\"no B\")",
        ),
        ("ends in a colon:", "ends in a colon:"),
        ("", "RuntimeError"),
    ],
)
def test_the_first_line_has_a_reason(message, said):
    assert first_line(RuntimeError(message)) == said


def test_the_nearest_name_whatever_its_case():
    assert nearest("PNG", ["jpg", "png"]) == " Did you mean 'png'?"
    assert nearest("x", ["jpg", "png"]) == ""
