import json
import os
import shutil
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import icv_mefed
import numpy as np
import polars as pl
import pytest
from contents import digests
from PIL import Image
from skimage import data

from mien.datasets import Preparation, PreparedSet
from mien.datasets.icv_mefed import photo_name, read_label_lines, write_labels
from mien.datasets.leaks import find_leaks, refuse_leaks
from mien.datasets.manifest import Columns, Manifest
from mien.datasets.prepared import Counts
from mien.datasets.sources import read_source
from mien.datasets.splits import CHALLENGE, PAPER, split_by_number, split_by_subject
from mien.errors import (
    DataError,
    LayoutError,
    LeakError,
    MienError,
    OtherContentError,
    OtherParametersError,
    OutputError,
)
from mien.faces.extraction import open_landmarker
from mien.jobs.executors import LocalProcesses


def _photo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 40)).save(path)


def _rows(manifest: Manifest) -> list[tuple[str, str, str | None]]:
    return list(manifest.table.select("path", "subject", "label").iter_rows())


@pytest.fixture
def icv(tmp_path: Path) -> Path:
    """A few photos laid out as iCV-MEFED's, with its irregular lines: spaces, CRLF, suffix in another case."""
    for name in ("Sample_003_001.JPG", "Sample_003_002.JPG", "Sample_011_251.jpg"):
        _photo(tmp_path / name)
    (tmp_path / "training.txt").write_bytes(b"Sample_003_001.jpg\t1_1\r\nSample_011_251.jpg  \tN_N\r\n")
    return tmp_path


def test_icv_mefed_is_recognised_and_unlabelled_photos_are_kept(icv: Path) -> None:
    manifest = read_source(icv)
    assert manifest.layout == "icv-mefed"
    assert _rows(manifest) == [
        ("Sample_003_001.JPG", "003", "1_1"),
        ("Sample_003_002.JPG", "003", None),
        ("Sample_011_251.jpg", "011", "N_N"),
    ]


def test_icv_mefed_without_labels_is_known_by_the_names_of_its_photos(icv: Path) -> None:
    (icv / "training.txt").unlink()
    assert _rows(read_source(icv)) == [
        ("Sample_003_001.JPG", "003", None), ("Sample_003_002.JPG", "003", None), ("Sample_011_251.jpg", "011", None),
    ]  # fmt: skip
    _photo(icv / "holiday.jpg")
    assert read_source(icv).layout == "folders"


def test_photos_of_other_names_in_it_are_left_out_and_that_is_said(icv: Path) -> None:
    known = len(read_source(icv).notes)
    _photo(icv / "holiday.jpg")
    manifest = read_source(icv)
    assert manifest.layout == "icv-mefed"
    assert "holiday.jpg" not in [path for path, *_ in _rows(manifest)]
    assert len(manifest.notes) == known + 1


@pytest.mark.parametrize("name", ["labels.txt", "training.txt"])
def test_a_label_file_may_begin_with_empty_lines(icv: Path, name: str) -> None:
    lines = (icv / "training.txt").read_bytes()
    (icv / "training.txt").unlink()
    (icv / name).write_bytes(b"\xef\xbb\xbf\r\n \r\n" + lines)
    assert _rows(read_source(icv))[0] == ("Sample_003_001.JPG", "003", "1_1")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp037"])
def test_a_label_file_that_says_something_else_is_refused_not_passed_over(icv: Path, encoding: str) -> None:
    (icv / "labels.txt").write_text("photo label\n", encoding=encoding)
    with pytest.raises(DataError) as caught:
        read_source(icv)
    assert caught.value.path == icv / "labels.txt"


