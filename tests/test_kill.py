"""Long work, really killed: the same command then ends with the same bytes as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from contents import digests

from mien.datasets import PreparedSet
from mien.jobs.executors import LocalProcesses
from mien.synth.generate import generate

pytestmark = pytest.mark.slow


def _mien(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "mien", *map(str, words)]


def _kill_when(command: list[str], reached: Path, minimum: int = 1) -> None:
    """Start a command, and kill it and its workers (SIGKILL) once `minimum` paths match `reached`."""
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(list(reached.parent.glob(reached.name))) < minimum:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline, "it never came so far"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _prepare(command: list[str]) -> None:
    """To the end; 1 says that some small faces were not found."""
    assert subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode in (0, 1)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six people, one photo in each class: three shards of a preparation."""
    out = tmp_path_factory.mktemp("kill") / "faces"
    generate(out, subjects=6, samples=1, seed=2, height=216, executor=LocalProcesses(2))
    return out


@pytest.mark.parametrize("photos", [10, 70, 200])
def test_making_faces(faces: Path, tmp_path: Path, photos: int) -> None:
    command = _mien("synth", tmp_path / "out", "--subjects", "6", "--samples", "1", "--seed", "2", "--height", "216")
    _kill_when(command, tmp_path / "out" / "Sample_*.jpg", photos)
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    assert digests(tmp_path / "out") == digests(faces)


@pytest.mark.parametrize("shards", [0, 1, 2])
def test_preparing(faces: Path, tmp_path: Path, shards: int) -> None:
    words = ("--validation", "0.2", "--test", "0.2")
    _prepare(_mien("prepare", faces, tmp_path / "whole", *words))
    command = _mien("prepare", faces, tmp_path / "cut", *words)
    reached = tmp_path / "cut" / "shards" / ("*.parquet" if shards else "plan.json")
    _kill_when(command, reached, max(shards, 1))
    _prepare(command)
    assert digests(tmp_path / "cut") == digests(tmp_path / "whole")


@pytest.mark.parametrize("recipe", ["quick", "mien"])
def test_training(prepared: PreparedSet, tmp_path: Path, recipe: str) -> None:
    settings = ("training.iterations=60", "training.validate_every=10", "training.batch_size=16", "training.warmup=0")
    words = ["--recipe", recipe, "--resume", *(word for setting in settings for word in ("--set", setting))]
    subprocess.run(_mien("train", prepared.path, tmp_path / "whole", *words), check=True, stderr=subprocess.DEVNULL)
    command = _mien("train", prepared.path, tmp_path / "cut", *words)
    _kill_when(command, tmp_path / "cut" / "resume.safetensors")
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    for name in ("model.safetensors", "population.safetensors", "metrics.jsonl", "meta.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
