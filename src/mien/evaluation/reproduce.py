"""The paper's comparison, from a prepared set to a report: trains what is missing, reuses what is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mien.datasets.prepared import PreparedSet
from mien.evaluation.evaluate import Result, evaluate
from mien.evaluation.report import write_report
from mien.files import write_json
from mien.training.loop import Progress
from mien.training.recipe import load_recipe
from mien.training.train import train


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
        run = out / "runs" / method.folder
        recipe = load_recipe(method.recipe, method.settings)

        def tell(progress: Progress, method: Method = method) -> None:
            report(method, progress)

        train(prepared, run, recipe, name=method.recipe, resume=True, report=tell)
        runs[method.name] = run
    part = prepared.select("test")
    results = evaluate(runs, part)
    write_json(out / "report.json", {"faces": faces, "results": [result.as_dict() for result in results]})
    write_report(out / "report.html", "Compound facial expressions: four methods", faces, part, results)
    return results
