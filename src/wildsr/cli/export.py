"""The verb ``export``: write weights for other tools, compare them with PyTorch's output."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Collection
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape
from torch import Tensor, nn

from wildsr.atomic import check_output, write_bytes, write_text
from wildsr.cli.export_camera import export_camera
from wildsr.cli.export_source import Source, source_of
from wildsr.config.allocator import tune_allocator
from wildsr.config.check import CAMERA, TRAINERS, WEIGHTS, checked
from wildsr.config.trust import trusts
from wildsr.data.demo import HELD_OUT, photo
from wildsr.data.store import read_kind
from wildsr.error import UserError
from wildsr.export.card_file import PICTURES, card_place, kept_files, listed, picture_beside
from wildsr.export.formats import PROGRAMS, Upscale, write_program
from wildsr.export.handover import Piece, file_name, pieces, spandrel_model, write_weights
from wildsr.export.model_card import (
    File,
    ModelCard,
    architecture,
    markdown_card,
    results_of,
)
from wildsr.inference.device import choose_device, single_precision
from wildsr.inference.tile import channels_of
from wildsr.photo.image import LIMIT, UnreadableImage
from wildsr.photo.samples import Samples
from wildsr.photo.sensor import Sensor
from wildsr.pixels import floats_of, luma
from wildsr.run.photos import lr_photos

SIDES = ((96, 96), (70, 53))  # LR pixels of the crops on which an exported program is compared
WHOLE = ((96, 96), (64, 48))  # for weights: multiples of the window, as each tool pads differently
ALIKE = 1e-3  # in [0, 1]; a float32 file that differs more does not compute the same function
OPENED_BY = {"onnx": "ONNX Runtime, chaiNNer", "torchscript": "libtorch", "ncnn": "Upscayl, ncnn"}


def export(overrides: list[str], console: Console) -> int:
    """Write the files, compare them with PyTorch and write the model card; returns the exit code.

    Raises:
        UserError: an invalid configuration, a network that the format cannot hold, an output folder
            that cannot be written to.
    """
    config = checked("export", overrides)
    if config.format == CAMERA or config.format in TRAINERS:
        return export_camera(config, console)
    device = choose_device(config.device)
    tune_allocator()
    source = source_of(config)
    check_output(source.folder)
    where, crops = _crops(config, source)
    whole = Piece("", source.upscaler, source.scale)
    place = card_place(source.folder / f"{file_name(source.name, whole)}.md", source.run is None)
    try:
        files, written = _write(config, source, crops, device, listed(place))
        card = _card(config, source, files, place)
    except OSError as error:
        raise UserError(f"Cannot write into {source.folder}: {error.strerror}.") from error
    for file, path in zip(files, written, strict=True):
        console.print(f"{path}  ({file.about})", markup=False)
        if file.largest is not None and file.mean is not None:
            console.print(
                escape(
                    f"  to torch, on {where}: at most {file.largest:.1e} "
                    f"({255 * file.largest:.2g} levels of 8 bits), {file.mean:.1e} on average"
                )
            )
    theirs = "" if place.stem == file_name(source.name, whole) else ", as the other card is kept"
    console.print(f"model card: {card}{theirs}", markup=False)
    return 0


def _write(
    config: DictConfig,
    source: Source,
    crops: list[Tensor],
    device: torch.device,
    known: Collection[str],
) -> tuple[list[File], list[Path]]:
    """The files, each as the card lists it and where it is; ``known`` are earlier ones."""
    fp16, fmt = bool(config.fp16), str(config.format)
    precision = ("half precision" if fp16 else "single precision") + source.stated
    if fmt in PROGRAMS:
        suffix = PROGRAMS[fmt].suffixes[0]
        whole = Piece("", source.upscaler, source.scale)
        path = source.folder / f"{file_name(source.name, whole)}{suffix}"
        _keep_others([path.with_suffix(end) for end in PROGRAMS[fmt].suffixes], source, known)
        sizes = f", {config.size} x {config.size} pixels only" if config.size else ""
        about = f"{fmt}, {precision}{sizes}: {OPENED_BY[fmt]}"
        reopened = write_program(source.upscaler, path, fmt, fp16, config.size)
        largest, mean = _compare(source.upscaler, reopened, crops, device)
        if not (fp16 or largest <= ALIKE):
            for end in PROGRAMS[fmt].suffixes:
                path.with_suffix(end).unlink()
            raise UserError(
                f"`format={fmt}` would compute something else than torch does at other sizes "
                f"than {config.size or 'the one it was traced at'} (it differs by {largest:.2g}); "
                "`size=N` writes a file for N x N pixels only."
            )
        written = [path.with_suffix(end) for end in PROGRAMS[fmt].suffixes]
        files = [File(path.name, about, largest, mean)]
        files += [File(other.name, f"belongs to {path.name}") for other in written[1:]]
        return files, written
    files, written = [], []
    for piece in pieces(source.upscaler, source.scale):
        path = source.folder / f"{file_name(source.name, piece)}.{fmt}"
        _keep_others([path], source, known)
        node = source.nodes.get(piece.name or _only(source))
        try:
            reopened = write_weights(piece, path, node, fp16, source.sensor)
        except UserError as error:  # an architecture of one's own
            path.unlink(missing_ok=True)
            others = ", ".join(sorted(PROGRAMS))
            raise UserError(
                f"`format={fmt}` needs an architecture that is known when it is read: {error} "
                f"What holds the network itself: {others}."
            ) from error
        largest, mean = _compare(piece.network, reopened, crops, device)
        found = spandrel_model(path, channels_of(piece.network))
        tools = f"spandrel, chaiNNer ({found.architecture.name})" if found else "wildsr only"
        files.append(File(path.name, f"{fmt}, {precision}: {tools}", largest, mean))
        written.append(path)
    return files, written


def _only(source: Source) -> str:
    """The network that a method of one network restores with."""
    names = list(getattr(source.upscaler, "networks", {}) or {"": None})
    return str(names[0])


def _keep_others(paths: list[Path], source: Source, known: Collection[str]) -> None:
    """Refuse to replace what is exported, or files beside it that no earlier export wrote."""
    if source.file is None:
        return
    other = "choose another `name`, `output` or `format`."
    for path in paths:
        if path.resolve() == source.file.resolve():
            raise UserError(f"{path} is what is exported; {other}")
        if path.exists() and path.name not in known:
            raise UserError(f"{path} exists and is not of an earlier export; {other}")


def _crops(config: DictConfig, source: Source) -> tuple[str, list[Tensor]]:
    """Parts of a random photo, (1, C, H, W) in [0, 1], and what they are of, in words."""
    chance = random.Random(config.seed)
    sensor, where = source.sensor, "a sample photo"
    image = _as_seen(photo(chance.choice(HELD_OUT)), sensor)
    if source.run is not None:
        paths: list[Path] = []
        with contextlib.suppress(UserError):  # the photos are gone, or elsewhere
            paths = lr_photos(source.run, trusts(config))
        for path in chance.sample(paths, len(paths)):
            with contextlib.suppress(UnreadableImage):
                image, where = sensor.seen(read_kind(path, LIMIT, sensor)), path.name
                break
    sides: tuple[tuple[int, int], ...] = WHOLE if config.format in WEIGHTS else SIDES
    sides = ((config.size, config.size),) if config.size else sides
    crops = []
    for height, width in sides:
        least = [max(n, side) - side for n, side in zip((height, width), image.shape, strict=False)]
        padded = np.pad(image, ((0, least[0]), (0, least[1]), (0, 0)), mode="wrap")
        top = chance.randint(0, padded.shape[0] - height)
        left = chance.randint(0, padded.shape[1] - width)
        crops.append(floats_of(padded[top : top + height, left : left + width]))
    return where, crops


def _as_seen(pixels: Samples, sensor: Sensor) -> Samples:
    """A photo of 8-bit RGB as one of a sensor's channels, as networks see it."""
    if sensor.plain:
        return pixels
    unit = floats_of(pixels)
    shown = luma(unit) if sensor.channels == 1 else unit
    bands = [band % shown.shape[1] for band in range(sensor.channels)]
    made: Samples = shown[0, bands].permute(1, 2, 0).numpy()
    return made


