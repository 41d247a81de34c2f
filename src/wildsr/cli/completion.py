"""Tab completion: verbs, keys of the verb's configuration, choices of groups, files.

The package argcomplete talks to the shells; the words to complete are read from ``conf/``.
(Hydra's own completion serves one script whose only arguments are overrides, not verbs.)
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from rich.console import Console

from wildsr.config.choice import CONF
from wildsr.config.compose import configure, keys_of, literals, verbs
from wildsr.config.help import choices
from wildsr.error import UserError, unknown

SHELLS = ("bash", "zsh", "fish")


def completion(typed: list[str], console: Console) -> int:
    """Print the completion script of ``wildsr completion SHELL``; returns the exit code.

    Raises:
        UserError: a shell other than bash, zsh and fish.
    """
    from argcomplete.shell_integration import shellcode

    shell = typed[0] if len(typed) == 1 else " ".join(typed)
    if shell not in SHELLS:
        raise unknown("The shell of `wildsr completion`", shell, SHELLS)
    print(shellcode(["wildsr"], shell=shell))
    return 0


def answer() -> None:
    """Answer the shell's completion request, which is in the environment, and exit."""
    import argcomplete

    parser = argparse.ArgumentParser(prog="wildsr", add_help=False)
    parser.add_argument("verb", choices=[*verbs(), "completion"])
    typed: Any = parser.add_argument("overrides", nargs="*")
    typed.completer = _completions
    argcomplete.autocomplete(parser, always_complete_options=False)


def _completions(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    if parsed_args.verb == "completion":
        return list(SHELLS)
    return candidates(parsed_args.verb, parsed_args.overrides or [], prefix)


def candidates(verb: str, typed: list[str], prefix: str) -> list[str]:
    """Complete a word that begins with ``prefix``.

    Args:
        verb: the verb.
        typed: the words before it; choices among them decide which keys exist.
        prefix: the part of the word that is typed already.
    """
    key, equals, value = prefix.partition("=")
    words = [word for word in typed if not word.startswith("-")]
    try:
        config, kinds = configure(verb, words), literals(verb, words)
    except UserError:  # an invalid override is ignored here; the verb will report it
        config, kinds = configure(verb, []), literals(verb, [])
    if equals and kinds.get(key) in ("path", "paths"):
        from argcomplete.completers import FilesCompleter

        return [f"{key}={path}" for path in FilesCompleter()(value)]
    if equals:
        group = choices(CONF, key) if key else []
        return [f"{key}={choice}" for choice in group if choice.startswith(value)]
    groups = (
        os.path.relpath(folder, CONF).replace(os.sep, "/")
        for folder, _, files in os.walk(CONF)
        if files and folder != str(CONF)
    )
    keys = keys_of(config)
    above = {key.rpartition(".")[0] for key in keys}
    found = {*groups, *(key for key in keys if key not in above)}
    return _shortest(sorted(f"{name}=" for name in found if name.startswith(prefix)), prefix)


def _shortest(names: list[str], prefix: str) -> list[str]:
    """Names up to their next dot, where that leaves a choice: what a person reads at a glance."""
    rest = len(prefix)
    cut = sorted({name[:rest] + name[rest:].split(".", 1)[0] for name in names})
    several = [name if name.endswith("=") else f"{name}." for name in cut]
    return several if len(several) > 1 else names
