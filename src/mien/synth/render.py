"""Photographs of made people, off-screen by VTK; no display and no GPU needed."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import require
from mien.images import RGBImage
from mien.synth.anatomy import Subject, ear_vertices, landmark_places, triangles_of, vertex_normals
from mien.synth.assets import PARTS, HeadAssets
from mien.synth.camera import HEADROOM, develop, draw_session
from mien.synth.eyes import eye_coordinates, paint_eye
from mien.synth.light import Lighting, LightStage
from mien.synth.skin import Skin
from mien.synth.texture import SkinMap
from mien.synth.truth import TruePoints
from mien.synth.worn import Worn, fit_glasses, grow_long_hair, paint_glasses, paint_long_hair

_COLOURS = {
    "mouth": (0.42, 0.17, 0.16), "teeth": (0.88, 0.84, 0.76), "tongue": (0.66, 0.36, 0.34), }  # fmt: skip
_WORN = {"long hair": 0.02, "glasses": 0.3}
"""What may be worn, and how strongly it mirrors."""
_OVERSAMPLING = 1.5
"""Pixels drawn along each side for one of the photo."""
_POSE = (4.2, 4.0, 2.5)
"""Standard deviation of yaw, pitch and roll in degrees among the photos of one person."""
_PIVOT = np.array([0, 6.4, 0.2], dtype=np.float32)
"""About which the head turns: where the spine enters the skull."""
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
    """

    image: RGBImage
    landmarks: NDArray[np.float32]
    visible: NDArray[np.bool_]
    pose: NDArray[np.float32]


