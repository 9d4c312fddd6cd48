"""Where the 68 points of a person would be in a photo that is not taken: seven times faster than taking it.

Geometry is learnt from many subjects, pictures from few (docs/experiments.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mien.labels import NEUTRAL
from mien.synth.anatomy import Subject, landmark_places, triangles_of, vertex_normals
from mien.synth.assets import HeadAssets
from mien.synth.camera import draw_session
from mien.synth.expressions import Expression, draw_expression
from mien.synth.truth import TruePoints
from mien.synth.viewpoint import PhotoStyle, Stand, draw_turn, draw_viewpoint, rotation_of, turned


@dataclass(frozen=True, eq=False)
class Measured:
    """The truth about a photo without the photo; attributes as of `mien.synth.studio.Photo`."""

    landmarks: NDArray[np.float32]
    visible: NDArray[np.bool_]
    pose: NDArray[np.float32]


class Survey:
    """Measures one person after the other, from where `Studio` would photograph them.

    Hair, which lifts the outline of the cheeks a little, is left out; all else is the same to rounding.

    Args:
        assets: of the part of the head that `around_points` keeps.
        size: width and height of the photos in pixels.
        style: how people are photographed.
    """

    def __init__(self, assets: HeadAssets, size: tuple[int, int], style: PhotoStyle = "mixed") -> None:
        self._assets, self._size, self._style = assets, size, style
        self._places = landmark_places(assets)
        self._skin = triangles_of(assets, "skin")
        self._true_points = TruePoints(assets)

    def enter(self, subject: Subject) -> None:
        """Let a person sit down; what follows is of them, in one session."""
        self._subject = subject
        self._stand = self._draw_stand(np.random.default_rng(subject.seed + 4))

    def measure(self, expression: Expression, rng: np.random.Generator) -> Measured:
        """Where the points are while the face does something; arguments as of `Studio.photograph`."""
        return self._measure(expression, self._stand, rng)

    def measure_elsewhere(self, rng: np.random.Generator) -> Measured:
        """Where they are while the face does nothing, before another camera: as in somebody's passport."""
        neutral = draw_expression(NEUTRAL, self._subject.style, rng)
        return self._measure(neutral, self._draw_stand(rng), rng)

    def _draw_stand(self, rng: np.random.Generator) -> Stand:
        return draw_session(self._size, self._style, rng).stand

    def _measure(self, expression: Expression, stand: Stand, rng: np.random.Generator) -> Measured:
        turn = draw_turn(stand, expression.nod, expression.neutral, rng)
        rotation = rotation_of(turn)
        vertices = self._subject.shape(expression.actions)
        posed = turned(vertices, rotation, self._assets.turning[:, None])
        normals = vertex_normals(vertices, self._skin) @ rotation.T.astype(np.float32)
        view = draw_viewpoint(stand, turn, posed[self._places].mean(axis=0), self._size, rng)
        points = self._true_points.locate(posed, normals, rotation, view.project, self._size, self._subject.brows)
        return Measured(points.positions, points.visible, turn.astype(np.float32))


def around_points(assets: HeadAssets) -> HeadAssets:
    """The head without what has no part in where the points are: about a tenth of it."""
    looked_at = TruePoints(assets).vertices
    touching = np.isin(assets.triangles, looked_at).any(axis=1)
    kept, corners = np.unique(assets.triangles[touching], return_inverse=True)
    return replace(
        assets,
        vertices=assets.vertices[kept],
        number=assets.number[kept],
        triangles=corners.reshape(-1, 3).astype(np.int32),
        part=assets.part[touching],
        macro=np.ascontiguousarray(assets.macro[:, kept]),
        shapes=np.ascontiguousarray(assets.shapes[:, :, kept]),
        actions=np.ascontiguousarray(assets.actions[:, kept]),
        turning=assets.turning[kept],
    )
