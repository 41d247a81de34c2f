"""Packages of optional dependencies, imported where a file needs them."""

from __future__ import annotations

import importlib
from typing import Any

from wildsr.error import UserError


def needed(package: str, extra: str, what: str) -> Any:
    """Import a package of an optional dependency.

    Args:
        package: its name.
        extra: the name of the dependency.
        what: the files that it is for ("A DICOM file"), which begins the error.

    Raises:
        UserError: how to install it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UserError(f"{what} needs {package}: pip install 'wildsr[{extra}]'.") from error
