"""Recognising photos: offline, without torch."""

from mien.inference.recognizer import Recognition, Recognizer

__all__ = ["Recognition", "Recognizer"]
