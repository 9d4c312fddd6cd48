import json
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from mien.artifacts import load_meta
from mien.datasets import PreparedSet
from mien.errors import (
    CheckpointError,
    DataError,
    DivergedError,
    MissingExtraError,
    OutputError,
    RecipeError,
    UnfinishedError,
    require,
)
from mien.evaluation.evaluate import evaluate
from mien.evaluation.report import write_report
from mien.faces.points68 import mirror
from mien.models.network import build_network
from mien.training.augmentation import mirror_displacement, mirror_landmarks, sample_augmentation
from mien.training.batches import Batches, batch_indices, group_photos
from mien.training.loop import Learner, Progress
from mien.training.machine import start_fabric
from mien.training.optimisation import average_weights, build_optimiser, schedule
from mien.training.recipe import (
    RENAMED_KEYS,
    AugmentationConfig,
    Recipe,
    TrainingConfig,
    build_recipe,
    load_recipe,
    recipe_names,
)
from mien.training.train import train

GEOMETRIC = (
    'network.visual="none"',
    "training.iterations=120",
    "training.validate_every=40",
    "training.learning_rate=0.01",
)
BURSTING = (*GEOMETRIC, "training.loss=hinge", "training.optimiser=sgd", "training.learning_rate=1e30")
SMALL = ("training.iterations=4", "training.validate_every=2", "training.batch_size=8")


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_that_comes_with_mien_is_valid(name: str) -> None:
    load_recipe(name)