class Studio:
    """Photographs one person after the other; keeps one window open.

    Args:
        assets: the head that all people share.
        height: of the photos in pixels; the width is 3/2 of it.
    """

    def __init__(self, assets: HeadAssets, height: int) -> None:
        self._vtk = _load_vtk()
        self._to_vtk = require("vtkmodules.util.numpy_support", "synth")
        self._vtk.vtkLogger.SetStderrVerbosity(self._vtk.vtkLogger.VERBOSITY_OFF)
        self._assets = assets
        self._places = landmark_places(assets)
        self._true_points = TruePoints(assets)
        self._map = SkinMap(assets)
        self.size = (height * 3 // 2, height)
        self._drawn_size = tuple(round(side * _OVERSAMPLING) for side in self.size)
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
        self._open()

    def enter(self, subject: Subject) -> None:
        """Let a person sit down; the next photos show them, in one session."""
        self._subject = subject
        self._session = draw_session(self.size, np.random.default_rng(subject.seed + 4))
        self._skin = Skin(self._map, subject)
        self._skin_pixels = self._set_texture("skin", self._skin.texture)
        lashes = self._skin.tone / 255 * (0.62 - 0.32 * subject.female)
        self._colours[np.unique(self._triangles["lashes"])] = lashes
        self._dress(subject, np.random.default_rng(subject.seed + 3))
        self._growth = self._grow_hair(subject)
        self._set_texture("eyes", paint_eye(subject, np.random.default_rng(subject.seed + 1)))

    def photograph(self, actions: NDArray[np.float32], chance: np.random.Generator, nod: float = 0.0) -> Photo:
        """Take a photo of the person; all that is not given falls by lot.

        Args:
            actions: (52,): the facial actions.
            chance: of this photo.
            nod: degrees by which the expression lowers the head.
        """
        turn = chance.normal(0, _POSE) + [0.0, nod, 0.0]
        rotation = _rotation(np.radians(turn))
        vertices = self._subject.shape(actions) + self._growth
        lighting = self._session.lighting
        normals = vertex_normals(vertices, self._solid) + vertex_normals(vertices, self._rest)
        posed = _turned(vertices, rotation, self._assets.turning[:, None])
        turned_normals = normals @ rotation.T.astype(np.float32)
        front = np.flatnonzero(turned_normals[:, 2] > _AWAY)
        light = np.zeros_like(normals)
        light[front] = self._stage.shade(
            normals[front], lighting, rotation, self._skin.shine[front], self._stage.visibility[front]
        )
        self._pose_mesh(posed, turned_normals, light)
        self._skin.wrinkle(actions, self._skin_pixels)
        self._textures["skin"].GetInput().Modified()
        for name, worn in self._worn.items():
            self._pose_worn(name, worn, lighting, rotation)
        self._light_eyes(lighting)
        project = self._set_camera(posed, chance)
        points = self._true_points.locate(posed, turned_normals, rotation, project, self.size)
        image = develop(self._render(), points.positions, self._skin.brightness, self._session, chance)
        return Photo(image, points.positions, points.visible, turn.astype(np.float32))

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
        self._lit = self._to_vtk.numpy_to_vtk(np.zeros(self._assets.vertices.shape, dtype=np.uint8))
        self._textures: dict[str, Any] = {}
        self._actors = {part: self._add_part(part) for part in PARTS if part != "hair"}
        self._actors |= {name: self._add_worn(name) for name in _WORN}
        self._lights = [vtk.vtkLight() for _ in range(2)]
        for light in self._lights:
            light.SetLightTypeToSceneLight()
            light.PositionalOff()
            self._renderer.AddLight(light)

    def _add_part(self, part: str) -> Any:
        """A part of the head: its own triangles among points, normals and light that all parts share."""
        mesh = self._mesh(self._triangles[part])
        mesh.GetPoints().SetData(self._points)
        mesh.GetPointData().SetScalars(self._lit)
        actor = self._actor(mesh)
        if part != "lashes":  # thin, and seen from both sides
            actor.GetProperty().BackfaceCullingOn()  # a third of the time of a frame
        if part == "skin":
            self._lay_texture(mesh, self._map.coordinates)
            self._give_texture(actor, part)
        if part == "eyes":  # round and wet: small sharp lights need a normal at every pixel
            mesh.GetPointData().SetNormals(self._normals)
            self._lay_texture(mesh, eye_coordinates(self._assets))
            self._give_texture(actor, part)
            actor.GetMapper().ScalarVisibilityOff()
            look = actor.GetProperty()
            look.LightingOn()
            look.SetInterpolationToPhong()
            look.SetColor(1, 1, 1)
            look.SetAmbient(0.21)
            look.SetDiffuse(0.16)
            look.SetSpecular(0.55)
            look.SetSpecularPower(110)
        return actor

    def _add_worn(self, name: str) -> Any:
        actor = self._actor(self._mesh(np.empty((0, 3), dtype=np.int32)))
        self._give_texture(actor, name)
        return actor

    def _mesh(self, triangles: NDArray[np.int32]) -> Any:
        mesh = self._vtk.vtkPolyData()
        mesh.SetPoints(self._vtk.vtkPoints())
        mesh.SetPolys(self._cells(triangles))
        return mesh

    def _cells(self, triangles: NDArray[np.int32]) -> Any:
        cells = self._vtk.vtkCellArray()
        corners = self._to_vtk.numpy_to_vtkIdTypeArray(triangles.reshape(-1).astype(np.int64), deep=1)
        starts = np.arange(0, triangles.size + 1, 3, dtype=np.int64)
        cells.SetData(self._to_vtk.numpy_to_vtkIdTypeArray(starts, deep=1), corners)
        return cells

    def _give_texture(self, actor: Any, name: str) -> None:
        self._textures[name] = texture = self._vtk.vtkTexture()
        texture.InterpolateOn()
        texture.SetColorModeToDirectScalars()
        actor.SetTexture(texture)

    def _actor(self, mesh: Any) -> Any:
        """Shows a mesh in the colours of its vertices times its texture."""
        mapper = self._vtk.vtkPolyDataMapper()
        mapper.SetInputData(mesh)
        mapper.SetColorModeToDirectScalars()
        actor = self._vtk.vtkActor()
        actor.SetMapper(mapper)
        actor.GetProperty().LightingOff()
        self._renderer.AddActor(actor)
        return actor

    def _pose_mesh(
        self, vertices: NDArray[np.float32], normals: NDArray[np.float32], light: NDArray[np.float32]
    ) -> None:
        self._to_vtk.vtk_to_numpy(self._points)[:] = vertices
        self._to_vtk.vtk_to_numpy(self._normals)[:] = normals
        self._to_vtk.vtk_to_numpy(self._lit)[:] = np.clip(light * self._colours * (255 / HEADROOM), 0, 255)
        for changed in (self._points, self._normals, self._lit):
            changed.Modified()

    def _lay_texture(self, mesh: Any, coordinates: NDArray[np.float32]) -> None:
        """Texture coordinates (n, 2) count from the lower left corner; VTK finds a picture's first row there."""
        from_above = np.column_stack([coordinates[:, 0], 1 - coordinates[:, 1]])
        mesh.GetPointData().SetTCoords(self._to_vtk.numpy_to_vtk(from_above, deep=1))

    def _set_texture(self, part: str, picture: RGBImage) -> NDArray[np.uint8]:
        """Give the texture a copy of the picture; what is written into it later shows after `Modified`."""
        height, width = picture.shape[:2]
        image = self._vtk.vtkImageData()
        image.SetDimensions(width, height, 1)
        scalars = self._to_vtk.numpy_to_vtk(picture.reshape(-1, 3), deep=1)
        image.GetPointData().SetScalars(scalars)
        self._textures[part].SetInputData(image)
        pixels: NDArray[np.uint8] = self._to_vtk.vtk_to_numpy(scalars).reshape(picture.shape)
        return pixels

    def _dress(self, subject: Subject, chance: np.random.Generator) -> None:
        """Long hair on most women and few men, glasses on some, more of them with age."""
        self._worn: dict[str, Worn] = {}
        if chance.random() < 0.06 + 0.7 * subject.female:
            self._worn["long hair"] = grow_long_hair(subject, np.unique(self._triangles["skin"]), chance)
            self._set_texture("long hair", paint_long_hair(self._skin.hair_colour, chance))
        if chance.random() < 0.1 + 0.3 * (subject.age - 18) / 62:
            self._worn["glasses"] = fit_glasses(subject, chance)
            self._set_texture("glasses", paint_glasses(chance))
        for name in _WORN:
            self._actors[name].SetVisibility(name in self._worn)
        for name, worn in self._worn.items():
            mesh = self._actors[name].GetMapper().GetInput()
            mesh.SetPolys(self._cells(worn.triangles))
            self._lay_texture(mesh, worn.coordinates)

    def _pose_worn(self, name: str, worn: Worn, lighting: Lighting, rotation: NDArray[np.float64]) -> None:
        shine = np.full_like(worn.vertices, _WORN[name])
        light = self._stage.shade(worn.normals, lighting, rotation, shine, worn.seen)
        mesh = self._actors[name].GetMapper().GetInput()
        mesh.GetPoints().SetData(self._to_vtk.numpy_to_vtk(_turned(worn.vertices, rotation), deep=1))
        lit = np.clip(light * (255 / HEADROOM), 0, 255).astype(np.uint8)
        mesh.GetPointData().SetScalars(self._to_vtk.numpy_to_vtk(lit, deep=1))

    def _light_eyes(self, lighting: Lighting) -> None:
        for light, lamp in zip(self._lights, lighting.lamps, strict=False):
            light.SetPosition(*(30 * lamp.direction.astype(float)))
            light.SetFocalPoint(0, 0, 0)
            light.SetIntensity(1.2)
            light.SetColor(*(lamp.colour.astype(float)))

    def _set_camera(self, vertices: NDArray[np.float32], chance: np.random.Generator) -> Any:
        """Place the camera before the face; give the function from decimetres to photo pixels."""
        width, height = self.size
        face = vertices[self._places].mean(axis=0)
        x = face[0] + chance.normal(0, 0.12)
        y = face[1] + 0.1 + chance.normal(0, 0.12)
        distance = self._session.distance + chance.normal(0, 0.3)  # people lean
        field = self._session.field * distance / self._session.distance
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

    def _render(self) -> NDArray[np.uint8]:
        """The head, (height, width, 4), premultiplied RGB in units of 1 / `HEADROOM`, and its opacity."""
        width, height = self._drawn_size
        self._window.Render()
        pixels = self._vtk.vtkUnsignedCharArray()
        self._window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 0, pixels)
        drawn = self._to_vtk.vtk_to_numpy(pixels).reshape(height, width, 4)
        # At 1.5 times the size linear is by area but for the weights (3/4 for 2/3), in a quarter of the time.
        smaller: NDArray[np.uint8] = cv2.resize(drawn, self.size, interpolation=cv2.INTER_LINEAR)
        return cv2.flip(smaller, 0)

    def _grow_hair(self, subject: Subject) -> NDArray[np.float32]:
        """How far hair and clothes lift the surface, (n, 3)."""
        chance = np.random.default_rng(subject.seed + 2)
        thickness = chance.uniform(0.03, 0.15) + 0.05 * subject.female
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


def _load_vtk() -> Any:
    """The classes of the few parts of VTK that draw; all of it would take a second more to load."""
    parts = ("vtkCommonCore", "vtkCommonDataModel", "vtkRenderingCore", "vtkRenderingOpenGL2")
    modules = [require(f"vtkmodules.{part}", "synth") for part in parts]
    return SimpleNamespace(**{name: value for module in modules for name, value in vars(module).items()})


def _rotation(turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """From yaw, pitch and roll in radians, (3, 3)."""
    (sy, sp, sr), (cy, cp, cr) = np.sin(turn), np.cos(turn)
    yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return roll @ pitch @ yaw


def _turned(
    vertices: NDArray[np.float32], rotation: NDArray[np.float64], share: NDArray[np.float32] | float = 1.0
) -> NDArray[np.float32]:
    """Turn vertices, each as far as its share says; the shoulders stay."""
    turned = (vertices - _PIVOT) @ rotation.T.astype(np.float32) + _PIVOT
    return vertices + np.float32(share) * (turned - vertices)
