"""The engine of resumable work, killed at every step, and the executors that it works on."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import pytest

from mien.errors import OtherParametersError, OutputError, WorkerLostError
from mien.files import replacing
from mien.jobs.executors import THIS_PROCESS, Executor, LocalProcesses
from mien.jobs.shards import run_shards

SIZE = 1000
EXECUTORS = [THIS_PROCESS, LocalProcesses(2)]


@dataclass(frozen=True)
class Part:
    """Fills its place in one file with a byte of its own; is the third part of a job."""

    folder: Path
    number: int
    size = 2

    @property
    def marker(self) -> Path:
        return self.folder / "parts" / f"{self.number}.done"

    @property
    def uncollected(self) -> Path:
        return self.folder / "parts" / f"{self.number}.bytes"


class Steps:
    """Counts the steps of a process, and kills it at one of them."""

    count = 0
    last: int | None = None

    @classmethod
    def step(cls) -> None:
        cls.count += 1
        if cls.count == cls.last:
            os.kill(os.getpid(), signal.SIGKILL)


def _work(part: Part) -> None:
    Steps.step()
    with replacing(part.uncollected) as temporary:
        temporary.write_bytes(bytes([part.number + 1]) * SIZE)
        Steps.step()
    Steps.step()
    with replacing(part.marker) as temporary:
        temporary.touch()
        Steps.step()
    Steps.step()


def _collect(part: Part) -> None:
    Steps.step()
    content = part.uncollected.read_bytes()
    with (part.folder / "whole").open("r+b") as file:
        for half in (0, SIZE // 2):
            file.seek(part.number * SIZE + half)
            file.write(content[half : half + SIZE // 2])
            file.flush()
            Steps.step()


def _parts(folder: Path) -> list[Part]:
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    (folder / "whole").touch()
    return [Part(folder, number) for number in range(3)]


def _run(folder: Path, killed_at: int | None = None, executor: Executor = THIS_PROCESS) -> None:
    Steps.last = killed_at
    run_shards(_parts(folder), _work, executor, _collect)


def _whole(folder: Path) -> bytes:
    assert sorted(path.name for path in (folder / "parts").glob("[!.]*")) == ["0.done", "1.done", "2.done"]
    return (folder / "whole").read_bytes()


EXPECTED = b"".join(bytes([number + 1]) * SIZE for number in range(3))


@pytest.mark.slow
def test_a_job_that_was_killed_at_any_step_ends_with_the_bytes_of_an_undisturbed_one(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    for step in count(1):
        folder = tmp_path / str(step)
        process = context.Process(target=_run, args=(folder, step))
        process.start()
        process.join()
        _run(folder)
        assert _whole(folder) == EXPECTED
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
    assert step > 3 * 8  # all steps of the three parts were met


@pytest.mark.parametrize("executor", EXECUTORS)
def test_the_bytes_depend_on_no_executor(tmp_path: Path, executor: Executor) -> None:
    _run(tmp_path, executor=executor)
    assert _whole(tmp_path) == EXPECTED


def test_what_is_done_is_not_done_again_but_collected(tmp_path: Path) -> None:
    parts = _parts(tmp_path)
    for part in parts:
        _work(part)
    parts[0].uncollected.unlink()  # it was collected

    def forbid(part: Part) -> None:
        raise AssertionError(part)

    collected: list[Part] = []
    run_shards(parts, forbid, THIS_PROCESS, collected.append)
    assert collected == parts[1:]


def test_progress_starts_at_what_is_done_and_ends_at_all(tmp_path: Path) -> None:
    parts = _parts(tmp_path)
    _work(parts[1])
    seen: list[tuple[int, int]] = []
    run_shards(parts, _work, THIS_PROCESS, _collect, lambda *progress: seen.append(progress))
    assert seen == [(2, 6), (4, 6), (6, 6)]


def test_a_folder_that_a_worker_does_not_see_is_named(tmp_path: Path) -> None:
    def hide(done: int, total: int) -> None:
        (tmp_path / "parts").rename(tmp_path / "elsewhere")

    with pytest.raises(OutputError) as refused:
        run_shards(_parts(tmp_path), _work, THIS_PROCESS, _collect, hide)
    assert refused.value.path == tmp_path / "parts"


def _square(number: int) -> int:
    return number * number


def _refuse(number: int) -> int:
    raise OtherParametersError("other", {"number": (number, None)})


def _kill_the_third(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("executor", EXECUTORS)
def test_results_come_all_and_in_order_where_that_is_wanted(executor: Executor) -> None:
    squares = [number * number for number in range(20)]
    assert list(executor.ordered(_square, range(20))) == squares
    assert sorted(executor.unordered(_square, range(20))) == squares
    assert list(executor.ordered(_square, [])) == list(executor.unordered(_square, [])) == []


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("ahead", [1, 3])
def test_the_ordered_map_reads_an_endless_source_no_further_ahead_than_it_may(executor: Executor, ahead: int) -> None:
    taken = 0

    def source() -> Iterator[int]:
        nonlocal taken
        for number in count():
            taken += 1
            yield number

    results = executor.ordered(_square, source(), ahead)
    for yielded, result in enumerate(islice(results, 10)):
        assert result == yielded * yielded
        assert taken <= yielded + ahead
    results.close()


@pytest.mark.parametrize("executor", EXECUTORS)
def test_what_the_work_raises_comes_with_its_data(executor: Executor) -> None:
    for results in (executor.ordered(_refuse, [7, 7]), executor.unordered(_refuse, [7, 7])):
        with pytest.raises(OtherParametersError) as raised:
            list(results)
        assert raised.value.differing == {"number": (7, None)}


def test_a_killed_worker_is_a_clear_error() -> None:
    with pytest.raises(WorkerLostError):
        list(LocalProcesses(2).unordered(_kill_the_third, range(10)))


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text(
        "import os, signal\n"
        "from mien.jobs.executors import LocalProcesses\n"
        "def wait(number): os.write(1, b'works\\n'); signal.pause()\n"  # whole lines, whoever else writes
        "if __name__ == '__main__': list(LocalProcesses(2).unordered(wait, range(2)))\n"
    )
    with subprocess.Popen([sys.executable, tmp_path / "worker.py"], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        started = [parent.stdout.readline() for _ in range(2)]
        parent.kill()
        assert started == [b"works\n"] * 2
        assert parent.stdout.read() == b""  # it ends when nobody is left who could write there


class _ShrinkingPool:
    def __init__(self, work: Callable[[int], int]) -> None:
        self._work, self._started = work, list[tuple[int, int]]()
        self._all = 0

    @property
    def width(self) -> int:
        return 8 if self._all < 8 else 2

    def start(self, number: int, item: int) -> None:
        self._started.append((number, item))
        self._all += 1

    def next_result(self) -> tuple[int, int]:
        number, item = self._started.pop(0)
        return number, self._work(item)


class _Shrinking(Executor):
    """Does the work here, and has fewer workers from the third item on."""

    @contextmanager
    def _open(self, work: Callable[[int], int], count: int | None) -> Iterator[_ShrinkingPool]:
        yield _ShrinkingPool(work)


def test_all_is_done_where_workers_leave_on_the_way() -> None:
    assert sorted(_Shrinking().unordered(abs, range(20))) == list(range(20))
    assert list(_Shrinking().ordered(abs, range(20))) == list(range(20))
