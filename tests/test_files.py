import errno
import inspect
import json
import pickle
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mien.datasets.prepared import PreparedSet
from mien.errors import BusyError, DamagedClaimError, MienError, OtherContentError, OtherParametersError, OutputError
from mien.files import remove_leftovers, replacing, saying_where, write_parquet, write_text
from mien.jobs.claims import claim_folder, working_in
from mien.training.recipe import load_recipe

CHILD = "import os, signal, sys; from pathlib import Path; place = Path(sys.argv[1])\n"


def _kill_while_writing(path: Path) -> Path:
    """Start a process that is killed in the middle of writing `path`; what it leaves."""
    before = set(path.parent.iterdir())
    code = f"{CHILD}from mien.files import replacing\n"
    code += "with replacing(place) as temporary: temporary.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -signal.SIGKILL
    (left,) = set(path.parent.iterdir()) - before
    return left


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "old")

    def write_half() -> None:
        with replacing(path) as temporary:
            temporary.write_text("new, but not")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as nowhere:
        write_text(tmp_path / "nowhere" / "file.txt", "text")
    assert (nowhere.value.path, nowhere.value.errno) == (tmp_path / "nowhere" / "file.txt", errno.ENOENT)
    write_text(tmp_path / "file", "text")
    with pytest.raises(OutputError) as in_the_way:
        write_text(tmp_path / "file" / "inside.txt", "text")
    assert (in_the_way.value.path, in_the_way.value.errno) == (tmp_path / "file" / "inside.txt", errno.ENOTDIR)


def test_a_full_disk_is_named() -> None:
    full = Path("/dev/full")  # Linux's device on which every write finds the disk full
    with pytest.raises(OutputError) as raised, saying_where(full):
        full.write_bytes(b"text")
    assert (raised.value.path, raised.value.errno) == (full, errno.ENOSPC)


def test_a_folder_is_claimed_once_for_one_purpose(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    assert not claim_folder(folder, "plan.json", {"seed": 1}, "choose another")
    assert claim_folder(folder, "plan.json", {"seed": 1}, "choose another")
    with pytest.raises(OtherParametersError):
        claim_folder(folder, "plan.json", {"seed": 2}, "choose another")
    with pytest.raises(OtherContentError):
        claim_folder(tmp_path, "plan.json", {"seed": 1}, "choose another")


def test_other_parameters_are_told_with_both_values_however_deep_they_stand(tmp_path: Path) -> None:
    before = {"split": {"seed": 1, "test": 0.1}, "size": None, "kind": {"a": 1}}
    now = {"split": {"seed": 2, "test": 0.1}, "size": 3, "kind": "b"}
    claim_folder(tmp_path, "plan.json", before, "choose another")
    with pytest.raises(OtherParametersError) as raised:
        claim_folder(tmp_path, "plan.json", now, "choose another")
    assert raised.value.differing == {"split.seed": (1, 2), "size": (None, 3), "kind": ({"a": 1}, "b")}


def test_claiming_removes_what_a_killed_process_had_begun_and_nothing_else(tmp_path: Path) -> None:
    _kill_while_writing(tmp_path / "plan.json")
    assert not claim_folder(tmp_path, "plan.json", {"a": 1}, "choose another")
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]
    left = _kill_while_writing(tmp_path / "photo.jpg")
    of_another_machine = left.with_name(left.name.replace(left.name.split(".")[-3], "another-machine"))
    of_nobody = tmp_path / ".notes.part"
    for path in (of_another_machine, of_nobody):
        path.write_text("still written")
    with replacing(tmp_path / "other.jpg") as written:
        written.write_text("still written")
        assert claim_folder(tmp_path, "plan.json", {"a": 1}, "choose another")
        assert {*tmp_path.iterdir()} == {tmp_path / "plan.json", written, of_another_machine, of_nobody}


def test_a_folder_of_somebody_else_keeps_all_of_its_files(tmp_path: Path) -> None:
    left = _kill_while_writing(tmp_path / "thesis.txt")
    with pytest.raises(OtherContentError):
        claim_folder(tmp_path, "shards/plan.json", {"a": 1}, "choose another")
    assert list(tmp_path.iterdir()) == [left]


def test_a_claim_that_was_cut_short_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "set" / "shards").mkdir(parents=True)
    assert not claim_folder(tmp_path / "set", "shards/plan.json", {"a": 1}, "choose another")
    assert claim_folder(tmp_path / "set", "shards/plan.json", {"a": 1}, "choose another")


@pytest.mark.parametrize("content", ["[]", "{}", '{"parameters": 3}', "{"])
def test_a_damaged_claim_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(DamagedClaimError):
        claim_folder(tmp_path, "plan.json", {"a": 1}, "choose another")


def test_one_process_at_a_time_works_in_a_folder_and_a_killed_one_leaves_it_free(tmp_path: Path) -> None:
    claim_folder(tmp_path, "plan.json", {}, "choose another")
    code = f"{CHILD}from mien.jobs.claims import working_in\n"
    code += "with working_in(place): print('works', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(BusyError), working_in(tmp_path):
            pass
        claim_folder(tmp_path, "plan.json", {}, "choose another")
        with pytest.raises(BusyError), working_in(tmp_path):  # claiming does not free it
            pass
        other.kill()
    with working_in(tmp_path), pytest.raises(BusyError), working_in(tmp_path):
        pass
    with working_in(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


def test_when_the_work_ends_no_temporary_file_of_anybody_is_left(tmp_path: Path) -> None:
    claim_folder(tmp_path, "plan.json", {}, "choose another")
    left = _kill_while_writing(tmp_path / "photo.jpg")
    left.rename(left.with_name(left.name.replace(left.name.split(".")[-3], "another-machine")))
    (tmp_path / ".notes.part").touch()
    with working_in(tmp_path):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"plan.json", ".notes.part"}