@torch.no_grad()
def _compare(
    network: nn.Module, reopened: Upscale, crops: list[Tensor], device: torch.device
) -> tuple[float, float]:
    """The largest and the mean difference of two upscalers, both clipped to [0, 1].

    Infinite if the exported one fails or gives another size.

    Args:
        network: computes on ``device``; afterwards on the CPU, where files are written from.
        reopened: the file, as the runtime of its format opens it: on the CPU.
        crops: (1, C, H, W) each.
        device: of torch's side of the comparison.
    """
    differences = []
    with single_precision():
        made_by_torch = [network.to(device)(c.to(device)).clamp(0, 1).cpu() for c in crops]
    network.cpu()
    for crop, expected in zip(crops, made_by_torch, strict=True):
        try:
            made = reopened(crop).clamp(0, 1)
        except Exception:  # each runtime has its own
            return float("inf"), float("inf")
        if made.shape != expected.shape:
            return float("inf"), float("inf")
        differences.append((made - expected).abs().flatten())
    every = torch.cat(differences)
    return float(every.max()), float(every.mean())


def _card(config: DictConfig, source: Source, files: list[File], path: Path) -> Path:
    """Write the model card, and the run's pictures next to it."""
    parts = pieces(source.upscaler, source.scale)
    whole = Piece("", source.upscaler, source.scale)
    pictures = {}
    for picture in PICTURES:
        made = source.run / f"{picture}.png" if source.run is not None else None
        if made is not None and made.exists():
            copied = picture_beside(path, picture)
            write_bytes(copied, made.read_bytes())
            pictures[picture] = copied.name
    note = ""
    if len(parts) > 1:
        order = ", then ".join(f"`{piece.name}`" for piece in parts)
        note = f"An image passes through {order}: as weights a file each, else all in one file."
    card = ModelCard(
        file_name(source.name, whole),
        source.scale,
        ", then ".join(architecture(piece.network) for piece in parts),
        sum(p.numel() for piece in parts for p in piece.network.parameters()),
        files,
        source.method,
        results_of(source.run) if source.run is not None else {},
        pictures,
        None if config.licence is None else str(config.licence),
        note,
        kept_files(path, files),
        source.sensor,
        source.strength,
    )
    write_text(path, markdown_card(card))
    return path
