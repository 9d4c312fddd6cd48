import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from html_pages import check_page
from PIL import Image
from skimage import data

from mien.artifacts import ReferenceKind
from mien.datasets import PreparedSet
from mien.displacement import Population, displacement
from mien.errors import CheckpointError
from mien.evaluation.evaluate import evaluate
from mien.evaluation.metrics import (
    confusion,
    confusion_of_complementary,
    confusion_of_dominant,
    emotion_accuracy,
    interval_by_subject,
    interval_of_mean,
    misclassification,
    top_accuracies,
)
from mien.evaluation.references import mean_references, references_of
from mien.evaluation.report import recognised_photo, write_report
from mien.evaluation.scoring import precompute_features
from mien.inference import ExpressionModel
from mien.inference.calibration import fit_temperature, probabilities
from mien.labels import CompoundEmotion, Emotion
from mien.training.references import displacement_against


def test_accuracies_rise_with_k_and_agree_with_sorting() -> None:
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(400, 50)), rng.integers(50, size=400)
    expected = [
        np.mean([label in row.argsort()[::-1][:k] for row, label in zip(scores, labels, strict=True)])
        for k in range(1, 6)
    ]
    np.testing.assert_allclose(top_accuracies(scores, labels), expected)
    assert misclassification(scores, labels) == pytest.approx(100 * (1 - expected[0]))


@pytest.mark.parametrize("score", [0.0, np.nan])
def test_equal_scores_and_scores_that_are_no_number_are_no_success(score: float) -> None:
    assert top_accuracies(np.full((10, 50), score), np.arange(10))[4] == 0


def test_confusions_count_every_photo_that_shows_an_emotion() -> None:
    labels = np.array([CompoundEmotion.parse(text).index for text in ("3_6", "3_6", "N_N", "5_5")])
    predicted = np.array([CompoundEmotion.parse(text).index for text in ("3_6", "1_6", "5_5", "N_N")])
    counts = confusion(labels, predicted)
    assert counts.sum() == 4
    dominant, complementary = confusion_of_dominant(counts), confusion_of_complementary(counts)
    assert dominant[5, 5] == 2
    assert complementary[2, 2] == 1
    assert complementary[2, 0] == 1
    assert dominant[4].tolist() == complementary[4].tolist() == [0, 0, 0, 0, 0, 0, 0, 1]  # read as neutral
    assert dominant.sum() == complementary.sum() == 3


def test_the_accuracy_of_an_emotion_is_the_share_on_the_diagonal() -> None:
    counts = np.zeros((7, 8), dtype=np.int64)
    assert emotion_accuracy(counts) == 0
    counts[2, 2], counts[2, 7], counts[4, 3] = 3, 2, 1
    assert emotion_accuracy(counts) == pytest.approx(3 / 6)


def test_a_report_is_one_page_that_needs_nothing_else(prepared: PreparedSet, trained: Path, tmp_path: Path) -> None:
    part = prepared.select("test")
    results = evaluate({"<b>run</b>": trained}, part)
    Image.fromarray(data.astronaut()).save(tmp_path / "astronaut.png")
    recognised = [recognised_photo(tmp_path / "astronaut.png", trained)]
    write_report(tmp_path / "report.html", "A & B", "Synthetic faces.", part, "test", results, recognised)
    page = check_page(tmp_path / "report.html")
    assert "<b>run</b>" in page.text
    assert page.text.count("predicted: ") == 12
    assert len(page.pictures) == 5 + 12 + 1 + 8  # plots, examples, the recognised photo, mean faces
    assert "astronaut.png" in page.text
    for emotion in Emotion:
        assert f"{emotion:d}{emotion.noun}{emotion.adverb}{emotion.adjective}" in page.text
    figures = results[0].as_dict()
    for share in (*figures["top"], figures["dominant"], figures["complementary"]):
        assert f"{share:.3f}" in page.text


