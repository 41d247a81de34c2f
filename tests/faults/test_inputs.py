"""Photos, command lines and files of runs as damage makes them: a sentence, in bounded time."""

import contextlib
import io
import random
import shutil

import numpy as np
import pytest
from PIL import Image
from support.campaign import Bounded, count, flipped, maimed, tally

from wildsr.cli import main as command
from wildsr.error import UserError
from wildsr.inference.file import Settings, upscale_file
from wildsr.inference.upscaler import Upscaler
from wildsr.inference.weights import open_weights, save_weights
from wildsr.network.upscaler.compact import Compact
from wildsr.photo.image import read_image
from wildsr.run.load import restorer_of

SUFFIXES = ("png", "jpg", "webp", "tif", "bmp", "gif")


def photo(suffix, choose):
    """A small photo of random kind, as a file's bytes."""
    side = choose.randrange(3, 40), choose.randrange(3, 40)
    noise = np.random.default_rng(choose.randrange(1 << 30)).integers(0, 256, (*side, 4), np.uint8)
    mode = choose.choice(("RGB", "L", "P", "1") if suffix in ("bmp", "gif") else ("RGB", "L"))
    if suffix in ("png", "webp", "tif") and choose.random() < 0.4:
        mode = "RGBA"
    image = Image.fromarray(noise[..., :3]).convert(mode)
    options = {}
    if suffix == "tif":
        options["compression"] = choose.choice(
            ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")
        )
    if suffix == "jpg":
        options["progressive"] = choose.random() < 0.3
    if suffix in ("jpg", "png", "tif", "webp"):
        exif = image.getexif()
        exif[0x0112] = choose.randrange(1, 9) if suffix == "tif" else choose.randrange(10)
        exif[0x010F] = choose.choice(("maker", "m\xe4ker", "x" * 300))
        options["exif"] = exif
    if mode in ("1", "P"):
        options.pop("exif", None)
    file = io.BytesIO()
    image.save(file, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()), **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def upscaler():
    import torch

    network = torch.nn.Upsample(scale_factor=2)
    return Upscaler(network, network, 2, "nearest")


def test_photos(tmp_path, upscaler):
    choose = random.Random(4)
    with tally("damaged photos: a sentence or pixels, within 20 s and 1 GB") as held:
        for number in range(count(120, 40)):
            suffix = SUFFIXES[number % len(SUFFIXES)]
            path = tmp_path / f"photo.{suffix}"
            path.write_bytes(maimed(photo(suffix, choose), choose))
            target = tmp_path / f"out.{choose.choice(('png', 'jpg', 'webp', 'tif'))}"
            problem = None
            with Bounded() as bounded:
                try:
                    read_image(path)
                    upscale_file(upscaler, path, target, Settings())
                except UserError as error:
                    problem = "two lines" if "\n" in str(error) else None
                    if target.exists():
                        problem = "there is a result all the same"
                except Exception as error:
                    problem = f"{suffix}: {error!r}"
            target.unlink(missing_ok=True)
            held.add(problem or bounded.problem)
            if any(tmp_path.glob(".*.part")):
                held.add("a half file stays")


GOOD = {
    "train": ["data=folders", "data.lr=nowhere/lr", "data.hr=nowhere/hr", "iterations=3"],
    "evaluate": ["data.lr=nowhere/lr", "upscaler=bicubic", "scale=4"],
    "upscale": ["weights=nowhere/w.pth", "input=nowhere/in", "output=nowhere/out"],
    "degrade": ["hr=nowhere", "output=nowhere/out", "degradation=bicubic", "scale=4"],
    "export": ["weights=nowhere/w.pth", "format=onnx"],
    "look": ["data.lr=nowhere/lr"],
}
WORDS = [
    *[
        "=",
        "==",
        "a",
        "a=",
        "=a",
        "~",
        "~a",
        "+",
        "+a",
        "++a=1",
        "--",
        "-m",
        "-x",
        "{",
        "}",
        "[",
        "]",
        "[]",
        "{}",
        "${",
        "${x}",
        "${oc.env:HOME}",
        "???",
        "null",
    ],
    *[
        "nan",
        "inf",
        "-1",
        "0",
        "1e400",
        "[a,",
        "{a:",
        "true",
        "1.5",
        "..",
        "a/b",
        "a@b=c",
        "hydra.run.dir=x",
        "hydra/launcher=x",
    ],
    *(
        "@",
        "a.b.c=1",
        "\\",
        "'",
        '"',
        "",
        "a b",
        "\n",
        "9" * 400,
        "x" * 5000,
        "\x00",
        "\udcff",
        "ß",
    ),
]
KEYS = [
    "group",
    "scale",
    "method",
    "data",
    "data.lr",
    "data.patch",
    "network.upscaler",
    "loss",
    "seed",
    "iterations",
    "metric.metrics",
    "metric",
    "trainer",
    "trainer.devices",
    "logger",
    "logger.kind",
    "checkpoints",
    "upscaler",
    "real",
    "hr",
    "input",
    "output",
    "weights",
    "run",
    "format",
    "device",
    "tile",
    "limit",
    "depth",
    "quality",
    "precision",
    "degradation",
    "degradation.steps",
    "resume",
    "method.updates",
    "method.networks.upscale",
    "name",
    "runs_dir",
    "sharp",
    "panel",
    "licence",
]


