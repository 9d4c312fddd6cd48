"""Which files are photos: one list for every command."""

from __future__ import annotations

PHOTO_TYPES: dict[str, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jfif", ".jpe"),
    "MPO": (".mpo",),  # several JPEGs in one file, as some phones write
    "PNG": (".png",),
    "WEBP": (".webp",),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),  # needs the extra mien[heic]
    "GIF": (".gif",),
    "JPEG2000": (".jp2", ".j2k", ".jpx", ".jpf"),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "DIB": (".dib",),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
}
"""Pillow's name of a type -> how the names of its files end. What a file is, its content says, not its name."""

PHOTO_SUFFIXES = frozenset(suffix for suffixes in PHOTO_TYPES.values() for suffix in suffixes)

MIN_SIDE = 32
"""Pixels; in less there is no room for a face with 68 points."""
MAX_PIXELS = 120_000_000
"""Width times height; 120 megapixels decode to 360 MB."""
