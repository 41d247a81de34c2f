"""Compose the configuration of a verb from ``conf/`` and the command line."""

from __future__ import annotations

import copy
import functools
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import (
    InterpolationToMissingValueError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from wildsr.config.choice import CONF, checked_choices, choices_of, group_of
from wildsr.config.finish import with_finish
from wildsr.config.override import Override
from wildsr.config.plain import as_config, literal
from wildsr.config.shape import check_scalar, check_shape
from wildsr.error import UserError, first_line, nearest, shortened

LITERAL = "literal"  # key under which a configuration lists its literal keys; removed after reading


def verbs() -> list[str]:
    """Names of the verbs, each with ``conf/VERB.yaml`` and ``wildsr.cli.VERB``."""
    return sorted(path.stem for path in CONF.glob("*.yaml"))


def configure(name: str, overrides: Sequence[str]) -> DictConfig:
    """Compose ``conf/NAME.yaml`` with overrides.

    If no required value is missing, all references between values are resolved.

    Args:
        name: of the verb.
        overrides: as typed by the user, ``key=value``.

    Raises:
        UserError: an unknown key or choice (the message suggests the nearest one), or a value of
            another type than the key takes.
    """
    return copy.deepcopy(_composed(name, tuple(overrides), tuple(os.environ.items())))


@functools.lru_cache(maxsize=8)
def _composed(
    name: str, overrides: tuple[str, ...], environment: tuple[tuple[str, str], ...]
) -> DictConfig:
    """The configuration, kept: the check of a command asks for it, then the verb itself.

    References may be to the environment, which therefore tells one composition from another.
    """
    typed = [Override.of(override) for override in overrides]
    chosen = checked_choices(typed)
    base, kinds = _base(name, chosen)
    config, before = copy.deepcopy(base), dict[str, Any]()
    try:
        for override in typed:
            if group_of(override) is None:
                before[override.key] = _apply(config, override, kinds, name)
        plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        if isinstance(error, MissingMandatoryValue | InterpolationToMissingValueError):
            return config
        raise UserError(f"{' '.join(first_line(error).split()).rstrip('.')}.") from error
    for key, default in before.items():  # values of overrides that were references
        check_shape(key, default, _found(plain, key))
    config = as_config(with_finish(plain) if "finish" in plain else plain)
    OmegaConf.set_struct(config, True)
    return config


def _found(plain: Any, key: str) -> Any:
    for part in key.split("."):
        plain = plain.get(part) if isinstance(plain, dict) else None
    return plain


def check_scalars(name: str, overrides: Sequence[str], config: DictConfig) -> None:
    """Refuse overrides that give a switch or a number a value of another type.

    Raises:
        UserError: it names the key, the value and the valid ones.
    """
    typed = [Override.of(override) for override in overrides]
    base, kinds = _base(name, checked_choices(typed))
    plain = OmegaConf.to_container(config)
    for override in typed:
        parent, leaf = _parent(base, override.key), override.key.rpartition(".")[2]
        if parent is None or leaf not in parent or override.key in kinds:
            continue
        try:
            default = parent[leaf]
        except OmegaConfBaseException:  # a reference to a missing required value
            continue
        check_scalar(override.key, default, _found(plain, override.key))


def literals(name: str, overrides: Sequence[str]) -> dict[str, str]:
    """The keys whose values are taken literally, with their kinds: path, paths or text."""
    typed = [Override.of(override) for override in overrides]
    return _base(name, checked_choices(typed))[1]


def unused_choices(overrides: Sequence[str]) -> list[str]:
    """What was chosen for ``train`` and is nothing that its method refers to.

    Args:
        overrides: as typed by the user.
    """
    typed = [Override.of(override) for override in overrides]
    base, _ = _base("train", checked_choices(typed))
    texts = {group: _text(base, group.replace("/", ".")) for group in PARTS}
    given = "".join(override.typed for override in typed if group_of(override) is None)
    reached, waiting = set[str](), [_text(base, "method") + _text(base, "finish") + given]
    while waiting:
        text = waiting.pop()
        for group in set(texts) - reached:
            if re.search(rf"\$\{{{re.escape(group.replace('/', '.'))}[.}}]", text):
                reached.add(group)
                waiting.append(texts[group])
    return [o.typed for o in typed if group_of(o) in set(texts) - reached]


# Groups that a method may refer to, or not.
PARTS = ("degradation", "network/upscaler", "network/degrader", "network/critic", "network/front")


def _text(config: DictConfig, key: str) -> str:
    node = OmegaConf.select(config, key)
    return OmegaConf.to_yaml(node, resolve=False) if OmegaConf.is_config(node) else ""


@functools.lru_cache(maxsize=64)
def _base(name: str, chosen: tuple[str, ...]) -> tuple[DictConfig, dict[str, str]]:
    """The configuration of these choices, nothing else being typed, and its literal keys."""
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3", job_name=name):
            config = _named(compose(name, list(chosen), return_hydra_config=True))
    except Exception as error:  # for some choices Hydra raises other types
        raise UserError(_explain(name, chosen, str(error))) from error
    OmegaConf.set_struct(config, False)
    kinds = dict(_literals(config))
    OmegaConf.set_struct(config, True)
    return config, kinds


def _named(config: DictConfig) -> DictConfig:
    """The configuration; its method, where it has one, is called what it was chosen by."""
    choices = config.hydra.runtime.choices
    with open_dict(config):
        del config.hydra
        if "method" in config and config.method.get("name") is None:
            config.method.name = choices["method"]
    return config


def _literals(node: DictConfig, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Take the lists of literal keys out of a configuration."""
    listed: Any = node.pop(LITERAL, {})
    for key, kind in listed.items():
        yield f"{prefix}{key!s}", kind
    for key in node:
        inner = node._get_node(key)
        if isinstance(inner, DictConfig) and not inner._is_interpolation() and not inner._is_none():
            yield from _literals(inner, f"{prefix}{key!s}.")


def _apply(config: DictConfig, override: Override, kinds: dict[str, str], name: str) -> Any:
    """Set one value; what stood there before.

    Raises:
        UserError: a key that does not exist, a value that it does not take.
    """
    key, new = override.key, override.sign.startswith("+") or override.key.startswith(FREE)
    parent, leaf = _parent(config, key), key.rpartition(".")[2]
    there = parent is not None and leaf in list(parent)  # `in` alone leaves out ???
    if override.sign == "~":
        if not there:
            raise UserError(_no_such_key(name, key, config))
        _take_away(parent, key)
        return None
    if not there and (not new or key in kinds or key.startswith("hydra")):
        raise UserError(_no_such_key(name, key, config))
    if key in kinds:
        OmegaConf.update(config, key, literal(override.literal(kinds[key])), merge=False)
        return None
    value = override.parsed()
    before = copy.deepcopy(parent._get_node(leaf)) if there and parent is not None else None
    check_shape(key, before, value)
    try:
        OmegaConf.update(config, key, value, merge=True, force_add=new)
    except OmegaConfBaseException as error:
        found = re.search(r"Key '[^']+' is not in struct\s+full_key: (\S+)", str(error))
        if found:
            raise UserError(_no_such_key(name, found[1], config)) from error
        raise UserError(f"`{key}` cannot be {shortened(override.value)}.") from error
    return before


# Of `data=folders`, which is not the default.
FOLDERS = ("data.lr", "data.hr", "data.val_lr", "data.val_hr")
# Below these keys new ones may be added: wildsr.training.objective checks every one of them.
FREE = ("method.updates.", "finish.updates.")


def _parent(config: DictConfig, key: str) -> DictConfig | None:
    """The mapping that holds a key, or would hold it; None if there is none."""
    node: Any = config
    for part in key.split(".")[:-1]:
        node = node.get(part) if isinstance(node, DictConfig) and part in node else None
    return node if isinstance(node, DictConfig) else None


def _take_away(parent: DictConfig | None, key: str) -> None:
    """Take away what is one of several things of a name: an optimiser, a step, a term.

    Raises:
        UserError: the program needs it.
    """
    if parent is None or key.count(".") < 2:
        raise UserError(f"`~{key}`: `{key}` cannot be taken away, only given another value.")
    OmegaConf.set_struct(parent, False)
    del parent[key.rpartition(".")[2]]
    OmegaConf.set_struct(parent, None)


def _no_such_key(name: str, key: str, config: DictConfig) -> str:
    groups = {path.parent.relative_to(CONF).as_posix() for path in CONF.rglob("*/*.yaml")}
    of_folders = FOLDERS if name == "train" else ()
    hint = nearest(key, groups if "/" in key else [*keys_of(config), *of_folders])
    if key in of_folders:
        hint = " It belongs to `data=folders`, which was not chosen."
    path = key.replace(".", "/")
    if choices_of(path):
        hint = f" `{path}=NAME` chooses one of {choices_of(path)}."
    return f"There is no key `{key if len(key) <= 200 else shortened(key)}`.{hint}"


def _explain(name: str, chosen: Sequence[str], message: str) -> str:
    """Hydra's message on choices as one sentence with a suggestion."""
    for word in chosen:
        override = Override.of(word)
        group, choices = group_of(override) or "", choices_of(group_of(override) or "")
        if override.value in ("null", ""):
            return f"`{group}` must be one of {choices}, but got {shortened(word)}."
    where = re.search(r"Could not override '([^']+)'", message)
    if where:
        return f"`{where[1]}` is no choice that `{name}` makes."
    return f"{' '.join(shortened(message, '').split()).rstrip('.')}."


def keys_of(config: DictConfig) -> list[str]:
    """All keys of a configuration, nested ones with dots."""

    def below(node: Any, prefix: str) -> Iterator[str]:
        for key, value in node.items():
            yield f"{prefix}{key}"
            if isinstance(value, dict):
                yield from below(value, f"{prefix}{key}.")

    return list(below(OmegaConf.to_container(config), ""))
