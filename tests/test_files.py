import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mien.errors import OutputError
from mien.files import replacing, saying_where, write_parquet, write_text
from mien.jobs.claims import claim_folder, working_in


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
    (tmp_path / f".plan.json.{ended.pid}.part").write_bytes(b"half")
    assert not claim_folder(tmp_path, "plan.json", {"a": 1}, "choose another")
    (tmp_path / f".photo.jpg.{os.getpid()}.part").write_bytes(b"still written")
    (tmp_path / f".photo.jpg.{ended.pid}.part").write_bytes(b"half")
    (tmp_path / f".photo.jpg.{10**30}.part").write_bytes(b"half")
    assert claim_folder(tmp_path, "plan.json", {"a": 1}, "choose another")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".photo.jpg.{os.getpid()}.part", "plan.json"]


def test_a_folder_of_somebody_else_keeps_all_of_its_files(tmp_path: Path) -> None:
    (tmp_path / ".thesis.99999999.part").write_text("chapter one")
    with pytest.raises(OutputError, match="exists with other content"):
        claim_folder(tmp_path, "shards/plan.json", {"a": 1}, "choose another")
    assert [path.name for path in tmp_path.iterdir()] == [".thesis.99999999.part"]


def test_a_claim_that_was_cut_short_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "set" / "shards").mkdir(parents=True)
    assert not claim_folder(tmp_path / "set", "shards/plan.json", {"a": 1}, "choose another")
    assert claim_folder(tmp_path / "set", "shards/plan.json", {"a": 1}, "choose another")


@pytest.mark.parametrize("content", ["[]", "{}", '{"parameters": 3}', "{"])
def test_a_damaged_claim_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(OutputError, match=r"plan.json: damaged; remove"):
        claim_folder(tmp_path, "plan.json", {"a": 1}, "choose another")


def test_one_process_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    claim_folder(tmp_path, "plan.json", {}, "choose another")
    code = "import sys; from pathlib import Path; from mien.jobs.claims import working_in\n"
    code += "with working_in(Path(sys.argv[1]), 'plan.json'): print('works', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(OutputError, match="another mien works here"), working_in(tmp_path, "plan.json"):
            pass
        other.kill()
    with working_in(tmp_path, "plan.json"):
        pass


def test_only_a_file_is_replaced_and_a_link_is_followed(tmp_path: Path) -> None:
    for place in (tmp_path, Path("/dev/null")):
        with pytest.raises(OutputError, match="no file but a folder or device"):
            write_text(place, "text")
    (tmp_path / "link").symlink_to("file")
    write_text(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "text"


def test_a_name_may_be_as_long_as_the_disk_allows(tmp_path: Path) -> None:
    write_text(tmp_path / ("n" * 255), "text")
    with pytest.raises(OutputError, match="its name is too long"):
        write_text(tmp_path / ("n" * 256), "text")
    assert len(list(tmp_path.iterdir())) == 1


def test_a_table_on_a_full_disk_is_a_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    table = pl.DataFrame({"number": np.random.default_rng(0).random(100_000)})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        with pytest.raises(OutputError, match=r"table.parquet: the file would be larger"):
            write_parquet(tmp_path / "table.parquet", table)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())
    write_parquet(tmp_path / "table.parquet", table)
    assert pl.read_parquet(tmp_path / "table.parquet").equals(table)
