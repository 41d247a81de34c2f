"""Read weights from files of all common layouts, and load them with clear errors."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from wildsr.error import UserError, first_line
from wildsr.network.checksum import DIGEST, check_digest, check_seal
from wildsr.text_path import text_path


def fill(module: torch.nn.Module, weights: Mapping[str, Any], what: str) -> None:
    """Load the state dict ``weights`` into ``module``.

    Args:
        module: the network.
        weights: tensors by name, in the shapes of ``module``. Of parts with a list ``ADDED`` those
            entries may be missing, as in weights of earlier versions; they stay as they are.
        what: the weights, as errors call them.

    Raises:
        UserError: they are of another architecture (the first differences are named), or hold NaN.
    """
    if isinstance(weights, Mapping):
        weights = {**_added(module), **weights}
    check_shapes(module, weights, what)
    check_finite(weights, what)
    module.load_state_dict(weights)


def _added(module: torch.nn.Module) -> dict[str, Tensor]:
    """Entries that earlier versions did not have, as a new network has them (its ``ADDED``)."""
    return {
        f"{name}.{key}".lstrip("."): getattr(part, key)
        for name, part in module.named_modules()
        for key in getattr(part, "ADDED", ())
    }


def check_shapes(module: torch.nn.Module, weights: Mapping[str, Any], what: str) -> None:
    """Refuse a state dict whose names or shapes differ from those of ``module``.

    Args:
        module: the network.
        weights: tensors by name.
        what: the weights, as errors call them.

    Raises:
        UserError: naming the first differences.
    """
    if not (isinstance(weights, Mapping) and all(isinstance(v, Tensor) for v in weights.values())):
        raise UserError(f"{what} is damaged: it holds no weights by name.")
    own = module.state_dict()
    lacks = [f"it lacks {k}" for k in own if k not in weights]
    has = [f"it has {str(k)[:100]}" for k in weights if k not in own]
    shapes = [
        f"its {k} is {tuple(weights[k].shape)} instead of {tuple(own[k].shape)}"
        for k in own
        if k in weights and weights[k].shape != own[k].shape
    ]
    if problems := [*lacks[:1], *has[:1], *shapes[:1]]:
        raise UserError(
            f"{what} belongs to another architecture than {type(module).__name__}: "
            f"{', '.join(problems)}."
        )


def check_finite(weights: Mapping[str, Tensor], what: str) -> None:
    """Refuse weights with NaN or infinite values, which would make black images.

    Args:
        weights: tensors of any shape by name; attention masks may be infinite.
        what: the weights, as errors call them.

    Raises:
        UserError: naming the first tensor that holds NaN or infinite values.
    """
    for name, value in weights.items():
        number = value.is_floating_point() or value.is_complex()
        tiny = number and value.element_size() == 1  # float8, for which torch lacks `isfinite`
        # Attention masks are infinite where attention is excluded.
        if number and "mask" not in name and not _finite(value.float() if tiny else value):
            raise UserError(f"{what} holds NaN or infinite values, in {name}.")


def _finite(value: Tensor) -> bool:
    return bool(torch.isfinite(value).all())


# Keys under which trainers store the weights, the averaged (EMA) ones first.
WRAPPERS = (
    *("params_ema", "params-ema", "g_ema", "netG_ema", "net_g_ema", "generator_ema", "ema"),
    *("params", "model_state_dict", "state_dict", "generator", "netG", "net_g", "g", "G"),
    *("model", "net", "network", "weights"),
)
# Prefixes of names: of the generator among other networks, the averaged one first ...
GENERATORS = (
    *("generator_ema.", "g_ema.", "netG_ema.", "net_g_ema.", "model_ema."),
    *("generator.", "netG.", "net_g."),
)
# ... and of all names; the third not before a number, where it is part of ESRGAN's own names.
PREFIXES = (
    *(r"module\.", r"_orig_mod\.", r"(model|net|network)\.(?!\d)"),
    *(re.escape(name) for name in GENERATORS),
)
SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt")
KEY = "wildsr"  # metadata key of our description of the network
_LARGEST_NUMBER = 4096  # in a name: these numbers count layers
_RUN = {"format", "iteration", "networks"}  # keys of a run's checkpoint


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict from a file, whatever layout a trainer wrote it in.

    Reads .safetensors, and pickles (.pth, .pt, .ckpt) that hold only tensors and plain data, which
    run no code when they are opened. Takes the averaged weights (``params_ema``, ``g_ema``) if
    there are also raw ones, the generator if there are also critics, and drops prefixes that all
    names have (``module.`` of data parallelism, ``_orig_mod.`` of torch.compile).

    Raises:
        UserError: the file is missing or damaged, holds objects that could run code, holds no
            weights, or weights that are NaN or infinite.
    """
    return read_file(path)[0]


def read_file(path: Path) -> tuple[dict[str, Tensor], str | None]:
    """Read a state dict as :func:`read_weights`, and the description that wildsr wrote beside it.

    Returns:
        The state dict; and the description, JSON, or None in files of other tools.

    Raises:
        UserError: as :func:`read_weights`.
    """
    if path.is_dir():
        raise UserError(f"`weights` must be a file, but {path} is a folder{_files_in(path)}.")
    if not path.is_file():
        is_there = path.exists() or path.is_symlink()
        raise UserError(
            f"`weights` must be a file, but {path} {'is none' if is_there else 'does not exist'}."
        )
    what = f"`weights`: {path}"
    held, about = _held(path, what)
    weights = _unwrapped(held, what)
    for name, value in weights.items():
        _check_tensor(name, value, what)
    check_total(weights.values(), path, what)
    check_finite(weights, what)
    return weights, about