LABEL_FILES = {
    "header": "filename\tlabel\nSample_003_001.jpg\t1_1\nSample_011_251.jpg\tN_N\n",
    "commas": "image,emotion\nSample_003_001.jpg,1_1\nSample_011_251.jpg,N_N\n",
    "semicolons and quotes": '"Sample_003_001.jpg";"1_1"\n"Sample_011_251.jpg";"N_N"\n',
    "words": "Sample_003_001.jpg\tangry\nSample_011_251.jpg\tneutral\n",
    "words after spaces": "Sample_003_001.jpg angry\nSample_011_251.jpg  neutral\n",
    "more columns": "id,path,label\n0,train/Sample_003_001.JPG,1_1\n1,train\\Sample_011_251.JPG,N_N\n",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("place", ["training.txt", "lists/training.txt", "lists/deep/training.csv"])
@pytest.mark.parametrize("kind", LABEL_FILES)
def test_label_files_that_people_made_are_read(icv: Path, kind: str, place: str, encoding: str) -> None:
    (icv / "training.txt").unlink()
    (icv / place).parent.mkdir(parents=True, exist_ok=True)
    (icv / place).write_text(LABEL_FILES[kind], encoding=encoding)
    (icv / "order_of_test.txt").write_text("Sample_003_001.jpg\n")  # names alone
    manifest = read_source(icv)
    assert [label for _, _, label in _rows(manifest)] == ["1_1", None, "N_N"]
    assert manifest.others == {".txt": 1}


def test_a_phrase_after_a_space_is_one_label(icv: Path) -> None:
    (icv / "training.txt").write_text("Sample_003_001.jpg happily surprised\n")
    assert _rows(read_source(icv))[0] == ("Sample_003_001.JPG", "003", "5_7")


def test_written_labels_are_read_back(tmp_path: Path) -> None:
    labels = {photo_name(3, 1): "1_1", photo_name(104, 250): "N_N"}
    write_labels(tmp_path / "labels.txt", labels)
    assert read_label_lines(tmp_path / "labels.txt") == {name.lower(): [text] for name, text in labels.items()}


@pytest.mark.parametrize("line", ["Sample_003_002.JPG\t8_1", "Sample_003_002.JPG", "ann\t1_1"])
def test_a_wrong_label_line_is_refused_by_number(icv: Path, line: str) -> None:
    with (icv / "training.txt").open("a") as file:
        file.write(line)
    with pytest.raises(DataError) as caught:
        read_source(icv)
    assert (caught.value.path, caught.value.line) == (icv / "training.txt", 3)


LAYOUTS = {
    "split/emotion/photo": {
        "train/happy/a.jpg": ("train", "train/happy/a", "5_5"),
        "val/Neutral/b.jpg": ("validation", "val/Neutral/b", "N_N"),
        "testing/0_happy/c.jpg": ("test", "testing/0_happy/c", "5_5"),
    },
    "emotion/photo": {"afraid/a.jpg": (None, "afraid/a", "4_4"), "Joy/b.jpg": (None, "Joy/b", "5_5")},
    "subject/emotion/photo": {"ann/sadness/a.jpg": (None, "ann", "6_6"), "bob/CONTEMPT/b.jpg": (None, "bob", "2_2")},
    "emotion/subject/photo": {"sad/ann/a.jpg": (None, "ann", "6_6"), "angry/bob/b.jpg": (None, "bob", "1_1")},
    "split/subject/label/photo": {
        "Training/ann/5_5/a.jpg": ("train", "ann", "5_5"), "dev/bob/N_N/b.jpg": ("validation", "bob", "N_N"),
    },
    "folder/split/phrase/photo": {
        "images/train/happily_surprised/a.jpg": ("train", "images/train/happily_surprised/a", "5_7"),
        "images/test/Sadly Fearful/b.jpg": ("test", "images/test/Sadly Fearful/b", "6_4"),
    },
    "people with names like words": {
        "Joy/3_6/a.jpg": (None, "Joy", "3_6"), "Val/N_N/b.jpg": (None, "Val", "N_N"),
        "Dev/c.jpg": (None, "Dev", None),
    },
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_names_of_folders_say_what_they_are(tmp_path: Path, layout: str) -> None:
    for name in LAYOUTS[layout]:
        _photo(tmp_path / name)
    table = read_source(tmp_path).table
    rows = {path: tuple(rest) for path, *rest in table.select("path", "split", "subject", "label").iter_rows()}
    assert rows == LAYOUTS[layout]


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (["train/a.jpg", "test/b.jpg", "more/c.jpg"], {"train": "part", "test": "part", "more": None}),
        (["happy/a.jpg", "sad/b.jpg", "sleepy/c.jpg"], {"happy": "label", "sad": "label", "sleepy": None}),
        (["happy/sad/a.jpg"], {"happy": "label", "sad": "label"}),
    ],
)
def test_names_of_folders_that_can_be_read_in_two_ways_are_refused(
    tmp_path: Path, names: list[str], roles: dict[str, str | None]
) -> None:
    for name in names:
        _photo(tmp_path / name)
    with pytest.raises(LayoutError) as caught:
        read_source(tmp_path)
    assert caught.value.roles == roles


