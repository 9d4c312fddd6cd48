"""What can go wrong through a user's input, as exceptions.

Every message says what was seen, where, and what to do about it, in one line::

    MienError
    ├── LabelError        a label that is none of the 50 classes
    ├── PhotoError        a photo that cannot be used
    │   ├── UnreadableError   not an image, truncated, empty, too large or too thin
    │   └── FaceError         no face, or more faces than wanted
    ├── DataError         a folder, manifest or prepared set that cannot be used
    ├── RecipeError       a recipe with an unknown key or an impossible value
    ├── CheckpointError   a trained run that is missing, damaged or of another kind
    ├── DivergedError     a training whose loss is no number any more
    ├── OutputError       an output place that cannot be written
    │   ├── OtherContentError     a folder that holds something else
    │   ├── OtherParametersError  a folder that holds the same kind of work with other parameters
    │   ├── DamagedClaimError     a folder whose file about its work cannot be read
    │   └── BusyError             a folder in which another process works
    ├── WorkerLostError   a worker process or machine that died
    └── MissingExtraError a part of mien that is not installed

The command line prints the message of a `MienError` on stderr and exits with 2; anything else is a
defect of mien and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any


class MienError(Exception):
    """Base of all errors that a user can mend."""


class LabelError(MienError, ValueError):
    """A label that is none of the 50 classes."""


class PhotoError(MienError):
    """A photo that cannot be used."""


class UnreadableError(PhotoError):
    """A file that is no usable image."""


class FaceError(PhotoError):
    """A photo without a face, or with more faces than wanted."""


class DataError(MienError):
    """A folder, manifest or prepared set that cannot be used."""


class RecipeError(MienError):
    """A recipe with an unknown key or an impossible value."""


class CheckpointError(MienError):
    """A trained run that is missing, damaged or of another kind."""


class DivergedError(MienError):
    """A training whose loss became infinite or no number."""


class OutputError(MienError):
    """An output place that holds other content or cannot be written."""


class OtherContentError(OutputError):
    """A folder that holds something else."""


class OtherParametersError(OutputError):
    """A folder that holds the same kind of work with other parameters.

    Attributes:
        differing: name of a parameter (`split.seed` for one within another) -> its value before and now; None where
            it was or is absent.
    """

    def __init__(self, message: str, differing: Mapping[str, tuple[Any, Any]] | None = None) -> None:
        super().__init__(message)
        self.differing = dict(differing or {})


class DamagedClaimError(OutputError):
    """A folder whose file about its work cannot be read."""


class BusyError(OutputError):
    """A folder in which another process works."""


class WorkerLostError(MienError):
    """A worker process or machine that died, or a task that was lost with several of them."""


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
