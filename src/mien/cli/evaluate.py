"""`mien evaluate`"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mien.cli.console import print_json, print_table, refuse_output, stdout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mien.evaluation.evaluate import Result


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Example: mien evaluate prepared run svm --report report.html",
        help="Evaluate trained runs on the test subjects of a prepared set.",
    )(evaluate)


def evaluate(
    prepared: Annotated[Path, typer.Argument(help="A prepared set, see `mien prepare`.")],
    runs: Annotated[list[Path], typer.Argument(help="One or more trained runs.")],
    split: Annotated[Literal["test", "validation", "train"], typer.Option(help="Part to evaluate on.")] = "test",
    report: Annotated[Path | None, typer.Option(help="Write an HTML report with pictures here.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    from mien.datasets.prepared import PreparedSet
    from mien.evaluation.evaluate import evaluate as evaluate_runs
    from mien.evaluation.report import write_report

    if report is not None:
        refuse_output(report, (".html", ".htm"))
    part = PreparedSet.open(prepared).select(split)
    names = [run.resolve().name for run in runs]
    pairs = zip(names, runs, strict=True)
    results = evaluate_runs({name if names.count(name) == 1 else str(run): run for name, run in pairs}, part)
    if report is not None:
        write_report(report, "Evaluation", f"The photos of {prepared}.", part, split, results)
    if json:
        print_json([result.as_dict() for result in results])
        return
    print_results(results)
    if report is not None:
        stdout.print(f"report in {report}")


def print_results(results: Sequence[Result]) -> None:
    """One table, a row a method."""
    heads = ["method", "top-1", "top-2", "top-3", "top-4", "top-5", "error %", "95% of top-1"]
    rows = [
        [
            result.name,
            *(f"{share:.3f}" for share in result.accuracies),
            f"{result.misclassification:.2f}",
            "one subject" if math.isnan(result.interval[0]) else "{:.3f} to {:.3f}".format(*result.interval),
        ]
        for result in results
    ]
    print_table(heads, rows)
