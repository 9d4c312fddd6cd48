"""What can go wrong through a user's input, as exceptions.

Every message says what was seen, where, and what to do about it, in one line::

    MienError
    ├── LabelError        a label that is none of the 50 classes
    ├── PhotoError        a photo that cannot be used
    │   ├── UnreadableError   not an image, truncated, empty, too large or too thin
    │   └── FaceError         no face that can be read
    │       └── SeveralFacesError more faces than wanted
    ├── ForeignReferenceError a reference that another run made
    ├── ProfileError      a person who is not enrolled, or whose profile cannot be used
    ├── FilmError         a film or camera that cannot be read
    ├── DataError         a folder, manifest or prepared set that cannot be used
    │   ├── LayoutError       folders whose names can be read in two ways
    │   └── LeakError         a person or picture on two sides of a split
    ├── RecipeError       a recipe with an unknown key or an impossible value
    ├── CheckpointError   a trained run that is missing, damaged or of another kind
    ├── DivergedError     a training whose loss is no number any more
    ├── OutputError       an output place that cannot be written
    │   ├── OtherContentError     a folder that holds something else
    │   ├── OtherParametersError  a folder that holds the same kind of work with other parameters
    │   ├── DamagedClaimError     a folder whose file about its work cannot be read
    │   ├── BusyError             a folder in which another process works
    │   └── UnfinishedError       a run that was begun, to be resumed only when asked
    ├── WorkerLostError   a worker process or machine that died
    ├── ClusterError      a Ray cluster that cannot be joined, or whose machines lack something
    └── MissingExtraError a part of mien that is not installed

The command line prints the message of a `MienError` on stderr and exits with 2; anything else is a
defect of mien and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal


class MienError(Exception):
    """Base of all errors that a user can fix. Each can be pickled, so that it comes back from another process."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args), self.__dict__


def _rebuild(kind: type[MienError], words: tuple[Any, ...]) -> MienError:
    """An error as it was, whatever its class wants to be made from."""
    return kind.__new__(kind, *words)


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
    """A photo without a face that can be read, or with more faces than wanted.

    Attributes:
        count: how many faces it shows.
    """

    def __init__(self, reason: str, photo: str | None = None, count: int = 0) -> None:
        super().__init__(reason, photo)
        self.count = count


class SeveralFacesError(FaceError):
    """A photo with several faces where one is wanted."""


class ForeignReferenceError(MienError):
    """A reference that was made with the weights of another run."""


class ProfileError(MienError):
    """A person who is not enrolled, is enrolled already, or whose profile cannot be used.

    Attributes:
        name: of the person.
    """

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


class FilmError(MienError):
    """A film or camera that cannot be read.

    Args:
        reason: why, and what to do about it.
        film: what the film is called.

    Attributes:
        reason, film: the same.
    """

    def __init__(self, reason: str, film: str) -> None:
        super().__init__(f"{film}: {reason}")
        self.reason = reason
        self.film = film


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


class LeakError(DataError):
    """A set in which a person or picture is on two sides of the split.

    Attributes:
        leaks: what was found, as `mien.datasets.leaks.Leak`.
    """

    def __init__(self, message: str, *, path: Path, leaks: Sequence[Any]) -> None:
        super().__init__(message, path=path)
        self.leaks = tuple(leaks)


class RecipeError(MienError):
    """A recipe with an unknown key or an impossible value.

    Attributes:
        key: dotted, say `training.iterations`; None where no key is to blame.
        value: what was given for it.
        new_name: of a key that has been renamed; else None.
        source: the file, or the setting, where it was given; None where the recipe was built in Python.
    """

    def __init__(
        self, message: str, *, key: str | None = None, value: object = None, new_name: str | None = None
    ) -> None:
        super().__init__(message)
        self.key = key
        self.value = value
        self.new_name = new_name
        self.source: str | None = None

    def __str__(self) -> str:
        return f"{self.source}: {super().__str__()}" if self.source else super().__str__()


class CheckpointError(MienError):
    """A trained run that is missing, damaged or of another kind."""


class DivergedError(MienError):
    """A training whose loss became infinite or no number.

    Attributes:
        run: folder of the run.
        step: the iteration, from 1.
        loss: what the loss was.
        part: on which photos: `training` or `validation`.
        cause: the likely one: landmarks that are no numbers or far from their reference, or steps that are too long.
        remedy: what to do.
    """

    def __init__(
        self,
        run: Path,
        step: int,
        loss: float,
        part: Literal["training", "validation"],
        cause: Literal["broken landmarks", "far landmarks", "long steps"],
        remedy: str,
    ) -> None:
        super().__init__(run, step, loss, part, cause, remedy)
        self.run = run
        self.step = step
        self.loss = loss
        self.part = part
        self.cause = cause
        self.remedy = remedy

    @property
    def reason(self) -> str:
        """What happened, without the place and the remedy."""
        return f"the {'validation ' if self.part == 'validation' else ''}loss is {self.loss} at step {self.step}"

    def __str__(self) -> str:
        return f"{self.run}: {self.reason}; {self.remedy}"


class OutputError(MienError):
    """An output place that holds other content or cannot be written.

    Attributes:
        path: the place, where one can be named.
        errno: what the operating system said, as in the module `errno`; None where it did not refuse.
    """

    def __init__(self, message: object, *, path: Path | None = None, errno: int | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.errno = errno


class UnfinishedError(OutputError):
    """A run that was begun and not finished, where nobody asked to resume it.

    Attributes:
        run: its folder.
    """

    def __init__(self, run: Path) -> None:
        super().__init__(run)
        self.run = run

    def __str__(self) -> str:
        return f"{self.run}: holds an unfinished run; add --resume to go on with it, or remove it"


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


class ClusterError(MienError):
    """A Ray cluster that cannot be joined, or whose machines lack what the work needs.

    Attributes:
        reason: what Ray or the machine said.
        address: of the cluster that cannot be joined; None where it was joined.
    """

    def __init__(self, message: str, reason: str = "", address: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.address = address


class MissingExtraError(MienError, ImportError):
    """A part of mien that is not installed.

    Attributes:
        extra: that brings it; None where it is no extra of mien.
    """

    def __init__(self, message: str, extra: str | None = None) -> None:
        super().__init__(message)
        self.extra = extra


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
            f"this needs the package '{error.name}', which is not installed; run: pip install 'mien[{extra}]'",
            extra,
        ) from error
