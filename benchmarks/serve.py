"""How the server bears many clients at once, beside the PyPI package fer behind a server of one process.

    python benchmarks/serve.py [--clients 32] [--seconds 60] [--workers 2] [--peer PYTHON]

Each client sends one photo of 640 pixels after the other, as soon as it has an answer. PYTHON is the interpreter of
an environment with fer; `make bench-peers` makes .venv-peers, which is used where it is there. Then a camera sends
frames of 480 pixels, two at a time, as the page does. Memory is that of the server and its workers together,
resident, less what they share.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from PIL import Image
from skimage import data

PEER = Path(__file__).parents[1] / ".venv-peers" / "bin" / "python"
WARM = 8
"""Photos at the start that are not counted."""


@dataclass
class Load:
    """What many clients saw."""

    seconds: list[float] = field(default_factory=list)
    errors: int = 0
    memory: list[float] = field(default_factory=list)
    duration: float = 0.0

    def row(self, name: str) -> str:
        """Of the table."""
        ordered = sorted(self.seconds)
        p95 = ordered[int(0.95 * (len(ordered) - 1))]
        rate = len(ordered) / self.duration
        memory = f"{self.memory[0]:.0f} to {self.memory[-1]:.0f}, at most {max(self.memory):.0f}"
        return f"| {name} | {rate:.1f} | {statistics.median(ordered):.2f} | {p95:.2f} | {self.errors} | {memory} |"


class Served:
    """A server in a process of its own."""

    def __init__(self, words: list[str]) -> None:
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        if not self.address.startswith("http"):
            sys.exit("the server does not start; run its command to see why")

    def memory(self) -> float:
        """Megabytes."""
        return sum(_unshared(pid) for pid in _family(self._process.pid))

    def end(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(60)


def main(clients: int, seconds: float, workers: int, peer: Path | None) -> None:
    photo = _jpeg(640)
    print("| | photos/s | median s | p95 s | errors | memory MB, first to last |")
    print("|---|---|---|---|---|---|")
    served = Served([sys.executable, "-m", "mien", "serve", "--workers", str(workers)])
    try:
        print(asyncio.run(_press(served, "v1/photos", photo, clients, seconds)).row(f"mien, {workers} workers"))
        rate = asyncio.run(_camera(served.address, _jpeg(480), min(seconds, 20)))
    finally:
        served.end()
    if peer is not None:
        served = Served([str(peer), str(Path(__file__).with_name("peer_fer_server.py"))])
        try:
            print(asyncio.run(_press(served, "", photo, clients, seconds)).row("fer, one process"))
        finally:
            served.end()
    print(f"\ncamera: {rate:.1f} answers/s, two frames of 480 pixels at a time")


async def _press(served: Served, path: str, photo: bytes, clients: int, seconds: float) -> Load:
    load = Load()
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=served.address, timeout=300, limits=limits) as to:

        async def ask() -> tuple[float, bool]:
            start = time.perf_counter()
            answer = await to.post(path, files={"photo": ("photo.jpg", photo, "image/jpeg")})
            return time.perf_counter() - start, answer.status_code == 200

        async def client(end: float) -> None:
            while time.perf_counter() < end:
                taken, right = await ask()
                if right:
                    load.seconds.append(taken)
                else:
                    load.errors += 1

        async def watch(end: float) -> None:
            while time.perf_counter() < end:
                load.memory.append(await asyncio.to_thread(served.memory))
                await asyncio.sleep(2)

        await asyncio.gather(*(ask() for _ in range(WARM)))
        start = time.perf_counter()
        await asyncio.gather(watch(start + seconds), *(client(start + seconds) for _ in range(clients)))
        load.duration = time.perf_counter() - start
    return load


async def _camera(address: str, frame: bytes, seconds: float) -> float:
    """Answers a second."""
    async with httpx.AsyncClient(base_url=address, timeout=60) as to:
        camera = (await to.post("v1/cameras")).json()["camera"]
        path, headers, stamps = f"v1/cameras/{camera}/frames", {"content-type": "image/jpeg"}, []
        begin = time.perf_counter()

        async def send() -> None:
            while time.perf_counter() - begin < seconds:
                (await to.post(path, content=frame, headers=headers)).raise_for_status()
                stamps.append(time.perf_counter())

        await asyncio.gather(send(), send())
    steady = [stamp for stamp in stamps if stamp > begin + seconds / 4]
    return (len(steady) - 1) / (steady[-1] - steady[0])


def _jpeg(side: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(data.astronaut()).resize((side, side), Image.Resampling.LANCZOS).save(file, "JPEG", quality=92)
    return file.getvalue()


def _family(pid: int) -> list[int]:
    """A process and its children."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_bytes().rpartition(b")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    return [pid, *(below for child in children.get(pid, []) for below in _family(child))]


def _unshared(pid: int) -> float:
    try:
        pages = (Path("/proc") / str(pid) / "statm").read_text().split()
    except OSError:
        return 0.0
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--peer", type=Path, default=PEER if PEER.is_file() else None)
    arguments = parser.parse_args()
    main(arguments.clients, arguments.seconds, arguments.workers, arguments.peer)
