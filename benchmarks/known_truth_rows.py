"""How benchmarks/known_truth.py trains and measures one row of its table."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from hidden_camera import SCALES as HIDDEN
from hidden_camera import HiddenCamera
from unseen_cameras import FILES

REAL = "canon"  # photos of a real camera, whose truth is in files; fair.py lays them out
SCALES = HIDDEN | {REAL: 4}
BICUBIC, TRAINED, ORACLE, SINGLE = "bicubic", "bicubic-trained", "oracle", "kernelgan_zssr"
ANYWHERE = {  # rows that see nothing of the LR photos: one run serves all scenarios of a scale
    TRAINED: ["method=supervised", "degradation=bicubic"],
    "bsrgan": ["method=supervised", "degradation=bsrgan"],
    "realesrgan": ["method=supervised", "degradation=realesrgan"],
}
# What these train on bicubic pairs first stands for the start that all rows have here.
STARTED = {"cincgan": ["method.updates.pretrain=null"]}
STARTED |= {row: ["method.updates.prepare=null"] for row in ("dsgan", "lud_vae")}
# The published networks are made for 200,000 iterations on a GPU. In the small setting those that
# make LR, and their critics, are a quarter as wide and have two blocks, so that they get beyond
# their start; terms that look through VGG are left out.
CRITIC, CRITIC_HR = "network.critic.features=16", "method.networks.critic_hr.features=16"
DEGRADER = ["network.degrader.features=16", "network.degrader.blocks=2", CRITIC]
TRANSLATOR = ["network.translator.features=16", "network.translator.blocks=2", CRITIC]
SMALLER = {
    "pdm": [*(f"network.degrader.{n}_blocks=2" for n in ("kernel", "noise")), DEGRADER[0], CRITIC],
    "bulat": [*DEGRADER, CRITIC_HR],
    "cincgan": [
        *TRANSLATOR,
        CRITIC_HR,
        *(f"method.networks.shrink.{o}" for o in ("features=16", "blocks=2")),
    ],
    "cyclesr": TRANSLATOR,
    "maeda": [
        *TRANSLATOR,
        CRITIC_HR,
        *(f"method.networks.degrade.{o}" for o in ("features=16", "blocks=2")),
    ],
    "dsgan": [*DEGRADER, CRITIC_HR, "method.updates.upscale.terms.content=null"],
    "dasr": [*DEGRADER, CRITIC_HR, "method.updates.upscale.terms.seen=null"],
    "lud_vae": ["network.degrader.features=32"],
}
VARIANTS = {"adversarial_jpeg": ["method=adversarial_camera", "network.degrader.jpeg=80"]}
METHODS = (
    "wild",
    "wild_residual",
    "adversarial_camera",
    "adversarial_jpeg",
    "pdm",
    "bulat",
    "cincgan",
    "cyclesr",
    "maeda",
    "dsgan",
    "dasr",
    "lud_vae",
    "impressionism",
)
ROWS = (BICUBIC, *ANYWHERE, ORACLE, *METHODS, SINGLE)
PHOTOS, SINGLES = 100, 2  # of --lr and of the test; test photos of kernelgan_zssr
LEARN = [
    "ema=0.995",
    "optimizers.upscale={_target_: torch.optim.Adam, lr: 5.0e-4, betas: [0.9, 0.99]}",
]


@dataclass(frozen=True)
class Setting:
    """What a benchmark is run with."""

    work: Path
    hr: tuple[Path, ...]
    lr: tuple[Path, ...]
    test: tuple[Path, ...]
    seconds: float
    start: float  # seconds of bicubic training before all
    seed: int = 0
    upscaler: str = "compact_small"
    patch: int = 24
    batch: int = 8
    accelerator: str = "cpu"
    precision: str = "32-true"  # that a minute is the same on processors with and without bfloat16
    singles: int = SINGLES
    small: bool = True
    tag: str = ""  # ends the names of runs and results, where one row is trained in several ways
    more: tuple[str, ...] = ()  # typed last


def overrides(setting: Setting, scenario: str, row: str) -> list[str]:
    """What is typed after ``python train.py`` for a row, but for how long and where."""
    scale, photos = SCALES[scenario], setting.work / "photos"
    typed = ["data=folders", f"data.lr={photos / scenario / 'lr'}", f"data.hr={photos / 'hr'}"]
    typed += ["data.preview=1", f"data.patch={setting.patch}", f"data.batch={setting.batch}"]
    typed += [f"scale={scale}", f"seed={setting.seed}", f"network/upscaler={setting.upscaler}"]
    typed += [f"trainer.accelerator={setting.accelerator}", f"data.cache={setting.work / 'cache'}"]
    typed += [f"trainer.precision={setting.precision}"]
    typed += ["logger=none", "validate_every=1000000", "checkpoint_every=200", "finish=none"]
    chosen = (ANYWHERE | VARIANTS).get(row, [f"method={row}"])
    if row == ORACLE:
        camera = f"{{_target_: hidden_camera.HiddenCamera, scenario: {scenario}, scale: {scale}}}"
        chosen = ["method=supervised", f"method.networks.degrade={camera}"]
    smaller = [*STARTED.get(row, []), *(SMALLER.get(row, []) if setting.small else [])]
    return [*typed, *chosen, *smaller, *(f"method.{o}" for o in LEARN), *setting.more]


def run_name(setting: Setting, scenario: str, row: str) -> str:
    """The name of a row's run; rows that see no LR photos have one run for all of a scale."""
    return f"{f'x{SCALES[scenario]}' if row in ANYWHERE else scenario}-{row}{setting.tag}"


