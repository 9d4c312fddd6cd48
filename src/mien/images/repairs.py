"""Files that are whole in their pixels but that Pillow refuses, put right in memory."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from pathlib import Path

from PIL import Image

from mien.images.opening import quiet

_JPEG_START = b"\xff\xd8"
_JPEG_END = b"\xff\xd9"
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
_PROGRESSIVE = frozenset({0xC2, 0xCA})
_SCAN, _END = 0xDA, 0xD9
_RESTARTS = range(0xD0, 0xD8)
_DATA = (b"", b"\x00" * 64, b"\xff\x00" * 32, b"\x55" * 64, b"\xaa" * 64)
"""What may follow the pixels of a whole JPEG without changing one of them."""

_PNG_START = b"\x89PNG\r\n\x1a\n"
_LONGEST_TEXT = 1 << 20
"""Bytes of all texts of a PNG; Pillow reads so many of one."""


def repaired(content: Path | bytes) -> tuple[bytes, bool] | None:
    """A file's content put right.

    Two kinds of files are: a JPEG that lacks its end marker but no pixel, and a PNG with more text than Pillow reads,
    whose long texts are left out.

    Returns:
        the content, and whether something was missing in the file; None where nothing can be put right.
    """
    try:
        data = content if isinstance(content, bytes) else content.read_bytes()
    except OSError:
        return None
    if data.startswith(_JPEG_START):
        whole = _with_end_marker(data)
        return None if whole is None else (whole, True)
    if data.startswith(_PNG_START):
        shorter = _without_long_texts(data)
        return None if shorter is None else (shorter, False)
    return None


def _with_end_marker(data: bytes) -> bytes | None:
    """The JPEG with an end marker, or None where one is there or pixels are missing.

    Whether pixels are missing, the decoder does not say: it makes them up. But they then depend on what follows the
    data, which in a whole picture changes nothing.
    """
    data = data.rstrip(b"\x00")  # some copiers fill up their last block
    data += b"\x00" if data.endswith(b"\xff") else b""
    restart = _next_restart(data)
    if restart is None:
        return None
    first = _pixel_hash(data + _JPEG_END)
    for follows in (*_DATA[1:], *(restart + more for more in _DATA)):
        if _pixel_hash(data + follows + _JPEG_END) != first:
            return None
    return data + _JPEG_END


def _pixel_hash(data: bytes) -> bytes | None:
    try:
        with quiet, Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
            return hashlib.blake2b(picture.tobytes()).digest()
    except (OSError, SyntaxError, ValueError):
        return None


def _next_restart(data: bytes) -> bytes | None:
    """The restart marker that the next data of a JPEG would begin with.

    None where it has an end marker, or where scans are missing. A progressive one has a scan for each band of
    coefficients of its components, and more for their lower bits.
    """
    missing: set[tuple[int, int]] = set()
    progressive, begun, restart, at = False, False, 0, 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 2 <= len(data):
        marker = data[at + 1]
        if marker == _END:
            return None
        if marker == 0xFF:
            at += 1
            continue
        if marker <= 0x01 or marker in _RESTARTS:
            restart = (marker - 0xD0 + 1) % 8 if marker in _RESTARTS else restart
            at += 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        segment = data[at + 4 : end]
        if marker in _FRAMES and len(segment) >= 6:
            progressive = marker in _PROGRESSIVE
            missing = {(component, k) for component in segment[6::3][: segment[5]] for k in range(64)}
        elif marker == _SCAN and len(segment) >= 4:
            begun, restart = True, 0
            first, last, low = (segment[-3], segment[-2], segment[-1] & 15) if progressive else (0, 63, 0)
            if low == 0:  # else later scans have the lower bits
                components = segment[1 : 1 + 2 * segment[0] : 2]
                missing -= {(component, k) for component in components for k in range(first, last + 1)}
        at = max(end, at + 2)
    return bytes([0xFF, 0xD0 + restart]) if begun and not missing else None


def _without_long_texts(data: bytes) -> bytes | None:
    """The PNG without the texts that Pillow refuses, or None where there are none."""
    kept, total, at = [_PNG_START], 0, len(_PNG_START)
    while at + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        chunk = data[at : at + 12 + length]
        text = _text_length(kind, chunk[8:-4])
        if total + text <= _LONGEST_TEXT:
            total += text
            kept.append(chunk)
        at += 12 + length
    shorter = b"".join(kept)
    return shorter if len(shorter) < len(data) else None


def _text_length(kind: bytes, body: bytes) -> int:
    """Bytes of a chunk's text, unpacked up to the limit and one more; 0 for a chunk of another kind."""
    if kind == b"tEXt":
        return len(body)
    if kind == b"zTXt":
        packed = body.partition(b"\x00")[2][1:]
    elif kind == b"iTXt":  # keyword, whether packed, how, language, translated keyword, text
        is_packed, rest = body.partition(b"\x00")[2][:1], body.partition(b"\x00")[2][2:]
        packed = rest.partition(b"\x00")[2].partition(b"\x00")[2]
        if is_packed != b"\x01":
            return len(packed)
    else:
        return 0
    try:
        return len(zlib.decompressobj().decompress(packed, _LONGEST_TEXT + 1))
    except zlib.error:
        return len(packed)
