"""`mien combine`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import print_json, shown, stdout


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Example: mien combine prepared out --run geometry --run fused --share 0.7 --share 0.3",
        help="Make one run of several: the weighted mean of what they say, calibrated on validation subjects.",
    )(combine)


def combine(
    prepared: Annotated[Path, typer.Argument(help="A prepared set; its validation subjects calibrate.")],
    out: Annotated[Path, typer.Argument(help="New folder for the run.")],
    run: Annotated[list[Path], typer.Option(help="A trained run; name each with an option of its own.")],
    share: Annotated[
        list[float] | None, typer.Option(help="Of each run, in their order.", show_default="all the same")
    ] = None,
    plain: Annotated[float, typer.Option(min=1e-3, help="How many times as common plain emotions are.")] = 1.0,
    contempt: Annotated[float, typer.Option(min=1e-3, help="How many times as common contempt is.")] = 1.0,
    json: Annotated[bool, typer.Option("--json", help="Print meta.json.")] = False,
) -> None:
    import msgspec

    from mien.errors import require

    require("onnx", "train")
    from mien.datasets.prepared import PreparedSet
    from mien.training.combine import combine as combine_runs

    shares = share or [1.0] * len(run)
    meta = combine_runs(PreparedSet.open(prepared), run, shares, out, plain=plain, contempt=contempt)
    if json:
        print_json(msgspec.to_builtins(meta))
    else:
        best = meta.best
        stdout.print(shown(f"{out}: validation top-1 {best['top1']:.3f}, top-5 {best['top5']:.3f}"), soft_wrap=True)
