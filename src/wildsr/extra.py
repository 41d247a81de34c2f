"""Import packages of optional dependencies only where they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from wildsr.error import UserError


def needed(package: str, extra: str, what: str) -> Any:
    """Import a package of an optional dependency.

    Args:
        package: its name, or that of a module within it.
        extra: the name of the dependency group (``wildsr[extra]``).
        what: what needs it ("A DICOM file", "`engine=openvino`"); begins the error message.

    Raises:
        UserError: the package is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        name = package.partition(".")[0]
        raise UserError(
            f"{what} needs the package {name}: pip install 'wildsr[{extra}]'."
        ) from error
