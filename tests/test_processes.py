"""Several processes, really started: they learn what one does with the whole batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from mien.datasets import PreparedSet

pytestmark = pytest.mark.slow

SETTINGS = (
    "training.iterations=2",
    "training.validate_every=2",
    "training.batch_size=16",
    "training.warmup=0",
    "training.precision=float32",
)


ALONE = (sys.executable,)
TOGETHER = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def _train(start: tuple[str, ...], *words: str) -> str:
    """Run `mien train`; what it says on stdout."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [*start, "-m", "mien", "train", *words]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.mark.parametrize(
    ("recipe", "rate", "neutral"), [("quick", 1e-3, 1), ("paper", 1e-3, 1), ("mien", 3e-4, 1), ("quick", 1e-3, 6)]
)
def test_two_processes_end_with_the_weights_of_one(
    prepared: PreparedSet, tmp_path: Path, recipe: str, rate: float, neutral: int
) -> None:
    more = ("training.optimiser=sgd", f"training.learning_rate={rate}", f"training.neutral_weight={neutral}")
    settings = (*SETTINGS, *more)
    words = [str(prepared.path), "--recipe", recipe, *(word for setting in settings for word in ("--set", setting))]
    for name, start in (("one", ALONE), ("two", TOGETHER)):
        _train(start, words[0], str(tmp_path / name), *words[1:])
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    for key in one:
        np.testing.assert_allclose(two[key], one[key], rtol=1e-3, atol=5e-5, err_msg=key)
    assert '"processes": 2' in (tmp_path / "two" / "meta.json").read_text()


def test_several_runs_by_two_processes_speak_with_one_voice(prepared: PreparedSet, tmp_path: Path) -> None:
    words = [word for setting in (*SETTINGS, 'network.visual="none"') for word in ("--set", setting)]
    out = tmp_path / "runs"
    answer = _train(TOGETHER, str(prepared.path), str(out), "--recipe", "quick", "--seeds", "2", "--json", *words)
    assert json.loads(answer) == json.loads((out / "summary.json").read_text())
    assert list(json.loads(answer)["runs"]) == ["seed-0", "seed-1"]
