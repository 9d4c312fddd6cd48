"""Where the 68 points truly are in a photo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.synth.anatomy import HEAD_AXIS, landmark_places, triangles_of
from mien.synth.assets import HeadAssets

_SLIDING = (*range(5), *range(12, 17))
"""Points that lie on the outline of the cheeks, wherever that is; those of the chin stay on the chin."""
_BROWS = slice(17, 27)
_BAND = 0.045
"""Half the height of the strip of skin, in decimetres, on which such a point slides."""


@dataclass(frozen=True, eq=False)
class PointsInPhoto:
    """Attributes:
    positions: (68, 2), float32, photo pixels.
    visible: (68,), bool: in the photo and on a side of the head that the camera sees. Hair and glasses in front
        of a point do not count.
    """

    positions: NDArray[np.float32]
    visible: NDArray[np.bool_]


class TruePoints:
    """The 68 points on the mesh.

    Inner points and the chin are fixed vertices. Cheek points are where the outline runs, at the height of their
    vertex, as annotators draw them and predictors find them: when the head turns away they slide forward.

    Args:
        assets: the head.
    """

    def __init__(self, assets: HeadAssets) -> None:
        self._places = landmark_places(assets)
        self._brow_vertices = assets.vertices[self._places[_BROWS]]
        self._eye_width = float(np.linalg.norm(np.subtract(*assets.vertices[self._places[[36, 39]]])))
        skin = np.unique(triangles_of(assets, "skin"))
        x, y, z = assets.vertices[skin].T
        self._strips: dict[int, NDArray[np.intp]] = {}
        for point in _SLIDING:
            side, level, _ = assets.vertices[self._places[point]]
            near = (np.abs(y - level) < _BAND) & (np.sign(x) == np.sign(side)) & (z > 0.45) & (np.abs(x) > 0.25)
            near &= np.abs(x) < np.abs(side) + 0.03
            self._strips[point] = np.union1d(skin[near], self._places[[point]])

    @property
    def vertices(self) -> NDArray[np.intp]:
        """Positions of all vertices that it looks at, rising."""
        return np.unique(np.concatenate([self._places, *self._strips.values()]))

    def _on_skin(self, brows: NDArray[np.floating]) -> NDArray[np.float32]:
        """From outward and up, in widths of an eye, to decimetres along the skin, (10, 3), before the head turns."""
        middle = brows * self._eye_width
        shifts = []
        for point in range(*_BROWS.indices(68)):
            side = 1 if point >= 22 else -1  # the person's left lies at positive x
            outward, up = middle[point - 22 if side > 0 else 21 - point]
            x, _, z = self._brow_vertices[point - 17]
            azimuth = np.arctan2(np.abs(x), z - HEAD_AXIS)
            shifts.append([side * outward * np.cos(azimuth), up, -outward * np.sin(azimuth)])
        return np.array(shifts, dtype=np.float32)

    def locate(
        self,
        vertices: NDArray[np.float32],
        normals: NDArray[np.float32],
        rotation: NDArray[np.floating],
        project: Callable[[NDArray[np.floating]], NDArray[np.float32]],
        size: tuple[int, int],
        brows: NDArray[np.floating] | None = None,
    ) -> PointsInPhoto:
        """Find the points.

        Args:
            vertices: (n, 3), of the head as it is photographed; the camera looks along -z.
            normals: (n, 3), of the same.
            rotation: (3, 3), of the head.
            project: from decimetres, (k, 3), to photo pixels, (k, 2).
            size: width and height of the photo.
            brows: (5, 2), of the person: how far the brows lie outward and up from their vertices, see `Subject`.
        """
        places = self._places.copy()
        across = np.array([rotation[0, 0], -rotation[1, 0]], dtype=np.float32)  # to the person's left, in the photo
        for point, strip in self._strips.items():
            outward = project(vertices[strip]) @ across * (-1 if point < 8 else 1)
            places[point] = strip[outward.argmax()]
        points = vertices[places]
        if brows is not None:
            points[_BROWS] += self._on_skin(brows) @ rotation.T.astype(np.float32)
        positions = project(points)
        visible = (positions >= 0).all(axis=1) & (positions < size).all(axis=1)
        facing = normals[places, 2] > -0.2
        facing[list(_SLIDING)] = True  # the outline is what the camera sees last
        visible &= facing
        return PointsInPhoto(positions, visible)
