"""Adapt an OME-XML block to upscaled pixels (OME schema 2016-06)."""

from __future__ import annotations

import re
from xml.etree import ElementTree

_NAMES = {"float32": "float", "float64": "double", "bool": "bit"}
# Attributes of shapes in pixels of an image, across and down; see the schema's ROI.
_ACROSS, _DOWN = ("X", "X1", "X2", "Width", "RadiusX"), ("Y", "Y1", "Y2", "Height", "RadiusY")
_SHAPES = ("Rectangle", "Ellipse", "Point", "Line", "Label")
LONGEST = 64 << 20  # characters


def enlarged(xml: str, factors: tuple[float, float], size: tuple[int, int], dtype: str) -> str:
    """Adapt the OME-XML block of a file to its upscaled pages.

    Sizes, physical pixel sizes and simple regions of interest are changed. Polygons, masks and
    regions with a transformation, which are not supported, are removed, and so are the names of the
    files that hold the planes. All else stays.

    Args:
        xml: the block of the source.
        factors: result size / source size, horizontal and vertical.
        size: (width, height) of the result.
        dtype: NumPy's name of the result's data type.

    Raises:
        ValueError: it is not OME-XML, or too long.
    """
    if len(xml) > LONGEST:
        raise ValueError("its OME-XML is too long")
    try:
        root = ElementTree.fromstring(xml.encode())
    except ElementTree.ParseError as error:
        raise ValueError(f"its OME-XML is damaged ({error})") from error
    space = re.match(r"\{.*\}", root.tag)
    prefix = space.group(0) if space else ""
    if prefix:
        ElementTree.register_namespace("", prefix[1:-1])
    for image in root.iter(f"{prefix}Pixels"):
        image.set("SizeX", str(size[0]))
        image.set("SizeY", str(size[1]))
        if image.get("Type") != _NAMES.get(dtype, dtype):
            image.attrib.pop("SignificantBits", None)
        image.set("Type", _NAMES.get(dtype, dtype))
        image.attrib.pop("BigEndian", None)
        for name, factor in (("PhysicalSizeX", factors[0]), ("PhysicalSizeY", factors[1])):
            if (said := _number(image.get(name))) is not None:
                image.set(name, repr(said / factor))
        for data in image.iter(f"{prefix}TiffData"):
            for where in data.findall(f"{prefix}UUID"):
                data.remove(where)
    root.attrib.pop("UUID", None)
    for union in root.iter(f"{prefix}Union"):
        _enlarge_shapes(union, prefix, factors)
    return '<?xml version="1.0" encoding="UTF-8"?>' + ElementTree.tostring(root, "unicode")


def names_other_files(xml: str) -> bool:
    """Whether the planes of the image are in several files."""
    return len(set(re.findall(r'FileName="([^"]*)"', xml))) > 1


def _enlarge_shapes(union: ElementTree.Element, prefix: str, factors: tuple[float, float]) -> None:
    for shape in list(union):
        simple = shape.tag.removeprefix(prefix) in _SHAPES and not list(shape)
        if not simple:
            union.remove(shape)
            continue
        for names, factor in ((_ACROSS, factors[0]), (_DOWN, factors[1])):
            for name in names:
                if (said := _number(shape.get(name))) is not None:
                    shape.set(name, repr(said * factor))


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
