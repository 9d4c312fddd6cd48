import os
import subprocess
import sys
from pathlib import Path

import pytest

from mien.errors import OutputError
from mien.files import claim_folder, replacing, saying_where, write_text


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "old")

    def write_half() -> None:
        with replacing(path) as temporary:
            temporary.write_text("new, but not")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"nowhere/file.txt: its folder does not exist"):
        write_text(tmp_path / "nowhere" / "file.txt", "text")
    write_text(tmp_path / "file", "text")
    with pytest.raises(OutputError, match="a file is in the way"):
        write_text(tmp_path / "file" / "inside.txt", "text")


def test_a_full_disk_is_named_with_a_remedy() -> None:
    full = Path("/dev/full")  # Linux's device on which every write finds the disk full
    with pytest.raises(OutputError, match="the disk is full; make room"), saying_where(full):
        full.write_bytes(b"text")


def test_a_folder_is_claimed_once_for_one_purpose(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    assert not claim_folder(folder, "plan.json", {"seed": 1}, "choose another")
    assert claim_folder(folder, "plan.json", {"seed": 1}, "choose another")
    with pytest.raises(OutputError, match="made with other seed; choose another"):
        claim_folder(folder, "plan.json", {"seed": 2}, "choose another")
    with pytest.raises(OutputError, match="exists with other content"):
        claim_folder(tmp_path, "plan.json", {"seed": 1}, "choose another")


def test_claiming_removes_what_a_killed_process_had_begun_and_nothing_else(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / f".photo.jpg.{ended.pid}.part").write_bytes(b"half")
    assert not claim_folder(tmp_path, "plan.json", {"a": 1}, "choose another")
    (tmp_path / f".photo.jpg.{os.getpid()}.part").write_bytes(b"still written")
    (tmp_path / f".photo.jpg.{ended.pid}.part").write_bytes(b"half")
    assert claim_folder(tmp_path, "plan.json", {"a": 1}, "choose another")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".photo.jpg.{os.getpid()}.part", "plan.json"]
