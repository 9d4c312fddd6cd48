import json
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mien.datasets import PreparedSet
from mien.errors import DataError, MissingExtraError, OutputError
from mien.evaluation.metrics import interval_of_mean
from mien.training.protocols import fold_trials, seed_trials, train_trials
from mien.training.recipe import load_recipe
from mien.training.tensorboard import write_tensorboard

TINY = ('network.visual="none"', "training.iterations=3", "training.validate_every=3", "training.batch_size=8")


@pytest.mark.slow
def test_seeds_give_a_mean_and_its_interval_and_are_not_trained_twice(prepared: PreparedSet, tmp_path: Path) -> None:
    trials = seed_trials(prepared, load_recipe("quick", (*TINY, "training.seed=4")), 3)
    assert [trial.folder for trial in trials] == ["seed-4", "seed-5", "seed-6"]
    summary = train_trials(trials, tmp_path / "runs")
    losses = [best["loss"] for best in summary["runs"].values()]
    assert len(set(losses)) == 3
    interval = dict(zip(("mean", "low", "high"), interval_of_mean(losses), strict=True))
    assert summary["mean"]["loss"] == pytest.approx(interval)
    assert json.loads((tmp_path / "runs" / "summary.json").read_text()) == summary

    def forbid(*_: object) -> None:
        raise AssertionError("it trains again")

    assert train_trials(trials, tmp_path / "runs", report=forbid) == summary
    with pytest.raises(OutputError):
        train_trials(trials[:2], tmp_path / "runs")


@pytest.mark.parametrize("folds", [3, None])
def test_every_subject_outside_the_test_part_is_held_out_once(prepared: PreparedSet, folds: int | None) -> None:
    trials = fold_trials(prepared, load_recipe("svm"), folds)
    known = sorted(set(prepared.select("train", "validation").subjects))
    assert len(trials) == (folds or len(known))
    held = [subject for trial in trials for subject in set(trial.prepared.select("validation").subjects)]
    assert sorted(held) == known
    for trial in trials:
        parts = [set(trial.prepared.select(part).subjects) for part in ("train", "validation")]
        assert parts[0] | parts[1] == set(known)
        assert not parts[0] & parts[1]
    assert len({trial.prepared.fingerprint for trial in trials} | {prepared.fingerprint}) == len(trials) + 1


@pytest.mark.slow
def test_folds_are_trained_and_summed_up(prepared: PreparedSet, tmp_path: Path) -> None:
    summary = train_trials(fold_trials(prepared, load_recipe("svm"), 2), tmp_path / "runs")
    assert list(summary["runs"]) == ["fold-0", "fold-1"]
    assert summary["mean"]["top1"]["mean"] > 0.5


@pytest.mark.parametrize("folds", [1, 8])
def test_impossible_folds_are_refused(prepared: PreparedSet, folds: int) -> None:
    with pytest.raises(DataError):
        fold_trials(prepared, load_recipe("svm"), folds)


def test_one_seed_has_no_interval(prepared: PreparedSet) -> None:
    with pytest.raises(DataError):
        seed_trials(prepared, load_recipe("svm"), 1)


@pytest.mark.slow
def test_tensorboard_reads_every_validation_of_every_run_back(prepared: PreparedSet, tmp_path: Path) -> None:
    write = write_tensorboard(tmp_path / "boards")
    assert not (tmp_path / "boards").exists()
    recipe = load_recipe("quick", (*TINY, "training.validate_every=2"))
    trials = seed_trials(prepared, recipe, 2)
    train_trials(trials, tmp_path / "runs", report=lambda trial, progress: write(progress, trial.folder))
    for trial in trials:
        events = EventAccumulator(str(tmp_path / "boards" / trial.folder)).Reload()
        lines = (tmp_path / "runs" / trial.folder / "metrics.jsonl").read_text().splitlines()
        logged = {line["step"]: line["loss"] for line in map(json.loads, lines)}
        assert {event.step: event.value for event in events.Scalars("loss")} == pytest.approx(logged)
        assert list(logged) == [2, 3]


def test_tensorboard_is_answered_with_the_command_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # as if it were not installed
    with pytest.raises(MissingExtraError) as refused:
        write_tensorboard(tmp_path)
    assert refused.value.extra == "tensorboard"
