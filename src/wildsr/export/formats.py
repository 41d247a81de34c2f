"""Write networks in other tools' formats, and reopen them in those tools' runtimes."""

from __future__ import annotations

import copy
import os
import re
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wildsr.atomic import private_folder
from wildsr.error import UserError, first_line, shortened
from wildsr.extra import needed
from wildsr.inference.onnx import TRACED, to_onnx
from wildsr.inference.tile import channels_of
from wildsr.network.weights import check_finite
from wildsr.text_path import text_path

EXTRA = "export"  # dependency group of pyproject.toml with packages that some formats need

Upscale = Callable[[Tensor], Tensor]


class Half(nn.Module):
    """Wraps a network to compute in half precision, with float32 input and output.

    Args:
        network: is copied.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).half()
        self.channels = channels_of(network)

    def forward(self, lr: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, sH, sW), float32."""
        sr: Tensor = self.network(lr.half())
        return sr.float()


@dataclass(frozen=True)
class Format:
    """A file format for networks that another runtime executes.

    Attributes:
        suffixes: of its files; the first is the one that users open.
        write: ``write(network, path, fp16, size)``; the network is in evaluation mode, ``path``
            ends in the first suffix, ``size`` is None for any size.
        reopen: ``reopen(path, fp16)`` gives the file as a function of (1, 3, H, W) in [0, 1],
            executed by the format's runtime.
    """

    suffixes: tuple[str, ...]
    write: Callable[[nn.Module, Path, bool, int | None], None]
    reopen: Callable[[Path, bool], Upscale]


def _package(name: str, fmt: str) -> Any:
    return needed(name, EXTRA, f"`format={fmt}`")


def _example(network: nn.Module, size: int | None) -> Tensor:
    height, width = (size, size) if size else TRACED
    return torch.rand(
        1, channels_of(network), height, width, generator=torch.Generator().manual_seed(0)
    )


@torch.no_grad()
def write_torchscript(network: nn.Module, path: Path, fp16: bool, size: int | None) -> None:
    """Write a traced TorchScript module, for libtorch.

    Args:
        network: (B, 3, H, W) to (B, 3, sH, sW).
        path: of the file.
        fp16: whether the weights are in half precision.
        size: LR pixels a side of the traced example; None for the default.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whether the trace is valid for other sizes is measured
        module = Half(network).eval() if fp16 else network
        traced = torch.jit.trace(module, _example(network, size), check_trace=False)
        with text_path(path) as name:
            torch.jit.save(traced, name)


def reopen_torchscript(path: Path, fp16: bool) -> Upscale:
    """Open a TorchScript file by libtorch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        with text_path(path) as name:
            loaded: Upscale = torch.jit.load(name)
    return loaded


def write_onnx(network: nn.Module, path: Path, fp16: bool, size: int | None) -> None:
    """Write ONNX, opset 17; ``lr`` in, ``sr`` out, both float32, any batch and size.

    Raises:
        UserError: the package onnx is not installed.
    """
    _package("onnx", "onnx")
    to_onnx(Half(network).eval() if fp16 else network, path, size)


def reopen_onnx(path: Path, fp16: bool) -> Upscale:
    """Open an ONNX file by ONNX Runtime on the CPU.

    Raises:
        UserError: the package onnxruntime is not installed.
    """
    runtime = _package("onnxruntime", "onnx")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4
    with text_path(path) as name:
        session = runtime.InferenceSession(name, options, providers=["CPUExecutionProvider"])
    return lambda lr: torch.from_numpy(session.run(None, {"lr": lr.numpy()})[0])


