"""The configuration reference, a page for each verb and group, made of the comments in ``conf``.

MkDocs calls these hooks by their names. The command line's ``--help`` reads the same comments with
the same functions.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from wildsr.config import help

CONF = Path(__file__).resolve().parents[2] / "conf"
FOLDER = "configuration"
TITLE = "Configuration"


def pages(conf: Path = CONF) -> dict[str, str]:
    """Every page as Markdown, by its path in the site."""
    groups = sorted({path.parent.relative_to(conf).as_posix() for path in conf.rglob("*/*.yaml")})
    verbs = sorted(path.stem for path in conf.glob("*.yaml"))
    made = {f"{FOLDER}/index.md": "\n".join(_overview(conf, verbs, groups))}
    for verb in verbs:
        made[f"{FOLDER}/{verb}.md"] = "\n".join(_verb(conf, verb, groups))
    for group in groups:
        made[f"{FOLDER}/{page_of(group)}.md"] = "\n".join(_group(conf, group))
    return made


def page_of(group: str) -> str:
    """The name of a group's page: ``network/critic`` is ``network-critic``."""
    return f"choice-{group.replace('/', '-')}"


def _overview(conf: Path, verbs: list[str], groups: list[str]) -> Iterator[str]:
    yield f"# {TITLE}\n"
    yield (
        "Every verb is one YAML file in `conf/`, and takes each of its keys as `key=value`. A "
        "key such as `network/upscaler` chooses one of the files in the folder of that name, "
        "whose keys then follow. These pages hold what `wildsr VERB --help` prints, too.\n"
    )
    yield from _table(
        ("verb", "what it does"),
        ((f"[`{verb}`]({verb}.md)", _text(help.purpose(conf / f"{verb}.yaml"))) for verb in verbs),
    )
    yield from _table(
        ("group", "choices"),
        (
            (f"[`{group}`]({page_of(group)}.md)", _codes(help.choices(conf, group)))
            for group in groups
        ),
    )


def _verb(conf: Path, verb: str, groups: list[str]) -> Iterator[str]:
    path = conf / f"{verb}.yaml"
    yield f"# `{verb}`\n\n{_text(help.purpose(path))}\n"
    for command, about in help.examples(path, verb, f"wildsr {verb}"):
        yield f"    {command}" + (f"   # {about}" if about else "")
    if chosen := help.defaults(path):
        yield "\n## Groups\n"
        yield from _table(
            ("group", "default", "choices"),
            (
                (
                    f"[`{group}`]({page_of(group)}.md)" if group in groups else f"`{group}`",
                    _codes([choice] if isinstance(choice, str) else choice or ["null"]),
                    _codes(help.choices(conf, group)),
                )
                for group, choice in chosen.items()
            ),
        )
    yield "\n## Keys\n"
    yield from _keys(path)


def _group(conf: Path, group: str) -> Iterator[str]:
    yield f"# `{group}`\n\n`{group}=CHOICE` with one of:\n"
    for choice in help.choices(conf, group):
        path = conf / group / f"{choice}.yaml"
        yield f"\n## {choice}\n\n{_text(help.purpose(path))}\n"
        yield from _keys(path, group.replace("/", "."))


def _keys(path: Path, prefix: str = "") -> Iterator[str]:
    rows = [
        (f"`{name}`", _code(default), _text(about))
        for name, default, about in (
            (*key.split("=", 1), about) for key, about in help.keys(path, prefix)
        )
    ]
    if rows:
        yield from _table(("key", "default", "meaning"), rows)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _code(text: str) -> str:
    """Code in a cell, whatever it holds."""
    return f"<code>{html.escape(text).replace('|', '&#124;')}</code>" if text else ""


def _text(text: str) -> str:
    """A comment as Markdown: what looks like markup is none."""
    parts = text.split("`")
    for index in range(0, len(parts), 2):  # outside of code
        escaped = html.escape(parts[index], quote=False)
        for sign in "*_[]":
            escaped = escaped.replace(sign, f"\\{sign}")
        parts[index] = escaped
    return "`".join(parts).replace("|", "\\|") if len(parts) % 2 else html.escape(text)


def on_config(config: Any) -> Any:
    """List the pages where the navigation has an empty section of their name."""
    for section in config.nav:
        if isinstance(section, dict) and TITLE in section:
            section[TITLE] = list(pages())
    config.watch.append(str(CONF))
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages to the site."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files
