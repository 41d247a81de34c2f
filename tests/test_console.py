"""What users named is printed as it is: never taken for rich's markup."""

import ast
from pathlib import Path

import pytest

import wildsr

PACKAGE = Path(wildsr.__file__).parent


def plain(node):
    """Whether a piece of printed text cannot hold markup but the program's own."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.BinOp):
        return plain(node.left) and plain(node.right)
    if isinstance(node, ast.JoinedStr):
        return all(plain(value) for value in node.values)
    if isinstance(node, ast.FormattedValue):
        return node.format_spec is not None or plain(node.value)  # a number has a format
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Name) and called.id in ("escape", "len")


def careless(text):
    """The lines that print what may hold anything, as markup."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of_console = "console" in ast.unparse(node.func.value)
            literal = any(k.arg == "markup" for k in node.keywords)
            if node.func.attr == "print" and of_console and not literal:
                found += [node.lineno for argument in node.args if not plain(argument)]
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_nothing_is_printed_as_markup_unescaped(path):
    assert careless(path.read_text(encoding="utf-8")) == []


def test_the_test_sees_what_is_careless():
    text = "console.print(f'{path}')\nconsole.print(escape(path))\nself.console.print(line)\n"
    text += "console.print(line, markup=False)\nconsole.print(f'[red]{escape(x)}[/] {n:.1f}')\n"
    assert careless(text) == [1, 3]
