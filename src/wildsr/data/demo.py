"""The demo data: scikit-image's sample photos, degraded by a camera the methods do not know."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from pathlib import Path

import numpy as np
import skimage
import torch
from PIL import Image

from wildsr.data.module import Folders
from wildsr.data.store import default_cache
from wildsr.degradation.camera import KnownCamera
from wildsr.error import UserError
from wildsr.photo.image import read_image
from wildsr.pixels import array_of, floats_of

# Both domains hold colour and gray photos, texture and sky, with similar average spectra: they
# differ in the camera. The two motorcycles show one scene and are in one domain.
HR = (
    "brick",
    "camera",
    "gravel",
    "hubble_deep_field",
    "ihc",
    "motorcycle_left",
    "motorcycle_right",
)
LR = ("astronaut", "coins", "grass", "rocket")
HELD_OUT = ("chelsea", "coffee")
NOISE_SEED = 20180


class Demo(Folders):
    """The data module of the demo photos, which are written into the cache on first use.

    ``camera`` is the true degradation: evaluation shows it beside the learned one; methods never
    get it.

    Args:
        camera: the true camera, which degrades the LR domain and the held-out LR photos.
        scale: HR size / LR size.
        patch: side of an LR patch in LR pixels.
        batch: samples of each domain.
        seed: of the crops.
        cache: where the photos are kept; None for the user's cache folder.
        workers: of the data loader.
    """

    camera: KnownCamera

    label = "demo"  # in the names of runs

    def __init__(
        self,
        camera: KnownCamera,
        scale: int,
        patch: int,
        batch: int,
        seed: int,
        cache: str | None = None,
        workers: int = 0,
    ) -> None:
        self.camera = camera
        root = (Path(cache).expanduser() if cache else default_cache()) / f"demo-{self._key(scale)}"
        super().__init__(
            lr=str(root / "lr"),
            hr=str(root / "hr"),
            val_lr=str(root / "val_lr"),
            val_hr=str(root / "val_hr"),
            scale=scale,
            patch=patch,
            batch=batch,
            seed=seed,
            cache=cache,
            workers=workers,
            channels=3,
            depth=8,
        )
        self.root = root

    def prepare_data(self) -> None:
        """Write the demo photos into the cache, once, then pack them.

        Raises:
            UserError: the cache cannot be written to.
        """
        if not self.root.is_dir():
            partial = self.root.with_name(f".{self.root.name}-{uuid.uuid4().hex}")
            try:
                _write(partial, self.camera, self.scale)
                os.replace(partial, self.root)
            except OSError as error:
                if not self.root.is_dir():  # unless another process has just finished the same
                    raise UserError(
                        f"Cannot write the demo photos to {self.root}: {error}."
                    ) from error
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        super().prepare_data()

    def _key(self, scale: int) -> str:
        facts = [
            self.camera.physical(),
            self.camera.jpeg_quality,
            scale,
            HR,
            LR,
            HELD_OUT,
            NOISE_SEED,
        ]
        return hashlib.blake2b(json.dumps(facts).encode(), digest_size=6).hexdigest()


def photo(name: str) -> np.ndarray:
    """Read one of scikit-image's sample photos: (H, W, 3), uint8.

    Raises:
        UserError: the installed version lacks it.
    """
    source = Path(skimage.__file__).parent / "data"
    available = {path.stem: path for path in source.iterdir()}
    if name not in available:
        raise UserError(f"the installed scikit-image has no sample photo {name!r}.")
    return read_image(available[name])


def _write(root: Path, camera: KnownCamera, scale: int) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(NOISE_SEED)
        for domain, names in (("hr", HR), ("lr", LR), ("val", HELD_OUT)):
            for name in names:
                whole = photo(name)
                height, width = (side // scale * scale for side in whole.shape[:2])
                sharp = whole[:height, :width]
                if domain != "lr":
                    _save(sharp, root / {"hr": "hr", "val": "val_hr"}[domain] / f"{name}.png")
                if domain != "hr":
                    hr = floats_of(sharp)
                    lr = array_of(camera(hr))
                    _save(lr, root / {"lr": "lr", "val": "val_lr"}[domain] / f"{name}.png")


def _save(photo: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photo).save(path)
