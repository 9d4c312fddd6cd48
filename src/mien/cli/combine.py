"""`mien combine`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import print_json, shown, stdout

if TYPE_CHECKING:
    from mien.artifacts import Use
    from mien.labels import Commonness


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Example: mien combine prepared out --run geometry --run fused --share 0.7 --share 0.3 "
        "--common plain=2 --common contempt=0.3 --common few:mild-happiness=9",
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
            "for the same emotion twice; mild-happiness and the like for an emotion on faces that show little; few:, "
            "many: or neutral: before it for what is compared with up to 4 photos, with more, or with neutral ones. "
            "May be repeated.",
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
    meta = combine_runs(PreparedSet.open(prepared), run, shares, out, _parse(common or []))
    if json:
        print_json(msgspec.to_builtins(meta))
    else:
        best = meta.best
        stdout.print(shown(f"{out}: validation top-1 {best['top1']:.3f}, top-5 {best['top5']:.3f}"))


def _parse(words: list[str]) -> dict[Use, Commonness]:
    """How common classes are held to be; what is said of one use goes before what is said of all."""
    from mien.artifacts import USES
    from mien.errors import LabelError
    from mien.labels import Commonness

    everywhere: dict[str, float] = {}
    own: dict[str, dict[str, float]] = {use: {} for use in USES}
    for word in words:
        name, _, number = word.partition("=")
        use, colon, what = name.rpartition(":")
        if colon and use not in own:
            raise typer.BadParameter(f"{word}: before the colon stands one of {', '.join(USES)}")
        try:
            factor = float(number)
        except ValueError:
            factor = 0.0
        if not 0 < factor < float("inf"):
            raise typer.BadParameter(f"{word}: say WHAT=FACTOR with a factor above 0, as happiness=2")
        (own[use] if colon else everywhere)[what] = factor
    try:
        return {use: Commonness.from_dict(everywhere | own[use]) for use in USES} if words else {}
    except LabelError as error:
        raise typer.BadParameter(str(error)) from error
