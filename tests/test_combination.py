"""Several runs as one."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from msgspec import structs

from mien.artifacts import FEW, HEAD_FILE, META_FILE, load_meta, save_meta
from mien.datasets.prepared import PreparedSet
from mien.displacement import MILD, Reference
from mien.errors import CheckpointError, DataError, LabelError, OutputError
from mien.evaluation.references import mean_references
from mien.evaluation.scoring import precompute_features
from mien.inference import ExpressionModel
from mien.labels import NEUTRAL, Commonness, CompoundEmotion, Emotion
from mien.models.combination import Member, combine_heads
from mien.training.combine import combine
from mien.training.recipe import load_recipe
from mien.training.train import train

SHORT = ("training.iterations=2", "training.validate_every=2", "training.batch_size=8", "training.warmup=0")


@pytest.fixture(scope="module")
def geometry(prepared: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("geometry") / "run"
    train(prepared, run, load_recipe("geometry", SHORT))
    return run


@pytest.fixture(scope="module")
def visual(prepared: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of pictures alone, relative to the person."""
    run = tmp_path_factory.mktemp("visual") / "run"
    train(prepared, run, load_recipe("mien", (*SHORT, "training.samples_per_subject=2", "network.geometric=false")))
    return run


def _softmax(scores: np.ndarray) -> np.ndarray:
    likely = np.exp(scores - scores.max(axis=1, keepdims=True))
    return likely / likely.sum(axis=1, keepdims=True)


def test_a_combined_head_gives_the_weighted_mean_of_log_probabilities(geometry: Path, tmp_path: Path) -> None:
    members = [Member(geometry / HEAD_FILE, 0.75, 2.0), Member(geometry / HEAD_FILE, 0.25, 0.5)]
    combine_heads(members, tmp_path / HEAD_FILE)
    displacement = np.random.default_rng(0).normal(scale=4, size=(5, 136)).astype(np.float32)

    def run(path: Path) -> np.ndarray:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return session.run(["scores"], {"displacement": displacement})[0]

    alone = run(geometry / HEAD_FILE)
    expected = 0.75 * np.log(_softmax(alone / 2)) + 0.25 * np.log(_softmax(alone / 0.5))
    np.testing.assert_allclose(run(tmp_path / HEAD_FILE), expected, atol=1e-4)


def test_a_fused_and_a_geometric_run_make_one(
    geometry: Path, trained: Path, prepared: PreparedSet, tmp_path: Path
) -> None:
    meta = combine(prepared, [geometry, trained], [0.6, 0.4], tmp_path / "both")
    assert meta == load_meta(tmp_path / "both")
    assert len(meta.recipe["combination"]["members"]) == 2
    model, part = ExpressionModel.load(tmp_path / "both"), prepared.select("test")
    assert model.inputs == {"feature", "displacement"}
    features = precompute_features(model, part)
    references = mean_references(model, part, features)
    probabilities = model.probabilities(model.scores(features, part.landmarks, references), references)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_one_run_alone_scores_as_before(geometry: Path, prepared: PreparedSet, tmp_path: Path) -> None:
    combine(prepared, [geometry], [1.0], tmp_path / "one")
    part = prepared.select("test")
    read = []
    for run in (geometry, tmp_path / "one"):
        model = ExpressionModel.load(run)
        features = precompute_features(model, part)
        scores = model.scores(features, part.landmarks, mean_references(model, part, features))
        read.append(scores - scores[:, :1])
    temperature = load_meta(geometry).calibration_for("mean", 1).temperature
    np.testing.assert_allclose(read[0] / temperature, read[1], atol=1e-4)


