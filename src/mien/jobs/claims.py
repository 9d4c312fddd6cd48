"""Claiming a folder for one piece of resumable work, for one process at a time."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mien.errors import BusyError, DamagedClaimError, OtherContentError, OtherParametersError, OutputError
from mien.files import remove_leftovers, saying_where, write_json

LOCK_FILE = ".mien.lock"
"""In a folder while a process works there. A killed process leaves it, but not locked."""


def name_and_value(name: str, value: Any) -> str:
    """How a message calls a parameter with its value: `seed 3`."""
    return f"no {name}" if value is None else f"{name} {value}"


def claim_folder(
    folder: Path,
    marker: str,
    parameters: Mapping[str, Any],
    remedy: str,
    wording: Callable[[str, Any], str] = name_and_value,
) -> bool:
    """Claim a folder for one piece of resumable work, or find that it holds something else.

    Args:
        folder: made if missing; an empty one is claimed.
        marker: name of the JSON file that tells what the folder is for; may lie in a folder below.
        parameters: what the work depends on; written to the marker.
        remedy: what to do where the folder holds the same kind of work with other parameters.
        wording: how such a message calls a parameter and its value, as `--seed 3`; gets the name (`split.seed` for
            one within another) and the value.

    Returns:
        whether the work had been started there before, with the same parameters.

    Raises:
        OtherContentError: the folder holds something else.
        OtherParametersError: it holds the same kind of work with other parameters.
        DamagedClaimError: its marker cannot be read.
    """
    path = folder / marker
    if os.path.isfile(path):
        differing = _differences(_read_marker(folder, path), json.loads(json.dumps(parameters)))
        if differing:
            raise OtherParametersError(f"{folder}: {_tell(differing, wording)}; {remedy}", differing)
        for place in {folder, path.parent}:
            remove_leftovers(place)
        _remove_leftover_lock(folder)
        return True
    remove_leftovers(path.parent, path.name)
    with saying_where(folder):
        if os.path.exists(folder) and any(place != path.parent or any(place.iterdir()) for place in folder.iterdir()):
            raise OtherContentError(f"{folder}: exists with other content; choose a new or an empty folder")
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_json(path, {"parameters": parameters}, first=True)
    except OutputError as error:
        if error.errno != errno.EEXIST:
            raise
        return claim_folder(folder, marker, parameters, remedy, wording)  # another process was quicker: look again
    return False


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Keep a claimed folder for this process; it is free again when the process ends, however it ends.

    No workers of this process may write there any more when the context ends.

    Raises:
        BusyError: another process works there.
    """
    lock = FileLock(folder / LOCK_FILE)
    with saying_where(folder):
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise BusyError(f"{folder}: another mien works here; wait for it, or choose another folder") from None
    try:
        yield
    finally:
        # A killed process can take a while to die, and its number may be another's by now, so `claim_folder` may
        # have left its files; whoever holds the folder knows that they are nobody's.
        remove_leftovers(folder, of_all=True)
        with suppress(OSError):  # Windows removes no open file; there the release does it
            (folder / LOCK_FILE).unlink()
        lock.release()


def _remove_leftover_lock(folder: Path) -> None:
    """A process that was killed left its lock file; where nobody holds it, it goes."""
    if os.path.exists(folder / LOCK_FILE):
        with suppress(OutputError), working_in(folder):
            pass


def _read_marker(folder: Path, path: Path) -> dict[str, Any]:
    try:
        parameters = json.loads(path.read_text(encoding="utf-8"))["parameters"]
        return dict(parameters.items())
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedClaimError(f"{path}: damaged; remove {folder} and run the command again") from error


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], within: str = "") -> dict[str, tuple[Any, Any]]:
    differing: dict[str, tuple[Any, Any]] = {}
    for key in sorted({*before, *now}):
        one, other = before.get(key), now.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            differing |= _differences(one, other, f"{within}{key}.")
        elif one != other:
            differing[within + key] = (one, other)
    return differing


def _tell(differing: Mapping[str, tuple[Any, Any]], wording: Callable[[str, Any], str]) -> str:
    before, now = (", ".join(wording(name, pair[i]) for name, pair in differing.items()) for i in (0, 1))
    return f"made with other {', '.join(differing)} (before: {before}; now: {now})"
