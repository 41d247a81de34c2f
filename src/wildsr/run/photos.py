"""The photos of a run: where they are now, and how it splits them."""

from __future__ import annotations

from pathlib import Path

from wildsr.config.make import make
from wildsr.data.module import Folders
from wildsr.photo.image import list_images
from wildsr.run.folder import config_of


def data_of(folder: Path, trust: bool = False) -> Folders:
    """The data module of a run, nothing read yet.

    Args:
        folder: of the run.
        trust: let the run name code that is not wildsr's, which is run.

    Raises:
        UserError: the folder is no run, is damaged, or names code of others.
    """
    data: Folders = make(config_of(folder, trust).data, "data", Folders)
    return data


def opened_data(folder: Path, trust: bool = False) -> Folders:
    """The data module of a run, its photos found.

    Raises:
        UserError: as :func:`data_of`, or the photos are gone.
    """
    data = data_of(folder, trust)
    data.prepare_data()
    data.setup()
    return data


def lr_photos(folder: Path, trust: bool = False) -> list[Path]:
    """The real LR photos of a run: those that it was watched on, else those that it learned from.

    Raises:
        UserError: as :func:`data_of`, or they are gone.
    """
    data = data_of(folder, trust)
    return list_images(data.val_lr or data.lr, "data.lr")
