"""Fill the templates of pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def filled(template: Path, *shared: Path, **values: Any) -> str:
    """Fill a template of jinja2 with values; texts in them are escaped.

    Args:
        template: file.
        shared: further folders, of what it includes.
        values: name -> what the template calls so. ``tojson`` keeps the order of mappings.

    Raises:
        jinja2.UndefinedError: the template names a value that is not among them.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader([template.parent, *shared]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.policies["json.dumps_kwargs"] = {"sort_keys": False}
    return templates.get_template(template.name).render(**values)
