"""What the studio draws with: meshes, textures, two lamps and a camera, off-screen by VTK; no display, no GPU needed.

Surfaces come lit already, as colours of their vertices; only what is wet is lit here, at every pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import require
from mien.images import RGBImage

_OVERSAMPLING = 1.5
"""Pixels drawn along each side for one of the picture."""
_LAMPS = 2
_LAMP_DISTANCE = 30.0
"""Decimetres from the origin."""


class Buffer:
    """Numbers of all vertices, which several meshes may share.

    Args:
        values: shape (n, 3), float32 or uint8; copied.
    """

    def __init__(self, values: NDArray[Any]) -> None:
        self._support = _support()
        self.vtk = self._support.numpy_to_vtk(values.copy())

    def fill(self, values: NDArray[Any]) -> None:
        """Put other numbers of the same shape there; they are converted to the buffer's type."""
        self._support.vtk_to_numpy(self.vtk)[:] = values
        self.vtk.Modified()


class Mesh:
    """Triangles, shown in the colours of their vertices times a texture; made by `Scene.add`."""

    def __init__(self, vtk: SimpleNamespace, triangles: NDArray[np.int32]) -> None:
        self._vtk, self._support = vtk, _support()
        self._data = vtk.vtkPolyData()
        self._data.SetPoints(vtk.vtkPoints())
        self.set_triangles(triangles)
        mapper = vtk.vtkPolyDataMapper()
        mapper.SetInputData(self._data)
        mapper.SetColorModeToDirectScalars()
        self.actor = vtk.vtkActor()
        self.actor.SetMapper(mapper)
        self.actor.GetProperty().LightingOff()

    def set_triangles(self, triangles: NDArray[np.int32]) -> None:
        """Shape (n, 3): the vertices of each."""
        cells = self._vtk.vtkCellArray()
        corners = self._support.numpy_to_vtkIdTypeArray(triangles.reshape(-1).astype(np.int64), deep=1)
        starts = np.arange(0, triangles.size + 1, 3, dtype=np.int64)
        cells.SetData(self._support.numpy_to_vtkIdTypeArray(starts, deep=1), corners)
        self._data.SetPolys(cells)

    def set_points(self, points: Buffer) -> None:
        """Where the vertices are, in decimetres."""
        self._data.GetPoints().SetData(points.vtk)

    def set_colours(self, colours: Buffer) -> None:
        """Of the vertices, uint8 RGB."""
        self._data.GetPointData().SetScalars(colours.vtk)

    def set_coordinates(self, coordinates: NDArray[np.float32]) -> None:
        """Where the vertices lie in the texture, (n, 2), 0..1, counted from its lower left corner."""
        from_above = np.column_stack([coordinates[:, 0], 1 - coordinates[:, 1]])  # VTK finds the first row there
        self._data.GetPointData().SetTCoords(self._support.numpy_to_vtk(from_above, deep=1))

    def set_texture(self, picture: RGBImage) -> NDArray[np.uint8]:
        """Lay a copy of a picture on the mesh.

        Returns:
            the copy, (height, width, 3); what is written into it shows after `texture_changed`.
        """
        height, width = picture.shape[:2]
        image = self._vtk.vtkImageData()
        image.SetDimensions(width, height, 1)
        scalars = self._support.numpy_to_vtk(picture.reshape(-1, 3), deep=1)
        image.GetPointData().SetScalars(scalars)
        if self.actor.GetTexture() is None:
            texture = self._vtk.vtkTexture()
            texture.InterpolateOn()
            texture.SetColorModeToDirectScalars()
            self.actor.SetTexture(texture)
        self.actor.GetTexture().SetInputData(image)
        pixels: NDArray[np.uint8] = self._support.vtk_to_numpy(scalars).reshape(picture.shape)
        return pixels

    def texture_changed(self) -> None:
        """Show what was written into the texture."""
        self.actor.GetTexture().GetInput().Modified()

    def show(self, shown: bool) -> None:
        """Whether it is drawn at all."""
        self.actor.SetVisibility(shown)

    def hide_backs(self) -> None:
        """Do not draw triangles from behind; it saves a third of the time of a frame."""
        self.actor.GetProperty().BackfaceCullingOn()

    def make_wet(self, normals: Buffer) -> None:
        """Round and wet, as eyes are: small sharp lights, lit at every pixel by the normals of the vertices."""
        self._data.GetPointData().SetNormals(normals.vtk)
        self.actor.GetMapper().ScalarVisibilityOff()
        look = self.actor.GetProperty()
        look.LightingOn()
        look.SetInterpolationToPhong()
        look.SetColor(1, 1, 1)
        look.SetAmbient(0.21)
        look.SetDiffuse(0.16)
        look.SetSpecular(0.55)
        look.SetSpecularPower(110)


