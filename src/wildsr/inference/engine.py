"""Engines that execute a network: torch, torch.compile, ONNX Runtime, OpenVINO."""

from __future__ import annotations

import copy
import math
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wildsr.error import UserError, first_line, unknown
from wildsr.extra import needed
from wildsr.inference.device import PRECISIONS, half_precision, supported
from wildsr.inference.onnx import to_onnx
from wildsr.inference.tile import channels_of, evaluating
from wildsr.network.padding import pad_to

CHECKED = ((39, 57), (72, 41))  # sizes that reveal a trace limited to one size, or to even ones
MULTIPLES = (1, 2, 4, 8, 16, 32, 64)  # of which a network may require the sides
HINTS = {"fp16": "f16", "bf16": "bf16"}  # OpenVINO's names
TOLERANCE = 1e-3  # largest difference between engine and torch, in [0, 1]; a quarter of 1/255


class Torch(nn.Module):
    """Executes the network by torch, in channels-last memory format."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, 3, H, W) to (B, 3, sH, sW)."""
        sr: Tensor = self.network(lr)
        return sr


class Compiled(Torch):
    """Executes the network by torch.compile, compiled once for all sizes.

    Compiling takes tens of seconds before the first tile.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        self.compiled = torch.compile(self.network, dynamic=True)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, 3, H, W)."""
        sr: Tensor = self.compiled(lr)
        return sr


class OnnxRuntime(nn.Module):
    """Executes the network by ONNX Runtime, on CUDA if available, else on the CPU.

    Raises:
        UserError: a package is not installed.
    """

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        super().__init__()
        runtime = needed("onnxruntime", "onnxruntime", "`engine=onnxruntime`")
        needed("onnx", "onnxruntime", "`engine=onnxruntime`")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            to_onnx(network, path)
            options = runtime.SessionOptions()
            options.intra_op_num_threads = torch.get_num_threads()
            options.log_severity_level = 3
            wanted = ["CUDAExecutionProvider"] if device.type == "cuda" else []
            here = [p for p in wanted if p in runtime.get_available_providers()]
            self.session = runtime.InferenceSession(
                str(path), options, providers=[*here, "CPUExecutionProvider"]
            )

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, 3, H, W)."""
        (sr,) = self.session.run(None, {"lr": lr.float().contiguous().cpu().numpy()})
        return torch.from_numpy(sr).to(lr.device)


class OpenVino(nn.Module):
    """Executes the network by OpenVINO on the CPU, in float32 unless :meth:`compute` is called.

    Attributes:
        graph: the network as OpenVINO's model.

    Raises:
        UserError: the package is not installed.
    """

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        super().__init__()
        self.core = _openvino()
        # Through ONNX: OpenVINO's own converter for torch sends telemetry.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            to_onnx(network, path)
            self.graph = self.core.read_model(str(path))
        self.compute(self.graph)

    def compute(self, graph: Any, hint: str = "f32") -> None:
        """Execute this graph from now on, its floats in this format (f32, f16, bf16).

        Raises:
            UserError: OpenVINO would compute in another format.
        """
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": hint,
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        self.model = self.core.compile_model(graph, "CPU", settings)
        told = self.model.get_property("INFERENCE_PRECISION_HINT").to_string()
        if told != hint:
            raise UserError(f"Argument `precision`: OpenVINO computes in {told} here, not {hint}.")

    def other(self, hint: str) -> OpenVino:
        """The same network in another format; see :meth:`compute`."""
        made = copy.copy(self)
        made.compute(self.graph, hint)
        return made

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, 3, H, W)."""
        out = self.model(np.ascontiguousarray(lr.float().cpu().numpy()))[0]
        return torch.from_numpy(out.copy()).to(lr.device)


