"""`mien combine`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import print_json, shown, stdout

if TYPE_CHECKING:
    from mien.models.combination import Commonness


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Example: mien combine prepared out --run geometry --run fused --share 0.7 --share 0.3 "
        "--common plain=2 --common contempt=0.3",
        help="Make one run of several: the weighted mean of what they say, calibrated on validation subjects.",
    )(combine)


def combine(
    prepared: Annotated[Path, typer.Argument(help="A prepared set; its validation subjects calibrate.")],
    out: Annotated[Path, typer.Argument(help="New folder for the run.")],
    run: Annotated[list[Path], typer.Option(help="A trained run; name each with an option of its own.")],
    share: Annotated[
        list[float] | None, typer.Option(help="Of each run, in their order.", show_default="all the same")
    ] = None,
    common: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT=FACTOR",
            help="How many times as common as in the set something is held to be: an emotion, neutral, or plain, "
            "for the same emotion twice; may be repeated.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print meta.json.")] = False,
) -> None:
    import msgspec

    from mien.errors import require

    require("onnx", "train")
    from mien.datasets.prepared import PreparedSet
    from mien.training.combine import combine as combine_runs

    shares = share or [1.0] * len(run)
    meta = combine_runs(PreparedSet.open(prepared), run, shares, out, common=_parse(common or []))
    if json:
        print_json(msgspec.to_builtins(meta))
    else:
        best = meta.best
        stdout.print(shown(f"{out}: validation top-1 {best['top1']:.3f}, top-5 {best['top5']:.3f}"), soft_wrap=True)


def _parse(words: list[str]) -> Commonness:
    from mien.labels import Emotion
    from mien.models.combination import Commonness

    factors: dict[str, float] = {}
    for word in words:
        what, _, number = word.partition("=")
        try:
            factors[what] = float(number)
        except ValueError:
            factors[what] = 0.0
        if factors[what] <= 0:
            raise typer.BadParameter(f"{word}: say WHAT=FACTOR with a factor above 0, as happiness=2")
    emotions = {emotion: factors.pop(emotion.noun) for emotion in Emotion if emotion.noun in factors}
    common = Commonness(factors.pop("plain", 1.0), factors.pop("neutral", 1.0), emotions)
    if factors:
        names = ", ".join(("plain", "neutral", *(emotion.noun for emotion in Emotion)))
        raise typer.BadParameter(f"{next(iter(factors))}: choose one of {names}")
    return common
