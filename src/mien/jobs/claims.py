"""Taking a folder for one piece of resumable work, by one process at a time."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from mien.errors import OutputError
from mien.files import saying_where, write_json


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
