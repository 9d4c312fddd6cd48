"""Any labelled or unlabelled set of photos -> a manifest, its layout named or recognised."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mien.datasets.folders import read_folders
from mien.datasets.icv_mefed import is_icv_mefed, read_icv_mefed
from mien.datasets.manifest import USUAL_COLUMNS, Columns, Manifest, read_table
from mien.errors import DataError
from mien.labels import HOW_TO_LABEL

LAYOUTS = ("icv-mefed", "folders", "table")


def read_source(
    source: Path, layout: str | None = None, *, labels: Sequence[Path] = (), columns: Columns = USUAL_COLUMNS
) -> Manifest:
    """Read a set: a CSV or Parquet table, iCV-MEFED's layout, or a tree of folders.

    Where nothing in it was understood as labels, a note of the manifest says so, and how labels are written.

    Args:
        source: the folder or table.
        layout: one of `LAYOUTS`; recognised if None.
        labels: the label files of iCV-MEFED; looked for in `source` if there are none.
        columns: what the columns of a table are called.

    Raises:
        DataError: nothing there, or nothing that mien can read.
    """
    manifest = _read(source, layout or _recognise(source, bool(labels)), labels, columns)
    if manifest.table["label"].null_count() < manifest.table.height:
        return manifest
    return manifest.noting(f"nothing was understood as labels; write them {HOW_TO_LABEL}")


def _read(source: Path, layout: str, labels: Sequence[Path], columns: Columns) -> Manifest:
    if labels and layout != "icv-mefed":
        raise DataError(
            f"{labels[0]}: label files go with the layout icv-mefed, and {source} is read as {layout}; leave it "
            "away, or add --layout icv-mefed",
            path=labels[0],
        )
    if layout == "table":
        if not os.path.isfile(source):
            raise DataError(f"{source}: no such table; name a CSV or Parquet file", path=source)
        return read_table(source, columns=columns)
    if not os.path.isdir(source):
        message = f"{source}: no such folder or table; name the folder that holds the photos"
        raise DataError(message, path=source)
    if layout == "icv-mefed":
        return read_icv_mefed(source, labels)
    if layout == "folders":
        return read_folders(source)
    raise DataError(f"layout '{layout}' is none of {', '.join(LAYOUTS)}")


def _recognise(source: Path, has_labels: bool) -> str:
    if os.path.isfile(source):
        return "table"
    return "icv-mefed" if has_labels or (os.path.isdir(source) and is_icv_mefed(source)) else "folders"
