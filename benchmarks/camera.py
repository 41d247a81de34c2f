"""Does a camera learn, from unpaired pictures alone, what another camera did to them?

    python benchmarks/camera.py --hr DIR --lr DIR [--scenario NAME ...]     (2 minutes for each)

Sharp photos of --lr (at most 100) are taken by a hidden camera with known parameters; a learned
camera and a critic, no upscaler, are trained on crops of these and of the photos of --hr. Without
folders these are the demo's photos. Prints a Markdown table: parameter, truth, start, learned (the
mean over the last third of the iterations), error. --quick trains for a moment only: it shows that
the script works, not how good the camera is.

What to expect: the noise of the dark and of full brightness are told apart poorly (their sum is
found), the narrow axis of a blur comes out a little narrow, and noise that strong JPEG removes
cannot be found: beside bicubic, whose lobes no Gaussian has, the camera invents some.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from wildsr.data.crops import augment
from wildsr.data.demo import HR, LR, photo
from wildsr.degradation.bicubic import downscale
from wildsr.degradation.blur import blur_and_sample
from wildsr.degradation.camera import KnownCamera
from wildsr.degradation.jpeg.codec import libjpeg
from wildsr.loss.adversarial import fool, judge
from wildsr.loss.penalty import r1
from wildsr.network.critic.patch import PatchCritic
from wildsr.network.degrader.camera import Camera
from wildsr.network.front.front import Details
from wildsr.photo.image import list_images, read_image
from wildsr.pixels import to_8_bit
from wildsr.training.schedule import Inverse

SCALE = 4
PHOTOS = 100  # at most, of --lr


@dataclass
class Settings:
    """How camera and critic are trained; found on these scenarios."""

    patch: int = 24  # LR pixels
    batch: int = 8
    camera_rate: float = 2e-2
    critic_rate: float = 2e-3
    camera_half: int = 400  # iterations after which the rate is half of what it was
    critic_half: int = 1200
    smooth: float = 1e-5  # weight of R1: little, or the critic cannot see a few levels of noise
    smooth_every: int = 4  # iterations between penalties, each so many times as heavy
    gain: float = 8.0  # of the details that the critic sees
    critic: dict = field(
        default_factory=lambda: {"layers": 3, "features": 16, "kernel": 3, "norm": "none"}
    )


@dataclass
class Scenario:
    """A hidden camera: sharp (1, 3, H, W) to LR in 8 bits, what is true of it, what to learn."""

    take: Callable[[Tensor], Tensor]
    true: dict[str, float]
    learn: dict[str, float]


def hidden(
    blur: tuple[float, float, float],
    read: float,
    shot: float,
    correlation: float = 0.0,
    quality: int | None = None,
) -> Scenario:
    """Blur, noise and the JPEG of Pillow."""
    known = KnownCamera(SCALE, *blur, read=read, shot=shot, jpeg_quality=None)

    def take(hr: Tensor) -> Tensor:
        clean = blur_and_sample(hr, known.kernel(), SCALE)
        noise = torch.randn_like(clean)
        if correlation:
            filtered = gaussian_filter(noise.numpy(), (0, 0, correlation, correlation), mode="wrap")
            noise = torch.from_numpy(filtered / filtered.std())
        lr = to_8_bit(clean + noise * known.noise_std(clean)).clamp(0, 1)
        return lr if quality is None else libjpeg(lr, quality, "4:2:0")

    true, learn = known.physical(), {}
    if correlation:
        true, learn = true | {"noise_correlation": correlation}, learn | {"correlation": 0.4}
    if quality is not None:
        true, learn = true | {"jpeg_quality": quality, "jpeg_spread": 0.0}, learn | {"jpeg": 80.0}
    return Scenario(take, true, learn)


def bicubic_jpeg(quality: int) -> Scenario:
    """Bicubic downscaling, which no Gaussian is, and the JPEG of Pillow."""
    return Scenario(
        lambda hr: libjpeg(to_8_bit(downscale(hr, SCALE)).clamp(0, 1), quality, "4:2:0"),
        {"noise_read": 0.0, "noise_shot": 0.0, "jpeg_quality": quality, "jpeg_spread": 0.0},
        {"jpeg": 80.0},
    )


SCENARIOS = {
    "noise": hidden((2.4, 1.4, 30.0), read=4, shot=8),
    "jpeg": hidden((2.4, 1.4, 30.0), read=3, shot=6, quality=60),
    "correlated": hidden((1.8, 1.8, 0.0), read=3, shot=6, correlation=0.7),
    "bicubic": bicubic_jpeg(40),
}


class Crops:
    """Random square crops of photos (uint8)."""

    def __init__(self, photos: list[np.ndarray], size: int, batch: int, seed: int) -> None:
        self.photos = [p for p in photos if min(p.shape[:2]) >= size]
        self.size, self.batch = size, batch
        self.random = np.random.default_rng(seed)

    def draw(self) -> Tensor:
        """(B, 3, size, size) in [0, 1]."""
        crops = []
        for index in self.random.integers(len(self.photos), size=self.batch):
            source = self.photos[index]
            y, x = (self.random.integers(side - self.size + 1) for side in source.shape[:2])
            crops.append(source[y : y + self.size, x : x + self.size])
        return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float().div(255)


def whole(photo: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 to (1, 3, h, w) in [0, 1], whose sides are multiples of the scale."""
    height, width = (side // SCALE * SCALE for side in photo.shape[:2])
    return torch.from_numpy(photo[:height, :width].copy()).permute(2, 0, 1)[None].float() / 255


def taken(sources: list[np.ndarray], take: Callable[[Tensor], Tensor]) -> list[np.ndarray]:
    """The photos of the hidden camera."""
    torch.manual_seed(0)
    photos = []
    for source in sources:
        photos.append(take(whole(source))[0].permute(1, 2, 0).mul(255).round().byte().numpy())
    return photos


def learn(
    camera: Camera,
    hr: list[np.ndarray],
    lr: list[np.ndarray],
    settings: Settings,
    iterations: int,
    seconds: float = math.inf,
    seed: int = 0,
) -> int:
    """Train ``camera`` until its pictures look like ``lr``; leaves it at its late average."""
    torch.manual_seed(seed)
    s = settings
    critic = PatchCritic(**s.critic, front=Details(s.gain))
    sharp = Crops(hr, s.patch * SCALE, s.batch, seed)
    real = Crops(lr, s.patch, s.batch, seed + 1)
    turns = torch.Generator().manual_seed(seed)
    players = [
        (critic, s.critic_rate, Inverse(s.critic_half)),
        (camera, s.camera_rate, Inverse(s.camera_half)),
    ]
    adams = [torch.optim.Adam(player.parameters(), rate, (0.5, 0.9)) for player, rate, _ in players]
    history: list[Tensor] = []
    began, done = time.perf_counter(), 0
    while done < iterations and time.perf_counter() - began < seconds:
        for adam, (_, rate, schedule) in zip(adams, players, strict=True):
            adam.param_groups[0]["lr"] = rate * schedule(done)
        sharp_crop, real_lr = augment(sharp.draw(), turns), real.draw()
        fake_lr = to_8_bit(camera(sharp_crop, camera.draws(sharp_crop)))
        critic.requires_grad_(False)
        step(adams[1], fool(critic, fake_lr))
        critic.requires_grad_(True)
        term = judge(critic, real_lr, fake_lr.detach())
        if done % s.smooth_every == 0:
            term = term + s.smooth_every * s.smooth * r1(critic, real_lr)
        step(adams[0], term)
        history.append(nn.utils.parameters_to_vector(camera.parameters()).detach())
        done += 1
    late = torch.stack(history[-max(done // 3, 1) :]).mean(0)
    nn.utils.vector_to_parameters(late, camera.parameters())
    return done


def step(adam: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step down."""
    adam.zero_grad()
    loss.backward()
    adam.step()


def nearest_gaussian(sources: list[np.ndarray]) -> float:
    """Width of the isotropic Gaussian whose pictures are nearest to bicubic downscaling (L2)."""
    widths, errors = np.arange(0.8, 2.41, 0.1), []
    for width in widths:
        kernel = KnownCamera(SCALE, width, width, 0).kernel()
        error = 0.0
        for source in sources[:3]:
            hr = whole(source[:320, :320])
            error += float((blur_and_sample(hr, kernel, SCALE) - downscale(hr, SCALE)).var())
        errors.append(error)
    return float(widths[int(np.argmin(errors))])


def stated(camera: Camera) -> dict[str, float]:
    """Its parameters, and its noise at half brightness."""
    found = camera.physical()
    return found | {"noise_half": math.hypot(found["noise_read"], found["noise_shot"] / 2**0.5)}


def error(name: str, true: float, learned: float) -> tuple[float, str]:
    """How far off: in points of quality, in degrees, in 1/255 of nothing, otherwise in percent."""
    if name == "blur_angle":
        off = (learned - true + 90) % 180 - 90
        return off, f"{off:+.0f} degrees"
    if name.startswith("jpeg"):
        return learned - true, f"{learned - true:+.1f} points"
    if true == 0:
        return learned, f"{learned:+.1f}/255"
    off = 100 * (learned / true - 1)
    return off, f"{off:+.0f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hr", type=Path)
    parser.add_argument("--lr", type=Path, help="sharp photos for the hidden cameras to take")
    parser.add_argument("--scenario", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=math.inf, help="of training, each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if (options.hr is None) != (options.lr is None):
        parser.error("--hr and --lr come together")
    if options.hr is None:
        sharp, sources = [photo(name) for name in HR], [photo(name) for name in LR]
    else:
        sharp = [read_image(path) for path in list_images(options.hr, "--hr")]
        sources = [read_image(path) for path in list_images(options.lr, "--lr")[:PHOTOS]]

    print("| hidden camera | parameter | true | start | learned | error |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    figures: dict[str, float] = {}
    for scenario in options.scenario:
        hidden_camera = SCENARIOS[scenario]
        true = dict(hidden_camera.true)
        if "blur_major" not in true:
            true["blur_major"] = true["blur_minor"] = nearest_gaussian(sources)
        half = math.hypot(true["noise_read"], true["noise_shot"] / 2**0.5)
        camera = Camera(SCALE, **hidden_camera.learn)
        start = stated(camera)
        lr, seconds = taken(sources, hidden_camera.take), 5 if options.quick else options.seconds
        done = learn(camera, sharp, lr, Settings(), options.iterations, seconds, options.seed)
        figures[f"{scenario}_iterations"] = done
        learned = stated(camera)
        for name, value in (true | {"noise_half": half}).items():
            if name == "blur_angle" and true["blur_major"] == true["blur_minor"]:
                continue
            off, said = error(name, value, learned[name])
            figures |= {f"{scenario}_{name}": learned[name], f"{scenario}_{name}_error": off}
            cells = f"{value:.2f} | {start[name]:.2f} | {learned[name]:.2f} | {said}"
            print(f"| {scenario} | {name} | {cells} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
