"""What a run scores while it is trained, and what recognition makes of the same photos, is the same."""

from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from mien.artifacts import load_meta
from mien.datasets import PreparedSet
from mien.evaluation.evaluate import evaluate
from mien.evaluation.references import calibrate, references_of
from mien.evaluation.scoring import precompute_features, run_scores
from mien.inference import ExpressionModel
from mien.models.network import NetworkConfig, join_scores, load_network
from mien.training.recipe import load_recipe
from mien.training.scoring import network_outputs
from mien.training.train import train

SHORT = ("training.iterations=3", "training.validate_every=3", "training.batch_size=16", "training.precision=float32")
SLOW = ("pictures alone", "two heads")
"""Whose way is part of others' ways."""
NETWORKS = {
    "relative features": ("mien", "training.warmup=0"),
    "first layers of another network": ("picture", "training.warmup=0"),
    "geometry alone": ("mien", "network.visual=none", "network.relative_visual=false", "training.warmup=0"),
    "pictures alone": ("quick", "network.geometric=false"),
    "two networks": ("quick", "network.outputs=two-networks"),
    "two heads": ("quick", "network.outputs=two-heads"),
}


@pytest.fixture(scope="module")
def relative(prepared: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose network compares features."""
    name, *settings = NETWORKS["relative features"]
    run = tmp_path_factory.mktemp("relative")
    train(prepared, run, load_recipe(name, (*SHORT, *settings)))
    return run


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow if kind in SLOW else ()) for kind in NETWORKS]
)
def test_recognition_scores_a_set_as_training_did(
    prepared: PreparedSet, relative: Path, tmp_path: Path, kind: str
) -> None:
    name, *settings = NETWORKS[kind]
    recipe, run = load_recipe(name, (*SHORT, *settings)), relative if kind == "relative features" else tmp_path
    if run is tmp_path:
        train(prepared, run, recipe)
    part = prepared.select("validation", "test")
    config = NetworkConfig(**recipe.as_dict()["network"])
    expected = join_scores(network_outputs(load_network(run, config), part)).numpy()
    np.testing.assert_allclose(run_scores(run, part), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("settings", [(), ("features=landmarks",)], ids=["displacement", "landmarks"])
def test_recognition_scores_a_set_by_a_linear_model(
    prepared: PreparedSet, tmp_path: Path, settings: tuple[str, ...]
) -> None:
    train(prepared, tmp_path, load_recipe("svm", settings))
    result = evaluate({"svm": tmp_path}, prepared.select("test"))[0]
    assert result.accuracies[0] > (0.9 if not settings else 0.3)


def test_what_a_run_says_of_itself_is_measured_on_the_way_of_recognition(
    prepared: PreparedSet, trained: Path
) -> None:
    part = prepared.select("validation")
    model = ExpressionModel.load(trained)
    again = calibrate(model, part, precompute_features(model, part))
    for said, measured in zip(load_meta(trained).calibration, again, strict=True):
        assert structs.astuple(said) == pytest.approx(structs.astuple(measured))


def test_no_photo_is_its_own_neutral_reference(prepared: PreparedSet, trained: Path) -> None:
    part = prepared.select("test")
    model = ExpressionModel.load(trained)
    references = references_of("neutral", 1, model, part, precompute_features(model, part))
    neutral = np.flatnonzero(part.labels == 0)
    assert [references[i].kind for i in neutral] == ["estimated"] * len(neutral)
    assert {used.kind for i, used in enumerate(references) if i not in neutral} == {"neutral"}


def test_a_neutral_reference_holds_a_feature_that_lies_as_far_from_the_mean_as_neutral_faces_do(
    prepared: PreparedSet, relative: Path
) -> None:
    model, part = ExpressionModel.load(relative), prepared.select("train")
    features, numbers, neutral = precompute_features(model, part), part.subject_numbers, part.labels == 0
    ways = []
    for number in np.unique(numbers):
        own = numbers == number
        reference = model.neutral_reference(part.landmarks[own & neutral], features[own & neutral])
        assert reference.feature is not None
        ways.append(reference.feature - features[own].mean(axis=0))
    assert np.abs(np.mean(ways, axis=0)).max() < 0.01 * np.abs(ways).max()


def test_a_reference_holds_the_mean_feature_where_the_network_compares_features(
    prepared: PreparedSet, relative: Path
) -> None:
    model, part = ExpressionModel.load(relative), prepared.select("test")
    features = precompute_features(model, part)
    many = model.reference(part.landmarks[:9], features[:9])
    assert many.feature is not None
    np.testing.assert_allclose(many.feature, features[:9].sum(axis=0) / 10, atol=1e-5)
    assert model.reference(part.landmarks[:1], features[:1]).feature is None
    known, unknown = (model.scores(features[:1], part.landmarks[:1], [used]) for used in (many, model.reference(
        part.landmarks[:9], np.zeros_like(features[:9]))))  # fmt: skip
    assert np.abs(known - unknown).max() > 1e-6
