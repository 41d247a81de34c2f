"""The verbs: compose the configuration, build, run; what a user got wrong ends as one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from wildsr.error import UserError, nearest

PACKAGE = Path(__file__).resolve().parents[1]
# A wheel carries conf inside the package; a checkout has it beside src.
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parents[1] / "conf"


# Their values are paths, taken as they are, whatever Hydra's grammar makes of "Photos (2019)".
PATHS = (
    *(f"data.{name}" for name in ("lr", "hr", "val_lr", "val_hr", "cache")),
    *(
        "run",
        "degradation.run",
        "weights",
        "results",
        "sharp",
        "input",
        "output",
        "hr",
        "samples",
        "out",
        "resume",
        "name",
        "password",
        "runs_dir",
    ),
)


def verbs() -> list[str]:
    """The commands: each is ``conf/VERB.yaml``, and the function VERB of ``wildsr.cli.VERB``."""
    return sorted(path.stem for path in CONF.glob("*.yaml"))


def configure(name: str, overrides: list[str]) -> DictConfig:
    """Compose ``conf/NAME.yaml`` with what was typed.

    Raises:
        UserError: for an unknown key or choice, with the nearest one that exists.
    """
    for override in overrides:
        if not re.match(r"~|[^-=][^=]*=", override):
            raise UserError(f"Arguments are key=value, but got {override!r}.")
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3", job_name=name):
            config = _composed(name, [_written(o) for o in overrides])
            OmegaConf.resolve(config) if not OmegaConf.missing_keys(config) else None
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(_explain(name, str(error))) from error
    return config


def _composed(name: str, overrides: list[str]) -> DictConfig:
    """The configuration; its method, where it has one, is called what it was chosen by."""
    config = compose(name, overrides, return_hydra_config=True)
    chosen = config.hydra.runtime.choices
    with open_dict(config):
        del config.hydra
        if "method" in config and config.method.get("name") is None:
            config.method.name = chosen["method"]
    return config


def _written(override: str) -> str:
    """The override as Hydra's grammar wants it."""
    key, _, value = override.partition("=")
    if key in PATHS and value not in ("null", "???") and value[:1] not in ("'", '"'):
        return f"{key}={_several(value) or _quoted(value)}"
    # Below `updates` keys may be new; the objective checks every one of them itself.
    return f"++{override}" if override.startswith("method.updates.") else override


def _several(value: str) -> str | None:
    """``[DIR, DIR]`` or ``{name: DIR}`` with every path quoted; None for anything else."""
    if not re.fullmatch(r"\[.+\]|\{.+\}", value) or Path(value).expanduser().exists():
        return None
    if "'" in value or '"' in value:  # by whoever typed it
        return value
    items = [item.strip() for item in value[1:-1].split(",")]
    if value[0] == "[":
        return f"[{','.join(_quoted(item) for item in items)}]"
    named = [re.fullmatch(r"([\w .+-]+?)\s*:\s*(.+)", item) for item in items]
    pairs = [f"{found[1]}: {_quoted(found[2])}" for found in named if found]
    return f"{{{','.join(pairs)}}}" if len(pairs) == len(items) else None


def _quoted(value: str) -> str:
    escaped = value.replace("'", "\\'")
    return f"'{escaped}'"


def _explain(name: str, message: str) -> str:
    """Hydra's message as one sentence with a suggestion."""
    with initialize_config_dir(str(CONF), version_base="1.3", job_name=name):
        keys = keys_of(compose(name))
    found = re.search(r"Could not override '([^']+)'", message)
    if found:
        typed = found.group(1)
        hint = nearest(typed, keys)
        if name == "train" and typed in ("data.lr", "data.hr", "data.val_lr", "data.val_hr"):
            hint = " It belongs to `data=folders`, which was not chosen."
        return f"There is no key `{typed}`.{hint}"
    found = re.search(
        r"Could not find '([^']+)'\s+Available options in '([^']+)':((?:\n\t\S+)*)", message
    )
    if found:
        choice, group, available = found.groups()
        value, choices = choice.rsplit("/", 1)[-1], available.split()
        return f"`{group}` must be one of {choices}, but got {value!r}.{nearest(value, choices)}"
    found = re.search(r"Could not load '([^']+)/([^'/]+)'", message)  # one of several in a list
    if found:
        group, value = found.groups()
        choices = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
        return f"`{group}` must be of {choices}, but got {value!r}.{nearest(value, choices)}"
    return " ".join(message.split())


def keys_of(config: DictConfig) -> list[str]:
    """The keys of a configuration and of everything in it, with dots."""

    def below(node: Any, prefix: str) -> Iterator[str]:
        for key, value in node.items():
            yield f"{prefix}{key}"
            if isinstance(value, dict):
                yield from below(value, f"{prefix}{key}.")

    return list(below(OmegaConf.to_container(config), ""))
