"""How fast random crops come out of the packed store, and what memory that takes.

python benchmarks/data.py                  20 mosaics of scikit-image's sample photos
python benchmarks/data.py --images DIR     your own photos
python benchmarks/data.py --quick          under 50 seconds on two cores

The other side is what most toolkits do: for every crop, a worker decodes a whole photo, cuts one
patch out of it and makes it a float tensor.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np
import PIL
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from wildsr.data.crops import draw
from wildsr.data.store import open_store
from wildsr.photo.image import list_images, read_image

PATCH, BATCH, ROUNDS, WORKERS = 128, 16, 3, 2
HEIGHT, WIDTH = 1356, 2040  # DIV2K's most frequent size
SOURCES = "astronaut coffee chelsea motorcycle_left motorcycle_right rocket brick gravel grass"
NOISE = 0.25  # gray levels: makes a mosaic as large a PNG as a sharp photo, 4 to 5 MB
MEMORY_IMAGES, MEMORY_BATCHES = 5, 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, help="a folder of photos instead of the mosaics")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--quick", action="store_true", help="under 50 seconds on two cores")
    options = parser.parse_args()
    torch.set_num_threads(1)  # As in a loader's worker; two would wait for each other's core.
    with tempfile.TemporaryDirectory() as work:
        folder = options.images or make_mosaics(Path(work, "photos"), 6 if options.quick else 20)
        paths = list_images(folder, "--images")
        figures = measure(paths, Path(work, "cache"), options.quick)
        figures |= measure_memory(paths, Path(work))
        print_table(figures, paths)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def make_mosaics(folder: Path, count: int) -> Path:
    """PNGs of 2K size, tiled with flipped sample photos and a little noise."""
    import skimage

    available = {path.stem: path for path in Path(skimage.__file__).parent.glob("data/*.*")}
    tiles = [read_image(available[name]) for name in SOURCES.split() if name in available]
    folder.mkdir()

    def make(number: int) -> None:
        generator = np.random.default_rng(number)
        canvas = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        for top in range(0, HEIGHT, 300):
            for left in range(0, WIDTH, 400):
                tile = tiles[generator.integers(len(tiles))]
                tile = tile[:: generator.choice([-1, 1]), :: generator.choice([-1, 1])]
                part = canvas[top : top + tile.shape[0], left : left + tile.shape[1]]
                part[:] = tile[: part.shape[0], : part.shape[1]]
        noise = generator.normal(0, NOISE, canvas.shape).astype(np.float32)
        photo = (canvas + noise).round().clip(0, 255).astype(np.uint8)
        Image.fromarray(photo).save(folder / f"{number:02}.png", compress_level=3)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(make, range(count)))
    return folder


class DecodedCrops(Dataset[torch.Tensor]):
    """One decoded photo for every crop: float (3, P, P)."""

    def __init__(self, paths: list[Path], length: int) -> None:
        self.paths, self.length = paths, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> torch.Tensor:
        generator = np.random.default_rng(index)
        with Image.open(self.paths[generator.integers(len(self.paths))]) as image:
            photo = np.asarray(image.convert("RGB"))
        top, left = (int(generator.integers(side - PATCH + 1)) for side in photo.shape[:2])
        crop = photo[top : top + PATCH, left : left + PATCH]
        return torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1))).float() / 255


def measure(paths: list[Path], cache: Path, quick: bool) -> dict[str, float | None]:
    """Patches per second of every reader, medians of interleaved rounds."""
    start = time.perf_counter()
    store = open_store(paths, cache, "--images", WORKERS)
    packing = time.perf_counter() - start
    start = time.perf_counter()
    open_store(paths, cache, "--images", WORKERS)
    opening = time.perf_counter() - start

    usable = [path for path in paths if min(Image.open(path).size) >= PATCH]
    decoded, packed = (2, 300) if quick else (8, 2000)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def decode() -> float:
        dataset = DecodedCrops(usable, decoded * BATCH)
        return _rate(
            lambda: sum(len(batch) for batch in DataLoader(dataset, BATCH, num_workers=WORKERS))
        )

    def pack() -> float:
        generator = np.random.default_rng(0)
        return _rate(lambda: sum(len(draw(store, PATCH, BATCH, generator)) for _ in range(packed)))

    def pack_float() -> float:
        generator = np.random.default_rng(0)

        def run() -> int:
            for _ in range(packed):
                draw(store, PATCH, BATCH, generator).to(device).float().div_(255)
            if device.type == "cuda":
                torch.cuda.synchronize()
            return packed * BATCH

        return _rate(run)

    pack(), pack_float()  # Warm up: page cache, allocator, device.
    rates = [(decode(), pack(), pack_float()) for _ in range(ROUNDS)]
    decode_rate, pack_rate, float_rate = (median(column) for column in zip(*rates, strict=True))
    return {
        "images": len(store),
        "packed_patches_per_second": pack_rate,
        "packed_float_patches_per_second": float_rate,
        "decode_patches_per_second": decode_rate,
        "packed_over_decode": pack_rate / decode_rate,
        "packed_float_over_decode": float_rate / decode_rate,
        "packing_seconds": packing,
        "opening_seconds": opening,
    }


def _rate(run: Callable[[], int]) -> float:
    start = time.perf_counter()
    patches = run()
    return patches / (time.perf_counter() - start)


def measure_memory(paths: list[Path], work: Path) -> dict[str, float | None]:
    """Anonymous memory that packing and 2000 batches add, for n and for 4n images."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_memory, paths, work).result()


