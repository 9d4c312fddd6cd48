import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from mien.cli import app
from mien.cli.prepare import SOME_UNUSABLE
from mien.datasets import PreparedSet
from mien.errors import DataError
from mien.evaluation.submission import check_submission, read_predictions, score_submission, write_submission
from mien.labels import indices_to_texts
from mien.synth.generate import generate
from mien.training.recipe import load_recipe
from mien.training.train import train


@pytest.fixture(scope="module")
def svm(prepared: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("svm") / "run"
    train(prepared, run, load_recipe("svm"))
    return run


@pytest.fixture(scope="module")
def numbered(prepared: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    """The set with names as in iCV-MEFED, and one photo without a face: Sample_6_7.jpg."""
    folder = tmp_path_factory.mktemp("numbered")
    table = pl.read_parquet(prepared.path / "samples.parquet").with_columns(
        path=pl.format("Sample_{}_{}.jpg", pl.col("subject"), pl.int_range(pl.len()) % 50)
    )
    faceless = pl.when(pl.col("path") == "Sample_6_7.jpg").then(pl.lit("no face")).otherwise(pl.lit("ok"))
    table.with_columns(status=faceless).write_parquet(folder / "samples.parquet")
    for name in ("crops-224.npy", "set.json"):
        (folder / name).hardlink_to(prepared.path / name)
    return PreparedSet.open(folder)


@pytest.fixture(scope="module")
def challenge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic subjects under numbers of iCV-MEFED's three parts; `icv`, `order_of_test.txt`, `truth.txt` beside."""
    folder = tmp_path_factory.mktemp("challenge")
    generate(folder / "faces", subjects=5, samples=1, seed=8)
    (folder / "icv").mkdir()
    labels = dict(line.split() for line in (folder / "faces" / "labels.txt").read_text().splitlines())
    known, hidden = [], []
    for name, text in labels.items():
        number = dict(zip(range(1, 6), (3, 30, 73, 74, 104), strict=True))[int(name.split("_")[1])]
        renamed = f"Sample_{number:03d}_{name.split('_')[2]}"
        (folder / "icv" / renamed.replace(".jpg", ".JPG")).hardlink_to(folder / "faces" / name)
        (hidden if number == 104 else known).append((renamed, text))
    np.random.default_rng(0).shuffle(hidden)
    _lines(folder / "icv" / "training.txt", [f"{name}\t{text}" for name, text in known])
    _lines(folder / "order_of_test.txt", [name for name, _ in hidden])
    _lines(folder / "truth.txt", [text for _, text in hidden])
    return folder


def _lines(path: Path, lines: list[str]) -> Path:
    path.write_text("\r\n".join(lines) + "\r\n")
    return path


def test_a_submission_is_in_the_given_order_and_the_same_bytes_again(
    numbered: PreparedSet, svm: Path, tmp_path: Path
) -> None:
    test = numbered.select("test")
    order = _lines(tmp_path / "order_of_test.txt", [name.upper() for name in reversed(test.table["path"].to_list())])
    outs = [tmp_path / name for name in ("a.zip", "b.zip")]
    for out in outs:
        assert write_submission(svm, numbered, order, out) == 0
    assert outs[0].read_bytes() == outs[1].read_bytes()
    truth = _lines(tmp_path / "truth.txt", indices_to_texts(test.labels[::-1]))
    assert score_submission(outs[0], truth) < 10


def test_the_score_has_the_challenges_form(tmp_path: Path) -> None:
    truth = _lines(tmp_path / "truth.txt", ["1_1"] * 7000)
    predictions = _lines(tmp_path / "predictions.txt", ["1_1"] * 1053 + ["N_N"] * 5947)
    assert f"{score_submission(predictions, truth):.6f}" == "84.957143"


@pytest.mark.parametrize(("lines", "line"), [(["1_1"], None), (["1_1", "8_1"], 2), ([""], None)])
def test_a_bad_submission_is_refused(tmp_path: Path, lines: list[str], line: int | None) -> None:
    path = _lines(tmp_path / "predictions.txt", lines)
    with pytest.raises(DataError) as refused:
        check_submission(path, 2)
    assert (refused.value.path, refused.value.line) == (path, line)


def test_a_zip_must_hold_the_predictions(tmp_path: Path) -> None:
    path = tmp_path / "predictions.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("folder/predictions.txt", "1_1\n")
    for wrong in (path, tmp_path / "nowhere.zip"):
        with pytest.raises(DataError) as refused:
            read_predictions(wrong)
        assert refused.value.path == wrong


def test_an_entry_that_came_twice_leaves_its_photo_usable(numbered: PreparedSet, svm: Path, tmp_path: Path) -> None:
    folder = tmp_path / "twice"
    shutil.copytree(numbered.path, folder)
    table = pl.read_parquet(folder / "samples.parquet")
    again = table.filter(path="Sample_7_6.jpg").with_columns(status=pl.lit("duplicate"))
    pl.concat([table[:-1], again]).write_parquet(folder / "samples.parquet")
    order = _lines(tmp_path / "order.txt", ["Sample_7_6.jpg"])
    assert write_submission(svm, PreparedSet.open(folder), order, tmp_path / "out.zip") == 0


def test_photos_without_a_face_go_in_as_neutral_and_unknown_ones_are_refused(
    numbered: PreparedSet, svm: Path, tmp_path: Path
) -> None:
    order = _lines(tmp_path / "order.txt", ["Sample_7_6.jpg", "Sample_6_7.jpg"])
    assert write_submission(svm, numbered, order, tmp_path / "out.zip") == 1
    assert read_predictions(tmp_path / "out.zip")[1] == 0
    _lines(order, ["Sample_9_9.jpg"])
    with pytest.raises(DataError) as refused:
        write_submission(svm, numbered, order, tmp_path / "out.zip")
    assert refused.value.path == order


def test_photos_of_one_name_in_several_folders_are_refused(numbered: PreparedSet, svm: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folders"
    shutil.copytree(numbered.path, folder)
    table = pl.read_parquet(folder / "samples.parquet")
    other = pl.when(pl.col("path") == "Sample_7_7.jpg").then(pl.lit("ben/Sample_7_6.JPG")).otherwise(pl.col("path"))
    table.with_columns(path=other).write_parquet(folder / "samples.parquet")
    order = _lines(tmp_path / "order.txt", ["Sample_7_6.jpg"])
    with pytest.raises(DataError) as refused:
        write_submission(svm, PreparedSet.open(folder), order, tmp_path / "out.zip")
    assert refused.value.path == folder
    assert not (tmp_path / "out.zip").exists()


@pytest.mark.slow
def test_the_challenge_from_photos_to_score_with_test_labels_kept_apart(challenge: Path, tmp_path: Path) -> None:
    prepared, run, out = tmp_path / "prepared", tmp_path / "run", tmp_path / "predictions.zip"
    order, truth = challenge / "order_of_test.txt", challenge / "truth.txt"
    done = CliRunner().invoke(app, ["prepare", str(challenge / "icv"), str(prepared), "--split", "challenge"])
    assert done.exit_code in (0, SOME_UNUSABLE)
    table = PreparedSet.open(prepared).table
    parts = dict(table.group_by("split").agg(pl.col("subject").unique().sort()).iter_rows())
    assert parts["train"] == ["003", "030", "073"]
    assert parts["validation"] == ["074"]
    assert table.filter(pl.col("subject") == "104")["label"].null_count() == table.filter(subject="104").height > 40
    for command in (
        ["train", str(prepared), str(run), "--recipe", "lda"],
        ["submit", str(run), str(prepared), str(out), "--order", str(order)],
    ):
        assert CliRunner().invoke(app, command).exit_code == 0
    with zipfile.ZipFile(out) as archive:
        assert archive.namelist() == ["predictions.txt"]
        assert len(archive.read("predictions.txt").split()) == len(order.read_text().split()) == 50
    scored = CliRunner().invoke(app, ["score", str(out), str(truth), "--json"])
    assert 0 < json.loads(scored.stdout)["misclassification"] <= 94  # chance is 98


def test_a_zip_whose_data_is_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "predictions.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("predictions.txt", "Sample_001_001\t1_1\n" * 200)
    content = bytearray(path.read_bytes())
    content[45:50] = b"\xff" * 5  # behind the header and the name
    path.write_bytes(bytes(content))
    with pytest.raises(DataError):
        read_predictions(path)


@pytest.mark.parametrize(("line", "label"), [
    ("5_7", "5_7"), ("happily surprised", "5_7"), ("a.jpg\thappily surprised", "5_7"), ("a.jpg 3_6", "3_6"),
    ("Sadly angry", "6_1"), ("a.jpg happy", "5_5"),
])  # fmt: skip
def test_labels_of_a_submission_may_be_words(tmp_path: Path, line: str, label: str) -> None:
    (tmp_path / "labels.txt").write_text(f"{line}\n")
    assert indices_to_texts(read_predictions(tmp_path / "labels.txt")) == [label]
