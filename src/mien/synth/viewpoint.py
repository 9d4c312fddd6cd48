"""From where a face is photographed: distance, height of the camera, turn of the head, and where points fall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

PhotoStyle = Literal["camera", "studio", "mixed"]
"""`studio`: a camera on a stand in good light. `camera`: any camera, from arm's length to three metres, in any light.
`mixed`: half of the people in either way."""

_TURNS = (4.2, 4.0, 2.5)
"""Standard deviation of yaw, pitch and roll in degrees among the photos of one person."""
_STILL = 0.4
"""What of it is left where a face is neutral: who shows nothing looks straight into the camera."""
_PIVOT = np.array([0, 6.4, 0.2], dtype=np.float32)
"""About which the head turns: where the spine enters the skull."""


@dataclass(frozen=True)
class Stand:
    """Where the camera of one person's photos stands.

    Attributes:
        distance: from the camera to the face, in decimetres.
        field: decimetres that a photo shows, top to bottom, at the face.
        pitch: degrees by which the head is lowered as the camera sees it: a high camera, or a lowered head.
        yaw: degrees by which it is turned to the person's left.
    """

    distance: float
    field: float
    pitch: float
    yaw: float


def draw_stand(in_studio: bool, rng: np.random.Generator) -> Stand:
    """Where a camera is put up before a person: on a stand, or anywhere from arm's length to three metres."""
    where = rng.normal(0, 1, 4)
    if in_studio:
        return Stand(
            distance=float(np.clip(17 * np.exp(0.3 * where[0]), 9, 30)),
            field=rng.uniform(3.5, 4.5),
            pitch=-1.5 + 5.0 * where[1],
            yaw=0.8 * where[2],
        )
    distance = float(np.clip(9 * np.exp(0.5 * where[0]), 4, 30))
    return Stand(
        distance=distance,
        field=float(np.clip(4.2 * np.exp(0.3 * where[3]), 3.2, 8)),
        pitch=-1.5 + 6.0 * where[1],
        yaw=1.4 * where[2],
    )


@dataclass(frozen=True, eq=False)
class Viewpoint:
    """Head and camera at the moment of one photo. The camera looks along -z.

    Attributes:
        turn: yaw, pitch and roll of the head in degrees.
        target: (3,): the point that the camera looks at, decimetres.
        distance: from the camera to that point.
        field: decimetres that the photo shows, top to bottom, at that point.
        size: width and height of the photo in pixels.
    """

    turn: NDArray[np.float64]
    target: NDArray[np.float64]
    distance: float
    field: float
    size: tuple[int, int]

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """From decimetres, (k, 3), to photo pixels, (k, 2)."""
        width, height = self.size
        scale = height * self.distance / self.field
        depth = self.target[2] + self.distance - points[:, 2]
        across = width / 2 - 0.5 + scale * (points[:, 0] - self.target[0]) / depth
        down = height / 2 - 0.5 - scale * (points[:, 1] - self.target[1]) / depth
        return np.column_stack([across, down]).astype(np.float32)


def draw_turn(stand: Stand, nod: float, still: bool, rng: np.random.Generator) -> NDArray[np.float64]:
    """Yaw, pitch and roll of the head in one photo, in degrees.

    Args:
        stand: of the session.
        nod: degrees by which the expression lowers the head.
        still: the face is neutral.
        rng: of this photo.
    """
    turn: NDArray[np.float64] = rng.normal(0, _TURNS) * (_STILL if still else 1.0)
    return turn + [stand.yaw, stand.pitch + nod, 0.0]


def draw_viewpoint(
    stand: Stand,
    turn: NDArray[np.float64],
    face: NDArray[np.floating],
    size: tuple[int, int],
    rng: np.random.Generator,
) -> Viewpoint:
    """Point the camera at a face that is turned already.

    Args:
        stand: of the session.
        turn: see `draw_turn`.
        face: (3,): its middle, in decimetres.
        size: of the photo.
        rng: of this photo.
    """
    x = face[0] + rng.normal(0, 0.12)
    y = face[1] + 0.1 + rng.normal(0, 0.12)
    distance = stand.distance * np.exp(rng.normal(0, 0.016))  # people lean
    return Viewpoint(
        turn=turn,
        target=np.array([x, y, face[2]], dtype=np.float64),
        distance=distance,
        field=stand.field * distance / stand.distance,
        size=size,
    )


def rotation_of(turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """From yaw, pitch and roll in degrees, (3, 3); row vectors are multiplied by its transpose."""
    angles = np.radians(turn)
    (sy, sp, sr), (cy, cp, cr) = np.sin(angles), np.cos(angles)
    yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return roll @ pitch @ yaw


def turned(
    vertices: NDArray[np.float32], rotation: NDArray[np.float64], share: NDArray[np.float32] | float = 1.0
) -> NDArray[np.float32]:
    """Turn vertices, each as far as its share says; the shoulders stay."""
    rotated = (vertices - _PIVOT) @ rotation.T.astype(np.float32) + _PIVOT
    return vertices + np.float32(share) * (rotated - vertices)
