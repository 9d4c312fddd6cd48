import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mien.artifacts import load_meta
from mien.datasets.preparation import Preparation
from mien.datasets.prepared import SCHEMA, PreparedSet
from mien.datasets.sources import read_source
from mien.displacement import Population
from mien.errors import DataError, RecipeError
from mien.synth.assets import HeadAssets
from mien.synth.generate import generate
from mien.synth.survey import around_points
from mien.synth.truth import TruePoints
from mien.training.actions import train_actions
from mien.training.recipe import load_recipe
from mien.training.references import displacement_against
from mien.training.simulation import ELSEWHERE, ReadingErrors, align, simulate
from mien.training.train import train

SHORT = ("training.iterations=2", "training.validate_every=2", "training.batch_size=8", "training.warmup=0")


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The points of three subjects, without photos."""
    out = tmp_path_factory.mktemp("points") / "points"
    generate(out, subjects=3, samples=1, seed=11, photos=False)
    return out


@pytest.fixture(scope="module")
def photographed(small_synthetic_set: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    """A synthetic set as if three subjects had been prepared from it, one for each part."""
    folder = tmp_path_factory.mktemp("photographed")
    source = folder / "faces"
    shutil.copytree(small_synthetic_set, source)
    prepared = folder / "prepared"
    Preparation(validation=0, test=0).run(read_source(source), prepared)
    whole = PreparedSet.open(prepared)
    part = pl.int_range(pl.len()) % 3
    names = (
        pl.when(part == 0).then(pl.lit("train")).when(part == 1).then(pl.lit("validation")).otherwise(pl.lit("test"))
    )
    table = whole.table.with_columns(split=names, subject=names)
    return PreparedSet(whole.path, whole.info, table, whole.displacement)


def test_points_lie_where_photos_of_the_same_subjects_show_them(small_synthetic_set: Path, tmp_path: Path) -> None:
    generate(tmp_path / "points", subjects=1, samples=1, seed=3, photos=False)
    surveyed, photographed = (
        pl.read_parquet(folder / "truth.parquet") for folder in (tmp_path / "points", small_synthetic_set)
    )
    assert surveyed["path"].equals(photographed["path"])
    assert surveyed["actions"].equals(photographed["actions"])
    apart = np.abs(surveyed["landmarks"].to_numpy() - photographed["landmarks"].to_numpy())
    assert np.median(apart) < 0.1
    assert not (tmp_path / "points" / "labels.txt").exists()


def test_half_of_the_neutral_references_are_from_another_camera(points: Path, photographed: PreparedSet) -> None:
    training = simulate(points, photographed, seed=0)
    elsewhere = training.table[ELSEWHERE].to_numpy().reshape(training.landmarks.shape)
    neutral = {s: p for s, p, n in zip(training.subjects, training.landmarks, training.labels, strict=True) if n == 0}
    apart = np.array([np.abs(e - neutral[s]).mean() for e, s in zip(elsewhere, training.subjects, strict=True)])
    assert 1 < np.median(apart) < 10  # the same face, seen otherwise
    population = Population.fit(training.landmarks, training.subjects, training.labels == 0)
    known = displacement_against("neutral", training, population)
    without = PreparedSet(training.path, training.info, training.table.drop(ELSEWHERE), training.displacement)
    changed = (known != displacement_against("neutral", without, population)).any(axis=1)
    assert 0.35 < changed.mean() < 0.65
    assert set(training.labels[changed] % 2) == {0, 1}  # not by the order of classes
    for kind in ("mean", "estimated"):
        same = displacement_against(kind, without, population)
        np.testing.assert_array_equal(displacement_against(kind, training, population), same)


def test_points_of_photos_know_no_other_camera(small_synthetic_set: Path, photographed: PreparedSet) -> None:
    with pytest.raises(DataError):
        simulate(small_synthetic_set, photographed, seed=0)


def test_the_part_of_the_head_around_the_points_has_the_same_points(assets: HeadAssets) -> None:
    part = around_points(assets)
    assert len(part.vertices) < len(assets.vertices) / 2
    whole, cut = TruePoints(assets).vertices, TruePoints(part).vertices
    np.testing.assert_array_equal(assets.number[whole], part.number[cut])


def test_errors_that_are_linear_are_learnt_and_put_upon_other_points() -> None:
    rng = np.random.default_rng(0)
    true, other = rng.normal(scale=20, size=(2, 600, 136))
    subjects = np.arange(600) % 30
    bent = np.eye(136) * -0.3
    errors = ReadingErrors.fit(true, true + true @ bent + 2.0, subjects)
    read = errors.read(other, subjects, rng)
    np.testing.assert_allclose(read, other * 0.7 + 2.0, atol=1.0)


def test_a_set_is_reread_as_another_predictor_reads_people(prepared: PreparedSet, tmp_path: Path) -> None:
    other, out = tmp_path / "other", tmp_path / "out"
    shutil.copytree(prepared.path, other)
    table, moved = pl.read_parquet(other / "samples.parquet"), prepared.landmarks.reshape(-1, 136) * 0.9 + 5
    table = table.with_columns(landmarks_crop=pl.Series(moved, dtype=SCHEMA["landmarks_crop"]))
    table.write_parquet(other / "samples.parquet")
    about = {"landmarker": "ert", "alignment": "normalised"}  # as if the trees' were another predictor's
    (other / "set.json").write_text(json.dumps({"crop_size": 224, "parameters": about}))
    script = Path(__file__).parents[1] / "scripts" / "reread.py"
    subprocess.run([sys.executable, script, prepared.path, prepared.path, other, out], check=True)
    read = PreparedSet.open(out)
    read.verify()
    assert (read.landmarker, len(read)) == ("ert", len(prepared))
    error = np.abs(read.landmarks - (prepared.landmarks * 0.9 + 5)).mean()
    assert error < 0.3 * np.abs(read.landmarks - prepared.landmarks).mean()


def test_a_simulated_part_is_whole_and_reads_as_its_predictor_does(points: Path, photographed: PreparedSet) -> None:
    simulated = simulate(points, photographed.select("train"), seed=0)
    truth = pl.read_parquet(points / "truth.parquet")
    assert simulated.table["label"].equals(truth["label"])
    assert len(simulated) == len(simulated.select("train")) == 150
    true = align(truth["landmarks"].to_numpy().reshape(-1, 68, 2), photographed.alignment)
    assert np.abs(simulated.landmarks.reshape(-1, 136) - true).mean() < 12
    for subject in set(simulated.subjects):
        own = np.array([each == subject for each in simulated.subjects])
        np.testing.assert_allclose(simulated.displacement[own].sum(axis=0), 0, atol=1e-2)


def test_subjects_of_the_same_seed_are_refused(photographed: PreparedSet, tmp_path: Path) -> None:
    source = Path(photographed.info["parameters"]["source"])
    same = tmp_path / "same"
    shutil.copytree(source, same)
    with pytest.raises(DataError) as caught:
        simulate(same, photographed.select("train"), seed=0)
    assert caught.value.path == same


def test_a_folder_without_truth_is_named(photographed: PreparedSet, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        simulate(tmp_path, photographed, seed=0)
    assert caught.value.path == tmp_path


def test_a_run_trained_on_points_says_so(points: Path, photographed: PreparedSet, tmp_path: Path) -> None:
    meta = train(
        photographed, tmp_path / "run", load_recipe("geometry", SHORT), points=points, allow_leaks=True
    )  # one synthetic subject stands for all three here
    assert meta == load_meta(tmp_path / "run")
    assert meta.data.points
    assert meta.data.training.photos == 150
    with pytest.raises(RecipeError):
        train(photographed, tmp_path / "other", load_recipe("quick", SHORT), points=points, allow_leaks=True)


def test_actions_are_learnt_from_points_and_measured_on_photos(points: Path, photographed: PreparedSet) -> None:
    estimates, figures = train_actions(photographed, points)
    measured = {figure.name: figure for figure in figures}
    assert set(estimates.names) == {name for name, figure in measured.items() if figure.readable}
    assert measured["jawOpen"].correlation["neutral"] > 0.5
    assert estimates.landmarker == photographed.landmarker


def test_points_know_their_seed(points: Path) -> None:
    assert json.loads((points / "synth.json").read_text())["parameters"]["seed"] == 11