def test_what_is_common_gains_and_what_is_rare_loses() -> None:
    common = Commonness(plain=2, neutral=1.5, emotions={Emotion.CONTEMPT: 0.25, Emotion.HAPPINESS: 4})
    prior = common.log_prior()
    assert prior[NEUTRAL.index] == pytest.approx(np.log(1.5))
    assert prior[CompoundEmotion(Emotion.ANGER, Emotion.ANGER).index] == pytest.approx(np.log(2))
    assert prior[CompoundEmotion(Emotion.HAPPINESS, Emotion.HAPPINESS).index] == pytest.approx(np.log(8))
    assert prior[CompoundEmotion(Emotion.FEAR, Emotion.CONTEMPT).index] == pytest.approx(np.log(0.25))
    assert prior[CompoundEmotion(Emotion.CONTEMPT, Emotion.FEAR).index] == pytest.approx(np.log(0.5))
    assert not Commonness().log_prior().any()


def test_mild_faces_have_factors_of_their_own_and_those_between_lie_between() -> None:
    common = Commonness(emotions={Emotion.ANGER: 2, Emotion.HAPPINESS: 2}, mild={Emotion.HAPPINESS: 32})
    strong, middle, mild = common.log_prior([0, 0.5, 1])
    happy, angry = (CompoundEmotion(emotion, emotion).index for emotion in (Emotion.HAPPINESS, Emotion.ANGER))
    np.testing.assert_allclose(np.exp([strong[happy], middle[happy], mild[happy]]), [2, 8, 32], rtol=1e-5)
    np.testing.assert_allclose(np.exp([strong[angry], middle[angry], mild[angry]]), [2, 2, 2], rtol=1e-5)
    np.testing.assert_array_equal(strong, common.log_prior())


def test_commonness_survives_as_words_and_refuses_others() -> None:
    common = Commonness(plain=2, neutral=1.5, emotions={Emotion.CONTEMPT: 0.25}, mild={Emotion.HAPPINESS: 9})
    assert Commonness.from_dict(common.to_dict()) == common
    for unknown in ("boredom", "mild-boredom", "mild-plain"):
        with pytest.raises(LabelError):
            Commonness.from_dict({unknown: 2.0})


