"""Writing files so that a kill, a full disk or a second process never leaves half of one."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from mien.errors import OutputError

if TYPE_CHECKING:
    import polars as pl

_LONG_NAME = 200
"""Bytes; a file name can have 255, and the temporary file's is longer than the file's own."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; what was written there replaces `path` at once at the end.

    On an error the temporary file is removed and `path` stays as it was. A link is followed.

    Raises:
        OutputError: the disk is full, the place may not be written, or holds a folder or device.
    """
    path = Path(os.path.realpath(path))
    if os.path.exists(path) and not os.path.isfile(path):  # unlike those of Path, they never raise
        raise OutputError(f"{path}: no file but a folder or device; name a file")
    name = path.name if len(os.fsencode(path.name)) <= _LONG_NAME else "file"
    temporary = path.with_name(f".{name}.{os.getpid()}.part")
    try:
        with saying_where(path):
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        with suppress(OSError):  # there may be none, nor a folder that could hold one
            temporary.unlink()


@contextmanager
def saying_where(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write into an `OutputError` that names `path` and the remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            remedy = "the disk is full; make room and run the same command again, it goes on where it stopped"
        elif error.errno == errno.EFBIG:
            remedy = "the file would be larger than this disk allows; choose another place, or split the set"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            remedy = "it may not be written; choose another place or change the permissions"
        elif error.errno == errno.ENOENT:
            remedy = "its folder does not exist; make it first, or choose another place"
        elif error.errno in (errno.ENOTDIR, errno.EEXIST):
            remedy = "a file is in the way; choose another place"
        elif error.errno == errno.ENAMETOOLONG:
            remedy = "its name is too long; choose a shorter one"
        else:
            remedy = f"it cannot be written ({error.strerror or error}); choose another place"
        raise OutputError(f"{path}: {remedy}") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: Any) -> None:
    """Write JSON that people can read, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_parquet(path: Path, table: pl.DataFrame) -> None:
    """Write a table, whole or not at all. Not by polars itself, whose errors of a full disk are of another kind."""
    content = io.BytesIO()
    table.write_parquet(content)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def claim_folder(folder: Path, marker: str, parameters: dict[str, Any], remedy: str) -> bool:
    """Take a folder for one piece of resumable work, or find that it is taken for another.

    Args:
        folder: made if missing; an empty one is taken.
        marker: name of the JSON file that tells what the folder is for; may lie in a folder below.
        parameters: what the work depends on; written to the marker.
        remedy: what to do where the folder is for the same kind of work with other parameters.

    Returns:
        whether the work had been started there before, with the same parameters.

    Raises:
        OutputError: the folder holds other content, or the same kind of work with other parameters.
    """
    path = folder / marker
    if path.is_file():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))["parameters"]
            now = json.loads(json.dumps(parameters))
            differing = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise OutputError(f"{path}: damaged; remove {folder} and run the command again") from error
        if differing:
            raise OutputError(f"{folder}: made with other {', '.join(differing)}; {remedy}")
        for place in {folder, path.parent}:
            _remove_leftovers(place, ".*.part")
        return True
    _remove_leftovers(path.parent, f".{path.name}.*.part")
    with saying_where(folder):
        if folder.exists() and any(place != path.parent or any(place.iterdir()) for place in folder.iterdir()):
            raise OutputError(f"{folder}: exists with other content; choose a new or an empty folder")
        path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"parameters": parameters})
    return False


@contextmanager
def working_in(folder: Path, marker: str) -> Iterator[None]:
    """Keep a claimed folder for this process; it is free again when the process ends, however it ends.

    Args:
        folder, marker: as for `claim_folder`, which comes first.

    Raises:
        OutputError: another process works there.
    """
    with ExitStack() as stack:
        with saying_where(folder):
            file = stack.enter_context((folder / marker).open("rb"))
            if not _lock(file):
                raise OutputError(f"{folder}: another mien works here; wait for it, or choose another folder")
        yield


def _lock(file: BinaryIO) -> bool:
    if sys.platform == "win32":
        return True  # there, two processes do the same work, and the later one's stays
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_leftovers(folder: Path, pattern: str) -> None:
    """Remove what `replacing` had begun in processes that were killed."""
    for part in folder.glob(pattern):
        process = part.suffixes[-2][1:] if len(part.suffixes) > 1 else ""
        if process.isdecimal() and not _runs(int(process)):
            with suppress(OSError):
                part.unlink()


def _runs(process: int) -> bool:
    if os.name != "posix":
        return True  # asking would end it
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # somebody else's
    return True
