"""The 189 points of the Face Research Lab's templates, placed by hand, as the 68 points of iBUG 300-W.

Source: DeBruine & Jones, Face Research Lab London Set (2017, doi 10.6084/m9.figshare.5047666.v5) and Young Adult
White Faces (2017, doi 10.6084/m9.figshare.4220517.v1), both CC BY 4.0.

A `.tem` file holds the number of points in its first line, then x and y of a point in each line, then how lines join
them. Which of its points stand for which of the 68 was read off their mean places over 74 people. The jaw is marked
in other places and stays out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import DataError
from mien.faces.points68 import POINT_COUNT

_POINTS = 189
# fmt: off
_TEMPLATE_POINTS: dict[int, tuple[int, ...]] = {
    17: (71,), 18: (72,), 19: (73, 74), 20: (74, 75), 21: (75, 76),                   # right brow
    22: (77, 78), 23: (78, 79), 24: (79, 80), 25: (81,), 26: (82,),                   # left brow
    27: (50, 51, 56, 57), 28: (51, 52, 57, 58), 29: (53, 59), 30: (54, 60),           # bridge of the nose
    31: (64,), 32: (170, 180), 33: (55,), 34: (172, 181), 35: (69,),                  # base of the nose
    36: (18,), 37: (19,), 38: (21,), 39: (22,), 40: (30,), 41: (28,),                 # right eye
    42: (23,), 43: (24,), 44: (26,), 45: (27,), 46: (33,), 47: (31,),                 # left eye
    48: (87,), 49: (88,), 50: (89,), 51: (90,), 52: (91,), 53: (92,), 54: (93,),      # upper lip, above
    55: (108,), 56: (107,), 57: (106,), 58: (105,), 59: (104,),                       # lower lip, below
    60: (87, 94), 61: (95,), 62: (96,), 63: (97,), 64: (93, 98),                      # upper lip, below
    65: (102,), 66: (101,), 67: (100,),                                               # lower lip, above
}
# fmt: on
"""Point of the 68 -> those of the template whose mean it is."""


def read_template(path: Path) -> NDArray[np.float32]:
    """The points of a `.tem` file.

    Returns:
        (68, 2), photo pixels; NaN where the template has no such point (the jaw).

    Raises:
        DataError: the file does not hold 189 points.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    try:
        if int(lines[0]) != _POINTS:
            raise ValueError
        marked = np.array([line.split()[:2] for line in lines[1 : _POINTS + 1]], dtype=np.float32)
        if marked.shape != (_POINTS, 2):
            raise ValueError
    except (ValueError, IndexError) as error:
        raise DataError(f"{path}: not a template of {_POINTS} points") from error
    points = np.full((POINT_COUNT, 2), np.nan, dtype=np.float32)
    for point, others in _TEMPLATE_POINTS.items():
        points[point] = marked[list(others)].mean(axis=0)
    return points
