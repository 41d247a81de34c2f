"""The photos of a run: where they are now, and how they are split."""

from __future__ import annotations

from pathlib import Path

from wildsr.config.make import make
from wildsr.data.module import Folders
from wildsr.photo.image import list_images
from wildsr.run.folder import config_of


def data_of(folder: Path, trust: bool = False) -> Folders:
    """The data module of a run; no photo is read yet.

    Args:
        folder: of the run.
        trust: allow the run's configuration to name and run code outside of wildsr.

    Raises:
        UserError: the folder is not a run, is damaged, or names code outside of wildsr.
    """
    data: Folders = make(config_of(folder, trust).data, "data", Folders)
    return data


def opened_data(folder: Path, trust: bool = False) -> Folders:
    """The data module of a run, with its photos listed.

    Raises:
        UserError: as :func:`data_of`, or the photos are gone.
    """
    data = data_of(folder, trust)
    data.prepare_data()
    data.setup()
    return data


def lr_photos(folder: Path, trust: bool = False) -> list[Path]:
    """The real LR photos of a run: its validation photos if it has any, else its training photos.

    Raises:
        UserError: as :func:`data_of`, or they are gone.
    """
    data = data_of(folder, trust)
    return list_images(data.val_lr or data.lr, "data.lr")
