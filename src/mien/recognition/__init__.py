"""Recognising photos: offline, without torch."""

from mien.recognition.recognizer import Recognition, Recognizer

__all__ = ["Recognition", "Recognizer"]