def _memory(paths: list[Path], work: Path) -> dict[str, float | None]:
    names = ("packing_memory_mb", "anonymous_memory_growth_mb")
    before = _anonymous_mb()
    if before is None:
        return dict.fromkeys([f"{name}_{count}" for name in names for count in ("n", "4n")])
    copies = [work / f"copy-{i}{paths[i % len(paths)].suffix}" for i in range(4 * MEMORY_IMAGES)]
    for i, copy in enumerate(copies):
        shutil.copy(paths[i % len(paths)], copy)
    figures: dict[str, float | None] = {}
    growths = []
    for count, chosen in (("n", copies[:MEMORY_IMAGES]), ("4n", copies)):
        seen: list[float] = []

        def watch(done: int, total: int, seen: list[float] = seen) -> None:
            seen.append(_anonymous_mb() or 0.0)

        store = open_store(chosen, work / f"cache-{count}", "--images", WORKERS, watch)
        generator = np.random.default_rng(0)
        for _ in range(100):  # The allocator settles.
            draw(store, PATCH, BATCH, generator)
        settled = _anonymous_mb() or 0.0
        for _ in range(MEMORY_BATCHES):
            draw(store, PATCH, BATCH, generator)
        growths.append((_anonymous_mb() or 0.0) - settled)
        figures |= {f"{names[0]}_{count}": max(seen) - before, f"{names[1]}_{count}": growths[-1]}
    return figures | {names[1]: max(growths)}


def _anonymous_mb() -> float | None:
    """Resident memory that is not backed by a file; None where there is no /proc."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")), None)


def print_table(figures: dict[str, float | None], paths: list[Path]) -> None:
    size = sum(path.stat().st_size for path in paths) / len(paths) / 1e6
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"

    def text(name: str, form: str = ",.0f") -> str:
        value = figures[name]
        return "not available here" if value is None else format(value, form)

    print(
        f"{len(paths)} images of {size:.1f} MB, patches {PATCH}x{PATCH}, batch {BATCH}, warm page "
        f"cache, medians of {ROUNDS} interleaved rounds; {multiprocessing.cpu_count()} CPU cores "
        f"({platform.machine()}), one PyTorch thread, float on {device}; Pillow {PIL.__version__}, "
        f"NumPy {np.__version__}, PyTorch {torch.__version__}.\n"
    )
    print("| reader | patches/s | ratio |")
    print("|---|---:|---:|")
    print(
        f"| one decode per crop, Pillow, {WORKERS} workers, float batch "
        f"| {text('decode_patches_per_second', ',.1f')} | 1 |"
    )
    print(
        f"| packed store, no worker, uint8 batch | {text('packed_patches_per_second')} "
        f"| {text('packed_over_decode')} |"
    )
    print(
        f"| packed store, no worker, float batch on the device "
        f"| {text('packed_float_patches_per_second')} | {text('packed_float_over_decode')} |"
    )
    print("\n| preparation | |")
    print("|---|---:|")
    print(f"| packing all images, {WORKERS} threads | {text('packing_seconds', '.2f')} s |")
    print(f"| opening the store again | {text('opening_seconds', '.4f')} s |")
    print(f"\n| anonymous memory, MB | {MEMORY_IMAGES} images | {4 * MEMORY_IMAGES} images |")
    print("|---|---:|---:|")
    for label, name in (
        ("at most while packing", "packing_memory_mb"),
        (f"added by {MEMORY_BATCHES} batches", "anonymous_memory_growth_mb"),
    ):
        print(f"| {label} | {text(f'{name}_n', '.1f')} | {text(f'{name}_4n', '.1f')} |")


if __name__ == "__main__":
    main()