class Padded(nn.Module):
    """Pads images to a multiple that the architecture requires and crops the engine's result.

    Padding written in Python is lost in tracing, as the traced size needs none.
    """

    def __init__(self, engine: nn.Module, multiple: int, scale: int) -> None:
        super().__init__()
        self.engine, self.multiple, self.scale = engine, multiple, scale

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale ``lr`` (B, 3, H, W)."""
        height, width = lr.shape[2:]
        sr: Tensor = self.engine(pad_to(lr, self.multiple))
        return sr[..., : height * self.scale, : width * self.scale]


ENGINES: dict[str, Callable[..., nn.Module]] = {
    "torch": lambda network, device: Torch(network),
    "compile": lambda network, device: Compiled(network),
    "onnxruntime": OnnxRuntime,
    "openvino": OpenVino,
}


def choose_engine(name: str, network: nn.Module, device: torch.device, scale: int) -> nn.Module:
    """Prepare a network for an engine, and compare it with torch on images of two sizes.

    Raises:
        UserError: an unknown engine, one that is not installed or cannot run this network, or one
            whose result differs from torch's.
    """
    if name not in ENGINES:
        raise unknown("Argument `engine`", name, ENGINES)
    if name == "openvino" and device.type != "cpu":
        raise UserError(f"Argument `engine` is 'openvino', which needs device=cpu, not {device}.")
    if name in ("torch", "compile"):
        return ENGINES[name](network, device)
    away, failure = float("nan"), None
    try:
        engine = ENGINES[name](network, device)
        for multiple in MULTIPLES:
            padded = Padded(engine, multiple, scale)
            try:
                away = max(_difference(network, padded, size, device) for size in CHECKED)
            except Exception as error:
                failure = error
            if away <= TOLERANCE:
                return padded
    except UserError:
        raise
    except Exception as error:  # exporters and runtimes can raise any type
        failure = error
    if failure is not None and math.isnan(away):
        raise UserError(
            f"Argument `engine`: {name} cannot take this network ({first_line(failure)}); "
            "engine=torch takes every one."
        ) from failure
    raise UserError(
        f"Argument `engine`: {name} computes something else than torch for this network "
        f"(by up to {away:.2g}); engine=torch takes every one."
    )


def engine_precision(engine: str, wanted: str, network: nn.Module, device: torch.device) -> str:
    """Choose the precision of OpenVINO or ONNX Runtime: "fp32", "fp16", "bf16" or "int8".

    ``auto`` chooses half precision if :func:`~wildsr.inference.device.half_precision` allows it and
    the engine has it, too (whether it is faster is timed later); never int8.

    Args:
        engine: "onnxruntime" or "openvino".
        wanted: one of these precisions, or "auto".
        network: in single precision.
        device: of the network.

    Raises:
        UserError: an unknown precision, or one that the engine cannot compute in.
    """
    if wanted not in ("auto", "int8", *PRECISIONS):
        raise unknown("Argument `precision`", wanted, ["auto", *PRECISIONS, "int8"])
    if wanted == "fp32" or (wanted == "auto" and engine == "onnxruntime"):
        return "fp32"
    if engine == "onnxruntime":
        raise UserError(
            f"Argument `precision` must be 'fp32' for engine=onnxruntime, but got {wanted!r}: it "
            "convolves in single precision only; engine=openvino has others."
        )
    if wanted == "int8":
        return wanted
    # OpenVINO names formats that it would only emulate, so torch is asked, too.
    kind = {value: key for key, value in PRECISIONS.items()}
    chosen = kind[half_precision(network, device)] if wanted == "auto" else wanted
    if chosen == "fp32":
        return chosen
    able = chosen.upper() in _openvino().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if able and supported(PRECISIONS[chosen], device):
        return chosen
    if wanted == "auto":
        return "fp32"
    raise UserError(
        f"Argument `precision` is {wanted!r}, but OpenVINO finds no instructions for it in this "
        "CPU and would be slower than with 'fp32'."
    )


def _openvino() -> Any:
    return _core(needed("openvino", "openvino", "`engine=openvino`"))


@cache
def _core(package: ModuleType) -> Any:
    """OpenVINO's core, one for the process.

    Each core gives its thread a stack for signal handlers, and gives back the one before it when it
    goes. Of two that go in another order than they came, the stack of one that is gone remains, and
    the next signal (Ctrl-C, the end of a child process) is a segmentation fault.
    """
    return package.Core()


@torch.inference_mode()
def _difference(
    network: nn.Module, engine: nn.Module, size: tuple[int, int], device: torch.device
) -> float:
    generator = torch.Generator().manual_seed(0)
    lr = torch.rand(1, channels_of(network), *size, generator=generator).to(device)
    with evaluating(network):
        return float((network(lr) - engine(lr)).abs().max())
