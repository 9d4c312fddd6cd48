"""Writing files so that a kill, a full disk or a second process never leaves half of one."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import platform
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.errors import OutputError

if TYPE_CHECKING:
    import polars as pl

_LONG_NAME = 150
"""Bytes; a file name can have 255, and the temporary file's is longer than the file's own."""
_MACHINE = re.sub(r"[^0-9A-Za-z-]", "-", platform.node())[:64] or "machine"
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<machine>[0-9A-Za-z-]+)\.(?P<process>\d+)(-\d+)?\.part", re.DOTALL)
"""`.NAME.MACHINE.PROCESS-THREAD.part`: machines that share a folder never write into the same temporary file."""


@contextmanager
def replacing(path: Path, private: bool = False, first: bool = False) -> Iterator[Path]:
    """Give a temporary path beside `path`; what was written there replaces `path` at once at the end.

    On an error the temporary file is removed and `path` stays as it was. A link is followed.

    Args:
        path: of the file.
        private: only the user may read and write it.
        first: only where there is no such file yet, however many processes try at once.

    Raises:
        OutputError: the disk is full, the place may not be written, or holds a folder or device.
    """
    if "\0" in os.fspath(path):
        raise OutputError(f"{os.fspath(path)!r}: no file can have this name; choose another")
    path = Path(os.path.realpath(path))
    if os.path.exists(path) and not os.path.isfile(path):  # unlike those of Path, they never raise
        raise OutputError(f"{path}: no file but a folder or device; name a file", path=path)
    temporary = path.with_name(f".{_short(path.name)}.{_MACHINE}.{os.getpid()}-{threading.get_native_id()}.part")
    try:
        with saying_where(path):
            if private:
                temporary.unlink(missing_ok=True)
                temporary.touch(mode=0o600)
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            if first:
                _put_first(temporary, path)
            else:
                os.replace(temporary, path)
    finally:
        with suppress(OSError):  # there may be none, nor a folder that could hold one
            temporary.unlink()


def remove_leftovers(folder: Path, name: str | None = None, of_all: bool = False) -> None:
    """Remove the temporary files that killed processes of this machine left in `folder`.

    Args:
        folder: not searched below; may be missing.
        name: only those that were to become this file.
        of_all: those of other machines, and of processes that run, too; for who knows that nobody writes there.
    """
    with suppress(OSError):  # it is missing, or may not be read
        for path in folder.iterdir():
            match = _TEMPORARY.fullmatch(path.name)
            if match is None or (name is not None and match["name"] != _short(name)):
                continue
            if of_all or (match["machine"] == _MACHINE and not _runs(int(match["process"]))):
                with suppress(OSError):
                    path.unlink()


def _put_first(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a disk without links
        os.replace(temporary, path)


def _short(name: str) -> str:
    """The name of a file within that of its temporary file; of a long one some digits that no other has."""
    if len(os.fsencode(name)) <= _LONG_NAME:
        return name
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:16]


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


@contextmanager
def saying_where(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write into an `OutputError` that names `path` and the remedy."""
    try:
        yield
    except BrokenPipeError:
        raise  # a reader that had enough is no refusal
    except OSError as error:
        full = error.errno is None and "requested and" in str(error)  # NumPy's, of a write that was cut short
        if full or error.errno in (errno.ENOSPC, errno.EDQUOT):
            remedy = "the disk is full; make room and run the same command again"
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
        raise OutputError(f"{path}: {remedy}", path=path, errno=error.errno) from error


def hash_file(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: Path, text: str, first: bool = False) -> None:
    """Write a text file, whole or not at all; see `replacing`."""
    with replacing(path, first=first) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def write_json(path: Path, content: Any, first: bool = False) -> None:
    """Write JSON that people can read, whole or not at all; see `replacing`."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n", first)


def write_parquet(path: Path, table: pl.DataFrame) -> None:
    """Write a table, whole or not at all. Not by polars itself, whose errors of a full disk are of another kind."""
    content = io.BytesIO()
    table.write_parquet(content)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getbuffer())