def test_claiming_removes_the_lock_that_a_killed_process_left(tmp_path: Path) -> None:
    claim_folder(tmp_path, "plan.json", {}, "choose another")
    code = f"{CHILD}from mien.jobs.claims import working_in\n"
    code += "with working_in(place): os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert len(list(tmp_path.iterdir())) == 2
    assert claim_folder(tmp_path, "plan.json", {}, "choose another")
    assert json.loads((tmp_path / "plan.json").read_text()) == {"parameters": {}}
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


def test_only_a_file_is_replaced_and_a_link_is_followed(tmp_path: Path) -> None:
    for place in (tmp_path, Path("/dev/null")):
        with pytest.raises(OutputError) as refused:
            write_text(place, "text")
        assert refused.value.path == place
    (tmp_path / "link").symlink_to("file")
    write_text(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "text"


def test_a_name_may_be_as_long_as_the_disk_allows(tmp_path: Path) -> None:
    write_text(tmp_path / ("n" * 255), "text")
    with pytest.raises(OutputError) as raised:
        write_text(tmp_path / ("n" * 256), "text")
    assert raised.value.errno == errno.ENAMETOOLONG
    assert len(list(tmp_path.iterdir())) == 1


def test_a_table_on_a_full_disk_is_a_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    table = pl.DataFrame({"number": np.random.default_rng(0).random(100_000)})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        with pytest.raises(OutputError) as raised:
            write_parquet(tmp_path / "table.parquet", table)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert raised.value.errno == errno.EFBIG
    assert not list(tmp_path.iterdir())
    write_parquet(tmp_path / "table.parquet", table)
    assert pl.read_parquet(tmp_path / "table.parquet").equals(table)


def test_threads_that_write_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    texts = [str(number) * 1000 for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda text: [write_text(tmp_path / "one", text) for _ in range(20)], texts))
    assert (tmp_path / "one").read_text() in texts
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


@pytest.mark.parametrize("name", ["n" * 300, "x" * 200 + "/" + "y" * 300])
def test_a_name_that_no_disk_allows_is_an_error_of_ours(tmp_path: Path, name: str) -> None:
    for ask in (
        lambda: PreparedSet.open(tmp_path / name),
        lambda: claim_folder(tmp_path / name, "plan.json", {}, "choose another"),
        lambda: load_recipe(f"{tmp_path / name}.toml"),
    ):
        with pytest.raises(MienError):
            ask()


def _kinds(kind: type[MienError]) -> Iterator[type[MienError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


@pytest.mark.parametrize("kind", sorted(set(_kinds(MienError)), key=lambda kind: kind.__name__))
def test_every_error_comes_back_from_another_process_as_it_was(kind: type[MienError]) -> None:
    words = inspect.signature(kind.__init__).parameters.values() if "__init__" in dir(kind) else ()
    wanted = [one for one in list(words)[1:] if one.default is one.empty and one.kind is not one.VAR_KEYWORD]
    given: dict[str, Any] = {one.name: f"its {one.name}" for one in wanted if one.kind is not one.VAR_POSITIONAL}
    if "leaks" in given:
        given["leaks"] = ["one"]
    positional = [given.pop(one.name) for one in wanted if one.kind is one.POSITIONAL_OR_KEYWORD]
    error = kind(*positional, **given)
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert (str(back), vars(back)) == (str(error), vars(error))


def test_of_processes_that_claim_a_folder_at_once_one_has_it(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom mien.errors import OtherParametersError\n"
        "from mien.jobs.claims import claim_folder\nwait, mine = float(sys.argv[2]), int(sys.argv[3])\n"
        "time.sleep(max(0, wait - time.time()))\nfor n in range(60):\n    try:\n"
        "        claim_folder(Path(sys.argv[1], str(n)), 'plan.json', {'mine': mine}, 'choose another')\n"
        "        print(n)\n    except OtherParametersError:\n        pass"
    )
    start = str(time.time() + 1.5)
    commands = [[sys.executable, "-c", code, str(tmp_path), start, str(mine)] for mine in range(2)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    claimed = [one.communicate(timeout=60)[0].split() for one in running]
    assert sorted(claimed[0] + claimed[1], key=int) == [str(n) for n in range(60)]
    for mine in range(2):
        for n in claimed[mine]:
            assert json.loads((tmp_path / n / "plan.json").read_text())["parameters"] == {"mine": mine}


def test_what_was_left_of_a_file_with_a_long_name_is_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    long = "n" * 200 + ".csv"
    with replacing(tmp_path / long) as temporary:
        left = temporary.with_name(re.sub(r"\d+-\d+\.part$", f"{ended.pid}-1.part", temporary.name))
        left.touch()
        temporary.touch()
    remove_leftovers(tmp_path, "b.csv")
    assert left.is_file()
    remove_leftovers(tmp_path, long)
    assert [path.name for path in tmp_path.iterdir()] == [long]