def write_ncnn(network: nn.Module, path: Path, fp16: bool, size: int | None) -> None:
    """Write ncnn's ``.param`` and ``.bin``; ``data`` in, ``output`` out, as Upscayl needs.

    pnnx converts them from TorchScript.

    Raises:
        UserError: pnnx is not installed or fails, or the network has a layer that ncnn lacks.
    """
    pnnx = _package("pnnx", "ncnn")
    with tempfile.TemporaryDirectory() as folder:
        traced = Path(folder) / "network.pt"
        write_torchscript(network, traced, False, size)
        shapes = [size or TRACED[0], size or TRACED[1]], [size or 72, size or 48]
        arguments = [
            f"inputshape{number}=[1,{channels_of(network)},{height},{width}]f32"
            for number, (height, width) in zip(("", "2"), shapes, strict=True)
        ]
        command = [pnnx.EXEC_PATH, str(traced), *arguments, f"fp16={int(fp16)}"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        made = Path(folder) / "network.ncnn.param"
        if done.returncode or not made.exists():
            raise UserError(f"pnnx failed: {(done.stderr or done.stdout).strip()[-200:]}")
        lines = made.read_text().splitlines()
        layers = {line.split()[0] for line in lines[2:]}
        strange = sorted(layer for layer in layers if not re.fullmatch(r"[A-Za-z0-9]+", layer))
        if strange:
            raise UserError(f"ncnn lacks {', '.join(strange)}")
        text = "\n".join(lines) + "\n"
        for pnnx_name, tools_name in (("in0", "data"), ("out0", "output")):
            text = re.sub(rf"(?<=\s){pnnx_name}(?=\s)", tools_name, text)
        path.write_text(text)
        path.with_suffix(".bin").write_bytes(made.with_suffix(".bin").read_bytes())


def reopen_ncnn(path: Path, fp16: bool) -> Upscale:
    """Open a pair of ncnn files by ncnn on the CPU.

    Raises:
        UserError: ncnn is not installed, or cannot open the files.
    """
    ncnn = _package("ncnn", "ncnn")
    net = ncnn.Net()
    net.opt.num_threads = torch.get_num_threads()
    net.opt.use_vulkan_compute = False
    for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"):
        setattr(net.opt, option, fp16)
    with text_path(path) as name, text_path(path.with_suffix(".bin")) as binary:
        if net.load_param(name) or net.load_model(binary):
            raise UserError("ncnn cannot open it")

    def upscale(lr: Tensor) -> Tensor:
        extractor = net.create_extractor()
        pixels = lr[0].contiguous().numpy()  # kept in a variable: ncnn borrows its memory
        extractor.input("data", ncnn.Mat(pixels).clone())  # layers may overwrite their input
        failed, sr = extractor.extract("output")
        if failed:
            raise RuntimeError("ncnn failed")
        return torch.from_numpy(np.array(sr)[None])

    return upscale


PROGRAMS = {
    "onnx": Format((".onnx",), write_onnx, reopen_onnx),
    "torchscript": Format((".pt",), write_torchscript, reopen_torchscript),
    "ncnn": Format((".param", ".bin"), write_ncnn, reopen_ncnn),
}


def write_program(
    network: nn.Module, path: Path, fmt: str, fp16: bool = False, size: int | None = None
) -> Upscale:
    """Write a network in one of the formats, and open it again.

    Args:
        network: (B, C, H, W) in [0, 1] to (B, C, sH, sW); in evaluation mode, on the CPU.
        path: ends in the format's first suffix; its files appear whole or not at all.
        fmt: onnx, torchscript or ncnn.
        fp16: weights in half precision; input and output stay float32.
        size: LR pixels a side if the file is for this size only; None for any size.

    Returns:
        The reopened file as a function of (1, 3, H, W) in [0, 1].

    Raises:
        UserError: a format that cannot hold this network, a package that is not installed, weights
            that are NaN or infinite, or a file that cannot be written.
    """
    check_finite(network.state_dict(), f"{path} is not written: the network")
    kind = PROGRAMS[fmt]
    with private_folder(path.parent) as folder:
        partial = folder / path.name
        try:
            kind.write(network, partial, fp16, size)
            kind.reopen(partial, fp16)
        except OSError as error:
            said = error.strerror or first_line(error)
            raise UserError(f"{path} cannot be written: {said}.") from error
        except Exception as error:  # exporters and runtimes can raise any type
            if isinstance(error, UserError) and EXTRA in str(error):
                raise
            raise UserError(
                f"`format={fmt}` cannot hold this network: {shortened(first_line(error), '')}."
            ) from error
        for suffix in kind.suffixes:
            os.replace(partial.with_suffix(suffix), path.with_suffix(suffix))
    return kind.reopen(path, fp16)
