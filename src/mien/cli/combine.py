"""`mien combine`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from mien.cli.console import print_json, shown, stdout

if TYPE_CHECKING:
    from mien.artifacts import Use


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Example: mien combine prepared out --run geometry --run fused --share 0.7 --share 0.3 "
        "--common plain=2 --common contempt=0.3 --common few:happiness=3",
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
            "for the same emotion twice; few:, many: or neutral: before it for what is compared with up to 4 photos, "
            "with more, or with neutral ones. May be repeated.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print meta.json.")] = False,
) -> None:
    import msgspec

    from mien.errors import require

    require("onnx", "train")
    from mien.datasets.prepared import PreparedSet
    from mien.labels import Commonness
    from mien.training.combine import combine as combine_runs

    shares = share or [1.0] * len(run)
    by_use = _parse(common or [])
    everywhere = Commonness.from_dict(by_use.pop(None))
    own = {use: factors for use, factors in by_use.items() if use is not None}
    meta = combine_runs(PreparedSet.open(prepared), run, shares, out, common=everywhere, common_by_use=own)
    if json:
        print_json(msgspec.to_builtins(meta))
    else:
        best = meta.best
        stdout.print(shown(f"{out}: validation top-1 {best['top1']:.3f}, top-5 {best['top5']:.3f}"), soft_wrap=True)


def _parse(words: list[str]) -> dict[Use | None, dict[str, float]]:
    """Factors by name, by the use that they are for; None: for all that is not said otherwise."""
    from mien.artifacts import Use
    from mien.errors import LabelError
    from mien.labels import Commonness

    uses: dict[str, Use] = {use: use for use in get_args(Use)}
    factors: dict[Use | None, dict[str, float]] = {None: {}}
    for word in words:
        name, _, number = word.partition("=")
        use, colon, what = name.rpartition(":")
        if colon and use not in uses:
            raise typer.BadParameter(f"{word}: before the colon stands one of {', '.join(uses)}")
        try:
            factor = float(number)
        except ValueError:
            factor = 0.0
        if not 0 < factor < float("inf"):
            raise typer.BadParameter(f"{word}: say WHAT=FACTOR with a factor above 0, as happiness=2")
        factors.setdefault(uses[use] if colon else None, {})[what] = factor
    try:
        for own in factors.values():
            Commonness.from_dict(own)
    except LabelError as error:
        raise typer.BadParameter(str(error)) from error
    return factors
