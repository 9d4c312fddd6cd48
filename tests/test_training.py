import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.datasets import PreparedSet
from mien.errors import DataError, MissingExtraError, OutputError, RecipeError, require
from mien.evaluation.evaluate import evaluate
from mien.evaluation.report import write_report
from mien.faces.points68 import mirror
from mien.training.augmentation import augment, mirror_displacement
from mien.training.loop import Progress, _batch_indices
from mien.training.recipe import load_recipe, recipe_names
from mien.training.train import train

GEOMETRIC = (
    'network.visual="none"',
    "training.iterations=120",
    "training.validate_every=40",
    "training.learning_rate=0.01",
)
SMALL = ("training.iterations=4", "training.validate_every=2", "training.batch_size=8")


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_that_comes_with_mien_is_valid(name: str) -> None:
    load_recipe(name)


def test_the_paper_recipe_is_the_published_solver() -> None:
    assert load_recipe("paper").as_dict() == {
        "method": "network",
        "features": "displacement",
        "network": {
            "visual": "alexnet", "geometric": True, "head": "fc7", "dropout": 0.8, "head_fill": "published",
            "scale_displacement": False,
        },
        "training": {
            "loss": "hinge", "optimiser": "sgd", "learning_rate": 5e-4, "momentum": 0.9, "weight_decay": 5e-4,
            "schedule": "step", "step_size": 20_000, "step_factor": 0.75, "batch_size": 32,
            "iterations": 100_000, "validate_every": 100, "augment": False, "references": "mean",
            "precision": "auto", "seed": 0,
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("training.speed=3", "unknown key 'speed'; known here: loss"),
        ("training.iterations=many", "iterations = 'many': must be a whole number"),
        ("training.iterations=0", "iterations = 0: must be 1 or more"),
        ("network.visual=resnet", "choose one of alexnet, compact, none"),
        ("network.dropout=1.5", "dropout = 1.5"),
        ("training", "write section.key=value"),
        ("network=3", "write it as a section"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(setting: str, complaint: str) -> None:
    with pytest.raises(RecipeError, match=complaint):
        load_recipe("quick", [setting])


def test_an_unknown_recipe_is_answered_with_those_there_are() -> None:
    with pytest.raises(RecipeError, match=r"there are .*paper"):
        load_recipe("nonsense")


def test_mirrored_displacement_is_the_displacement_of_the_mirrored_face() -> None:
    chance = np.random.default_rng(0)
    rest, face = chance.normal(112, 30, (2, 68, 2)).astype(np.float32)
    mirrored = mirror(face, 224) - mirror(rest, 224)
    moved = torch.from_numpy((face - rest).reshape(1, 136))
    np.testing.assert_allclose(mirror_displacement(moved)[0], mirrored.reshape(136), atol=1e-4)
    torch.testing.assert_close(mirror_displacement(mirror_displacement(moved)), moved)


def test_augmentation_follows_its_seed_and_keeps_form() -> None:
    crops = torch.randint(0, 256, (6, 224, 224, 3), dtype=torch.uint8)
    moved = torch.randn(6, 136)
    once, again = (augment(crops, moved, torch.Generator().manual_seed(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))
    assert once[0].shape == crops.shape
    assert once[0].dtype == torch.uint8
    assert not torch.equal(once[0], crops)


def test_every_photo_comes_once_before_any_comes_twice() -> None:
    seen = np.concatenate([_batch_indices(50, 8, seed=1, step=step) for step in range(25)])
    for start in range(0, 200, 50):
        assert sorted(seen[start : start + 50]) == list(range(50))


def _weights(run: Path) -> bytes:
    return (run / "model.safetensors").read_bytes()


def test_a_killed_run_goes_on_to_the_same_weights(prepared: PreparedSet, tmp_path: Path) -> None:
    recipe = load_recipe("quick", GEOMETRIC)
    whole = train(prepared, tmp_path / "whole", recipe)

    class Killed(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.step == 95:
            raise Killed

    with pytest.raises(Killed):
        train(prepared, tmp_path / "cut", recipe, report=stop)
    with pytest.raises(OutputError, match="--resume"):
        train(prepared, tmp_path / "cut", recipe)
    cut = train(prepared, tmp_path / "cut", recipe, resume=True)
    assert _weights(tmp_path / "cut") == _weights(tmp_path / "whole")
    assert cut["best"] == whole["best"]
    for run in ("whole", "cut"):
        steps = [json.loads(line)["step"] for line in (tmp_path / run / "metrics.jsonl").read_text().splitlines()]
        assert steps == [40, 80, 120]


def test_a_finished_run_is_left_alone_and_another_recipe_is_refused(prepared: PreparedSet, tmp_path: Path) -> None:
    train(prepared, tmp_path / "run", load_recipe("svm"))
    before = _weights(tmp_path / "run")
    train(prepared, tmp_path / "run", load_recipe("svm"))
    assert _weights(tmp_path / "run") == before
    with pytest.raises(OutputError, match="made with other recipe"):
        train(prepared, tmp_path / "run", load_recipe("lda"))


def test_the_fused_network_trains_is_judged_and_reported(prepared: PreparedSet, tmp_path: Path) -> None:
    runs = {"fused": tmp_path / "fused", "svm": tmp_path / "svm"}
    train(prepared, runs["fused"], load_recipe("quick", (*SMALL, 'training.references="mixed"')))
    train(prepared, runs["svm"], load_recipe("svm"))
    part = prepared.select("test")
    fused, svm = evaluate(runs, part)
    assert fused.scores.shape == (50, 50)
    assert svm.accuracies[0] > 0.9
    assert set(fused.meta["references"]) == {"mean", "neutral", "estimated"}
    write_report(tmp_path / "report.html", "A <title>", "Made faces.", part, [fused, svm])
    page = (tmp_path / "report.html").read_text()
    assert "A &lt;title&gt;" in page
    assert page.count("data:image/png") >= 5
    assert f"{svm.accuracies[0]:.3f}" in page


def test_a_set_without_validation_subjects_is_refused(prepared: PreparedSet, tmp_path: Path) -> None:
    training_only = prepared.select("train")
    with pytest.raises(DataError, match="no labelled photos in the part validation"):
        train(training_only, tmp_path / "run", load_recipe("svm"))
    assert not (tmp_path / "run").exists()


def test_a_missing_extra_is_answered_with_the_command_that_brings_it() -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'mien\[synth\]'"):
        require("a_package_that_is_not_there", "synth")
