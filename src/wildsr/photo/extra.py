"""Import packages of optional dependencies only when a file needs them."""

from __future__ import annotations

import importlib
from typing import Any

from wildsr.error import UserError


def needed(package: str, extra: str, what: str) -> Any:
    """Import a package of an optional dependency.

    Args:
        package: its name.
        extra: the name of the dependency group (``wildsr[extra]``).
        what: what needs it ("A DICOM file"), which begins the error message.

    Raises:
        UserError: the package is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UserError(f"{what} needs {package}: pip install 'wildsr[{extra}]'.") from error