def test_temperature_finds_how_sharp_scores_are() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(4000, 50)) * 2
    shares = probabilities(scores, 1.0)
    labels = np.array([rng.choice(50, p=row) for row in shares])
    assert fit_temperature(scores * 3, labels) == pytest.approx(3, rel=0.15)
    np.testing.assert_allclose(shares.sum(axis=1), 1)


def test_the_interval_of_a_mean_is_students() -> None:
    mean, low, high = interval_of_mean([1.0, 2.0, 3.0])
    assert mean == 2
    assert high - mean == pytest.approx(mean - low) == pytest.approx(4.302653 / 3**0.5)


def test_an_interval_over_few_subjects_is_wide() -> None:
    correct = np.repeat([True, False], 100)
    alike = interval_by_subject(correct, ["a"] * 100 + ["b"] * 100)
    apart = interval_by_subject(correct, [str(i) for i in range(200)])
    assert alike[1] - alike[0] > 0.9
    assert 0.4 < apart[0] < 0.5 < apart[1] < 0.6


def test_references_differ_only_by_a_constant_of_the_subject(prepared: PreparedSet, trained: Path) -> None:
    model, test = ExpressionModel.load(trained), prepared.select("test")
    features = precompute_features(model, test)

    def displacements(kind: ReferenceKind, photos: int) -> np.ndarray:
        references = references_of(kind, photos, model, test, features)
        return np.stack([displacement(*pair) for pair in zip(test.landmarks, references, strict=True)])

    mean, neutral, estimated = (displacements(kind, 1) for kind in ("mean", "neutral", "estimated"))
    shows = test.labels != 0
    np.testing.assert_allclose(np.ptp((mean - neutral)[shows], axis=0), 0, atol=1e-3)
    np.testing.assert_array_equal(neutral[~shows], estimated[~shows])  # no photo is its own reference
    assert np.abs(estimated - mean).mean() > 0.1


def test_references_of_training_differ_only_by_a_constant_of_the_subject(prepared: PreparedSet) -> None:
    training, test = prepared.select("train"), prepared.select("test")
    population = Population.fit(training.landmarks, training.subjects, training.labels == 0)
    mean = displacement_against("mean", test, population)
    neutral = displacement_against("neutral", test, population)
    estimated = displacement_against("estimated", test, population)
    np.testing.assert_allclose(np.ptp(mean - neutral, axis=0), 0, atol=1e-3)  # of the one neutral photo too
    assert np.abs(estimated - mean).mean() > 0.1


@pytest.mark.parametrize("content", [b"{", b"[1]\n", b'{"step": "one"}\n', b"\xff\n"])
def test_a_damaged_log_of_training_is_named(
    prepared: PreparedSet, trained: Path, tmp_path: Path, content: bytes
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    (run / "metrics.jsonl").write_bytes(content)
    with pytest.raises(CheckpointError):
        evaluate({"run": run}, prepared.select("test"))


def test_one_subject_says_nothing_about_others() -> None:
    assert np.isnan(interval_by_subject(np.array([True, False]), ["ann", "ann"])).all()
    assert not np.isnan(interval_by_subject(np.array([True, False]), ["ann", "bob"])).any()


def test_figures_of_one_subject_are_json(prepared: PreparedSet, trained: Path) -> None:
    (result,) = evaluate({"run": trained}, prepared.select("test"))
    assert json.loads(json.dumps(result.as_dict(), allow_nan=False))["top1_interval"] is None


def test_a_mean_over_the_whole_set_says_so_though_few_photos_are_in_the_part(
    prepared: PreparedSet, trained: Path
) -> None:
    model, whole = ExpressionModel.load(trained), prepared.select("test")
    part = PreparedSet(whole.path, whole.info, whole.table.head(3), whole.displacement[:3])
    references = mean_references(model, part, precompute_features(model, part))
    assert [reference.photo_count for reference in references] == [50] * 3