def test_a_source_without_labels_says_so_and_one_with_some_does_not(tmp_path: Path) -> None:
    _photo(tmp_path / "ann" / "1" / "a.jpg")
    described = read_source(tmp_path).notes
    _photo(tmp_path / "ann" / "1_1" / "b.jpg")
    assert len(read_source(tmp_path).notes) == len(described) - 1


def test_other_files_are_counted(tmp_path: Path) -> None:
    _photo(tmp_path / "ann" / "a.jpg")
    (tmp_path / "ann" / "notes.TXT").touch()
    assert read_source(tmp_path).others == {".txt": 1}


def test_subjects_are_one_person_however_their_name_is_spelled(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg"):
        _photo(tmp_path / name)
    decomposed = unicodedata.normalize("NFD", "José")
    lines = f"path,subject\na.jpg,José\nb.jpg, {decomposed} \nc.jpg,ann\nd.jpg,Ann\n"
    (tmp_path / "photos.csv").write_text(lines)
    manifest = read_source(tmp_path / "photos.csv")
    assert manifest.table["subject"].to_list() == ["José", "José", "ann", "Ann"]
    assert any("'Ann'" in note and "'ann'" in note for note in manifest.notes)


def test_paths_of_a_table_may_be_spelled_otherwise_than_on_disk(tmp_path: Path) -> None:
    decomposed, composed = (unicodedata.normalize(form, "Zoë") for form in ("NFD", "NFC"))
    _photo(tmp_path / decomposed / "é.jpg")
    _photo(tmp_path / "ann" / "b.jpg")
    (tmp_path / "photos.csv").write_text(f"path,subject\n{composed}/é.jpg,zoe\nann\\b.jpg,ann\nann\\c.jpg,ann\n")
    assert {path: status for path, _, status in _statuses(read_source(tmp_path / "photos.csv"))} == {
        f"{decomposed}/é.jpg": None, "ann/b.jpg": None, "ann\\c.jpg": "missing",
    }  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_tables_hold_words_for_labels_and_parts_and_may_come_from_a_spreadsheet(
    tmp_path: Path, mark: str, encoding: str
) -> None:
    _photo(tmp_path / "a.jpg")
    _photo(tmp_path / "b.jpg")
    lines = ["path,subject,label,split", "a.jpg,ann,Happily surprised,Training", "b.jpg,bob,fear,val"]
    (tmp_path / "photos.csv").write_text("\n".join(lines).replace(",", mark), encoding=encoding)
    table = read_source(tmp_path / "photos.csv").table
    assert list(table.select("label", "split").iter_rows()) == [("5_7", "train"), ("4_4", "validation")]


@pytest.mark.parametrize(
    ("line", "column"), [("a.jpg,,5_5,train", "subject"), (",ann,5_5,train", "path"), ("a.jpg,ann,5_5,half", "split")]
)
def test_an_impossible_value_in_a_table_is_refused_by_line_and_column(tmp_path: Path, line: str, column: str) -> None:
    (tmp_path / "photos.csv").write_text(f"path,subject,label,split\n{line}\n")
    with pytest.raises(DataError) as caught:
        read_source(tmp_path / "photos.csv")
    assert (caught.value.line, caught.value.column) == (2, column)


def test_a_set_is_counted_by_its_usable_photos() -> None:
    rows = [("ann", "5_5", "train", "ok"), ("ann", None, "train", "ok"), ("bob", "1_1", "test", "no face")]
    table = pl.DataFrame(rows, schema=["subject", "label", "split", "status"], orient="row")
    assert Counts.of(table) == Counts(photos=2, subjects=1, labelled=1, classes=1, parts={"train": 2})


def test_folders_name_subject_and_label_in_any_order(tmp_path: Path) -> None:
    for name in ("ann/3_6/a.jpg", "5_5/bob/b.jpg", "cid/c.jpg", "d.jpg"):
        _photo(tmp_path / name)
    assert _rows(read_source(tmp_path)) == [
        ("5_5/bob/b.jpg", "bob", "5_5"),
        ("ann/3_6/a.jpg", "ann", "3_6"),
        ("cid/c.jpg", "cid", None),
        ("d.jpg", "d", None),
    ]


def test_a_table_with_a_missing_column_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "photos.csv").write_text("path,label\na.jpg,1_1\n")
    with pytest.raises(DataError) as caught:
        read_source(tmp_path / "photos.csv")
    assert caught.value.column == "subject"


