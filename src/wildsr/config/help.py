"""The text of ``--help``: usage, purpose, examples, choices and keys, read from ``conf/``.

Keys, defaults and their meanings are only written down in the configurations: this text is made
from them, comments included. (Hydra's own help prints the files as they are.)
"""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

LEFT = 34  # columns, at most, of the names

CLOSING = """
`wildsr VERB --help` explains a verb. `wildsr completion bash` (or zsh, fish) prints what
the shell has to read to complete verbs, keys and choices. `wildsr --version`."""


def program(verb: str) -> str:
    """The command with which the user called the verb: ``wildsr train``, or ``python train.py``."""
    return f"wildsr {verb}" if Path(sys.argv[0]).stem == "wildsr" else f"python {verb}.py"


def overview(conf: Path) -> str:
    """List the verbs, one line each."""
    rows = [(path.stem, purpose(path)) for path in sorted(conf.glob("*.yaml"))]
    return "\n".join(["usage: wildsr VERB [key=value ...]", "", "verbs:", *_columns(rows), CLOSING])


def explain(conf: Path, verb: str, typed: Iterable[str] = ()) -> str:
    """Explain what a verb does and which keys it takes.

    Args:
        conf: the folder of configurations.
        verb: ``conf/VERB.yaml``.
        typed: the rest of the command line: for each ``GROUP=CHOICE``, its keys are explained.
    """
    path, called = conf / f"{verb}.yaml", program(verb)
    lines = [f"usage: {called} [key=value ...]", "", *textwrap.wrap(purpose(path), _width() - 1)]
    lines += ["", "examples:", *_columns(examples(path, verb, called))]
    if chosen := defaults(path):
        rows = [(f"{g}={_plain(c)}", ", ".join(choices(conf, g))) for g, c in chosen.items()]
        lines += ["", f"choices (`{called} GROUP=CHOICE --help` explains the keys of one):"]
        lines += _columns(rows)
    lines += ["", "keys:", *_columns(keys(path))]
    for group, choice in _groups(conf, typed):
        file = conf / group / f"{choice}.yaml"
        lines += ["", f"{group}={choice}: {purpose(file)}".rstrip(": ")]
        lines += _columns(keys(file, group.replace("/", ".")))
    return "\n".join(lines)


def defaults(path: Path) -> dict[str, str | list[str] | None]:
    """The groups that a configuration chooses from, with the default choices."""
    listed = yaml.safe_load(path.read_text()).get("defaults", [])
    pairs = [item for entry in listed if isinstance(entry, dict) for item in entry.items()]
    return {g: c for g, c in pairs if "@" not in g and not g.startswith(("/", "override "))}


def choices(conf: Path, group: str) -> list[str]:
    """The choices of a group."""
    return sorted(path.stem for path in (conf / group).glob("*.yaml"))


def keys(path: Path, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(``key=default``, comment) of each key in a file, in its order.

    Keys inherited from other files come first, with the file's own values.

    Args:
        path: the configuration.
        prefix: where a group's choice is placed, such as ``network.upscaler``.
    """
    text = path.read_text()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    prefix = "" if "@package _global_" in text else prefix
    found: dict[str, tuple[str, str]] = {}
    for base in bases(path):
        found |= {line.split("=", 1)[0]: (line, about) for line, about in keys(base, prefix)}
    if isinstance(root, yaml.MappingNode):
        for line, about in _leaves(root, text, f"{prefix}." if prefix else ""):
            found[line.split("=", 1)[0]] = (line, about)
    yield from found.values()


def bases(path: Path) -> list[Path]:
    """The files in the same folder from which a configuration inherits."""
    listed = yaml.safe_load(path.read_text()).get("defaults", [])
    names = [entry for entry in listed if isinstance(entry, str) and entry != "_self_"]
    return [path.with_name(f"{name}.yaml") for name in names]


def _leaves(node: yaml.MappingNode, text: str, prefix: str) -> Iterator[tuple[str, str]]:
    lines = text.splitlines()
    for name, value in node.value:
        key = f"{prefix}{name.value}"
        if name.value in ("defaults", "literal", "_target_"):
            continue
        if isinstance(value, yaml.MappingNode) and value.value:
            yield from _leaves(value, text, f"{key}.")
            continue
        end = value.end_mark
        written = " ".join(text[value.start_mark.index : end.index].split())
        found = re.match(r"[\s}]+#\s?(.*)", lines[end.line][end.column :])
        about = found[1] if found else ""
        if written == "???":
            written, about = "...", f"must be given: {about}"
        yield f"{key}={written}", about


def _head(path: Path) -> list[str]:
    """The comment that a file opens with, without Hydra's directives."""
    lines = []
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        if "@package" not in line:
            lines.append(line.removeprefix("#").removeprefix(" "))
    return lines


def purpose(path: Path) -> str:
    """The sentences of a file's opening comment, without the example commands."""
    return " ".join(line for line in _head(path) if line and not re.match(r"\s*python ", line))


def examples(path: Path, verb: str, called: str) -> Iterator[tuple[str, str]]:
    """(command, comment) of each command in a file's opening comment."""
    for line in _head(path):
        if line.lstrip().startswith(f"python {verb}.py"):
            command, _, about = line.strip().partition("   ")
            yield command.replace(f"python {verb}.py", called), about.strip()


def _groups(conf: Path, typed: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The choices among what was typed that exist."""
    for override in typed:
        group, _, value = override.lstrip("+").partition("=")
        for choice in value.strip("[]").split(","):
            if group and choice in choices(conf, group):
                yield group, choice


def _plain(choice: str | list[str] | None) -> str:
    if isinstance(choice, list):
        return f"[{','.join(choice)}]"
    return "null" if choice is None else choice


def _width() -> int:
    return shutil.get_terminal_size((80, 24)).columns


def _columns(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Lines of two columns; where the left one is too wide, the right one starts below it."""
    listed = list(rows)
    left = min(max((len(name) for name, _ in listed), default=0), LEFT)
    lines = []
    for name, about in listed:
        beside = textwrap.wrap(about, max(_width() - left - 5, 20), break_on_hyphens=False)
        first = beside.pop(0) if beside and len(name) <= left else ""
        lines.append(f"  {name:<{left}}  {first}".rstrip())
        lines += [f"  {'':<{left}}  {line}" for line in beside]
    return lines