def command_line(verb, choose):
    """A command that is nearly right."""
    words = list(GOOD[verb])
    for _ in range(choose.randrange(1, 4)):
        kind = choose.randrange(5)
        key, word = choose.choice(KEYS), choose.choice(WORDS)
        if kind == 0:
            words.append(word)
        elif kind == 1:
            words.append(f"{choose.choice(('', '', '+', '++', '~'))}{key}={word}")
        elif kind == 2:
            words.append(f"{choose.choice(('~', '+', ''))}{key}")
        elif kind == 3 and words:
            place = choose.randrange(len(words))
            words[place] = words[place][: choose.randrange(len(words[place]) + 1)]
        elif words:
            place = choose.randrange(len(words))
            at = choose.randrange(len(words[place]) + 1)
            words[place] = words[place][:at] + word + words[place][at:]
    return words


def test_command_lines(tmp_path, monkeypatch):
    choose = random.Random(5)
    monkeypatch.chdir(tmp_path)
    with tally("malformed command lines: one sentence, exit 2") as held:
        for number in range(count(150, 40)):
            verb = list(GOOD)[number % len(GOOD)]
            words = command_line(verb, choose)
            said, problem, code = io.StringIO(), None, None
            with (
                Bounded() as bounded,
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(said),
            ):
                try:
                    code = command.start(verb, words)
                except BaseException as error:
                    problem = repr(error)
            lines = [x for x in said.getvalue().splitlines() if x.startswith("error: ")]
            if problem is None and code not in (0, 1, 2):
                problem = f"exit {code}"
            if problem is None and code == 2 and len(lines) != 1:
                problem = said.getvalue()[-300:]
            problem = problem or bounded.problem
            held.add(problem and f"{verb} {[w[:60] for w in words]}: {problem[:300]}")


def test_weights(tmp_path):
    choose, path = random.Random(6), tmp_path / "w.safetensors"
    node = {"_target_": "wildsr.network.upscaler.compact.Compact", "scale": 4}
    node |= {"features": 4, "convolutions": 1}
    save_weights(Compact(scale=4, features=4, convolutions=1), path, node, 4)
    sound = path.read_bytes()
    before = open_weights(path).network.state_dict()
    with tally("damaged weights: a sentence, or what was written") as held:
        for _ in range(count(100, 20)):
            path.write_bytes(maimed(sound, choose))
            held.add(_refused_or_same(lambda: open_weights(path).network.state_dict(), before))


def test_checkpoints(trained, tmp_path):
    choose, copied = random.Random(7), tmp_path / "run"
    shutil.copytree(trained, copied)
    kept = sorted((copied / "checkpoints").glob("*.ckpt"))
    for older in kept[:-1]:
        older.unlink()
    sound = kept[-1].read_bytes()
    before = restorer_of(copied).state_dict()
    with tally("damaged checkpoints: a sentence, or what was written") as held:
        for _ in range(count(60, 10)):
            kept[-1].write_bytes(flipped(sound, choose))
            held.add(_refused_or_same(lambda: restorer_of(copied).state_dict(), before))


def _refused_or_same(read, before):
    with Bounded() as bounded:
        try:
            found = read()
            same = found.keys() == before.keys() and all(
                found[key].equal(before[key]) for key in before
            )
            problem = None if same else "read wrong"
        except UserError as error:
            problem = "two lines" if "\n" in str(error) else None
        except Exception as error:
            problem = repr(error)
    return problem or bounded.problem