class Scene:
    """One off-screen window; keep it, for opening one takes long.

    Args:
        size: width and height of its pictures in pixels.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._vtk = vtk = _load_vtk()
        vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)
        self.size = size
        self._drawn_size = tuple(round(side * _OVERSAMPLING) for side in size)
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
        self._lamps = [vtk.vtkLight() for _ in range(_LAMPS)]
        for lamp in self._lamps:
            lamp.SetLightTypeToSceneLight()
            lamp.PositionalOff()
            self._renderer.AddLight(lamp)

    def add(self, triangles: NDArray[np.int32]) -> Mesh:
        """A new mesh; give it points and colours before the next picture."""
        mesh = Mesh(self._vtk, triangles)
        self._renderer.AddActor(mesh.actor)
        return mesh

    def set_lamps(self, lamps: Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]]) -> None:
        """Direction towards the lamp and RGB colour; the first two light what is wet."""
        for light in self._lamps:
            light.SwitchOff()  # one may be on since another person's photo
        for light, (direction, colour) in zip(self._lamps, lamps, strict=False):
            light.SwitchOn()
            light.SetPosition(*(_LAMP_DISTANCE * direction.astype(float)))
            light.SetFocalPoint(0, 0, 0)
            light.SetIntensity(1.2)
            light.SetColor(*(colour.astype(float)))

    def set_camera(self, looked_at: NDArray[np.floating], distance: float, field: float) -> None:
        """Look along -z at a point, (3,), from a distance, so that the picture's height shows `field`; decimetres."""
        x, y, z = looked_at
        camera = self._renderer.GetActiveCamera()
        camera.SetPosition(x, y, z + distance)
        camera.SetFocalPoint(x, y, z)
        camera.SetViewUp(0, 1, 0)
        camera.SetViewAngle(2 * np.degrees(np.arctan(field / 2 / distance)))
        camera.SetClippingRange(max(0.5, distance - 5), distance + 6)

    def draw(self) -> NDArray[np.uint8]:
        """What the camera sees, (height, width, 4): premultiplied RGB, and opacity."""
        width, height = self._drawn_size
        self._window.Render()
        pixels = self._vtk.vtkUnsignedCharArray()
        self._window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 0, pixels)
        drawn = _support().vtk_to_numpy(pixels).reshape(height, width, 4)
        # At 1.5 times the size linear is by area but for the weights (3/4 for 2/3), in a quarter of the time.
        smaller: NDArray[np.uint8] = cv2.resize(drawn, self.size, interpolation=cv2.INTER_LINEAR)
        return cv2.flip(smaller, 0)


def _load_vtk() -> SimpleNamespace:
    """The classes of the few parts of VTK that draw; all of it would take a second more to load."""
    parts = ("vtkCommonCore", "vtkCommonDataModel", "vtkRenderingCore", "vtkRenderingOpenGL2")
    modules = [require(f"vtkmodules.{part}", "synth") for part in parts]
    return SimpleNamespace(**{name: value for module in modules for name, value in vars(module).items()})


def _support() -> Any:
    return require("vtkmodules.util.numpy_support", "synth")
