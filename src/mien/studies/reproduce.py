"""The paper, from a prepared set to a report: trains what is missing, reuses what is there.

`reproduce` compares a few methods on the test subjects; `reproduce_paper` makes every table and figure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from mien.datasets.prepared import PreparedSet, landmarks_column
from mien.errors import DivergedError
from mien.evaluation.evaluate import Result, evaluate
from mien.evaluation.report import write_report
from mien.files import write_json
from mien.studies import paper
from mien.studies.comparison import TEST, VALIDATION
from mien.studies.comparison_report import write_comparison
from mien.training.loop import Progress
from mien.training.recipe import load_recipe
from mien.training.train import train

_SHOWN = "fused"
"""The method that the paper is about; without it there is no report."""
_FINE = 1200
"""Side of the larger crops of Table II."""


@dataclass(frozen=True)
class Method:
    """One row of the comparison.

    Attributes:
        name: for people.
        folder: of its run.
        recipe: name of the recipe.
        settings: changes to it.
    """

    name: str
    folder: str
    recipe: str
    settings: tuple[str, ...] = ()


def paper_methods(network_recipe: str) -> list[Method]:
    """The four methods of section III, weakest first, the networks by one recipe."""
    return [
        Method("landmark SVM", "landmark-svm", "svm", ("features=landmarks",)),
        Method("displacement SVM", "displacement-svm", "svm"),
        Method("CNN alone", "cnn", network_recipe, ("network.geometric=false",)),
        Method("fused", "fused", network_recipe),
    ]


def study_methods(preset: Literal["quick", "full"], settings: Sequence[str] = ()) -> dict[str, Method]:
    """All that the paper's tables and figures compare, by key.

    Args:
        preset: `full`: recipe `paper` as published; dropout is 0.8, and 0.5 in the studies of section V. `quick`: the
            compact branch, few iterations, the hinge loss; dropout as in recipe `quick`, and 0.5 in these studies.
        settings: changes to the recipe of all networks; what makes a method what it is stays.
    """
    recipe, common = _PRESETS[preset]
    half, cross = "network.dropout=0.5", "training.loss=cross-entropy"

    def network(name: str, folder: str, *own: str) -> Method:
        return Method(name, folder, recipe, (*common, *settings, *own))

    linear = paper_methods(recipe)[:2]
    methods = [
        *linear,
        Method("displacement LDA", "lda", "lda"),
        network("CNN alone", "cnn", "network.geometric=false"),
        network("fused", "fused"),
        network("fused, dropout 0.5, landmarks at 224", "fused-half", half),
        network("fused, dropout 0.5, landmarks at 1200", "fused-1200", half),
        network("fused, dropout 0.5, cross-entropy", "cross-entropy", half, cross),
        network("two networks", "two-networks", "network.outputs=two-networks"),
        network("two heads", "two-heads", "network.outputs=two-heads"),
        network("displacement alone, network", "geometric", "network.visual=none"),
        network("fused, head of one layer", "direct", "network.head=direct"),
    ]
    return {method.folder: method for method in methods}


_PRESETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "full": ("paper", ()),
    "quick": (
        "quick",
        (
            "training.loss=hinge", "training.iterations=150", "training.validate_every=30", "training.batch_size=32",
            "augmentation.mirror=false", "augmentation.shift=0", "augmentation.color_jitter=0",
        ),
    ),
}  # fmt: skip


def reproduce_paper(
    prepared: PreparedSet,
    out: Path,
    preset: Literal["quick", "full"],
    settings: Sequence[str] = (),
    faces: str | None = None,
    report: Callable[[Method, Progress | None], None] = lambda method, progress: None,
) -> dict[str, Any]:
    """Train all that is missing and write `report.html` and `report.json` with the paper's figures beside ours.

    A network whose loss becomes no number is left out, and the report says so. Killed at any moment, the same call
    goes on. The test part is read at the end, for finished runs only.

    Args:
        prepared: the whole prepared set; with landmarks from crops of 1200 pixels, Table II is whole.
        out: folder; runs go to `out/runs`.
        preset: see `study_methods`.
        settings: changes to the recipe of all networks, as for `load_recipe`.
        faces: a sentence that says on what faces it runs; None: as far as the set knows.
        report: called with None as a method starts, and after every step of a network.

    Returns:
        the content of report.json.

    Raises:
        DivergedError: the fused network's loss became no number.
        RecipeError: settings that make no recipe.
    """
    methods = study_methods(preset, settings)
    for method in methods.values():
        load_recipe(method.recipe, method.settings)  # a wrong setting is refused before anything is trained
    labelled = prepared.table.filter(pl.col("label").is_not_null())
    parts = {part: prepared.select(part) for part in (VALIDATION, TEST) if part in set(labelled["split"])}
    why_missing = {}
    sets = dict.fromkeys(methods, prepared)
    if landmarks_column(_FINE) in prepared.table.columns:
        sets["fused-1200"] = PreparedSet.open(prepared.path, landmark_size=_FINE)
    else:
        why_missing["fused-1200"] = f"prepare the set with --landmark-size {_FINE}"
        del sets["fused-1200"]
    runs = {}
    for key, data in sets.items():
        method = methods[key]
        report(method, None)
        try:
            runs[key] = _train_method(data, out, method, report)
        except DivergedError as error:
            if key == _SHOWN:
                raise
            why_missing[key] = error.reason
    judged = {
        key: {name: evaluate({methods[key].name: run}, part)[0] for name, part in parts.items()}
        for key, run in runs.items()
    }
    return write_comparison(
        out,
        faces or describe_faces(prepared),
        _setup(preset, settings, judged[_SHOWN][VALIDATION]),
        parts,
        judged,
        {key: method.name for key, method in methods.items()},
        why_missing,
    )


def describe_faces(prepared: PreparedSet) -> str:
    """On what faces a set was prepared, as far as it knows."""
    people = len(set(prepared.subjects))
    source = Path(str(prepared.info.get("parameters", {}).get("source", "")))
    if (source / "synth.json").is_file():
        return f"The faces are made: {people} people who do not exist."
    name = source.name or prepared.path.name
    return f"The faces are those of the folder “{name}”: {people} people."


def _train_method(
    prepared: PreparedSet, out: Path, method: Method, report: Callable[[Method, Progress | None], None]
) -> Path:
    run = out / "runs" / method.folder
    recipe = load_recipe(method.recipe, method.settings)
    train(prepared, run, recipe, name=method.recipe, resume=True, report=lambda progress: report(method, progress))
    return run


def _setup(preset: str, settings: Sequence[str], fused: Result) -> dict[str, str]:
    """What to know about the runs, for the report."""
    recipe, machine = fused.meta.recipe, fused.meta.machine
    network, training = recipe["network"], recipe["training"]
    return {
        "Preset": f"{preset}{', changed: ' + ', '.join(settings) if settings else ''}",
        "Networks": f"{network['visual']} branch, head {network['head']}, dropout {network['dropout']:g}, "
        f"{training['optimiser']}, rate {training['learning_rate']:g}, {training['iterations']:,} iterations of "
        f"{training['batch_size']} photos (the paper: AlexNet branch, SGD, {paper.ITERATIONS:,} of 32)",
        "Trained on": f"{fused.meta.data.training.photos:,} photos of "
        f"{fused.meta.data.training.subjects} people, set {fused.meta.data.fingerprint}",
        "Machine": f"{machine['device']}, {machine['processor']}, {machine['precision']}; mien "
        f"{fused.meta.versions['mien']}{' at ' + fused.meta.code if fused.meta.code else ''}, torch "
        f"{fused.meta.versions['torch']}",
    }


def reproduce(
    prepared: PreparedSet,
    out: Path,
    methods: Sequence[Method],
    faces: str,
    report: Callable[[Method, Progress | None], None] = lambda method, progress: None,
) -> list[Result]:
    """Train, judge on the test subjects, and write `report.html` and `report.json`.

    Args:
        prepared: the whole prepared set.
        out: folder; runs go to `out/runs`.
        methods: what to compare.
        faces: a sentence that says on what faces it runs.
        report: called with None as a method starts, and after every step of a network.
    """
    runs = {}
    for method in methods:
        report(method, None)
        runs[method.name] = _train_method(prepared, out, method, report)
    part = prepared.select(TEST)
    results = evaluate(runs, part)
    write_json(out / "report.json", {"faces": faces, "results": [result.as_dict() for result in results]})
    write_report(out / "report.html", "Compound facial expressions: four methods", faces, part, TEST, results)
    return results
