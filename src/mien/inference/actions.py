"""Facial actions by FACS: how strongly single muscles seem to move a face, estimated from how its landmarks moved.

The estimates are linear in the displacement from the neutral face. They were learnt from synthetic subjects, whose
actions are known, and those are left out that cannot be read from landmarks (docs/model-card.md has the figures).
Source of the units: Ekman, Friesen & Hager, Facial Action Coding System, 2002.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from mien.artifacts import save_arrays
from mien.displacement import DISPLACEMENT_SIZE
from mien.errors import CheckpointError

ACTIONS_FILE = Path(__file__).parent / "actions.safetensors"
"""The estimates that come with mien."""

Side = Literal["left", "right", "both"]


class Unit(NamedTuple):
    """An action unit of FACS: its number, its name in plain words, and whether each side of the face has its own."""

    number: int
    name: str
    sided: bool


UNITS = {
    "browInnerUp": Unit(1, "inner brows raised", False),
    "browOuterUp": Unit(2, "outer brow raised", True),
    "browDown": Unit(4, "brow lowered", True),
    "eyeWide": Unit(5, "upper lid raised", True),
    "cheekSquint": Unit(6, "cheek raised", True),
    "eyeSquint": Unit(7, "lids tightened", True),
    "noseSneer": Unit(9, "nose wrinkled", True),
    "mouthUpperUp": Unit(10, "upper lip raised", True),
    "mouthSmile": Unit(12, "lip corner pulled up", True),
    "mouthDimple": Unit(14, "lip corner tightened", True),
    "mouthFrown": Unit(15, "lip corner lowered", True),
    "mouthLowerDown": Unit(16, "lower lip lowered", True),
    "mouthShrugLower": Unit(17, "chin raised", False),
    "mouthPucker": Unit(18, "lips puckered", False),
    "mouthStretch": Unit(20, "lips stretched", True),
    "mouthFunnel": Unit(22, "lips funnelled", False),
    "mouthPress": Unit(24, "lips pressed", True),
    "jawOpen": Unit(26, "jaw dropped", False),
    "eyeBlink": Unit(43, "eye closed", True),
}
"""By the name of the action of a synthetic head."""


def _column(unit: int, side: Side) -> str:
    return f"AU{unit}" + ("" if side == "both" else f"_{side}")


_SIDES: tuple[Side, ...] = ("left", "right")
ACTION_COLUMNS = [
    _column(unit.number, side) for unit in UNITS.values() for side in (_SIDES if unit.sided else ("both",))
]
"""Of tables: `AU12_left`, or `AU26` where the unit has no sides."""


@dataclass(frozen=True)
class FacialAction:
    """One action of a face.

    Attributes:
        unit: number of the action unit in FACS.
        side: the person's; `both` where the unit has no sides.
        name: in plain words.
        strength: 0 where it is not to be seen, about 1 for the strongest that FACS knows (intensity E).
    """

    unit: int
    side: Side
    name: str
    strength: float

    @property
    def column(self) -> str:
        """`AU12_left`, or `AU26` where the unit has no sides."""
        return _column(self.unit, self.side)

    def to_dict(self) -> dict[str, str | float]:
        """For JSON."""
        strength = round(self.strength, 2)
        return {"unit": f"AU{self.unit}", "side": self.side, "name": self.name, "strength": strength}


@dataclass(frozen=True, eq=False)
class ActionEstimates:
    """Estimates actions from displacement.

    Attributes:
        names: of the actions of a synthetic head, `mouthSmileLeft` and the like, in the order of their units.
        weights: (136, k), float32: strength for each pixel of displacement.
        constant: (k,), float32.
        landmarker, alignment: of the crops whose landmarks it knows, as in `mien.artifacts.RunMeta`.
    """

    names: tuple[str, ...]
    weights: NDArray[np.float32]
    constant: NDArray[np.float32]
    landmarker: str
    alignment: str

    def strengths(self, moved: NDArray[np.floating]) -> NDArray[np.float32]:
        """Strengths of all actions, (n, k), not below 0.

        Args:
            moved: shape (n, 136): displacement from the neutral face, crop pixels.
        """
        estimated = moved.astype(np.float32) @ self.weights + self.constant
        strengths: NDArray[np.float32] = np.maximum(estimated, 0)
        return strengths

    def estimate(self, moved: NDArray[np.floating]) -> list[tuple[FacialAction, ...]]:
        """The actions of n faces; argument as for `strengths`."""
        return [
            tuple(action_of(name, float(strength)) for name, strength in zip(self.names, row, strict=True))
            for row in self.strengths(moved)
        ]

    @property
    def columns(self) -> list[str]:
        """Of tables, one for each action, see `FacialAction.column`."""
        return [action_of(name, 0.0).column for name in self.names]

    def save(self, path: Path) -> None:
        """Write them.

        Raises:
            OutputError: the file cannot be written.
        """
        about = {"names": json.dumps(self.names), "landmarker": self.landmarker, "alignment": self.alignment}
        save_arrays(path, {"weights": self.weights, "constant": self.constant}, {"mien": "actions", **about})

    @classmethod
    def load(cls, path: Path = ACTIONS_FILE) -> ActionEstimates:
        """Read what `save` wrote.

        Raises:
            CheckpointError: missing, damaged, or of something else.
        """
        try:
            with safe_open(path, "numpy") as file:
                about = file.metadata() or {}
                names = tuple(json.loads(about["names"]))
                weights, constant = file.get_tensor("weights"), file.get_tensor("constant")
            whole = about.get("mien") == "actions" and all(split_name(name)[0] in UNITS for name in names)
            whole &= weights.shape == (DISPLACEMENT_SIZE, len(names)) and constant.shape == (len(names),)
            if not whole or not np.isfinite(weights).all() or not np.isfinite(constant).all():
                raise ValueError("its content is of another kind")
            return cls(names, weights, constant, about["landmarker"], about["alignment"])
        except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
            reason = str(error) or type(error).__name__
            raise CheckpointError(f"{path}: no estimates of actions ({reason}); install mien again") from error


@cache
def actions_for(landmarker: str, alignment: str) -> ActionEstimates | None:
    """The estimates that come with mien, if they know landmarks of this kind."""
    known = ActionEstimates.load()
    return known if (known.landmarker, known.alignment) == (landmarker, alignment) else None


def action_of(name: str, strength: float) -> FacialAction:
    """The action of a face, from the name of that of a synthetic head."""
    stem, side = split_name(name)
    return FacialAction(UNITS[stem].number, side, UNITS[stem].name, strength)


def split_name(action: str) -> tuple[str, Side]:
    """`mouthSmileLeft` to (`mouthSmile`, `left`); of one without sides, `both`."""
    for ending in ("Left", "Right"):
        stem = action.removesuffix(ending)
        if stem != action and stem in UNITS and UNITS[stem].sided:
            return stem, "left" if ending == "Left" else "right"
    return action, "both"
