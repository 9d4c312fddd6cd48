"""Any labelled or unlabelled set of photos -> a manifest, its layout recognised."""

from __future__ import annotations

from pathlib import Path

from mien.datasets.folders import read_folders
from mien.datasets.icv_mefed import is_icv_mefed, read_icv_mefed
from mien.datasets.manifest import Manifest, read_table
from mien.errors import DataError


def read_source(source: Path) -> Manifest:
    """Read a set: a CSV or Parquet table, iCV-MEFED's layout, or a tree of folders.

    Raises:
        DataError: nothing there, or nothing that mien can read.
    """
    if source.is_file():
        return read_table(source)
    if not source.is_dir():
        raise DataError(f"{source}: no such folder or table; name the folder that holds the photos")
    return read_icv_mefed(source) if is_icv_mefed(source) else read_folders(source)
