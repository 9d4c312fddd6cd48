"""Whose face it is: 128 numbers that lie near each other for photos of one person.

Source: King, "High Quality Face Recognition with Deep Metric Learning", 2017, the ResNet of dlib (CC0), which
`scripts/identity_to_onnx.py` wrote as ONNX: eleven times faster there (docs/experiments.md). It is asked only whether
two photos show one person, so that nobody is compared with somebody else's neutral face.
"""

from __future__ import annotations

from pathlib import Path

import dlib
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.faces.networks import open_network
from mien.images import RGBImage

IDENTITY_NETWORK = Path(__file__).with_name("identity.onnx")
"""Faces of 150 x 150 pixels, as bytes, to identities."""
_SIDE, _MARGIN = 150, 0.25
"""Of the network's own frame of a face, in pixels, and how much is left around it as a share."""
IDENTITY_SIZE = 128
ONE_PERSON = 0.46
"""Distance up to which two faces are one person's. Of 34 people of the London set it parts all; of people who look
alike and grimace 2% of the distances within a person are larger, and 14% of those between people smaller
(docs/experiments.md)."""

Identity = NDArray[np.float32]
"""Shape (128,)."""


def describe_identity(crop: RGBImage, landmarks_crop: NDArray[np.floating]) -> Identity:
    """Describe who is seen; 11 ms, and 0.1 s when the network is loaded at first use.

    Args:
        crop: shape (height, width, 3), uint8, RGB: an aligned face, as broad as in its photo.
        landmarks_crop: shape (68, 2), crop pixels; the network's own frame of a face is cut out by them.

    Returns:
        shape (128,), float32.
    """
    points = [dlib.point(round(x), round(y)) for x, y in landmarks_crop.tolist()]
    shape = dlib.full_object_detection(dlib.rectangle(0, 0, crop.shape[1], crop.shape[0]), points)
    face = dlib.get_face_chip(crop, shape, _SIDE, _MARGIN)
    identity: Identity = open_network(IDENTITY_NETWORK).run(None, {"faces": face[None]})[0][0]
    return identity


def identity_distance(one: ArrayLike, other: ArrayLike) -> float:
    """How far two identities lie apart; see `ONE_PERSON`."""
    return float(np.linalg.norm(np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64)))


def shows_majority(identities: ArrayLike) -> NDArray[np.bool_]:
    """Which photos show the person whom most of them show.

    That person is the one of the photo with the most others within `ONE_PERSON`; among equals, of the first.

    Args:
        identities: shape (n, 128), n > 0.

    Returns:
        shape (n,); one is true at least.
    """
    rows = np.asarray(identities, dtype=np.float64).reshape(-1, IDENTITY_SIZE)
    counts = [int(_near(rows, row).sum()) for row in rows]
    around = _near(rows, rows[int(np.argmax(counts))])
    belongs = _near(rows, rows[around].mean(axis=0))
    return belongs if belongs.any() else around


def _near(rows: NDArray[np.float64], row: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the rows are the same person's as `row`; by products, which take no memory."""
    near: NDArray[np.bool_] = np.einsum("ij,ij->i", rows, rows) - 2 * rows @ row + row @ row <= ONE_PERSON**2
    return near
