"""A trained run on disk: a folder that holds all that is needed to score, and to know where it came from.

    meta.json                what was trained, on what, with which choices, how well; written last
    model.safetensors        the weights
    population.safetensors   how faces differ and move, for references from few photos
    model.onnx               the network for onnxruntime (networks only)
    metrics.jsonl            a line for each validation (networks only)

Nothing here is a pickle: a downloaded run cannot run code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from mien.errors import CheckpointError
from mien.files import replacing, write_json

META_FILE = "meta.json"
WEIGHTS_FILE = "model.safetensors"
POPULATION_FILE = "population.safetensors"
ONNX_FILE = "model.onnx"
METRICS_FILE = "metrics.jsonl"
FORMAT = 1


def save_meta(run: Path, meta: dict[str, Any]) -> None:
    """Write meta.json; do it last, it marks the run as whole."""
    write_json(run / META_FILE, {"format": FORMAT, **meta})


def load_meta(run: Path) -> dict[str, Any]:
    """Read meta.json.

    Raises:
        CheckpointError: no run there, an unfinished, a damaged one, or one of a newer mien.
    """
    path = run / META_FILE
    if not path.is_file():
        raise CheckpointError(f"{run}: no trained run (meta.json is missing); run: mien train PREPARED {run}")
    try:
        meta: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path}: damaged ({error}); train the run again") from error
    if not isinstance(meta, dict):
        raise CheckpointError(f"{path}: damaged (no JSON object); train the run again")
    missing = [key for key in ("format", "method", "recipe", "data", "references") if key not in meta]
    if missing:
        raise CheckpointError(f"{path}: damaged ({', '.join(missing)} missing); train the run again")
    if meta["format"] != FORMAT:
        raise CheckpointError(f"{path}: format {meta['format']} is not known; update mien, or train again")
    return meta


def save_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def load_arrays(path: Path, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    try:
        arrays: dict[str, NDArray[Any]] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: missing or damaged ({error}); train the run again") from error
    if set(arrays) != set(names):
        raise CheckpointError(f"{path}: holds {', '.join(sorted(arrays))}, not {', '.join(names)}; train again")
    return arrays
