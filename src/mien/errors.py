"""What can go wrong through a user's input, as exceptions.

Every message says what was seen, where, and what to do about it, in one line::

    MienError
    ├── LabelError        a label that is none of the 50 classes
    ├── PhotoError        a photo that cannot be used
    │   ├── UnreadableError   not an image, truncated, empty, too large or too thin
    │   └── FaceError         no face, or more faces than wanted
    ├── DataError         a folder, manifest or prepared set that cannot be used
    │   └── LayoutError       folders whose names can be read in two ways
    ├── RecipeError       a recipe with an unknown key or an impossible value
    ├── CheckpointError   a trained run that is missing, damaged or of another kind
    ├── DivergedError     a training whose loss is no number any more
    ├── OutputError       an output place that holds other content or cannot be written
    └── MissingExtraError a part of mien that is not installed

The command line prints the message of a `MienError` on stderr and exits with 2; anything else is a
defect of mien and keeps its traceback.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Literal


class MienError(Exception):
    """Base of all errors that a user can fix."""


class LabelError(MienError, ValueError):
    """A label that is none of the 50 classes.

    Attributes:
        label: what was given for one, if it was a text.
    """

    def __init__(self, message: str, label: str | None = None) -> None:
        super().__init__(message)
        self.label = label


class PhotoError(MienError):
    """A photo that cannot be used.

    Args:
        reason: why, and what to do about it.
        photo: what the photo is called, if that is known.

    Attributes:
        reason, photo: the same.
    """

    def __init__(self, reason: str, photo: str | None = None) -> None:
        super().__init__(reason if photo is None else f"{photo}: {reason}")
        self.reason = reason
        self.photo = photo


Fault = Literal[
    "not a photo",  # a list, a number, an array of another shape or type
    "missing",  # no such file, or one that may not be read
    "not a file",  # a folder, a device
    "empty",
    "unknown type",  # no picture, or of a type that mien does not read
    "needs heic",  # the extra mien[heic] is not installed
    "too small",
    "too large",
    "damaged",  # cut off or changed
    "no memory",
]


class UnreadableError(PhotoError):
    """A file that is no usable image.

    Attributes:
        fault: what is wrong with it.
    """

    def __init__(self, reason: str, photo: str | None = None, fault: Fault = "damaged") -> None:
        super().__init__(reason, photo)
        self.fault: Fault = fault


class FaceError(PhotoError):
    """A photo without a face, or with more faces than wanted."""


class DataError(MienError):
    """A folder, manifest or prepared set that cannot be used.

    Attributes:
        path: the file or folder, where one can be named.
        line: in that file, from 1.
        column: of a table.
    """

    def __init__(
        self, message: str, *, path: Path | None = None, line: int | None = None, column: str | None = None
    ) -> None:
        super().__init__(message)
        self.path = path
        self.line = line
        self.column = column


class LayoutError(DataError):
    """Folders whose names can be read in two ways.

    Attributes:
        roles: name of a folder -> what it was taken for (`part`, `label`), or None.
    """

    def __init__(self, message: str, *, path: Path, roles: dict[str, str | None]) -> None:
        super().__init__(message, path=path)
        self.roles = roles


class RecipeError(MienError):
    """A recipe with an unknown key or an impossible value."""


class CheckpointError(MienError):
    """A trained run that is missing, damaged or of another kind."""


class DivergedError(MienError):
    """A training whose loss became infinite or no number."""


class OutputError(MienError):
    """An output place that holds other content or cannot be written."""


class MissingExtraError(MienError, ImportError):
    """A part of mien that is not installed."""


def require(module: str, extra: str) -> ModuleType:
    """Import `module`, or say which command installs the extra that brings it.

    Raises:
        MissingExtraError: `module` is not installed.
    """
    import importlib

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"this needs the package '{error.name}', which is not installed; run: pip install 'mien[{extra}]'"
        ) from error
