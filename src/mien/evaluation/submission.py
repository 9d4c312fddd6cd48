"""The challenge's submission: `predictions.zip` with `predictions.txt`, a label text a line, in a given order.

Source: ChaLearn micro emotion recognition challenge, FG 2017; its score is misclassification in percent, with six
decimals.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.datasets.manifest import label_or_none, parse_label
from mien.datasets.prepared import SAMPLES_FILE, PreparedSet
from mien.errors import DataError
from mien.evaluation.scoring import run_scores
from mien.files import replacing
from mien.labels import NEUTRAL, indices_to_texts, texts_to_indices

PREDICTIONS_FILE = "predictions.txt"


def write_submission(run: Path, prepared: PreparedSet, order: Path, out: Path) -> int:
    """Predict the photos that `order` names and write them, in that order, as the challenge wants them.

    Args:
        run: a trained run.
        prepared: a set that holds those photos.
        order: the challenge's `order_of_test.txt`: a photo's name a line, first word.
        out: the .zip file.

    Returns:
        how many photos are unusable, most of them for want of a face; they go in as neutral, for every line counts.

    Raises:
        DataError: an order without photos, or a photo that is not in the set, or more than once.
        CheckpointError: no trained run.
    """
    names = read_order(order)
    known = {_key(path) for path in pl.read_parquet(prepared.path / SAMPLES_FILE, columns=["path"])["path"]}
    missing = [name for name in names if _key(name) not in known]
    if missing:
        raise DataError(
            f"{order}: {len(missing)} of its photos are not in {prepared.path} (the first: {missing[0]}); prepare "
            "the folder that holds them",
            path=order,
        )
    wanted = {_key(name) for name in names}
    keys = Counter(map(_key, prepared.table["path"]))
    if twice := [name for name in names if keys[_key(name)] > 1]:
        raise DataError(
            f"{prepared.path}: holds several photos named {twice[0]}, in different folders; prepare the folder of "
            "the challenge alone",
            path=prepared.path,
        )
    chosen = np.array([_key(path) in wanted for path in prepared.table["path"]], dtype=bool)
    texts: dict[str, str] = {}
    if chosen.any():
        part = prepared.where(chosen)
        predicted = indices_to_texts(run_scores(run, part).argmax(axis=1))
        texts = {_key(path): text for path, text in zip(part.table["path"], predicted, strict=True)}
    lines = [texts.get(_key(name), str(NEUTRAL)) for name in names]
    _write_zip(out, "\n".join(lines) + "\n")
    check_submission(out, len(names))
    return sum(_key(name) not in texts for name in names)


def check_submission(path: Path, photos: int) -> NDArray[np.int64]:
    """Read a submission, and refuse what the challenge would refuse.

    Args:
        path: a .zip with predictions.txt, or such a text file.
        photos: how many lines there must be.

    Returns:
        class indices, shape (photos,).

    Raises:
        DataError: another number of lines, a line that is no label, no predictions.txt, or no zip file.
    """
    predicted = read_predictions(path)
    if len(predicted) != photos:
        raise DataError(
            f"{path}: {len(predicted)} predictions for {photos} photos; each needs a line of its own", path=path
        )
    return predicted


def read_predictions(path: Path) -> NDArray[np.int64]:
    """Class indices of a file of labels, as text or in a .zip: each line that is not empty is a label, or has one at
    its end, behind a tab or as its last word.

    Raises:
        DataError: no such file, a line that is no label, a zip without predictions.txt, or a damaged one.
    """
    labels = []
    for number, line in enumerate(filter(str.strip, _read_text(path).splitlines()), start=1):
        forms = (line, line.rpartition("\t")[2], line.split()[-1])  # a phrase of two words is no photo and a word
        label = next((label for text in forms if (label := label_or_none(text.strip()))), None)
        labels.append(label or str(parse_label(forms[-1], path, number)))
    if not labels:
        raise DataError(f"{path}: no labels in it; there must be one a line", path=path)
    return texts_to_indices(labels)


def score_submission(predictions: Path, truth: Path) -> float:
    """Misclassification in percent, 0..100.

    Args:
        predictions, truth: files of labels in the same order, see `read_predictions`.

    Raises:
        DataError: an unusable file, or different numbers of lines.
    """
    true = read_predictions(truth)
    return float(100 * (check_submission(predictions, len(true)) != true).mean())


def read_order(path: Path) -> list[str]:
    """The photos of an order file, first word of each line that is not empty.

    Raises:
        DataError: no such file, or no photos in it.
    """
    names = [line.split()[0] for line in _read_text(path).splitlines() if line.strip()]
    if not names:
        raise DataError(f"{path}: names no photos; there must be one a line")
    return names


def _key(name: str) -> str:
    """A photo's name however it is written: no folder, no ending, lower case."""
    return Path(name.replace("\\", "/")).stem.lower()


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = archive.read(_predictions_in(archive.namelist(), path))
        return content.decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); name a .txt or .zip file", path=path) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: damaged ({error}); name a .txt file, or a .zip that holds one", path=path
        ) from error


def _predictions_in(names: Sequence[str], path: Path) -> str:
    if PREDICTIONS_FILE in names:
        return PREDICTIONS_FILE
    held = ", ".join(names) or "nothing"
    raise DataError(f"{path}: holds {held}; it must hold {PREDICTIONS_FILE}, in no folder", path=path)


def _write_zip(path: Path, text: str) -> None:
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(PREDICTIONS_FILE)  # of a fixed date: the same predictions are the same bytes
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, text)
