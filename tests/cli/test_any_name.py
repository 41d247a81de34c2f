"""Every verb, to the end, on names that are no text, are markup, or are as long as names get."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.heavy

NO_TEXT = os.fsdecode(b"Stra\xdfe ")
ODD = NO_TEXT + "(2019) ${x}, {a: b} [bold][|b] ] 'q' \"d\" = \\"
LONG = "n" * 251  # and a suffix of four


def photos(folder, count, size, seed, name):
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for number in range(count):
        small = generator.integers(0, 256, (size[0] // 4, size[1] // 4, 3), np.uint8)
        named = f"{number}{name}"[: 255 - len(".png")]
        with open(folder / f"{named}.png", "wb") as file:
            Image.fromarray(small).resize(size[::-1]).save(file, "PNG")
    return folder


@pytest.fixture
def world(tmp_path, request, small):
    """Photos, a cache and runs in a folder of this name, and the overrides of a ``train`` there."""
    name = request.param
    base = tmp_path / name
    shapes = {"lr": (4, (24, 28)), "hr": (3, (64, 72)), "val_lr": (2, (12, 16))}
    shapes["val_hr"] = (2, (48, 64))
    typed = ["data=folders", *small, "data.patch=8", "data.batch=2", "metric.metrics=[psnr,swd]"]
    for seed, (key, (count, size)) in enumerate(shapes.items()):
        typed.append(f"data.{key}={photos(base / key, count, size, min(seed, 2), name)}")
    typed += ["validate_every=2", "log_every=1", "checkpoint_every=2", "snapshots=2"]
    yield base, name, [*typed, f"data.cache={base / 'cache'}", f"runs_dir={base / 'runs'}"]
    shutil.rmtree(base)  # pytest's own cleaning prints names


@pytest.mark.parametrize("world", [ODD, LONG], indirect=True, ids=["odd", "long"])
def test_all_verbs(world, carry_out, capsys):
    base, name, typed = world
    run = base / "runs" / name
    assert carry_out("train", [*typed, "iterations=4", f"name={name}"]) == 0
    said = capsys.readouterr().out.replace("\\udcdf", "\udcdf")
    assert f"run folder: {run}\n" in said
    assert carry_out("train", [f"resume={run}", "iterations=6"]) == 0
    output = base / "evaluated"
    overrides = [f"run={run}", f"output={output}", "checkpoints=all", "metric.metrics=[psnr]"]
    assert carry_out("evaluate", overrides) == 0
    assert (output / "results.json").read_text(encoding="utf-8")
    assert (output / "per_image.csv").read_text(encoding="utf-8")
    lr = base / "val_lr"
    for form in ("png", "jpg", "tif", "webp"):
        done = [f"run={run}", f"input={lr}", f"output={base / 'up' / form}", f"format={form}"]
        assert carry_out("upscale", done) == 0
        made = [p for p in (base / "up" / form).iterdir() if p.name != ".manifest"]
        assert len(made) == 2
    pairs = [f"run={run}", f"hr={base / 'hr'}", f"output={base / 'pairs'}", f"real={base / 'lr'}"]
    assert carry_out("degrade", [*pairs, "tile=64"]) == 0
    assert len(list((base / "pairs" / "lr").iterdir())) == 3
    shown = name if name == ODD else "Long"
    for form in ("safetensors", "torchscript"):
        assert carry_out("export", [f"run={run}", f"format={form}", f"name={shown}"]) == 0
    weights = next((run / "export").glob("*.safetensors"))
    again = [f"weights={weights}", f"input={lr}", f"output={base / 'again'}"]
    assert carry_out("upscale", again) == 0
    assert not [path for path in base.rglob(".*") if path.is_file()]
