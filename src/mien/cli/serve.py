"""`mien serve`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import print_out, stderr


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Examples: mien serve --open  |  mien serve --port 8000 --workers 4  |  "
        "MIEN_TOKEN=... mien serve --host 0.0.0.0",
        help="Open a local page for photos, films and the camera, and a REST service beside it.",
    )(serve)


def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(help="Address to listen at; one that other machines can reach needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 0,
    token: Annotated[
        str | None, typer.Option(help="That programs and people must give.", envvar="MIEN_TOKEN", show_envvar=True)
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Processes that read.", show_default="all processors")
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A further name by which browsers may call; may stand several times.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="A trained run.", show_default="the weights that come with mien")
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    from mien.errors import require
    from mien.jobs.executors import processor_count

    for module in ("fastapi", "uvicorn", "python_multipart", "pebble", "prometheus_client"):
        require(module, "serve")
    from mien.server.run import serve as run_server
    from mien.server.settings import ServerSettings

    def tell(address: str) -> None:
        print_out(address)
        stderr.print("press Ctrl-C to end")
        if open_page:
            typer.launch(address)

    settings = ServerSettings(
        run=run,
        host=host,
        port=port,
        token=token,
        workers=workers or processor_count(),
        allowed_hosts=tuple(allow_host or ()),
    )
    run_server(settings, tell, debug=bool(context.parent and context.parent.params.get("debug")))
