"""The command line. Thin: each command reads its words, calls the library, and shows what came back."""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated

import typer

from mien.cli import (
    actions,
    challenge,
    combine,
    demo,
    displacement,
    evaluate,
    inspect,
    landmarks,
    people,
    predict,
    prepare,
    reproduce,
    serve,
    synth,
    train,
    video,
)
from mien.cli.console import print_error
from mien.errors import MienError

app = typer.Typer(
    name="mien",
    help="Read compound facial expressions from photos, relative to the same person's neutral face.",
    epilog="Everything runs on this machine; no photo leaves it. A reading says what a face displays, not what a "
    "person feels.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    predict,
    serve,
    video,
    people,
    landmarks,
    synth,
    prepare,
    inspect,
    displacement,
    train,
    combine,
    actions,
    evaluate,
    challenge,
    reproduce,
    demo,
):
    command.add_to(app)


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"mien {version('mien')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    _state["debug"] = debug


_state = {"debug": False}
_INTERRUPTED = 130


def main() -> None:
    """Run the command line; a user's error becomes one line on stderr and exit code 2."""
    for name in ("stdin", "stdout", "stderr"):  # a stream that was closed before the start is None
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what an encoding lacks is escaped, so that no answer is lost
            stream.reconfigure(errors="backslashreplace")
    words = sys.argv[1:]
    if "--debug" in words:  # wherever it stands
        words.remove("--debug")
        words.insert(0, "--debug")
    try:
        app(words)
    except MienError as error:
        if _state["debug"]:
            raise
        print_error(error)
        sys.exit(2)
    except SystemExit as stopped:
        if stopped.code == _INTERRUPTED:
            print(
                "mien: stopped; mien prepare, synth, video, reproduce, train-landmarks and, with --resume, train "
                "go on where they were",
                file=sys.stderr,
            )
        raise
