"""IPTC: the same records in the wrapping that each format has for them."""

from __future__ import annotations

import struct

HEADER = b"Photoshop 3.0\0"  # of the segment of a JPEG
_SIGNATURE, _IPTC = b"8BIM", 0x0404  # of Photoshop's image resources, and the one that is IPTC


def iptc_for(format: str, block: bytes) -> bytes:
    """Wrap a photo's IPTC as another format has it.

    JPEG holds Photoshop's image resources, of which IPTC is one, under a header; PNG the same
    without the header, as ImageMagick does; TIFF the records alone (IIM 4.2), in whole fours of
    bytes.

    Args:
        format: of the result: a value of :data:`wildsr.photo.encode.FORMATS`.
        block: of the photo, in any of these wrappings; empty for none.

    Returns:
        The block; what has none of these wrappings as it is.
    """
    if not block:
        return b""
    resources = block.removeprefix(HEADER)
    wrapped = resources.startswith(_SIGNATURE)
    if format == "tif":
        records = _records(resources) if wrapped else block
        return records + b"\0" * (-len(records) % 4)
    if format not in ("jpg", "png"):
        return block
    if not wrapped:
        records = block.rstrip(b"\0") if block[:1] == b"\x1c" else block
        resources = _SIGNATURE + struct.pack(">HHL", _IPTC, 0, len(records)) + records
        resources += b"\0" * (len(records) % 2)
    return HEADER + resources if format == "jpg" else resources


def _records(resources: bytes) -> bytes:
    """The IPTC among Photoshop's image resources; empty if there is none."""
    place = 0
    while resources[place : place + 4] == _SIGNATURE and place + 12 <= len(resources):
        (kind,) = struct.unpack_from(">H", resources, place + 4)
        place += 6 + (1 + resources[place + 6] + 1) // 2 * 2  # a name, in an even number of bytes
        if place + 4 > len(resources):
            break
        (length,) = struct.unpack_from(">L", resources, place)
        if kind == _IPTC:
            return resources[place + 4 : place + 4 + length]
        place += 4 + length + length % 2
    return b""