def check_total(tensors: Iterable[Tensor], path: Path, what: str) -> None:
    """Refuse tensors that are together far larger than their file (views that share storage).

    Args:
        tensors: of any shape.
        path: the file.
        what: the file, as errors call it.

    Raises:
        UserError: they are.
    """
    size = sum(value.numel() * value.element_size() for value in tensors)
    if size > 2 * path.stat().st_size + (1 << 20):
        raise UserError(f"{what} is refused: its tensors are larger than the file.")


def _files_in(folder: Path) -> str:
    """What to give instead of a folder, as the end of a sentence."""
    if (folder / "config.yaml").is_file():
        return f" of a run: use `run={folder}`"
    try:
        names = sorted(path.name for path in folder.iterdir() if path.suffix in SUFFIXES)
    except OSError:
        return ""
    if not names:
        return f" without any of {', '.join(SUFFIXES)}"
    return f": name one of {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"


def _held(path: Path, what: str) -> tuple[Any, str | None]:
    """The contents of a weight file, and the description stored with them, if there is one."""
    try:
        if path.suffix == ".safetensors":
            return read_safetensors(path, what)
        check_archive(path, what)
        check_seal(path, what)
        held = torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise UserError(
            f"{what} is not a readable safetensors file: {first_line(error)}."
        ) from error
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{what} is refused: it is damaged, or holds objects other than tensors and "
            "plain data, which could run code when opened."
        ) from error
    except UserError:
        raise
    except Exception as error:  # torch raises half a dozen types on damaged archives
        raise UserError(f"{what} cannot be read: {first_line(error)}") from error
    about = held.get(KEY) if isinstance(held, Mapping) else None
    return held, about if isinstance(about, str) else None


def read_safetensors(
    path: Path, what: str, own: bool = False
) -> tuple[dict[str, Tensor], str | None]:
    """Read the tensors of a safetensors file, and the description that wildsr wrote beside them.

    Args:
        path: the file.
        what: the file, as errors call it.
        own: whether the file must be one of wildsr's; if not, its metadata tells.

    Raises:
        UserError: the content differs from what was written.
        SafetensorError: it is not a safetensors file.
    """
    with text_path(path) as name, safe_open(name, framework="pt") as file:
        metadata = file.metadata() or {}
    with text_path(path) as name:
        tensors = load_file(name)
    about = metadata.get(KEY)
    if (own or KEY in metadata) and metadata.keys() - {"format", KEY, DIGEST}:
        raise UserError(f"{what} is damaged: beside its weights stands what nobody wrote.")
    check_digest(tensors, metadata, about, what)
    return tensors, about


def check_archive(path: Path, what: str) -> None:
    """Refuse a compressed archive, a possible ZIP bomb: torch never compresses.

    Raises:
        UserError: it is compressed.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            inside = sum(entry.file_size for entry in archive.infolist())
        if inside > path.stat().st_size:
            raise UserError(f"{what} is refused: it is packed, and holds {inside >> 20} MB.")


def _unwrapped(held: Any, what: str) -> dict[str, Tensor]:
    """The weights by name, out of everything that is around them."""
    if isinstance(held, Mapping) and held.keys() >= _RUN:
        raise UserError(f"{what} is a checkpoint of a run: use `run=FOLDER`, the run's folder.")
    for _ in range(len(WRAPPERS)):
        inner = [w for w in WRAPPERS if isinstance(held, Mapping) and _wraps(held.get(w))]
        if not inner:
            break
        held = held[inner[0]]
    if not isinstance(held, Mapping) or not held:
        raise UserError(f"{what} holds no weights by name.")
    for generator in GENERATORS:
        if any(str(name).startswith(generator) for name in held):
            held = {name: value for name, value in held.items() if str(name).startswith(generator)}
            break
    strange = [name for name, value in held.items() if not isinstance(value, Tensor)]
    if strange:
        raise UserError(f"{what} holds no weights by name: {str(strange[0])[:80]!r} is no tensor.")
    weights = {str(name): value for name, value in held.items()}
    while prefixes := [p for p in PREFIXES if all(re.match(p, name) for name in weights)]:
        weights = {re.sub(f"^{prefixes[0]}", "", name): value for name, value in weights.items()}
    return weights


def _wraps(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value)


def _check_tensor(name: str, value: Tensor, what: str) -> None:
    """Refuse tensors that are not what they seem: without numbers, or with more than they hold."""
    plain = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
    if not plain:
        raise UserError(f"{what} is refused: {name[:80]} is no plain tensor.")
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise UserError(f"{what} is refused: {name[:80]} is larger than what the file holds of it.")
    if any(len(part) > 9 or int(part) > _LARGEST_NUMBER for part in re.findall(r"\d+", name)):
        raise UserError(f"{what} is refused: no network has the layer {name[:80]}.")
