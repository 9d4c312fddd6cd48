"""`mien submit` and `mien score`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import print_json, refuse_output, stdout


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        epilog="Example: mien submit run prepared --order order_of_test.txt predictions.zip",
        help="Write a run's predictions as the iCV-MEFED challenge wants them, and check them.",
    )(submit)
    app.command(
        epilog="Example: mien score predictions.zip truth.txt",
        help="The challenge's score: misclassification in percent.",
    )(score)


def submit(
    run: Annotated[Path, typer.Argument(help="A trained run.")],
    prepared: Annotated[Path, typer.Argument(help="A prepared set with the photos.")],
    out: Annotated[Path, typer.Argument(help="The .zip file to write.")],
    order: Annotated[Path, typer.Option(help="The challenge's order_of_test.txt: a photo's name a line.")],
) -> None:
    from mien.datasets.prepared import PreparedSet
    from mien.evaluation.submission import read_predictions, write_submission

    refuse_output(out, (".zip",), [order])
    unusable = write_submission(run, PreparedSet.open(prepared), order, out)
    note = f"; {unusable} photos show no face or are unusable, and are given as neutral" if unusable else ""
    stdout.print(f"{out}: {len(read_predictions(out))} predictions, checked{note}")


def score(
    predictions: Annotated[Path, typer.Argument(help="A .zip with predictions.txt, or such a text file.")],
    truth: Annotated[Path, typer.Argument(help="The labels in the same order, .txt or .zip.")],
    json: Annotated[bool, typer.Option("--json", help="Print the score as JSON.")] = False,
) -> None:
    from mien.evaluation.submission import score_submission

    percent = score_submission(predictions, truth)
    if json:
        print_json({"misclassification": round(percent, 6)})
    else:
        stdout.print(f"{percent:.6f}")