def _statuses(manifest: Manifest) -> list[tuple[str, str | None, str | None]]:
    return list(manifest.table.select("path", "label", "status").iter_rows())


def test_lines_without_photo_and_lines_that_repeat_or_contradict_stay_as_rows(icv: Path) -> None:
    with (icv / "training.txt").open("a") as file:
        file.write("Sample_003_009.JPG\t1_2\nSample_003_001.JPG\t1_1\nSample_011_251.JPG\t2_2\n")
    assert _statuses(read_source(icv)) == [
        ("Sample_003_001.JPG", "1_1", None),
        ("Sample_003_001.JPG", "1_1", "duplicate"),
        ("Sample_003_002.JPG", None, None),
        ("Sample_003_009.jpg", "1_2", "missing"),
        ("Sample_011_251.jpg", None, "duplicate"),
    ]


def test_two_photos_of_one_name_cannot_share_a_label_line(icv: Path) -> None:
    _photo(icv / "again" / "Sample_003_001.jpg")
    assert _statuses(read_source(icv))[:2] == [
        ("Sample_003_001.JPG", "1_1", None),
        ("Sample_003_002.JPG", None, None),
    ]
    assert _statuses(read_source(icv))[-1] == ("again/Sample_003_001.jpg", None, "duplicate")


def test_table_entries_that_repeat_contradict_or_lack_their_photo_stay_as_rows(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        _photo(tmp_path / name)
    lines = "path,subject,label\nb.jpg,1,1_1\nb.jpg,1,1_1\na.jpg,1,\na.jpg,2,\nc.jpg,1,5_5\n"
    (tmp_path / "photos.csv").write_text(lines)
    assert _statuses(read_source(tmp_path / "photos.csv")) == [
        ("a.jpg", None, "duplicate"),
        ("a.jpg", None, "duplicate"),
        ("b.jpg", "1_1", None),
        ("b.jpg", "1_1", "duplicate"),
        ("c.jpg", "5_5", "missing"),
    ]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_columns_of_a_table_may_have_other_names(tmp_path: Path, suffix: str) -> None:
    _photo(tmp_path / "a.jpg")
    table = pl.DataFrame({"file": ["a.jpg"], "who": [7], "shows": ["3_6"], "part": ["test"]})
    path = tmp_path / f"photos.{suffix}"
    table.write_csv(path) if suffix == "csv" else table.write_parquet(path)
    manifest = read_source(path, columns=Columns("file", "who", "shows", "part"))
    assert manifest.table.row(0) == ("a.jpg", "7", "3_6", "test", None, None)
    with pytest.raises(DataError) as caught:
        read_source(path, columns=Columns("file", "who", "emotion", "part"))
    assert caught.value.column == "emotion"


def test_a_named_layout_is_taken_at_its_word(icv: Path) -> None:
    assert read_source(icv, "folders").table["subject"].to_list() == [
        "Sample_003_001",
        "Sample_003_002",
        "Sample_011_251",
    ]
    with pytest.raises(DataError):
        read_source(icv, "table")


def test_a_name_that_is_no_utf8_becomes_a_row(tmp_path: Path) -> None:
    _photo(tmp_path / "fine.png")
    os.link(tmp_path / "fine.png", os.fsencode(tmp_path) + b"/\xff.png")
    rows = {row[0]: row[2] for row in _statuses(read_source(tmp_path))}
    assert rows == {"fine.png": None, "\\udcff.png": "unreadable"}


def test_icv_mefed_is_read_exactly_with_all_its_irregularities(tmp_path: Path) -> None:
    truth = icv_mefed.fake(tmp_path, [3, 11, 13, 94, 111])
    manifest = read_source(tmp_path)
    assert manifest.layout == "icv-mefed"
    assert {path: (subject, label) for path, subject, label in _rows(manifest)} == truth
    assert manifest.table["status"].null_count() == len(truth) == 250 + 250 + 242 + 250 + 251
    assert truth["Sample_011_251.JPG"] == ("011", "7_7")


def _icv_table() -> pl.DataFrame:
    """All labelled photos of iCV-MEFED, by name."""
    rows = [(f"{subject:03d}", text) for subject in icv_mefed.subjects() for _, text in icv_mefed.photos_of(subject)]
    return pl.DataFrame(rows, schema=["subject", "label"], orient="row").with_columns(split=pl.lit("?"))


def _counts(table: pl.DataFrame) -> dict[str, int]:
    return dict(table["split"].value_counts().iter_rows())


def test_the_challenge_split_has_its_published_sizes() -> None:
    table = split_by_number(_icv_table(), CHALLENGE)
    assert _counts(table) == icv_mefed.CHALLENGE_COUNTS
    assert table.group_by("split").agg(pl.col("subject").n_unique())["subject"].sort().to_list() == [23, 28, 64]


def test_the_papers_split_is_the_first_20719_and_the_last_2250_photos_by_subject() -> None:
    table = split_by_number(_icv_table(), PAPER)
    assert _counts(table) == {"train": 20_719, "validation": 2_250, "test": 5_751}
    both = table.filter(pl.col("split") != "test").sort("subject", maintain_order=True)
    assert set(both["split"][:20_719]) == {"train"}
    assert set(both["split"][20_719:]) == {"validation"}


def test_a_split_by_number_leaves_strangers_out_and_needs_numbers() -> None:
    table = pl.DataFrame({"subject": ["003", "094", "130"], "split": [None, None, "train"]})
    assert split_by_number(table, PAPER)["split"].to_list() == ["train", "validation", None]
    with pytest.raises(DataError) as refused:
        split_by_number(table.with_columns(subject=pl.lit("ann")), PAPER)
    assert refused.value.column == "subject"
    with pytest.raises(DataError):
        split_by_number(table.filter(pl.col("subject") != "003"), PAPER)


def _table(subjects: int) -> pl.DataFrame:
    names = [str(i // 3) for i in range(3 * subjects)]
    undecided = pl.Series([None] * len(names), dtype=pl.String)
    return pl.DataFrame({"subject": names, "label": ["5_5"] * len(names), "split": undecided})


@pytest.mark.parametrize("subjects", [3, 10, 92])
def test_no_subject_is_on_two_sides_and_every_side_has_one(subjects: int) -> None:
    table = split_by_subject(_table(subjects), 0.1, 0.1, seed=0)
    refuse_leaks(table.with_columns(path=pl.lit("photo")), Path("set"))
    assert set(table["split"]) == {"train", "validation", "test"}
    assert table.equals(split_by_subject(_table(subjects), 0.1, 0.1, seed=0))


def test_a_subject_of_whom_the_table_knows_the_part_is_whole_in_it() -> None:
    rows = [(name, "1_1", part) for name in "abcdef" for part in ("train" if name == "a" else None, None)]
    table = pl.DataFrame(rows, schema={"subject": pl.String, "label": pl.String, "split": pl.String}, orient="row")
    for seed in range(5):
        split = split_by_subject(table, 0.3, 0.3, seed)
        assert set(split.filter(subject="a")["split"]) == {"train"}
        assert (split.group_by("subject").agg(pl.col("split").n_unique())["split"] == 1).all()


def test_a_leaking_subject_is_named() -> None:
    table = pl.DataFrame({"path": ["a", "b"], "subject": ["ann", "ann"], "split": ["train", "test"]})
    with pytest.raises(LeakError) as refused:
        refuse_leaks(table, Path("set"))
    assert refused.value.path == Path("set")
    [leak] = refused.value.leaks
    assert (leak.kind, leak.across) == ("subject", True)
    assert "ann" in leak.text


def test_too_few_subjects_are_refused() -> None:
    with pytest.raises(DataError) as refused:
        split_by_subject(_table(2), 0.1, 0.1, seed=0)
    assert refused.value.column == "split"


def test_subjects_without_a_label_are_on_no_side() -> None:
    table = _table(4).with_columns(label=pl.when(pl.col("subject") != "0").then(pl.lit("5_5")))
    split = split_by_subject(table, 0.2, 0.2, seed=0)
    assert split.filter(pl.col("subject") == "0")["split"].null_count() == 3
    assert split.filter(pl.col("subject") != "0")["split"].null_count() == 0


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photos of one real face under three names, and four files that are no use."""
    folder = tmp_path_factory.mktemp("faces")
    astronaut = Image.fromarray(data.astronaut())
    for i, name in enumerate(("ann", "bob", "cid")):
        for angle in (0, 4):
            path = folder / name / f"{i}-{angle}.png"
            path.parent.mkdir(exist_ok=True)
            astronaut.rotate(angle).save(path)
    (folder / "ann" / "empty.jpg").touch()
    (folder / "bob" / "words.jpg").write_text("no picture")
    Image.fromarray(data.coffee()[:200, :300]).save(folder / "cid" / "coffee.png")
    Image.new("RGB", (1, 20000)).save(folder / "cid" / "thin.png")
    return folder


PREPARATION = Preparation(validation=0.3, test=0.3, shard_size=3)


def _prepare(faces: Path, out: Path, workers: int = 1) -> None:
    PREPARATION.run(read_source(faces), out, LocalProcesses(workers))


def test_bad_photos_are_recorded_with_their_reason_and_do_not_stop_the_rest(faces: Path, tmp_path: Path) -> None:
    summary = PREPARATION.run(read_source(faces), tmp_path / "set")
    assert summary.statuses == {"no face": 1, "ok": 6, "unreadable": 3}
    reasons = dict(summary.problems)
    assert "0 bytes" in reasons["ann/empty.jpg"]
    assert reasons["bob/words.jpg"]
    assert "no face" in reasons["cid/coffee.png"]
    assert "1 x 20000" in reasons["cid/thin.png"]
    opened = PreparedSet.open(tmp_path / "set")
    assert len(opened) == 6
    assert opened.crops.shape == (10, 224, 224, 3)
    assert opened.crops[opened.rows].mean() > 20
    assert sorted(p.name for p in (tmp_path / "set").iterdir()) == ["crops-224.npy", "samples.parquet", "set.json"]


def test_a_second_run_does_nothing_and_other_content_is_refused(faces: Path, tmp_path: Path) -> None:
    _prepare(faces, tmp_path / "set")
    before = digests(tmp_path / "set")
    assert PREPARATION.run(read_source(faces), tmp_path / "set").up_to_date
    assert digests(tmp_path / "set") == before
    with pytest.raises(OtherParametersError) as raised:
        replace(PREPARATION, seed=1).run(read_source(faces), tmp_path / "set")
    assert raised.value.differing == {"split.seed": (0, 1)}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    with pytest.raises(OtherContentError):
        _prepare(faces, tmp_path / "other")
    assert [path.read_text() for path in (tmp_path / "other").iterdir()] == ["dear"]


def test_a_photo_is_the_same_however_its_path_is_written_and_empty_lines_count_not(tmp_path: Path) -> None:
    _photo(tmp_path / "a.jpg")
    (tmp_path / "photos.csv").write_text("path,subject,label\na.jpg,ann,1_1\n./a.jpg,ann,2_2\n,,\n")
    manifest = read_source(tmp_path / "photos.csv")
    assert manifest.table["path"].to_list() == ["a.jpg", "a.jpg"]
    assert manifest.table["status"].to_list() == ["duplicate", "duplicate"]


HARMS = (
    "no samples", "no crops", "short crops", "long crops", "list", "no object", "null size", "null files",
    "no column", "short table", "long table", "no landmarks", "broken landmarks", "no subject",
)  # fmt: skip


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("checksums", [True, False])
def test_a_set_that_was_harmed_is_refused_by_whoever_opens_it(
    faces: Path, tmp_path: Path, harm: str, checksums: bool
) -> None:
    out = tmp_path / "set"
    _prepare(faces, out)
    info = json.loads((out / "set.json").read_text())
    if not checksums:  # as in sets of before
        info = {key: value for key, value in info.items() if key != "files"}
        (out / "set.json").write_text(json.dumps(info))
    _harm(out, harm, pl.read_parquet(out / "samples.parquet"), info)
    with pytest.raises((DataError, OutputError)):
        _prepare(faces, out)
    with pytest.raises(DataError):
        PreparedSet.open(out)


def _harm(out: Path, harm: str, samples: pl.DataFrame, info: dict[str, Any]) -> None:
    nan = pl.lit([np.nan] * 136, dtype=pl.Array(pl.Float32, 136))
    tables = {
        "no column": lambda: samples.drop("status"),
        "short table": lambda: samples[:-1],
        "long table": lambda: pl.concat([samples, samples[:1]]),
        "no landmarks": lambda: samples.with_columns(landmarks_crop=pl.lit(None)),
        "broken landmarks": lambda: samples.with_columns(landmarks_crop=nan),
        "no subject": lambda: samples.with_columns(subject=pl.lit(None)),
    }
    texts = {
        "list": "[]",
        "no object": "{}",
        "null size": json.dumps(info | {"crop_size": None}),
        "null files": json.dumps(info | {"files": None}),
    }
    table, crops = out / "samples.parquet", out / "crops-224.npy"
    if harm in tables:
        tables[harm]().write_parquet(table)
    elif harm in texts:
        (out / "set.json").write_text(texts[harm])
    elif harm in ("no samples", "no crops"):
        (table if harm == "no samples" else crops).unlink()
    elif harm == "short crops":
        np.save(crops, np.zeros((3, 224, 224, 3), dtype=np.uint8))
    elif harm == "long crops":
        crops.write_bytes(crops.read_bytes() + b"more")


def _flip_a_bit(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-9, 2)
        byte = file.read(1)[0]
        file.seek(-9, 2)
        file.write(bytes([byte ^ 1]))


def test_a_flipped_bit_is_found_in_the_table_by_who_opens_and_in_the_crops_by_who_verifies(
    faces: Path, tmp_path: Path
) -> None:
    out = tmp_path / "set"
    _prepare(faces, out)
    _flip_a_bit(out / "samples.parquet")
    with pytest.raises(DataError) as refused:
        PreparedSet.open(out)
    assert refused.value.path == out / "samples.parquet"
    _flip_a_bit(out / "samples.parquet")
    PreparedSet.open(out).verify()
    _flip_a_bit(out / "crops-224.npy")
    opened = PreparedSet.open(out)
    with pytest.raises(DataError) as refused:
        opened.verify()
    assert refused.value.path == out / "crops-224.npy"


def test_a_set_that_another_program_wrote_is_as_good(prepared: PreparedSet, tmp_path: Path) -> None:
    shutil.copytree(prepared.path, tmp_path / "set")
    table = pl.read_parquet(prepared.path / "samples.parquet")
    lists = pl.col("landmarks_crop").cast(pl.List(pl.Float64))
    table.with_columns(lists, pl.col("face_count").cast(pl.Int64)).write_parquet(tmp_path / "set" / "samples.parquet")
    np.testing.assert_array_equal(PreparedSet.open(tmp_path / "set").displacement, prepared.displacement)


@pytest.mark.parametrize("lost", ["shard", "crops", "summary"])
def test_an_interrupted_run_ends_with_the_same_bytes(faces: Path, tmp_path: Path, lost: str) -> None:
    _prepare(faces, tmp_path / "whole")

    class Killed(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done >= {"shard": 6, "crops": 3, "summary": total}[lost]:
            raise Killed

    with pytest.raises(Killed):
        PREPARATION.run(read_source(faces), tmp_path / "cut", progress=stop)
    with pytest.raises(DataError):
        PreparedSet.open(tmp_path / "cut")
    _prepare(faces, tmp_path / "cut")
    assert digests(tmp_path / "cut") == digests(tmp_path / "whole")


@pytest.mark.slow
def test_workers_change_nothing(faces: Path, tmp_path: Path) -> None:
    _prepare(faces, tmp_path / "one")
    _prepare(faces, tmp_path / "two", workers=2)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_unlabelled_photos_count_towards_the_mean(prepared: PreparedSet) -> None:
    part = prepared.select("train")
    assert len(part) == 300
    np.testing.assert_allclose(part.displacement[:50].mean(axis=0), 0, atol=1e-3)


def test_photos_in_no_part_of_a_split_are_left_out(prepared: PreparedSet) -> None:
    first = prepared.subjects[0]
    outside = pl.when(pl.col("subject") == first).then(None).otherwise(pl.col("split")).alias("split")
    fewer = replace(prepared, table=prepared.table.with_columns(outside))
    assert first not in fewer.select("train", "validation", "test").subjects


def test_a_part_without_photos_is_refused(prepared: PreparedSet) -> None:
    with pytest.raises(DataError):
        prepared.select("nonsense")


def test_photos_that_differ_in_their_ending_alone_are_two_people(tmp_path: Path) -> None:
    for name in ("happy/1.jpg", "happy/1.png", "happy/2.jpg", "sad/1.jpg"):
        _photo(tmp_path / name)
    table = read_source(tmp_path).table
    assert table["subject"].n_unique() == 4


def test_a_table_with_a_column_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos.csv").write_text("path,subject,subject \na.jpg,ann,ann\n")
    with pytest.raises(DataError):
        read_source(tmp_path / "photos.csv")


def test_the_pair_of_a_file_that_stands_in_two_parts_is_named_from_both(tmp_path: Path) -> None:
    rows = [("a", "1", "train"), ("b", "2", "train"), ("c", "3", "test")]
    samples = pl.DataFrame(rows, schema=["path", "subject", "split"], orient="row").with_columns(
        file_hash=pl.lit("x")
    )
    (leak,) = find_leaks(samples)
    assert leak.across
    assert "c" in leak.text.replace("file", "").split("'")


def test_words_that_name_nothing_are_refused(tmp_path: Path) -> None:
    _photo(tmp_path / "faces" / "a.jpg")
    with pytest.raises(MienError):
        Preparation(split="papr").run(read_source(tmp_path / "faces"), tmp_path / "out")
    with pytest.raises(MienError):
        open_landmarker("dlib")  # type: ignore[arg-type]


@pytest.mark.parametrize(("line", "label"), [("happy,3_5", "3_5"), ("sad,1_6", "1_6"), ("3_5,happy", "3_5")])
def test_of_several_labels_in_a_line_the_pair_counts(tmp_path: Path, line: str, label: str) -> None:
    (tmp_path / "labels.csv").write_text(f"photo,dominant,label\nSample_003_001.jpg,{line}\n")
    assert read_label_lines(tmp_path / "labels.csv") == {"sample_003_001.jpg": [label]}


def test_a_line_with_two_labels_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("Sample_003_001.jpg,happy,sad\n")
    with pytest.raises(DataError):
        read_label_lines(tmp_path / "labels.csv")


def test_crops_that_are_gone_when_a_preparation_goes_on_are_made_again(faces: Path, tmp_path: Path) -> None:
    preparation = Preparation(validation=0.2, test=0.2, shard_size=4)
    preparation.run(read_source(faces), tmp_path / "whole")

    def stop(done: int, _: int) -> None:
        if done > 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        preparation.run(read_source(faces), tmp_path / "stopped", progress=stop)
    (tmp_path / "stopped" / "crops-224.npy").unlink()
    preparation.run(read_source(faces), tmp_path / "stopped")
    for name in ("crops-224.npy", "samples.parquet"):
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_one_file_in_place_of_many_photos_is_told_once_and_quickly() -> None:
    many = pl.DataFrame({
        "path": [f"{i}.jpg" for i in range(20_000)], "subject": [f"{i % 7000}" for i in range(20_000)],
        "split": ["train" if i < 19_999 else "test" for i in range(20_000)],
    }).with_columns(file_hash=pl.lit("x"))  # fmt: skip
    leaks = [leak for leak in find_leaks(many) if leak.kind == "same file"]
    assert [leak.across for leak in leaks] == [True]


def test_numbers_and_bytes_of_a_parquet_table_are_texts(tmp_path: Path) -> None:
    rows = {"path": [b"a.jpg", b"b.jpg"], "subject": [3.0, 4.0], "label": ["1_1", None]}
    pl.DataFrame(rows).write_parquet(tmp_path / "photos.parquet")
    table = read_source(tmp_path / "photos.parquet").table
    assert list(table.select("path", "subject", "label").iter_rows()) == [("a.jpg", "3", "1_1"), ("b.jpg", "4", None)]
