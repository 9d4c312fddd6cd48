"""Recognising photos: offline, without torch. The one way from a photo to an answer."""

from mien.inference.albums import Album, AlbumPerson, read_album
from mien.inference.model import ExpressionModel
from mien.inference.profiles import SubjectProfile
from mien.inference.recognizer import Recognizer
from mien.inference.results import Recognition, Recognitions

__all__ = [
    "Album",
    "AlbumPerson",
    "ExpressionModel",
    "Recognition",
    "Recognitions",
    "Recognizer",
    "SubjectProfile",
    "read_album",
]
