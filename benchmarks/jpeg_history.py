"""How well is a photo's JPEG coding read from its pixels, and how often is one invented?

    python benchmarks/jpeg_history.py [--photos DIR ...] [--quick] [--json FILE]

Photos (scikit-image's, or those of the folders) are reduced to 60 % first, so that no earlier
coding is left in them; of each a noisy and a smooth version too. They are written by Pillow at
qualities 5 to 100, 4:4:4, 4:2:2, 4:2:0 and gray in turn, decoded, cropped off the grid, and read by
`wildsr.forensics.pixels.read_pixels`. Prints a Markdown table: exact quality and grid, subsampling
where it was told and wrong, older codings invented; then double coding, photos that never were JPEG
(also blurred, upscaled, pixel art, screens) and processor seconds a photo.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from wildsr.data import demo
from wildsr.forensics.pixels import read_pixels
from wildsr.photo.image import Pixels, list_images, read_image

QUALITIES = (5, 10, 15, 20, 30, 43, 50, 62, 75, 84, 90, 95, 97, 99, 100)
QUICK = (10, 20, 50, 84, 95, 100)
SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0", 3: "4:0:0"}
SIDE = 320  # pixels at most, so that a photo of another size costs the same


def resized(photo: Pixels, height: int, width: int, nearest: bool = False) -> Pixels:
    how = Image.Resampling.NEAREST if nearest else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(photo).resize((width, height), how))


def sources(folders: list[Path], most: int) -> list[Pixels]:
    """Photos without any coding left, as they are, noisy and smooth."""
    if folders:
        paths = [path for folder in folders for path in list_images(folder, "photos")]
        full = [read_image(path) for path in paths[:: max(1, len(paths) // most)]]
    else:
        full = [demo.photo(name) for name in (*demo.HR, *demo.LR, *demo.HELD_OUT)][:most]
    generator, found = np.random.default_rng(0), []
    for photo in full:
        photo = resized(photo, int(photo.shape[0] * 0.6), int(photo.shape[1] * 0.6))[:SIDE, :SIDE]
        if min(photo.shape[:2]) < 112:
            continue
        noisy = photo + generator.normal(0, 5, photo.shape)
        smooth = gaussian_filter(photo.astype(float), (2, 2, 0))
        found += [photo, *(np.rint(p).clip(0, 255).astype(np.uint8) for p in (noisy, smooth))]
    return found


def jpeg(photo: Pixels, quality: int, way: int) -> Pixels:
    """Written and read by Pillow; ``way`` 0 to 3 as in SUBSAMPLINGS."""
    buffer, image = io.BytesIO(), Image.fromarray(photo)
    if way == 3:
        image.convert("L").save(buffer, "JPEG", quality=quality)
    else:
        image.save(buffer, "JPEG", quality=quality, subsampling=way)
    return np.asarray(Image.open(buffer).convert("RGB"))


def never_jpeg(photos: list[Pixels]) -> Iterator[tuple[str, Pixels]]:
    """The photos themselves and what else might be taken for JPEG."""
    generator = np.random.default_rng(1)
    for photo in photos:
        height, width = photo.shape[:2]
        yield "photo", photo
        yield "upscaled", resized(photo[:100, :100], 250, 250)
        few = resized(photo, height // 8, width // 8) // 32 * 32
        for cell in (2, 4, 8):
            yield (
                f"pixel art {cell}",
                resized(few, few.shape[0] * cell, few.shape[1] * cell, nearest=True),
            )
        yield "posterised", photo // 16 * 16
        yield "small", photo[:40, :40]
    for _ in range(20):
        screen = np.full((200, 240, 3), 255, np.uint8)
        for _ in range(60):
            y, x = generator.integers(0, 25, 2) * 8
            h, w = generator.integers(1, 6, 2) * 8
            screen[y : y + h, x : x + w] = generator.integers(0, 256, 3)
        yield "screen", screen
        yield "noise", generator.integers(0, 256, (128, 128, 3), np.uint8)
        yield "one colour", np.full((128, 128, 3), generator.integers(0, 256, 3), np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, nargs="+", default=[])
    parser.add_argument("--quick", action="store_true", help="few photos and qualities")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    photos = sources(options.photos, 3 if options.quick else 13)
    generator, seconds = np.random.default_rng(2), []
    read_pixels(photos[0])
    figures: dict[str, dict] = {"qualities": {}, "double": {}, "never": {}}
    print(
        "| quality | photos | exact | nothing found | subsampling told | wrong | older invented |"
    )
    print("|---|---|---|---|---|---|---|")
    for quality in QUICK if options.quick else QUALITIES:
        row = dict.fromkeys(("photos", "exact", "none", "told", "wrong", "older"), 0)
        for index, photo in enumerate(photos):
            way = index % 4
            y, x = (int(v) for v in generator.integers(0, 16, 2))
            crop = jpeg(photo, quality, way)[y:, x:]
            before = time.process_time()
            found = read_pixels(crop)
            seconds.append(time.process_time() - before)
            row["photos"] += 1
            row["none"] += found.kind is None
            row["exact"] += (found.quality, found.exact) == (quality, True) and found.phase == (
                -y % 8,
                -x % 8,
            )
            row["told"] += found.subsampling is not None
            gray = found.subsampling == "4:0:0"  # so is a gray photo coded in colour
            row["wrong"] += found.subsampling not in (None, SUBSAMPLINGS[way]) and not gray
            row["older"] += found.older is not None
        figures["qualities"][quality] = row
        print(f"| {quality} | " + " | ".join(str(v) for v in row.values()) + " |", flush=True)
    print("\n| before, last | grid | photos | older within 1 | wrong | last exact |")
    print("|---|---|---|---|---|---|")
    for first, last in ((60, 90),) if options.quick else ((50, 75), (60, 90), (80, 90), (50, 95)):
        for shift in (0, 3):
            row = dict.fromkeys(("photos", "found", "wrong", "last"), 0)
            for photo in photos:
                found = read_pixels(jpeg(jpeg(photo, first, 2)[shift:, 2 * shift :], last, 2))
                older = found.older
                near = older is not None and abs((older.quality or 0) - first) <= 1
                row["photos"] += 1
                row["found"] += near
                row["wrong"] += older is not None and not near
                row["last"] += found.quality == last and found.phase == (0, 0)
            figures["double"][f"{first}, {last}, {'off' if shift else 'same'}"] = row
            values = " | ".join(str(v) for v in row.values())
            print(f"| {first}, {last} | {'off' if shift else 'same'} | {values} |", flush=True)
    print("\n| never JPEG | photos | found |\n|---|---|---|")
    for kind, photo in never_jpeg(photos):
        row = figures["never"].setdefault(kind, {"photos": 0, "found": 0})
        row["photos"] += 1
        row["found"] += read_pixels(photo).kind is not None
    for kind, row in figures["never"].items():
        print(f"| {kind} | {row['photos']} | {row['found']} |")
    mean, most = float(np.mean(seconds)), float(np.max(seconds))
    figures["seconds"] = {"mean": mean, "most": most}
    print(f"\nProcessor seconds a photo: {mean:.2f} on average, {most:.2f} at most.")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
