"""Photographs of made people, off-screen by VTK; no display and no GPU needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import require
from mien.images import RGBImage
from mien.synth.anatomy import Subject, ear_vertices, landmark_places, triangles_of, vertex_normals
from mien.synth.assets import PARTS, HeadAssets
from mien.synth.camera import develop, draw_background
from mien.synth.eyes import eye_coordinates, paint_eye
from mien.synth.skin import Skin
from mien.synth.texture import SkinMap

_COLOURS = {"mouth": (0.27, 0.10, 0.09), "teeth": (0.95, 0.92, 0.86), "tongue": (0.55, 0.27, 0.25)}
_OVERSAMPLING = 1.5
"""Pixels drawn along each side for one of the photo."""
_NECK = (5.9, 6.5)
"""Heights between which the head's turning fades out."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo and the truth about it.

    Attributes:
        image: (height, width, 3), uint8, RGB.
        landmarks: (68, 2), float32, photo pixels.
        pose: yaw, pitch, roll of the head in degrees.
    """

    image: RGBImage
    landmarks: NDArray[np.float32]
    pose: NDArray[np.float32]


class Studio:
    """Photographs one person after the other; keeps one window open.

    Args:
        assets: the head that all people share.
        height: of the photos in pixels; the width is 3/2 of it.
    """

    def __init__(self, assets: HeadAssets, height: int) -> None:
        self._vtk: Any = require("vtkmodules.all", "synth")
        self._to_vtk = require("vtkmodules.util.numpy_support", "synth")
        self._vtk.vtkLogger.SetStderrVerbosity(self._vtk.vtkLogger.VERBOSITY_OFF)
        self._assets = assets
        self._places = landmark_places(assets)
        self._map = SkinMap(assets)
        self.size = (height * 3 // 2, height)
        self._drawn_size = tuple(round(side * _OVERSAMPLING) for side in self.size)
        self._triangles = {part: triangles_of(assets, part) for part in PARTS}
        self._solid = np.concatenate([self._triangles[part] for part in ("skin", "mouth")])
        self._open()

    def enter(self, subject: Subject) -> None:
        """Let a person sit down; the next photos show them."""
        self._subject = subject
        self._skin = Skin(self._map, subject)
        self._growth = self._grow_hair(subject)
        eyes = np.random.default_rng(subject.seed + 1)
        self._set_texture("eyes", paint_eye(subject, eyes))
        lashes = self._actors["lashes"].GetProperty()
        lashes.SetOpacity(0.35 + 0.45 * subject.female)

    def photograph(self, actions: NDArray[np.float32], chance: np.random.Generator) -> Photo:
        """Take a photo of the person with these facial actions, (52,); all else by lot."""
        turn = chance.normal(0, [5.0, 4.0, 2.5])
        vertices = self._subject.shape(actions) + self._growth
        vertices = _turned(vertices, np.radians(turn)).astype(np.float32)
        self._pose_mesh(vertices)
        self._set_texture("skin", self._skin.texture(actions))
        self._set_lights(chance)
        project = self._set_camera(vertices, chance)
        picture, alpha = self._render()
        image = develop(picture, alpha, draw_background(self.size, chance), chance)
        return Photo(image, project(vertices[self._places]), turn.astype(np.float32))

    def _open(self) -> None:
        vtk = self._vtk
        self._renderer = vtk.vtkRenderer()
        self._renderer.SetBackground(0, 0, 0)
        self._renderer.SetBackgroundAlpha(0)
        self._renderer.AutomaticLightCreationOff()
        self._window = vtk.vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetAlphaBitPlanes(1)
        self._window.SetMultiSamples(0)  # in software, drawing larger and shrinking takes half the time
        self._window.SetSize(*self._drawn_size)
        self._window.AddRenderer(self._renderer)
        self._points = self._to_vtk.numpy_to_vtk(self._assets.vertices.copy())
        self._normals = self._to_vtk.numpy_to_vtk(np.zeros_like(self._assets.vertices))
        self._textures: dict[str, Any] = {}
        self._actors = {part: self._add_part(part) for part in PARTS if part != "hair"}
        self._lights = [vtk.vtkLight() for _ in range(3)]
        for light in self._lights:
            light.SetLightTypeToSceneLight()
            light.PositionalOff()
            self._renderer.AddLight(light)

    def _add_part(self, part: str) -> Any:
        vtk = self._vtk
        mesh = vtk.vtkPolyData()
        points = vtk.vtkPoints()
        points.SetData(self._points)
        mesh.SetPoints(points)
        mesh.GetPointData().SetNormals(self._normals)
        cells = vtk.vtkCellArray()
        corners = self._to_vtk.numpy_to_vtkIdTypeArray(self._triangles[part].reshape(-1).astype(np.int64), deep=1)
        starts = np.arange(0, self._triangles[part].size + 1, 3, dtype=np.int64)
        cells.SetData(self._to_vtk.numpy_to_vtkIdTypeArray(starts, deep=1), corners)
        mesh.SetPolys(cells)
        mapper = vtk.vtkPolyDataMapper()
        mapper.SetInputData(mesh)
        actor = vtk.vtkActor()
        actor.SetMapper(mapper)
        look = actor.GetProperty()
        look.SetInterpolationToPhong()
        look.SetAmbient(0.32)
        look.SetDiffuse(0.78)
        if part in ("skin", "eyes"):
            coordinates = self._map.coordinates if part == "skin" else eye_coordinates(self._assets)
            mesh.GetPointData().SetTCoords(self._to_vtk.numpy_to_vtk(coordinates, deep=1))
            self._textures[part] = texture = vtk.vtkTexture()
            texture.InterpolateOn()
            texture.SetColorModeToDirectScalars()
            actor.SetTexture(texture)
            look.SetSpecular(0.14 if part == "skin" else 0.6)
            look.SetSpecularPower(14 if part == "skin" else 90)
        elif part == "lashes":
            look.SetColor(0.07, 0.05, 0.04)
        else:
            look.SetColor(*_COLOURS[part])
            look.SetAmbient(0.2)
            look.SetDiffuse(0.6)
            look.SetSpecular(0.25 if part == "teeth" else 0.1)
            look.SetSpecularPower(40)
        self._renderer.AddActor(actor)
        return actor

    def _pose_mesh(self, vertices: NDArray[np.float32]) -> None:
        self._to_vtk.vtk_to_numpy(self._points)[:] = vertices
        normals = vertex_normals(vertices, self._solid)
        rest = np.concatenate([self._triangles[part] for part in ("eyes", "teeth", "tongue", "lashes")])
        self._to_vtk.vtk_to_numpy(self._normals)[:] = normals + vertex_normals(vertices, rest)
        self._points.Modified()
        self._normals.Modified()

    def _set_texture(self, part: str, picture: RGBImage) -> None:
        height, width = picture.shape[:2]
        image = self._vtk.vtkImageData()
        image.SetDimensions(width, height, 1)
        flat = np.ascontiguousarray(picture[::-1]).reshape(-1, 3)
        image.GetPointData().SetScalars(self._to_vtk.numpy_to_vtk(flat, deep=1))
        self._textures[part].SetInputData(image)

    def _set_lights(self, chance: np.random.Generator) -> None:
        """A key light from in front, a fill from the other side, sometimes a third from above."""
        side = chance.choice([-1, 1])
        warm = chance.normal(0, 0.05)
        places = (
            (side * chance.uniform(5, 50), chance.uniform(5, 55), chance.uniform(0.55, 0.8)),
            (-side * chance.uniform(20, 60), chance.uniform(-10, 40), chance.uniform(0.15, 0.45)),
            (chance.uniform(-40, 40), chance.uniform(50, 80), chance.choice([0.0, 0.2])),
        )
        for light, (azimuth, elevation, strength) in zip(self._lights, places, strict=True):
            a, e = np.radians(azimuth), np.radians(elevation)
            light.SetPosition(30 * np.sin(a) * np.cos(e), 7 + 30 * np.sin(e), 30 * np.cos(a) * np.cos(e))
            light.SetFocalPoint(0, 7, 0.5)
            light.SetIntensity(strength)
            light.SetColor(1 + warm, 1, 1 - warm)

    def _set_camera(self, vertices: NDArray[np.float32], chance: np.random.Generator) -> Any:
        """Place the camera before the face; give the function from decimetres to photo pixels."""
        width, height = self.size
        face = vertices[self._places].mean(axis=0)
        x = face[0] + chance.normal(0, 0.12)
        y = face[1] + 0.1 + chance.normal(0, 0.12)
        distance = chance.uniform(11, 26)
        field = chance.uniform(3.4, 4.6)  # decimetres that the photo shows, top to bottom, at the face
        angle = 2 * np.degrees(np.arctan(field / 2 / distance))
        camera = self._renderer.GetActiveCamera()
        camera.SetPosition(x, y, face[2] + distance)
        camera.SetFocalPoint(x, y, face[2])
        camera.SetViewUp(0, 1, 0)
        camera.SetViewAngle(angle)
        camera.SetClippingRange(distance - 5, distance + 6)
        scale = height * distance / field

        def project(points: NDArray[np.floating]) -> NDArray[np.float32]:
            depth = face[2] + distance - points[:, 2]
            across = width / 2 - 0.5 + scale * (points[:, 0] - x) / depth
            down = height / 2 - 0.5 - scale * (points[:, 1] - y) / depth
            return np.column_stack([across, down]).astype(np.float32)

        return project

    def _render(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The picture, (height, width, 3), premultiplied, 0..255, and its opacity, (height, width, 1), 0..1."""
        width, height = self._drawn_size
        self._window.Render()
        pixels = self._vtk.vtkUnsignedCharArray()
        self._window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 0, pixels)
        drawn = self._to_vtk.vtk_to_numpy(pixels).reshape(height, width, 4)
        rgba = cv2.resize(drawn, self.size, interpolation=cv2.INTER_AREA)[::-1]
        return rgba[..., :3].astype(np.float32), rgba[..., 3:].astype(np.float32) / 255

    def _grow_hair(self, subject: Subject) -> NDArray[np.float32]:
        """How far hair and clothes lift the surface, (n, 3)."""
        chance = np.random.default_rng(subject.seed + 2)
        thickness = chance.uniform(0.03, 0.12) + 0.08 * subject.female
        rows, columns = np.array(self._skin.scalp.shape) - 1
        u = (self._map.coordinates[:, 0] * columns).astype(int)
        v = ((1 - self._map.coordinates[:, 1]) * rows).astype(int)
        hair = cv2.GaussianBlur(self._skin.scalp, (0, 0), 10) * self._skin.scalp  # thin at the hairline
        lift = hair[v, u] * thickness + self._skin.clothes[v, u] * 0.05
        on_skin = np.zeros(len(lift), dtype=bool)
        on_skin[np.unique(self._triangles["skin"])] = True
        lift[~on_skin | ear_vertices(self._assets)] = 0
        grown: NDArray[np.float32] = vertex_normals(subject.neutral, self._solid) * lift[:, None]
        return grown


def _turned(vertices: NDArray[np.float32], turn: NDArray[np.float64]) -> NDArray[np.float32]:
    """Turn the head by yaw, pitch and roll (radians) about the neck; the shoulders stay."""
    (sy, sp, sr), (cy, cp, cr) = np.sin(turn), np.cos(turn)
    yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    pivot = np.array([0, 6.4, 0.2])
    turned = (vertices - pivot) @ (roll @ pitch @ yaw).T + pivot
    share = np.clip((vertices[:, 1:2] - _NECK[0]) / (_NECK[1] - _NECK[0]), 0, 1)
    share = share * share * (3 - 2 * share)
    return vertices + share * (turned - vertices)
