"""Super-resolution GANs trained without pairs.

``import wildsr`` is light: torch and the rest are imported when something is first used. The public
names are in ``wildsr.__all__``; docs/python.md shows how to use them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names as in _HOMES, for type checkers and editors
    from wildsr.api.degradation import Degrader as Degrader
    from wildsr.api.degradation import Pipeline as Pipeline
    from wildsr.api.degradation import load_degrader as load_degrader
    from wildsr.api.evaluate import evaluate as evaluate
    from wildsr.api.of_sets import fid as fid
    from wildsr.api.of_sets import kid as kid
    from wildsr.api.of_sets import niqe_own as niqe_own
    from wildsr.api.of_sets import swd as swd
    from wildsr.api.panel import Panel as Panel
    from wildsr.api.perceptual import dists as dists
    from wildsr.api.perceptual import lpips as lpips
    from wildsr.api.perceptual import lpips_squeeze as lpips_squeeze
    from wildsr.api.perceptual import lpips_vgg as lpips_vgg
    from wildsr.api.perceptual import st_lpips as st_lpips
    from wildsr.api.perceptual import st_lpips_alex as st_lpips_alex
    from wildsr.api.results import Results as Results
    from wildsr.api.train import train as train
    from wildsr.api.upscaler import Upscaler as Upscaler
    from wildsr.api.upscaler import load_upscaler as load_upscaler
    from wildsr.api.with_truth import fsim as fsim
    from wildsr.api.with_truth import haarpsi as haarpsi
    from wildsr.api.with_truth import ms_ssim as ms_ssim
    from wildsr.api.with_truth import psnr as psnr
    from wildsr.api.with_truth import shift_psnr as shift_psnr
    from wildsr.api.with_truth import shift_ssim as shift_ssim
    from wildsr.api.with_truth import ssim as ssim
    from wildsr.api.with_truth import vif as vif
    from wildsr.api.without_truth import blockiness as blockiness
    from wildsr.api.without_truth import brisque as brisque
    from wildsr.api.without_truth import checkerboard as checkerboard
    from wildsr.api.without_truth import clipiqa as clipiqa
    from wildsr.api.without_truth import colour_drift as colour_drift
    from wildsr.api.without_truth import lr_consistency as lr_consistency
    from wildsr.api.without_truth import lr_consistency_learned as lr_consistency_learned
    from wildsr.api.without_truth import lr_discrepancy as lr_discrepancy
    from wildsr.api.without_truth import musiq as musiq
    from wildsr.api.without_truth import niqe as niqe
    from wildsr.api.without_truth import noise_residue as noise_residue
    from wildsr.api.without_truth import ringing as ringing
    from wildsr.api.without_truth import sharpness as sharpness
    from wildsr.error import UserError as UserError

__version__ = "0.1.0"

_HOMES = {
    "api.train": "train",
    "api.evaluate": "evaluate",
    "api.results": "Results",
    "api.upscaler": "load_upscaler Upscaler",
    "api.degradation": "load_degrader Degrader Pipeline",
    "api.panel": "Panel",
    "api.with_truth": "psnr ssim ms_ssim vif haarpsi fsim shift_psnr shift_ssim",
    "api.perceptual": "lpips lpips_vgg lpips_squeeze st_lpips st_lpips_alex dists",
    "api.without_truth": "lr_consistency lr_consistency_learned lr_discrepancy colour_drift "
    "noise_residue sharpness ringing blockiness checkerboard niqe brisque musiq clipiqa",
    "api.of_sets": "fid kid niqe_own swd",
    "error": "UserError",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