def test_the_paper_recipe_is_the_published_solver() -> None:
    assert load_recipe("paper").as_dict() == {
        "method": "network",
        "features": "displacement",
        "network": {
            "visual": "alexnet", "geometric": True, "head": "fc7", "outputs": "joint", "dropout": 0.8,
            "head_init": "published", "scale_displacement": False, "relative_visual": False,
        },
        "training": {
            "loss": "hinge", "auxiliary_weight": 0.5, "smoothing": 0.0, "related": 0.0, "neutral_weight": 1.0,
            "optimiser": "sgd",
            "learning_rate": 5e-4, "momentum": 0.9, "weight_decay": 5e-4, "schedule": "step", "step_size": 20_000,
            "step_factor": 0.75, "warmup": 0, "ema_decay": 0.0, "batch_size": 32, "samples_per_subject": 1,
            "iterations": 100_000, "validate_every": 100, "references": "mean",
            "precision": "auto", "compile": False, "seed": 0,
        },
        "augmentation": {
            "mirror": False, "rotation": 0.0, "scale": 0.0, "move": 0.0, "landmark_noise": 0.0, "weakest": 1.0,
            "shift": 0, "color_jitter": 0.0, "erase": 0.0,
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("training.speed=3", "training.speed", 3),
        ("speed=3", "speed", 3),
        ("method=forest", "method", "forest"),
        ("training.iterations=many", "training.iterations", "many"),
        ("training.iterations=4.0", "training.iterations", 4.0),
        ("training.iterations=true", "training.iterations", True),
        ("training.iterations=0", "training.iterations", 0),
        ("training.compile=1", "training.compile", 1),
        ("training.learning_rate=0", "training.learning_rate", 0),
        ("training.seed=-1", "training.seed", -1),
        ("training.batch_size=1", "training.batch_size", 1),
        ("training.warmup=500", "training.warmup", 500),
        ("training.ema_decay=1.0", "training.ema_decay", 1.0),
        ("training.related=1.0", "training.related", 1.0),
        ("training.samples_per_subject=5", "training.samples_per_subject", 5),
        ("augmentation.rotation=-1", "augmentation.rotation", -1),
        ("augmentation.scale=0.5", "augmentation.scale", 0.5),
        ("augmentation.erase=2", "augmentation.erase", 2),
        ("network.relative_visual=true", "network.relative_visual", True),
        ("network.visual=resnet", "network.visual", "resnet"),
        ("network.dropout=1.5", "network.dropout", 1.5),
        ("network=3", "network", 3),
        ("method.name=svm", "method.name", "svm"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(setting: str, key: str, value: object) -> None:
    with pytest.raises(RecipeError) as refused:
        load_recipe("quick", [setting])
    assert (refused.value.key, refused.value.value) == (key, value)
    assert refused.value.source == f"--set {setting}"
    assert "\n" not in str(refused.value)


def test_a_setting_without_a_value_is_refused() -> None:
    with pytest.raises(RecipeError):
        load_recipe("quick", ["training"])


def test_a_wrong_file_is_refused_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    for content, key in (("[training]\nloss = 'l1'", "training.loss"), ("[training]\nloss", None)):
        path.write_text(content)
        with pytest.raises(RecipeError) as refused:
            load_recipe(str(path))
        assert refused.value.key == key
        assert str(path) in str(refused.value)  # the file is named
    with pytest.raises(RecipeError):
        load_recipe(str(tmp_path / "none.toml"))


@pytest.mark.parametrize("old", RENAMED_KEYS)
def test_an_old_key_is_answered_with_its_new_name_in_files_and_settings(old: str, tmp_path: Path) -> None:
    section, name = old.split(".")
    (tmp_path / "old.toml").write_text(f"[{section}]\n{name} = 1\n")
    for arguments in ((str(tmp_path / "old.toml"),), ("quick", [f"{old}=1"])):
        with pytest.raises(RecipeError) as refused:
            load_recipe(*arguments)
        assert refused.value.new_name == RENAMED_KEYS[old]


@pytest.mark.parametrize("key", RENAMED_KEYS.values())
def test_the_new_name_of_a_key_is_a_key(key: str) -> None:
    section, name = key.split(".")
    assert name in Recipe().as_dict()[section]


def test_a_number_without_a_point_is_a_number() -> None:
    rate = load_recipe("quick", ["training.learning_rate=1"]).training.learning_rate
    assert isinstance(rate, float)


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_survives_as_dictionaries(name: str) -> None:
    recipe = load_recipe(name)
    assert build_recipe(json.loads(json.dumps(recipe.as_dict()))) == recipe


def test_a_recipe_built_wrongly_in_python_trains_nothing(prepared: PreparedSet, tmp_path: Path) -> None:
    recipe = Recipe(training=TrainingConfig(learning_rate=-1.0))
    with pytest.raises(RecipeError) as refused:
        train(prepared, tmp_path / "run", recipe)
    assert refused.value.key == "training.learning_rate"
    assert not (tmp_path / "run").exists()


def test_reading_a_recipe_loads_no_torch() -> None:
    program = "import sys; from mien.training.recipe import load_recipe; load_recipe('paper'); print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "torch" not in answer.stdout.split()


def test_an_unknown_recipe_is_refused_with_those_there_are() -> None:
    with pytest.raises(RecipeError) as refused:
        load_recipe("nonsense")
    assert all(name in str(refused.value) for name in recipe_names())  # each is named


def test_mirrored_displacement_is_the_displacement_of_the_mirrored_face() -> None:
    rng = np.random.default_rng(0)
    neutral, face = rng.normal(112, 30, (2, 68, 2)).astype(np.float32)
    mirrored = mirror(face, 224) - mirror(neutral, 224)
    moved = torch.from_numpy((face - neutral).reshape(1, 136))
    np.testing.assert_allclose(mirror_displacement(moved)[0], mirrored.reshape(136), atol=1e-4)
    torch.testing.assert_close(mirror_displacement(mirror_displacement(moved)), moved)


EVERYTHING = AugmentationConfig(
    mirror=True, rotation=4.0, scale=0.05, move=3.0, landmark_noise=0.5, shift=6, color_jitter=1.0, erase=0.5
)


def _augmented(rows: slice, config: AugmentationConfig = EVERYTHING) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    crops = torch.randint(0, 256, (6, 224, 224, 3), dtype=torch.uint8, generator=rng)[rows]
    landmarks, moved = torch.randn(2, 6, 136, generator=rng)
    params = sample_augmentation(config, 6, torch.Generator().manual_seed(3)).select(rows, torch.device("cpu"))
    displacement = params.apply_to_displacement(moved[rows], 112 + 30 * landmarks[rows], 224)
    return params.apply_to_crops(crops), displacement


def test_a_part_of_a_batch_is_augmented_as_in_the_whole() -> None:
    whole = _augmented(slice(0, 6))
    parts = [_augmented(slice(0, 2)), _augmented(slice(2, 6))]
    for all_rows, *some_rows in zip(whole, *parts, strict=True):
        torch.testing.assert_close(all_rows, torch.cat(some_rows))
    assert whole[0].shape == (6, 224, 224, 3)
    assert whole[0].dtype == torch.uint8


def test_no_augmentation_changes_nothing() -> None:
    crops, moved = torch.randint(0, 256, (2, 224, 224, 3), dtype=torch.uint8), torch.randn(2, 136)
    params = sample_augmentation(AugmentationConfig(), 2, torch.Generator())
    assert torch.equal(params.apply_to_crops(crops), crops)
    assert torch.equal(params.apply_to_displacement(moved, moved, 224), moved)


@pytest.mark.parametrize(
    "config", [AugmentationConfig(rotation=8, scale=0.1, move=5), AugmentationConfig(mirror=True)]
)
def test_landmarks_go_where_the_picture_goes(config: AugmentationConfig) -> None:
    places = torch.randint(60, 164, (8, 68, 2), generator=torch.Generator().manual_seed(0))
    places[:] = places[:, :1]  # all landmarks of a photo on one point, where it has a bright blot
    crops = torch.zeros(8, 224, 224, 3, dtype=torch.uint8)
    for photo, (x, y) in enumerate(places[:, 0].tolist()):
        crops[photo, y - 2 : y + 3, x - 2 : x + 3] = 250
    landmarks = places.reshape(8, 136).float()
    # the reference is the origin, so that displacement says where landmarks are
    params = sample_augmentation(config, 8, torch.Generator().manual_seed(5))
    changed, moved = params.apply_to_crops(crops), params.apply_to_displacement(landmarks, landmarks, 224)
    light = changed[..., 0].double()
    rows, columns = torch.meshgrid(torch.arange(224.0), torch.arange(224.0), indexing="ij")
    measured = torch.stack([(light * axis).sum((1, 2)) / light.sum((1, 2)) for axis in (columns, rows)], 1)
    computed = moved.reshape(8, 68, 2)[:, 0]
    if config.mirror:
        computed = torch.where(computed[:, :1] < 0, computed + torch.tensor([223.0, 0.0]), computed)
    torch.testing.assert_close(measured.float(), computed, atol=0.1, rtol=0)
    assert not torch.equal(changed, crops)


def test_a_processor_changes_crops_as_the_formulas_say() -> None:
    crops = torch.randint(0, 256, (9, 224, 224, 3), dtype=torch.uint8)
    config = AugmentationConfig(mirror=True, shift=6, color_jitter=1.0)
    params = sample_augmentation(config, 9, torch.Generator().manual_seed(3))
    assert params.mirrored is not None
    assert params.shift is not None
    assert params.color is not None
    photos = torch.where(params.mirrored[:, None, None, None], crops.flip(2), crops)
    rows, columns = ((torch.arange(224) + params.shift[:, i : i + 1]).clamp(0, 223) for i in (0, 1))
    photos = photos[torch.arange(9)[:, None, None], rows[:, :, None], columns[:, None, :]]
    gain, bias = params.color[:, None, None].unbind(3)
    photos = (photos * gain + bias).clamp(0, 255).to(torch.uint8)
    assert torch.equal(params.apply_to_crops(crops), photos)


def test_mirrored_landmarks_are_those_of_the_mirrored_face() -> None:
    face = np.random.default_rng(0).normal(112, 30, (68, 2)).astype(np.float32)
    mirrored = mirror_landmarks(torch.from_numpy(face.reshape(1, 136)), 224)
    np.testing.assert_allclose(mirrored[0], mirror(face, 224).reshape(136), atol=1e-4)


def test_every_photo_comes_once_before_any_comes_twice() -> None:
    seen = np.concatenate([batch_indices(50, 8, seed=1, step=step) for step in range(25)])
    for start in range(0, 200, 50):
        assert sorted(seen[start : start + 50]) == list(range(50))


def test_groups_are_of_one_subject_and_an_epoch_has_every_photo() -> None:
    numbers = np.repeat([0, 1, 2], [11, 8, 3])
    for epoch in (0, 1):
        groups = group_photos(numbers, 4, seed=1, epoch=epoch)
        assert groups.shape == (3 + 2 + 1, 4)
        assert all(len(set(numbers[group])) == 1 for group in groups)
        assert set(groups.flat) == set(range(22))
    assert not np.array_equal(groups, group_photos(numbers, 4, seed=1, epoch=0))


def test_batches_keep_subjects_together_and_give_each_group_one_kind_of_reference(prepared: PreparedSet) -> None:
    part = prepared.select("train")
    recipe = load_recipe("quick", ("training.samples_per_subject=8", "training.batch_size=32"))
    kinds = np.stack([part.displacement, part.displacement + 99, part.displacement + 199])
    batches = Batches(part, kinds, recipe, torch.device("cpu"))
    for step in range(4):
        subjects = batches.batch(step).subjects.reshape(-1, 8)
        distance = batches.batch(step).displacement[:, 1::2].mean(1).reshape(-1, 8)
        assert (subjects == subjects[:, :1]).all()
        assert torch.equal(subjects == -1, distance > 150)  # no reference but the photo itself


def test_batches_follow_from_the_step_alone_also_ahead_of_time_and_in_parts(prepared: PreparedSet) -> None:
    training = prepared.select("train")
    recipe = load_recipe("quick", ("training.iterations=5", "training.batch_size=8", "augmentation.rotation=3"))
    moved = np.stack([training.displacement, training.displacement + 1])
    batches = Batches(training, moved, recipe, torch.device("cpu"))
    halves = [Batches(training, moved, recipe, torch.device("cpu"), rank, 2) for rank in (0, 1)]
    ahead = list(batches.from_step(2))
    assert len(ahead) == 3
    for step, batch in enumerate(ahead, start=2):
        parts = [half.batch(step) for half in halves]
        for name in ("crops", "displacement", "labels"):
            assert torch.equal(getattr(batch, name), getattr(batches.batch(step), name))
            assert torch.equal(getattr(batch, name), torch.cat([getattr(part, name) for part in parts]))


def test_schedules_warm_up_and_come_down() -> None:
    cosine = load_recipe("quick", ("training.warmup=9", "training.iterations=100")).training
    rates = [schedule(cosine, step) for step in range(100)]
    assert rates[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert max(rates) == pytest.approx(1)
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] < 0.001
    paper = load_recipe("paper").training
    assert [schedule(paper, step) for step in (0, 19_999, 20_000, 99_999)] == [1, 1, 0.75, 0.75**4]


def test_biases_learn_twice_as_fast_without_decay_and_slopes_are_weights() -> None:
    recipe = load_recipe("paper")
    network = build_network(recipe.network)
    weights, biases = build_optimiser(network, recipe.training).param_groups
    names = {id(p): name for name, p in network.named_parameters()}
    assert all(names[id(p)].endswith("bias") for p in biases["params"])
    assert len(weights["params"]) + len(biases["params"]) == len(names)
    assert (weights["rate"], weights["weight_decay"]) == (5e-4, 5e-4)
    assert (biases["rate"], biases["weight_decay"]) == (1e-3, 0)
    assert sum(p.shape == (384,) for p in weights["params"]) == 2  # slopes of conv3 and conv4


def test_the_moving_average_forgets_its_start_and_copies_counters() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    weight, running, count = network[0].weight, network[1].running_mean, network[1].num_batches_tracked
    average = average_weights(network, 0.5)
    expected = weight.detach().clone()
    for step in range(20):
        with torch.no_grad():
            weight += 1
            running += 1
            count += 1
        average.update_parameters(network)
        expected = torch.lerp(expected, weight.detach(), 1 - min(0.5, (1 + step) / (10 + step)))
        torch.testing.assert_close(average.module[0].weight, expected)
    lag = (weight.detach() - expected).mean()  # the same for all that grows alike
    torch.testing.assert_close(average.module[1].running_mean, running - lag)
    assert average.module[1].num_batches_tracked == 20
    assert not any(p.requires_grad for p in average.parameters())


def _weights(run: Path) -> bytes:
    return (run / "model.safetensors").read_bytes()


@pytest.mark.slow
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
    with pytest.raises(UnfinishedError) as refused:
        train(prepared, tmp_path / "cut", recipe)
    assert refused.value.run == tmp_path / "cut"
    cut = train(prepared, tmp_path / "cut", recipe, resume=True)
    assert _weights(tmp_path / "cut") == _weights(tmp_path / "whole")
    assert cut.best == whole.best
    for run in ("whole", "cut"):
        steps = [json.loads(line)["step"] for line in (tmp_path / run / "metrics.jsonl").read_text().splitlines()]
        assert steps == [40, 80, 120]


@pytest.mark.slow
def test_a_run_that_is_finished_elsewhere_says_where_it_was_trained(
    prepared: PreparedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Taken(Exception):
        pass

    def take(progress: Progress) -> None:
        if progress.step == progress.steps:
            raise Taken

    monkeypatch.setattr("mien.training.loop.describe_machine", lambda _: {"device": "another"})
    with pytest.raises(Taken):
        train(prepared, tmp_path / "run", load_recipe("quick", GEOMETRIC), report=take)
    monkeypatch.undo()
    meta = train(prepared, tmp_path / "run", load_recipe("quick", GEOMETRIC), resume=True)
    assert meta.machine == {"device": "another"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("recipe", ["paper", "quick", "mien"])
def test_a_recorded_step_learns_what_one_that_is_not_recorded_does(prepared: PreparedSet, recipe: str) -> None:
    training = prepared.select("train")
    losses = []
    for recorded in (True, False):
        made = load_recipe(recipe, ("training.batch_size=8", "training.samples_per_subject=2"))
        learner = Learner(start_fabric(made.training), training, made)
        if not recorded:
            learner._step = learner._change_weights
        batches = Batches(training, training.displacement[None], made, torch.device("cuda", 0))
        losses.append([learner.learn(batches.batch(step), step).item() for step in range(8)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)


@pytest.mark.slow
def test_a_run_that_was_killed_after_its_last_step_trains_nothing_twice(
    prepared: PreparedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe("quick", GEOMETRIC)

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mien.training.train.export_network", kill)
    with pytest.raises(KeyboardInterrupt):
        train(prepared, tmp_path / "cut", recipe)
    monkeypatch.undo()

    def forbid(progress: Progress) -> None:
        raise AssertionError("it trains again")

    cut = train(prepared, tmp_path / "cut", recipe, resume=True, report=forbid)
    whole = train(prepared, tmp_path / "whole", recipe)
    assert _weights(tmp_path / "cut") == _weights(tmp_path / "whole")
    assert cut == whole
    for run in ("cut", "whole"):
        assert not (tmp_path / run / "resume.safetensors").exists()


def test_a_run_is_evaluated_by_landmarks_as_it_was_trained_with(prepared: PreparedSet, tmp_path: Path) -> None:
    folder = tmp_path / "prepared"
    shutil.copytree(prepared.path, folder)
    table = pl.read_parquet(folder / "samples.parquet")
    backwards = [marks[::-1] for marks in table["landmarks_crop"].to_list()]
    fine = pl.Series("landmarks_crop_1200", backwards, dtype=table["landmarks_crop"].dtype)
    table.with_columns(fine).write_parquet(folder / "samples.parquet")
    train(PreparedSet.open(folder, landmark_size=1200), tmp_path / "run", load_recipe("svm"))
    results = evaluate({"svm": tmp_path / "run"}, PreparedSet.open(folder).select("test"))
    assert results[0].accuracies[0] > 0.9
    assert results[0].own_set
    with pytest.raises(DataError):  # no landmarks from crops of 1200 pixels
        evaluate({"svm": tmp_path / "run"}, prepared.select("test"))


def test_a_finished_run_is_left_alone_and_another_recipe_is_refused(prepared: PreparedSet, tmp_path: Path) -> None:
    train(prepared, tmp_path / "run", load_recipe("svm"))
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in (tmp_path / "run").iterdir()}
    train(prepared, tmp_path / "run", load_recipe("svm"))
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in (tmp_path / "run").iterdir()} == before
    with pytest.raises(OutputError):
        train(prepared, tmp_path / "run", load_recipe("lda"))


@pytest.mark.slow
def test_the_fused_network_is_trained_evaluated_and_reported(
    prepared: PreparedSet, svm: Path, tmp_path: Path
) -> None:
    runs = {"fused": tmp_path / "fused", "svm": svm}
    train(prepared, runs["fused"], load_recipe("quick", (*SMALL, 'training.references="mixed"')))
    part = prepared.select("test")
    fused, linear = evaluate(runs, part)
    assert fused.scores.shape == (50, 50)
    assert linear.accuracies[0] > 0.9
    assert {measured.reference for measured in fused.meta.calibration} == {"mean", "neutral", "estimated"}
    write_report(tmp_path / "report.html", "A <title>", "Made faces.", part, "test", [fused, linear])
    page = (tmp_path / "report.html").read_text()
    assert "that no model was trained or chosen on" in page
    assert "A &lt;title&gt;" in page
    assert page.count("data:image/png") >= 5
    assert f"{linear.accuracies[0]:.3f}" in page


@pytest.mark.slow
def test_a_report_says_what_the_models_know_of_the_subjects(prepared: PreparedSet, svm: Path, tmp_path: Path) -> None:
    shutil.copytree(prepared.path, tmp_path / "other")
    table = pl.read_parquet(tmp_path / "other" / "samples.parquet")
    table.with_columns(face_score=pl.lit(0.5)).write_parquet(tmp_path / "other" / "samples.parquet")
    other = PreparedSet.open(tmp_path / "other")
    for photos, split, sentence in (
        (prepared, "train", "that the models were trained on"),
        (prepared, "validation", "that the models were chosen on"),
        (other, "test", "a model was trained on another set"),
    ):
        part = photos.select(split)
        results = evaluate({"svm": svm}, part)
        write_report(tmp_path / "report.html", "Title", "Made faces.", part, split, results)
        assert sentence in (tmp_path / "report.html").read_text()


def test_a_linear_model_of_one_class_is_refused(prepared: PreparedSet, tmp_path: Path) -> None:
    alike = prepared.table.with_columns(label=pl.lit("1_1"))
    with pytest.raises(DataError):
        train(replace(prepared, table=alike), tmp_path / "run", load_recipe("svm"))


@pytest.mark.parametrize("content", ["[]", '{"format": 1}', "{"])
def test_a_damaged_meta_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "meta.json").write_text(content)
    with pytest.raises(CheckpointError):
        load_meta(tmp_path)


def test_a_set_without_validation_subjects_is_refused(prepared: PreparedSet, tmp_path: Path) -> None:
    training_only = prepared.select("train")
    with pytest.raises(DataError):
        train(training_only, tmp_path / "run", load_recipe("svm"))
    assert not (tmp_path / "run").exists()


def test_a_missing_extra_is_answered_with_the_command_that_brings_it() -> None:
    with pytest.raises(MissingExtraError) as refused:
        require("a_package_that_is_not_there", "synth")
    assert refused.value.extra == "synth"


@pytest.mark.slow
def test_a_recipe_with_everything_is_resumed_to_the_same_weights(prepared: PreparedSet, tmp_path: Path) -> None:
    settings = (
        'network.outputs="joint-and-factors"', "training.ema_decay=0.9", "training.warmup=2",
        "training.smoothing=0.1", "training.related=0.1", "augmentation.move=2", "augmentation.landmark_noise=0.5",
        "augmentation.erase=0.2", *SMALL,
    )  # fmt: skip
    recipe = load_recipe("quick", settings)
    train(prepared, tmp_path / "whole", recipe)

    class Killed(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.step == 3:
            raise Killed

    with pytest.raises(Killed):
        train(prepared, tmp_path / "cut", recipe, report=stop)
    train(prepared, tmp_path / "cut", recipe, resume=True)
    for name in ("model.safetensors", "metrics.jsonl", "meta.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("outputs", ["two-heads", "two-networks"])
def test_networks_of_two_emotions_learn(prepared: PreparedSet, tmp_path: Path, outputs: str) -> None:
    meta = train(prepared, tmp_path / "run", load_recipe("quick", (*GEOMETRIC, f'network.outputs="{outputs}"')))
    assert meta.best["top1"] > 0.5
    log = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert log[-1]["training_loss"] < log[0]["training_loss"]
    assert meta.best["loss"] == min(line["loss"] for line in log)
    assert meta.machine["processes"] == 1
    assert meta.seed == 0


def test_a_loss_that_is_no_number_stops_with_step_and_cause(prepared: PreparedSet, tmp_path: Path) -> None:
    steps = []
    with pytest.raises(DivergedError) as stopped:
        train(prepared, tmp_path / "run", load_recipe("quick", BURSTING), report=lambda now: steps.append(now.step))
    error = stopped.value
    assert (error.run, error.step) == (tmp_path / "run", len(steps) + 1)
    assert not np.isfinite(error.loss)
    assert (error.part, error.cause) == ("training", "long steps")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_weights_that_burst_with_the_last_step_are_no_run(prepared: PreparedSet, tmp_path: Path) -> None:
    with pytest.raises(DivergedError) as stopped:
        train(prepared, tmp_path / "run", load_recipe("quick", (*BURSTING, "training.iterations=1")))
    assert (stopped.value.part, stopped.value.step) == ("validation", 1)
    assert not (tmp_path / "run" / "meta.json").exists()


@pytest.mark.parametrize(("away", "cause"), [(np.nan, "broken landmarks"), (1e30, "far landmarks")])
def test_a_loss_that_is_no_number_for_wrong_landmarks_says_so(
    prepared: PreparedSet, tmp_path: Path, away: float, cause: str
) -> None:
    moved = prepared.displacement.copy()
    moved[5] = away
    recipe = load_recipe("quick", (*GEOMETRIC, "training.loss=hinge", "network.scale_displacement=false"))
    with pytest.raises(DivergedError) as stopped:
        train(replace(prepared, displacement=moved), tmp_path / "run", recipe)
    assert stopped.value.cause == cause


def test_a_label_that_is_none_is_refused_with_its_place(prepared: PreparedSet, tmp_path: Path) -> None:
    wrong = prepared.table.with_columns(label=pl.lit("8_1"))
    with pytest.raises(DataError) as refused:
        train(replace(prepared, table=wrong), tmp_path / "run", load_recipe("svm"))
    assert (refused.value.path, refused.value.column) == (prepared.path / "samples.parquet", "label")
    assert not (tmp_path / "run").exists()


def test_a_damaged_place_to_resume_from_is_refused(prepared: PreparedSet, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.step == 50:
            raise KeyboardInterrupt

    recipe = load_recipe("quick", GEOMETRIC)
    with pytest.raises(KeyboardInterrupt):
        train(prepared, tmp_path / "run", recipe, report=stop)
    path = tmp_path / "run" / "resume.safetensors"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CheckpointError):
        train(prepared, tmp_path / "run", recipe, resume=True)


def test_weaker_expressions_keep_their_direction() -> None:
    params = sample_augmentation(AugmentationConfig(weakest=0.4), 500, torch.Generator().manual_seed(0))
    displacement = torch.randn(500, 136)
    weaker = params.apply_to_displacement(displacement, torch.zeros(500, 136), 224)
    factors = weaker / displacement
    torch.testing.assert_close(factors, factors[:, :1].expand(-1, 136))
    assert 0.4 <= factors.min() < 0.45
    assert 0.95 < factors.max() <= 1
