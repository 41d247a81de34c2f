"""All metrics by name; docs/metrics.md explains how to choose."""

from __future__ import annotations

from collections.abc import Callable

from wildsr.metric import (
    consistency,
    distribution,
    grid,
    niqe,
    no_reference,
    noise,
    perceptual,
    ringing,
    sharpness,
    shift,
    st_lpips,
    structural,
)
from wildsr.metric.kind import Metric, Setting

CATALOGUE: dict[str, Callable[[Setting], Metric]] = {
    # Full-reference: compared with the ground truth.
    "psnr": structural.psnr,
    "ssim": structural.ssim,
    "ms_ssim": structural.ms_ssim,
    "lpips": perceptual.lpips("alex", "LPIPS"),
    "lpips_vgg": perceptual.lpips("vgg", "LPIPS vgg"),
    "lpips_squeeze": perceptual.lpips("squeeze", "LPIPS squeeze"),
    "st_lpips": st_lpips.st_lpips("vgg", "ST-LPIPS"),
    "st_lpips_alex": st_lpips.st_lpips("alex", "ST-LPIPS alex"),
    "dists": perceptual.dists,
    "vif": structural.vif,
    "haarpsi": structural.haarpsi,
    "fsim": structural.fsim,
    "shift_psnr": shift.shift_psnr,
    "shift_ssim": shift.shift_ssim,
    # No-reference: only the result, or the result and its LR photo.
    "lr_consistency": consistency.lr_consistency,
    "lr_consistency_learned": consistency.lr_consistency_learned,
    "lr_discrepancy": consistency.lr_discrepancy,
    "colour_drift": consistency.colour_drift,
    "noise_residue": noise.noise_residue,
    "sharpness": sharpness.sharpness,
    "blockiness": grid.blocks,
    "ringing": ringing.ringing,
    "checkerboard": grid.checkers,
    "niqe": no_reference.learned(no_reference.NIQE),
    "brisque": no_reference.learned(no_reference.BRISQUE),
    "musiq": no_reference.learned(no_reference.MUSIQ),
    "clipiqa": no_reference.learned(no_reference.CLIPIQA),
    # Between the set of results and a set of sharp images.
    "fid": distribution.fid,
    "kid": distribution.kid,
    "swd": distribution.swd,
    "niqe_own": niqe.niqe_own,
}
