from pathlib import Path

import numpy as np
import onnxruntime
import polars as pl
import pytest
from msgspec import structs
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from mien.artifacts import HEAD_FILE, load_meta
from mien.datasets.prepared import PreparedSet
from mien.errors import DataError, OutputError
from mien.evaluation.scoring import run_scores
from mien.models.combination import Evidence, Member, add_evidence
from mien.models.linear import fit_lda
from mien.training.adapt import adapt


def test_evidence_in_a_head_is_what_it_is_in_numbers(trained: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    moved = rng.normal(scale=4, size=(60, 136)).astype(np.float32)
    labels = np.arange(60) % 3 * 7
    evidence = Evidence.of(fit_lda(moved, labels, even=True), np.unique(labels))
    add_evidence(Member(trained / HEAD_FILE, 1.0, 2.0), evidence, 1.5, tmp_path / HEAD_FILE)
    feature = rng.normal(size=(60, _width(trained))).astype(np.float32)
    feed = {"feature": feature, "displacement": moved}
    before, after = (
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(["scores"], feed)[0]
        for path in (trained / HEAD_FILE, tmp_path / HEAD_FILE)
    )
    likely = before / 2 - np.log(np.exp(before / 2).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(after, likely + 1.5 * evidence.logarithms(moved), atol=1e-3)


def test_classes_that_the_set_lacks_keep_their_scores() -> None:
    rng = np.random.default_rng(0)
    moved, labels = rng.normal(size=(40, 136)).astype(np.float32), np.repeat([3, 9], 20)
    added = Evidence.of(fit_lda(moved, labels), np.array([3, 9])).logarithms(moved)
    assert np.flatnonzero(added.any(axis=0)).tolist() == [3, 9]


@pytest.mark.slow
def test_a_run_learns_from_a_set_and_knows_where_it_came_from(
    trained: Path, prepared: PreparedSet, tmp_path: Path
) -> None:
    meta = adapt(prepared, trained, tmp_path / "own", allow_leaks=True)
    assert meta == load_meta(tmp_path / "own")
    assert meta.recipe["adapted"]["weight"] > 0
    part = prepared.select("test")
    right = [(run_scores(run, part).argmax(axis=1) == part.labels).mean() for run in (trained, tmp_path / "own")]
    assert right[1] > right[0] + 0.2
    with pytest.raises(OutputError):
        adapt(prepared, trained, tmp_path / "own", allow_leaks=True)


def test_a_combined_run_that_was_adapted_has_the_set_of_its_own_photos(trained: Path, prepared: PreparedSet) -> None:
    other = {"share": 1.0, "fingerprint": "0123456789abcdef"}
    meta = load_meta(trained)
    combined = structs.replace(meta, recipe=meta.recipe | {"combination": {"members": [other]}})
    assert combined.trained_on == {prepared.fingerprint, other["fingerprint"]}
    adapted = structs.replace(combined, recipe=combined.recipe | {"adapted": {}})
    assert adapted.trained_on == {prepared.fingerprint}


def test_too_few_photos_are_refused(trained: Path, prepared: PreparedSet, tmp_path: Path) -> None:
    few = PreparedSet(prepared.path, prepared.info, prepared.table.head(40), prepared.displacement[:40])
    with pytest.raises(DataError):
        adapt(few, trained, tmp_path / "own", allow_leaks=True)
    assert not (tmp_path / "own").exists()


def _width(run: Path) -> int:
    session = onnxruntime.InferenceSession(run / HEAD_FILE, providers=["CPUExecutionProvider"])
    return next(int(node.shape[1]) for node in session.get_inputs() if node.name == "feature")


@pytest.mark.parametrize("classes", [2, 3])
def test_evidence_is_how_much_likelier_than_by_chance_a_class_is(classes: int) -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), 40)
    rows = (rng.normal(size=(len(labels), 136)) + 0.3 * labels[:, None]).astype(np.float32)
    evidence = Evidence.of(fit_lda(rows, labels, even=True), np.arange(classes))
    known = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=np.full(classes, 1 / classes))
    chances = known.fit((rows - rows.mean(0)) / rows.std(0), labels).predict_proba(
        (rows - rows.mean(0)) / rows.std(0)
    )
    np.testing.assert_allclose(np.exp(evidence.logarithms(rows))[:, :classes] / classes, chances, atol=1e-3)


def test_a_class_that_one_subject_alone_shows_is_no_reason_to_refuse(
    trained: Path, prepared: PreparedSet, tmp_path: Path
) -> None:
    label = pl.when(pl.col("subject") == "0").then(pl.lit("1_1")).otherwise(pl.lit("N_N"))
    table = prepared.table.with_columns(label=label)
    few = PreparedSet(prepared.path, prepared.info, table, prepared.displacement)
    adapt(few, trained, tmp_path / "own", allow_leaks=True)
    assert (tmp_path / "own" / HEAD_FILE).is_file()