def test_a_run_that_holds_something_unknown_to_be_common_is_refused(geometry: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(geometry, run)
    meta = json.loads((run / META_FILE).read_text()) | {"common": {"few": {"boredom": 2.0}}}
    (run / META_FILE).write_text(json.dumps(meta))
    with pytest.raises(CheckpointError):
        ExpressionModel.load(run)


def test_a_class_is_as_many_times_likelier_as_it_is_held_to_be_common(
    geometry: Path, prepared: PreparedSet, tmp_path: Path
) -> None:
    few, neutral = Commonness(emotions={Emotion.HAPPINESS: 6.0}), Commonness(emotions={Emotion.ANGER: 3.0})
    combine(prepared, [geometry], [1.0], tmp_path / "even")
    combine(prepared, [geometry], [1.0], tmp_path / "own", {"few": few, "neutral": neutral})
    even, model = ExpressionModel.load(tmp_path / "even"), ExpressionModel.load(tmp_path / "own")
    landmarks = prepared.select("test").landmarks[:1]
    nothing, points = np.zeros((1, 0), dtype=np.float32), np.zeros((68, 2), dtype=np.float32)
    for kind, photos, common in (
        ("estimated", 1, few), ("mean", FEW, few), ("estimated", FEW + 1, Commonness()), ("mean", 40, Commonness()),
        ("neutral", 1, neutral),
    ):  # fmt: skip
        reference = [Reference(points, kind, photos)]
        read = [one.probabilities(one.scores(nothing, landmarks, reference), reference) for one in (even, model)]
        gained = np.log(read[1] / read[0])[0]
        np.testing.assert_allclose(gained - gained[0], common.log_prior(), atol=1e-4)
    with pytest.raises(DataError):
        combine(prepared, [tmp_path / "own"], [1.0], tmp_path / "again")


def test_a_smile_that_is_held_to_be_common_where_mild_gains_there_and_not_where_strong(
    geometry: Path, prepared: PreparedSet, tmp_path: Path
) -> None:
    common = Commonness(mild={Emotion.HAPPINESS: 6.0})
    combine(prepared, [geometry], [1.0], tmp_path / "even")
    combine(prepared, [geometry], [1.0], tmp_path / "own", {"neutral": common})
    even, model = ExpressionModel.load(tmp_path / "even"), ExpressionModel.load(tmp_path / "own")
    nothing = np.zeros((1, 0), dtype=np.float32)
    neutral = prepared.select("test").landmarks[:1]
    reference = [model.neutral_reference(neutral, nothing)]
    for pixels, mild in ((0.0, 1.0), (MILD, 0.5), (10.0, 0.0)):
        read = [one.probabilities(one.scores(nothing, neutral + np.float32(pixels), reference), reference)
                for one in (even, model)]  # fmt: skip
        gained = np.log(read[1] / read[0])[0]
        np.testing.assert_allclose(gained - gained[0], common.log_prior(mild), atol=2e-3)


def test_of_no_runs_nothing_is_made(prepared: PreparedSet, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        combine(prepared, [], [], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_run_is_not_combined(geometry: Path, prepared: PreparedSet, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(geometry, broken)
    (broken / HEAD_FILE).write_bytes((geometry / HEAD_FILE).read_bytes()[:1000])
    with pytest.raises(CheckpointError):
        combine(prepared, [geometry, broken], [1.0, 1.0], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_of_other_landmarks_joins_only_by_its_pictures(
    geometry: Path, visual: Path, prepared: PreparedSet, tmp_path: Path
) -> None:
    def by_trees(run: Path, name: str) -> Path:
        shutil.copytree(run, tmp_path / name)
        save_meta(tmp_path / name, structs.replace(load_meta(run), landmarker="ert"))
        return tmp_path / name

    points, picture = by_trees(geometry, "points"), by_trees(visual, "picture")
    for number, runs in enumerate(([geometry, picture], [picture, geometry])):
        assert combine(prepared, runs, [1.0, 1.0], tmp_path / f"out-{number}").landmarker == "cnn"
    for runs in ([geometry, points], [points, geometry], [picture, points]):
        with pytest.raises(DataError):
            combine(prepared, runs, [1.0, 1.0], tmp_path / "refused")


@pytest.mark.parametrize("shares", [[1.0], [0.5, 0.5, 0.5], [1.0, 0.0], [1.0, -1.0], [1.0, float("nan")]])
def test_shares_that_do_not_fit_are_refused(
    shares: list[float], geometry: Path, prepared: PreparedSet, tmp_path: Path
) -> None:
    with pytest.raises(DataError):
        combine(prepared, [geometry, geometry], shares, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_visual_branches_one_of_them_relative_read_as_the_mean_of_both(
    trained: Path, visual: Path, prepared: PreparedSet, tmp_path: Path
) -> None:
    runs, shares, part = [trained, visual], [0.6, 0.4], prepared.select("test")
    combine(prepared, runs, shares, tmp_path / "both")
    expected = np.zeros((len(part), 50))
    for run, share in zip(runs, shares, strict=True):
        model = ExpressionModel.load(run)
        features = precompute_features(model, part)
        scores = model.scores(features, part.landmarks, mean_references(model, part, features))
        expected += share * np.log(_softmax(scores / load_meta(run).calibration_for("mean", 1).temperature))
    both = ExpressionModel.load(tmp_path / "both")
    assert both.meta.relative_visual
    of_neutral, own = both.population.neutral_feature, ExpressionModel.load(visual).population.neutral_feature
    assert of_neutral is not None
    assert own is not None
    np.testing.assert_allclose(of_neutral[-len(own) :], own, atol=1e-5)  # of the other, nothing is subtracted
    features = precompute_features(both, part)
    scores = both.scores(features, part.landmarks, mean_references(both, part, features))
    np.testing.assert_allclose(_softmax(scores), _softmax(expected), atol=1e-5)
    with pytest.raises(DataError):
        combine(prepared, [tmp_path / "both", trained], [0.5, 0.5], tmp_path / "again")


def test_what_is_there_is_left_alone(geometry: Path, prepared: PreparedSet, tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        combine(prepared, [geometry], [1.0], tmp_path)
