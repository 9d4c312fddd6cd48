"""Faces in photos: detection, 68 landmarks, alignment."""

from mien.faces.extraction import FaceExtractor
from mien.faces.face import Face, Faces

__all__ = ["Face", "FaceExtractor", "Faces"]
