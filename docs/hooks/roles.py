"""Docstrings for the site: what Sphinx's roles and formulas say, in Markdown."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import griffe

ROLE = re.compile(r":(?:func|class|meth|mod|attr|data|exc):`(~?)([\w.]+)`")
MATH = re.compile(r"^([ ]*)\.\. math:: ?(.*(?:\n(?:\1[ ]+\S.*)?)*)", re.MULTILINE)


def in_markdown(text: str) -> str:
    """Roles as code, formulas as blocks of TeX, double backquotes as single ones."""

    def role(found: re.Match[str]) -> str:
        return f"`{found[2].rsplit('.', 1)[-1] if found[1] else found[2]}`"

    def formula(found: re.Match[str]) -> str:
        indent, tex = found[1], found[2]
        first, _, rest = tex.strip("\n").partition("\n")
        lines = [first.strip(), *textwrap.dedent(rest).splitlines()]
        body = "\n".join(f"{indent}{line}" for line in lines if line.strip())
        return f"{indent}```tex\n{body}\n{indent}```\n\n"

    return re.sub(r"``([^`\n]+)``", r"`\1`", ROLE.sub(role, MATH.sub(formula, text)))


class Roles(griffe.Extension):
    """Calls :func:`in_markdown` on every docstring."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring, if there is one."""
        if obj.docstring is not None:
            obj.docstring.value = in_markdown(obj.docstring.value)
