"""Reading photos: any common file, or pixels in memory, to RGB, turned upright, of bounded size.

Everything downstream sees one form: a C-contiguous array of shape (height, width, 3), uint8, RGB, 0..255,
already turned by its EXIF orientation. The reader refuses with one line what can hold no face or would not
fit in memory, before it decodes a pixel.
"""

from mien.images.folders import FolderContent, list_files, list_photos, scan_folder
from mien.images.photos import Decoded, Photo, PhotoArray, PhotoFile, PhotoSource, open_photo, read_rgb
from mien.images.pixels import RGBImage, resize
from mien.images.types import MAX_PIXELS, MIN_SIDE, PHOTO_SUFFIXES

__all__ = [
    "MAX_PIXELS",
    "MIN_SIDE",
    "PHOTO_SUFFIXES",
    "Decoded",
    "FolderContent",
    "Photo",
    "PhotoArray",
    "PhotoFile",
    "PhotoSource",
    "RGBImage",
    "list_files",
    "list_photos",
    "open_photo",
    "read_rgb",
    "resize",
    "scan_folder",
]
