"""Photographs of synthetic subjects: a person sits down, and is photographed in one session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.images import RGBImage
from mien.synth.anatomy import Subject, ear_vertices, landmark_places, triangles_of, vertex_normals
from mien.synth.assets import PARTS, HeadAssets
from mien.synth.camera import HEADROOM, Session, develop, draw_session
from mien.synth.expressions import Expression
from mien.synth.eyes import eye_coordinates, paint_eye
from mien.synth.light import Lighting, LightStage
from mien.synth.scene import Buffer, Mesh, Scene
from mien.synth.skin import Skin
from mien.synth.texture import SkinMap
from mien.synth.truth import TruePoints
from mien.synth.viewpoint import PhotoStyle, Viewpoint, draw_turn, draw_viewpoint, rotation_of, turned
from mien.synth.worn import Worn, fit_glasses, grow_long_hair, paint_glasses, paint_long_hair

_COLOURS = {
    "mouth": (0.42, 0.17, 0.16), "teeth": (0.88, 0.84, 0.76), "tongue": (0.66, 0.36, 0.34), }  # fmt: skip
_WORN = {"long hair": 0.02, "glasses": 0.3}
"""What may be worn, and how strongly it mirrors."""
_AWAY = -0.35
"""Normals that point less towards the camera than this belong to no triangle that it sees."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo and the truth about it.

    Attributes:
        image: (height, width, 3), uint8, RGB.
        landmarks: (68, 2), float32, photo pixels.
        visible: (68,), bool: which of them the camera sees.
        pose: yaw, pitch, roll of the head in degrees.
        quality: with which the camera writes it as JPEG.
    """

    image: RGBImage
    landmarks: NDArray[np.float32]
    visible: NDArray[np.bool_]
    pose: NDArray[np.float32]
    quality: int


class Studio:
    """Photographs one person after the other; keeps one scene.

    Args:
        assets: the head that all people share.
        height: of the photos in pixels; the width is 3/2 of it.
        style: how people are photographed.
    """

    def __init__(self, assets: HeadAssets, height: int, style: PhotoStyle = "mixed") -> None:
        self._assets = assets
        self._style = style
        self._places = landmark_places(assets)
        self._true_points = TruePoints(assets)
        self._map = SkinMap(assets)
        self.size = (height * 3 // 2, height)
        self._triangles = {part: triangles_of(assets, part) for part in PARTS}
        self._solid = np.concatenate([self._triangles[part] for part in ("skin", "mouth")])
        self._rest = np.concatenate([self._triangles[part] for part in ("eyes", "teeth", "tongue", "lashes")])
        self._stage = LightStage(assets, self._solid)
        self._stage.open_up(np.unique(self._triangles["teeth"]), 0.75)
        self._stage.let_in(ear_vertices(assets), 0.3)
        self._stage.open_up(np.unique(self._triangles["tongue"]), 0.4)
        self._colours = np.ones_like(assets.vertices)
        for part, colour in _COLOURS.items():
            self._colours[np.unique(self._triangles[part])] = colour
        self._scene = Scene(self.size)
        self._points, self._normals = Buffer(assets.vertices), Buffer(np.zeros_like(assets.vertices))
        self._lit = Buffer(np.zeros(assets.vertices.shape, dtype=np.uint8))
        self._meshes = {part: self._add_part(part) for part in PARTS if part != "hair"}
        nothing = np.empty((0, 3), dtype=np.int32)
        self._meshes |= {name: self._scene.add(nothing) for name in _WORN}

    def enter(self, subject: Subject) -> None:
        """Let a person sit down; the next photos show them, in one session."""
        self._subject = subject
        self._filmed: NDArray[np.float64] | None = None
        self._session = draw_session(self.size, self._style, np.random.default_rng(subject.seed + 4))
        self._skin = Skin(self._map, subject)
        self._skin_pixels = self._meshes["skin"].set_texture(self._skin.texture)
        lashes = self._skin.tone / 255 * (0.62 - 0.32 * subject.female)
        self._colours[np.unique(self._triangles["lashes"])] = lashes
        self._dress(subject, np.random.default_rng(subject.seed + 3))
        self._growth = self._grow_hair(subject)
        self._meshes["eyes"].set_texture(paint_eye(subject, np.random.default_rng(subject.seed + 1)))

    def photograph(self, expression: Expression, rng: np.random.Generator) -> Photo:
        """Take a photo of the person; all that is not given is drawn at random.

        Args:
            expression: what the face does.
            rng: of this photo.
        """
        stand = self._session.stand
        turn = draw_turn(stand, expression.nod, expression.neutral, rng)

        def aim(face: NDArray[np.floating]) -> Viewpoint:
            return draw_viewpoint(stand, turn, face, self.size, rng)

        return self._take(expression.actions, turn, aim, self._session, rng)

    def film(
        self, actions: NDArray[np.float32], turn: NDArray[np.float64], place: NDArray[np.float64], seed: int
    ) -> Photo:
        """Take a frame of a film: the camera stands still, without grain, and the person moves.

        Args:
            actions: (52,), float32: what the face does.
            turn: yaw, pitch and roll of the head in degrees, beside those of the session.
            place: (2,): how far right and up in the picture the head is, in decimetres.
            seed: the same for all frames of a film.
        """
        stand, rng = self._session.stand, np.random.default_rng(seed)
        lens = replace(self._session.lens, grain=0.0, motion=0.0)
        whole = turn + [stand.yaw, stand.pitch, 0.0]
        if self._filmed is None:  # the camera is pointed once
            rested = self._subject.shape(np.zeros_like(actions)) + self._growth
            middle = turned(rested, rotation_of(whole), self._assets.turning[:, None])[self._places].mean(axis=0)
            self._filmed = np.array([middle[0], middle[1] + 0.1, middle[2]], dtype=np.float64)
        target = self._filmed - np.array([place[0], place[1], 0.0])
        view = Viewpoint(whole, target, stand.distance, stand.field, self.size)
        return self._take(actions, whole, lambda face: view, replace(self._session, lens=lens), rng)

    def _take(
        self,
        actions: NDArray[np.float32],
        turn: NDArray[np.float64],
        aim: Callable[[NDArray[np.floating]], Viewpoint],
        session: Session,
        rng: np.random.Generator,
    ) -> Photo:
        rotation = rotation_of(turn)
        vertices = self._subject.shape(actions) + self._growth
        lighting = session.lighting
        normals = vertex_normals(vertices, self._solid) + vertex_normals(vertices, self._rest)
        posed = turned(vertices, rotation, self._assets.turning[:, None])
        turned_normals = normals @ rotation.T.astype(np.float32)
        front = np.flatnonzero(turned_normals[:, 2] > _AWAY)
        light = np.zeros_like(normals)
        light[front] = self._stage.shade(
            normals[front], lighting, rotation, self._skin.shine[front], self._stage.visibility[front]
        )
        self._points.fill(posed)
        self._normals.fill(turned_normals)
        self._lit.fill(np.clip(light * self._colours * (255 / HEADROOM), 0, 255))
        self._skin.wrinkle(actions, self._skin_pixels)
        self._meshes["skin"].texture_changed()
        for name, worn in self._worn.items():
            self._pose_worn(name, worn, lighting, rotation)
        self._scene.set_lamps([(lamp.direction, lamp.colour) for lamp in lighting.lamps])
        view = aim(posed[self._places].mean(axis=0))
        self._scene.set_camera(view.target, view.distance, view.field)
        points = self._true_points.locate(
            posed, turned_normals, rotation, view.project, self.size, self._subject.brows
        )
        image = develop(self._scene.draw(), points.positions, self._skin.brightness, session, rng)
        lowest, highest = session.lens.quality
        quality = int(rng.integers(lowest, highest + 1))
        return Photo(image, points.positions, points.visible, turn.astype(np.float32), quality)

    def _add_part(self, part: str) -> Mesh:
        """A part of the head: its own triangles among points, normals and light that all parts share."""
        mesh = self._scene.add(self._triangles[part])
        mesh.set_points(self._points)
        mesh.set_colours(self._lit)
        if part != "lashes":  # thin, and seen from both sides
            mesh.hide_backs()
        if part == "skin":
            mesh.set_coordinates(self._map.coordinates)
        if part == "eyes":
            mesh.set_coordinates(eye_coordinates(self._assets))
            mesh.make_wet(self._normals)
        return mesh

    def _dress(self, subject: Subject, rng: np.random.Generator) -> None:
        """Long hair on most women and few men, glasses on some, more of them with age."""
        self._worn: dict[str, Worn] = {}
        if rng.random() < 0.06 + 0.7 * subject.female:
            self._worn["long hair"] = grow_long_hair(subject, np.unique(self._triangles["skin"]), rng)
            self._meshes["long hair"].set_texture(paint_long_hair(self._skin.hair_colour, rng))
        if rng.random() < 0.1 + 0.3 * (subject.age - 18) / 62:
            self._worn["glasses"] = fit_glasses(subject, rng)
            self._meshes["glasses"].set_texture(paint_glasses(rng))
        for name in _WORN:
            self._meshes[name].show(name in self._worn)
        for name, worn in self._worn.items():
            self._meshes[name].set_triangles(worn.triangles)
            self._meshes[name].set_coordinates(worn.coordinates)

    def _pose_worn(self, name: str, worn: Worn, lighting: Lighting, rotation: NDArray[np.float64]) -> None:
        shine = np.full_like(worn.vertices, _WORN[name])
        light = self._stage.shade(worn.normals, lighting, rotation, shine, worn.seen)
        lit = np.clip(light * (255 / HEADROOM), 0, 255).astype(np.uint8)
        self._meshes[name].set_points(Buffer(turned(worn.vertices, rotation)))
        self._meshes[name].set_colours(Buffer(lit))

    def _grow_hair(self, subject: Subject) -> NDArray[np.float32]:
        """How far hair and clothes lift the surface, (n, 3)."""
        rng = np.random.default_rng(subject.seed + 2)
        thickness = rng.uniform(0.03, 0.15) + 0.05 * subject.female
        if "long hair" in self._worn:
            thickness = 0.01  # the rest of it lies in the sheet
        rows, columns = np.array(self._skin.scalp.shape) - 1
        u = (self._map.coordinates[:, 0] * columns).astype(int)
        v = ((1 - self._map.coordinates[:, 1]) * rows).astype(int)
        hair = cv2.GaussianBlur(self._skin.scalp, (0, 0), 10) * self._skin.scalp  # thin at the hairline
        normals = vertex_normals(subject.neutral, self._solid)
        top = 0.25 + 0.75 * np.maximum(normals[:, 1], 0)  # sides lie closer
        lift = hair[v, u] * thickness * top + self._skin.clothes[v, u] * 0.05
        on_skin = np.zeros(len(lift), dtype=bool)
        on_skin[np.unique(self._triangles["skin"])] = True
        lift[~on_skin | ear_vertices(self._assets)] = 0
        grown: NDArray[np.float32] = normals * lift[:, None]
        return grown
