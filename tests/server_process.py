"""A `mien serve` in a process of its own, for tests that talk to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from mien.jobs.claims import LOCK_FILE

SAMPLES = Path(str(files("mien.server"))) / "static" / "samples"


def sample(name: str) -> bytes:
    """A sample face of the page, say `ben-neutral`."""
    return (SAMPLES / f"{name}.jpg").read_bytes()


class ServerProcess:
    """A server that runs while the context is open.

    Args:
        folder: an empty one, for profiles and for what it needs on the way.
        words: options of `mien serve`.
        environment: variables beside the usual ones.
    """

    def __init__(self, folder: Path, *words: str, **environment: str) -> None:
        self.home, self.temporary = folder / "home", folder / "tmp"
        self.temporary.mkdir(parents=True)
        self._said = tempfile.TemporaryFile("w+")
        variables = {**os.environ, "MIEN_HOME": str(self.home), "TMPDIR": str(self.temporary), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mien", "serve", *(words or ("--workers", "1"))],
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env={**variables, **environment},
        )
        assert self.process.stdout is not None
        self.first_address = self.process.stdout.readline().strip()
        """As it was printed."""
        self.address = self.first_address.partition("?")[0].rstrip("/")

    def __enter__(self) -> ServerProcess:
        assert self.address.startswith("http://"), self.said()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, and forget what it said."""
        self.stop()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._said.close()

    def stop(self) -> int:
        """Tell it to end, and wait; gives its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def said(self) -> str:
        """What it wrote on stderr so far."""
        self._said.flush()
        return Path(f"/proc/self/fd/{self._said.fileno()}").read_text()

    def workers(self) -> list[int]:
        """Processes that read for it."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    status = (entry / "stat").read_bytes().rpartition(b")")[2].split()
                    words = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if int(status[1]) == self.process.pid and b"spawn_main" in words:
                    found.append(int(entry.name))
        return found

    def left_behind(self) -> list[str]:
        """Files in its temporary folder; beside the lock of one that runs."""
        running = self.process.poll() is None
        paths = [path for path in self.temporary.rglob("*") if path.is_file() or not running]
        return [str(path.relative_to(self.temporary)) for path in paths if not (running and path.name == LOCK_FILE)]
