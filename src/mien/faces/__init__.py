"""Faces in photos: detection, 68 landmarks, alignment."""

from mien.faces.extraction import Face, FaceExtractor

__all__ = ["Face", "FaceExtractor"]