def photos(setting: Setting, scenarios: list[str]) -> None:
    """The HR photos as they are, and each scenario's LR and test photos."""
    import numpy as np
    import torch
    from PIL import Image

    from wildsr.photo.image import read_image

    root = setting.work / "photos"
    (root / "hr").mkdir(parents=True, exist_ok=True)
    for path in setting.hr:
        if not (root / "hr" / path.name).exists():  # not a link: those that lead out are left out
            shutil.copyfile(path, root / "hr" / path.name)
    for scenario in scenarios:
        scale, camera = SCALES[scenario], HiddenCamera(scenario, SCALES[scenario])
        for number, path in enumerate((*setting.lr, *setting.test)):
            side = "lr" if number < len(setting.lr) else "test_lr"
            take, suffix, written = FILES.get(scenario, (camera, ".png", {}))
            target = root / scenario / side / f"{path.stem}{suffix}"
            truth = root / scenario / "test_hr" / f"{path.stem}.png"
            if target.exists():
                continue
            photo = read_image(path)
            height, width = (length // scale * scale for length in photo.shape[:2])
            photo = np.ascontiguousarray(photo[:height, :width])
            sharp = torch.from_numpy(photo).permute(2, 0, 1)[None].float().div(255)
            torch.manual_seed(number)
            taken = take(sharp)[0].permute(1, 2, 0).mul(255).round().byte().numpy()
            for image, place, how in ((photo, truth, {}), (taken, target, written)):
                if side == "test_lr" or place is target:
                    place.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(image).save(place, **how)


def cost(typed: list[str], iterations: int) -> tuple[float, float]:
    """Processor seconds of an iteration, averaged over the stages, and of what comes before."""
    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    from wildsr.config.compose import configure
    from wildsr.config.make import make
    from wildsr.data.module import Folders
    from wildsr.method.part import given
    from wildsr.training.build import build_trainer, build_training
    from wildsr.training.harvest import harvest

    class Clock(lightning.Callback):
        begun = time.process_time()

        def on_train_batch_end(self, trainer, training, *_):
            if training.iteration == 1:  # the first one sets up
                self.begun = time.process_time()

    config = configure("train", [*typed, f"iterations={iterations}"])
    training, data, clock = build_training(config), make(config.data, "data"), Clock()
    assert isinstance(data, Folders)
    data.prepare_data()
    data.setup()
    begun = time.process_time()
    harvest(training, data, None)
    before = time.process_time() - begun
    data.iterations, data.other_hr = (
        iterations,
        "other_hr" in training.objective.method.parts[given],
    )
    with contextlib.redirect_stdout(io.StringIO()):
        build_trainer(config, [clock]).fit(training, train_dataloaders=data.train_dataloader())
    return (time.process_time() - clock.begun) / (iterations - 1), before


def train(setting: Setting, name: str, typed: list[str], seconds: float) -> dict:
    """One run of the verb, gone on with if it was stopped; how long it took."""
    from wildsr.cli.main import start

    folder = setting.work / "runs" / name
    facts = setting.work / "runs" / f"{name}.json"
    if facts.exists():
        return json.loads(facts.read_text())
    planned = setting.work / "runs" / f"{name}.plan"
    if planned.exists():
        iterations = int(planned.read_text())
    else:
        trial = 12 if seconds > 20 else 4
        each, before = cost(typed, trial)  # what is measured before training is training time, too
        iterations = max(round((seconds - before) / each), 6)
        planned.parent.mkdir(parents=True, exist_ok=True)
        planned.write_text(str(iterations))
        costs = {"before": round(before, 1), "planned": round(before + iterations * each, 1)}
        planned.with_suffix(".cost").write_text(json.dumps(costs))
    begun = time.process_time()
    typed = [*typed, f"runs_dir={folder.parent}", f"name={name}", f"iterations={iterations}"]
    if (folder / "checkpoints").exists() and any((folder / "checkpoints").iterdir()):
        typed = [f"resume={folder}", "trust=true"]  # our own, with the hidden camera
    elif folder.exists():  # stopped before the first of them
        shutil.rmtree(folder)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = start("train", typed)
    (setting.work / "runs" / f"{name}.log").write_text(said.getvalue())
    if code != 0:
        last = ["nothing was said", *said.getvalue().splitlines()][-1]
        raise RuntimeError(f"{name} ended with {code}: {last}")
    made = {"iterations": iterations, "seconds": round(time.process_time() - begun, 1)}
    if (costs := planned.with_suffix(".cost")).exists():
        made |= json.loads(costs.read_text())
    facts.write_text(json.dumps(made))
    return made


def thin_folder(setting: Setting, scenario: str, kind: str) -> Path:
    """A folder with less in it than the LR photos of a scenario: few of them, or no flat place.

    Args:
        setting: of the benchmark, whose photos are made.
        scenario: whose LR photos.
        kind: "four" or "one" photo, or "rough": of each photo the 40 x 40 window that varies most.
    """
    import numpy as np
    from PIL import Image

    source, target = (setting.work / "photos" / scenario / name for name in ("lr", kind))
    target.mkdir(exist_ok=True)
    paths = sorted(source.iterdir())
    for path in paths[: {"four": 4, "one": 1}.get(kind)]:
        photo = np.asarray(Image.open(path))
        if kind == "rough":
            tops, lefts = (range(0, side - 39, 8) for side in photo.shape[:2])
            windows = [photo[y : y + 40, x : x + 40] for y in tops for x in lefts]
            # The flattest of a window's 5 x 5 patches must be as rough as can be.
            photo = max(windows, key=lambda w: w[..., 1].reshape(8, 5, 8, 5).std((1, 3)).min())
        Image.fromarray(photo).save(target / path.name)
    return target


def test_names(setting: Setting, scenario: str) -> list[str]:
    """The names of a scenario's test photos, in the order in which they are restored."""
    return sorted(path.name for path in (setting.work / "photos" / scenario / "test_lr").iterdir())


def measured(setting: Setting, scenario: str, folder: Path | None, limit: int) -> list[dict]:
    """PSNR and SSIM of each test photo; of plain interpolation without a run."""
    import torch

    from wildsr.evaluation.evaluate import delivered, interpolation, of_lr
    from wildsr.metric.fidelity import psnr, ssim
    from wildsr.photo.image import read_image
    from wildsr.pixels import floats
    from wildsr.run.load import load_upscaler

    scale, root = SCALES[scenario], setting.work / "photos" / scenario
    restore = of_lr(interpolation("bicubic", scale))
    if folder is not None:
        device = "cpu" if setting.accelerator == "cpu" else "auto"
        options = {"device": device, "precision": "fp32", "tile": 512, "trust": True}
        restore = delivered(load_upscaler(folder, **options))
    found = []
    for name in test_names(setting, scenario)[:limit]:
        path = root / "test_lr" / name
        lr, truth = (
            torch.from_numpy(read_image(p)).permute(2, 0, 1)
            for p in (path, next((root / "test_hr").glob(f"{path.stem}.*")))
        )
        sr, hr = floats(restore({"lr": lr})), floats(truth)
        values = {"psnr": psnr(sr, hr, scale, "rgb"), "ssim": ssim(sr, hr, scale, "rgb")}
        found.append({"image": path.name, **{n: float(v) for n, v in values.items()}})
    return found


def carry_out(setting: Setting, scenario: str, row: str) -> str:
    """Train and measure one row, in a process of its own; the file that holds its result."""
    import torch

    torch.set_num_threads(1)
    result = setting.work / "results" / f"{scenario}-{row}{setting.tag}.json"
    if result.exists():
        return str(result)
    begun, facts = time.perf_counter(), {}
    if row == BICUBIC:
        images = measured(setting, scenario, None, len(setting.test))
    elif row == SINGLE:
        images = []
        root = setting.work / "photos" / scenario / "test_lr"
        for path in sorted(root.iterdir())[: setting.singles]:
            free = (
                "data=",
                "data.lr=",
                "data.patch=",
                "data.hr=",
                "data.preview=",
                "network/upscaler=",
            )
            typed = [o for o in overrides(setting, scenario, row) if not o.startswith(free)]
            name = f"{scenario}-{row}{setting.tag}-{path.stem}"
            typed += ["data.patch=16"]  # crops of 64, as the authors'
            typed += [
                f"data.lr={path}",
                f"network/upscaler={setting.upscaler}",
                weights(setting, scenario),
            ]
            facts = train(setting, name, typed, setting.seconds)
            every = measured(setting, scenario, setting.work / "runs" / name, setting.singles)
            images += [image for image in every if image["image"] == path.name]
    else:
        name = run_name(setting, scenario, row)
        typed = [*overrides(setting, scenario, row), weights(setting, scenario)]
        facts = train(setting, name, typed, setting.seconds)
        images = measured(setting, scenario, setting.work / "runs" / name, len(setting.test))
    result.parent.mkdir(parents=True, exist_ok=True)
    partial = result.with_suffix(".partial")
    partial.write_text(json.dumps({"scenario": scenario, "row": row, **facts, "images": images}))
    partial.rename(result)
    print(f"{scenario} {row}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    return str(result)


def weights(setting: Setting, scenario: str) -> str:
    """The start of all rows: the same upscaler after some time on bicubic pairs."""
    name = f"start-x{SCALES[scenario]}"
    return f"weights={setting.work}/runs/{name}/weights/{SCALES[scenario]}x_{name}.safetensors"


def prepare(setting: Setting, scenario: str) -> None:
    """Train the start, in a process of its own."""
    import torch

    torch.set_num_threads(1)
    name = f"start-x{SCALES[scenario]}"
    train(setting, name, overrides(setting, scenario, TRAINED), setting.start)
