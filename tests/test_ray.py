"""Work on a real Ray cluster on this machine, with workers and a node that are really killed."""

import os
import signal
import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import count, islice
from pathlib import Path

import pytest
from contents import digests
from PIL import Image
from skimage import data

from mien.datasets import Preparation
from mien.datasets.sources import read_source
from mien.errors import ClusterError, OtherParametersError, WorkerLostError
from mien.jobs.ray_executor import ATTEMPTS, RayExecutor

ray = pytest.importorskip("ray")
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not find this file

PREPARATION = Preparation(validation=0, test=0, shard_size=1)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve photos of a face, each turned otherwise."""
    folder = tmp_path_factory.mktemp("photos") / "ann"
    folder.mkdir()
    for number in range(12):
        Image.fromarray(data.astronaut()[:340, 60:400]).rotate(3 * number - 18).save(folder / f"{number}.png")
    return folder.parent


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The content of the set as one process makes it."""
    out = tmp_path_factory.mktemp("whole") / "set"
    PREPARATION.run(read_source(photos), out)
    return digests(out)


@pytest.mark.slow
def test_a_cluster_on_this_machine_makes_the_bytes_of_one_process(
    photos: Path, whole: dict[str, str], tmp_path: Path
) -> None:
    seen: list[int] = []
    executor = RayExecutor("local", workers=2)
    PREPARATION.run(read_source(photos), tmp_path / "set", executor, lambda done, total: seen.append(done))
    assert digests(tmp_path / "set") == whole
    assert seen == list(range(13))
    assert not ray.is_initialized()


@pytest.mark.slow
def test_a_node_that_is_killed_half_way_costs_no_byte_and_no_word(
    photos: Path, whole: dict[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        node = cluster.add_node(num_cpus=1)

        def kill_half_way(done: int, total: int) -> None:
            if done == 3:
                assert sum(entry["Alive"] for entry in ray.nodes()) == 2
                cluster.remove_node(node, allow_graceful=False)

        capfd.readouterr()
        PREPARATION.run(read_source(photos), tmp_path / "set", RayExecutor(cluster.address), kill_half_way)
        assert capfd.readouterr() == ("", "")
    finally:
        cluster.shutdown()
    assert digests(tmp_path / "set") == whole


def _square(number: int) -> int:
    return number * number


@pytest.mark.slow
def test_no_cluster_at_an_address_is_an_error_that_names_it() -> None:
    with pytest.raises(ClusterError) as raised:
        list(RayExecutor("127.0.0.1:9").unordered(_square, [1]))
    assert raised.value.address == "127.0.0.1:9"


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayExecutor]:
    """A cluster that this process has joined before, and stays in."""
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield RayExecutor("auto")
    assert ray.is_initialized()
    ray.shutdown()


def _refuse(number: int) -> int:
    raise OtherParametersError("other", {"number": (number, None)})


def _die_at_first(path: Path) -> str:
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return path.name
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it lives")


def _die(path: Path) -> None:
    with path.open("a") as file:
        file.write("tried\n")
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_results_come_in_order_and_a_source_is_read_no_further_ahead_than_it_may(cluster: RayExecutor) -> None:
    taken = 0

    def source() -> Iterator[int]:
        nonlocal taken
        for number in count():
            taken += 1
            yield number

    results = cluster.ordered(_square, source(), 3)
    for yielded, result in enumerate(islice(results, 10)):
        assert result == yielded * yielded
        assert taken <= yielded + 3
    results.close()
    assert sorted(cluster.unordered(_square, range(20))) == [number * number for number in range(20)]


@pytest.mark.slow
def test_what_the_work_raises_comes_with_its_data(cluster: RayExecutor) -> None:
    with pytest.raises(OtherParametersError) as raised:
        list(cluster.unordered(_refuse, [7]))
    assert raised.value.differing == {"number": (7, None)}


class Unloadable:
    """As a class of a package that the machines of the cluster lack."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return import_module, ("no_such_package",)


@pytest.mark.slow
def test_work_that_a_machine_cannot_load_is_an_error_that_names_what_it_lacks(cluster: RayExecutor) -> None:
    with pytest.raises(ClusterError) as raised:
        list(cluster.unordered(_square, [Unloadable()]))
    assert "no_such_package" in raised.value.reason


@pytest.mark.slow
def test_a_task_whose_worker_is_killed_is_done_again(cluster: RayExecutor, tmp_path: Path) -> None:
    names = ["a", "b", "c"]
    assert list(cluster.ordered(_die_at_first, [tmp_path / name for name in names])) == names


@pytest.mark.slow
def test_a_task_that_kills_every_worker_is_given_up(cluster: RayExecutor, tmp_path: Path) -> None:
    with pytest.raises(WorkerLostError):
        list(cluster.unordered(_die, [tmp_path / "log"]))
    assert (tmp_path / "log").read_text() == "tried\n" * ATTEMPTS
