"""The paper, from a prepared set to a report: trains what is missing, reuses what is there.

`compare_methods` compares a few methods on the test subjects; `reproduce_paper` makes every table and figure.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from mien.datasets.prepared import PreparedSet, landmarks_column
from mien.drawing.pages import Figure
from mien.errors import DivergedError, RecipeError
from mien.evaluation.evaluate import Result, evaluate
from mien.evaluation.report import write_report
from mien.files import write_json
from mien.studies import paper
from mien.studies.comparison import PARTS, TEST, VALIDATION
from mien.studies.comparison_report import write_comparison
from mien.studies.features import read_features
from mien.studies.methods import Method, Preset, study_methods
from mien.training.loop import Progress
from mien.training.recipe import load_recipe
from mien.training.train import train

Report = Callable[[Method, Progress | None], None]
"""Called with None as a method starts, and after every step of a network."""

_MAIN = "fused"
"""The method that the paper is about; without it there is no report."""
_SEEING = ("cnn", _MAIN, "cross-entropy")
"""Methods of whose visual branch it is asked what it knows."""
_ON_LARGE_CROPS = "fused-1200"
_LARGE = 1200
"""Side of the larger crops of Table II."""


def reproduce_paper(
    prepared: PreparedSet,
    out: Path,
    preset: Preset,
    settings: Sequence[str] = (),
    faces: str | None = None,
    only: Sequence[str] = (),
    report: Report = lambda method, progress: None,
) -> dict[str, Any]:
    """Train all that is missing and write `report.html` and `report.json` with the paper's figures beside ours.

    A network whose loss becomes infinite or NaN is left out, and the report says so. Killed at any moment, the same
    call goes on. The test part is read at the end, for finished runs only.

    Args:
        prepared: the whole prepared set; with landmarks from crops of 1200 pixels, Table II is whole.
        out: folder; runs go to `out/runs`.
        preset: see `study_methods`.
        settings: changes to the recipe of all networks, as for `load_recipe`.
        faces: a sentence that says on what faces it runs; None: as far as the set knows.
        only: keys of the methods to train, see `study_methods`, the fused network beside; none: all.
        report: see `Report`.

    Returns:
        the content of report.json.

    Raises:
        DivergedError: the fused network's loss became infinite or NaN.
        RecipeError: settings that make no recipe, or a key that no method has.
    """
    methods = study_methods(preset, settings)
    if unknown := [key for key in only if key not in methods]:
        raise RecipeError(f"no method '{unknown[0]}'; there are {', '.join(methods)}")
    for method in methods.values():
        load_recipe(method.recipe, method.settings)  # a wrong setting is refused before anything is trained
    parts = _labelled_parts(prepared)
    sets = {key: prepared for key in methods if not only or key in (*only, _MAIN)}
    why_missing = dict.fromkeys(methods.keys() - sets.keys(), "left out")
    if _ON_LARGE_CROPS in sets and landmarks_column(_LARGE) in prepared.table.columns:
        sets[_ON_LARGE_CROPS] = PreparedSet.open(prepared.path, landmark_size=_LARGE)
    elif sets.pop(_ON_LARGE_CROPS, None) is not None:
        why_missing[_ON_LARGE_CROPS] = f"prepare the set with --landmark-size {_LARGE}"
    runs = {}
    for key, data in sets.items():
        try:
            runs[key] = _train_method(data, out, methods[key], report)
        except DivergedError as error:
            if key == _MAIN:
                raise
            why_missing[key] = error.reason
    results = {
        key: {name: evaluate({methods[key].name: run}, part)[0] for name, part in parts.items()}
        for key, run in runs.items()
    }
    seeing = {methods[key].name: runs[key] for key in _SEEING if key in runs}
    return write_comparison(
        out,
        faces or describe_faces(prepared),
        _describe_setup(preset, settings, results[_MAIN][VALIDATION]),
        parts,
        results,
        {key: method.name for key, method in methods.items()},
        why_missing,
        read_features(seeing, prepared, parts),
    )


def compare_methods(
    prepared: PreparedSet,
    out: Path,
    methods: Sequence[Method],
    faces: str,
    report: Report = lambda method, progress: None,
    recognise: Callable[[], Sequence[Figure]] = tuple,
) -> list[Result]:
    """Train, evaluate on the test subjects, and write `report.html` and `report.json`.

    Args:
        prepared: the whole prepared set.
        out: folder; runs go to `out/runs`.
        methods: what to compare.
        faces: a sentence that says on what faces it runs.
        report: see `Report`.
        recognise: called when all are trained; gives photos that are in no set, for the report.
    """
    runs = {method.name: _train_method(prepared, out, method, report) for method in methods}
    part = prepared.select(TEST)
    results = evaluate(runs, part)
    write_json(out / "report.json", {"faces": faces, "results": [result.as_dict() for result in results]})
    title = f"Compound facial expressions: {len(methods)} methods"
    write_report(out / "report.html", title, faces, part, TEST, results, recognise())
    return results


def describe_faces(prepared: PreparedSet) -> str:
    """On what faces a set was prepared, as far as it knows."""
    subjects = len(set(prepared.subjects))
    source = Path(str(prepared.info.get("parameters", {}).get("source", "")))
    if os.path.isfile(source / "synth.json"):
        return f"The faces are synthetic: {subjects} subjects who do not exist."
    name = source.name or prepared.path.name
    return f"The faces are those of the folder “{name}”: {subjects} subjects."


def _labelled_parts(prepared: PreparedSet) -> dict[str, PreparedSet]:
    """Validation and test photos, as far as there are labelled ones."""
    labelled = prepared.table.filter(pl.col("label").is_not_null())
    return {part: prepared.select(part) for part in PARTS if part in set(labelled["split"])}


def _train_method(prepared: PreparedSet, out: Path, method: Method, report: Report) -> Path:
    report(method, None)
    run = out / "runs" / method.key
    recipe = load_recipe(method.recipe, method.settings)
    train(prepared, run, recipe, name=method.recipe, resume=True, report=lambda progress: report(method, progress))
    return run


_LANDMARKERS = {"cnn": "mien's own network", "ert": "dlib's regression trees"}


def _describe_setup(preset: str, settings: Sequence[str], fused: Result) -> dict[str, str]:
    """What to know about the runs: name -> text."""
    meta = fused.meta
    network, training = meta.recipe["network"], meta.recipe["training"]
    machine, versions, trained_on = meta.machine, meta.versions, meta.data.training
    changed = f", changed: {', '.join(settings)}" if settings else ""
    commit = f" at {meta.code}" if meta.code else ""
    return {
        "Preset": f"{preset}{changed}",
        "Networks": f"{network['visual']} branch, head {network['head']}, dropout {network['dropout']:g}, "
        f"{training['optimiser']}, rate {training['learning_rate']:g}, {training['iterations']:,} iterations of "
        f"{training['batch_size']} photos (the paper: AlexNet branch, SGD, {paper.ITERATIONS:,} of 32)",
        "Landmarks": f"{_LANDMARKERS[meta.landmarker]}, alignment {meta.alignment} (the paper: regression trees, "
        "alignment similarity)",
        "Trained on": f"{trained_on.photos:,} photos of {trained_on.subjects} subjects, set {meta.data.fingerprint}",
        "Machine": f"{machine['device']}, {machine['processor']}, {machine['precision']}; mien "
        f"{versions['mien']}{commit}, torch {versions['torch']}",
    }
