"""The photos that are named on the command line."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence

from mien.cli.console import describe_others, shown, stderr


def named_photos(photos: Sequence[str]) -> Iterator[str]:
    """Every photo that is meant: those of a folder, those that fit a pattern."""
    from mien.errors import UnreadableError
    from mien.images import scan_folder

    for name in photos:
        if name.startswith(("http://", "https://", "ftp://")):
            raise UnreadableError("an address on the net, and mien reads files only; save the photo first", name)
        if name != "-" and os.path.isdir(name):
            content = scan_folder(name)
            if content.others:
                kinds = describe_others(content.others)
                stderr.print(shown(f"{name}: not read, for they are no photos: {kinds}"))
            yield from map(str, content.photos)
        elif not os.path.lexists(name) and (found := sorted(glob.glob(name, recursive=True))):
            yield from found
        else:
            yield name
