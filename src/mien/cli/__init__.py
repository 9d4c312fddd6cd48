"""The command line. Thin: each command reads its words, calls the library, and shows what came back."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from typing import Annotated

import typer

from mien.cli import (
    actions,
    challenge,
    combine,
    console,
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
from mien.errors import MienError, OutputError

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

        console.print_out(f"mien {version('mien')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    console.debug = debug


_state = {"ended": False}
_INTERRUPTED, _ENDED = 130, 143
_GO_ON = dict.fromkeys(
    ("prepare", "synth", "reproduce", "train-landmarks", "demo"), "; the same command goes on where it was"
) | {
    "video": "; where it writes a table of a film, the same command goes on where it was",
    "train": "; the same command with --resume goes on where it was",
}
"""Command -> what is said of it where it was stopped."""


def _end(number: int, frame: object) -> None:
    """On SIGTERM end as on Ctrl-C, so that rows are kept and temporary files are not."""
    _state["ended"] = True
    raise KeyboardInterrupt


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
    signal.signal(signal.SIGTERM, _end)
    try:
        app(words)
    except MienError as error:
        print_error(error)
        sys.exit(2)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print_error(OutputError("stdout: the disk is full"))
        sys.exit(2)
    except SystemExit as stopped:
        if stopped.code == _INTERRUPTED:
            command = next((word for word in words if not word.startswith("-")), "")
            print(f"mien: stopped{_GO_ON.get(command, '')}", file=sys.stderr)
            sys.exit(_ENDED if _state["ended"] else _INTERRUPTED)
        raise
