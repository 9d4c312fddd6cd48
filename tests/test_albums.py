"""Albums: whose faces they are, and each compared with the same person's other photos."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.cluster.hierarchy import fcluster, linkage
from skimage import data

from mien.drawing.albums import draw_album
from mien.errors import MienError
from mien.inference import Recognizer, read_album
from mien.inference.enrolment import enroll
from mien.inference.grouping import group_identities
from mien.inference.results import DOUBTFUL_PERSON


def _people(seed: int, people: int, photos: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Identities of shape (people x photos, 128), and whose they are."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(people, 128))
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    rows = np.repeat(middles, photos, axis=0) + rng.normal(scale=spread / 16, size=(people * photos, 128))
    return rows.astype(np.float32), np.repeat(np.arange(people), photos)


def _same(groups: np.ndarray) -> np.ndarray:
    return groups[:, None] == groups


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), people=st.integers(1, 8), photos=st.integers(1, 6), spread=st.floats(0.1, 1.5))
def test_groups_are_those_of_scipy(seed: int, people: int, photos: int, spread: float) -> None:
    rows, _ = _people(seed, people, photos, spread)
    groups = group_identities(rows, range(len(rows)), 0.46).groups
    if len(rows) > 1:
        expected = fcluster(linkage(rows.astype(np.float64), "average"), 0.46, "distance")
        np.testing.assert_array_equal(_same(groups), _same(expected))
    assert (np.diff(np.unique(groups)) == 1).all()


def test_the_order_of_photos_changes_no_group() -> None:
    rows, true = _people(0, 6, 5, 0.3)
    order = np.random.default_rng(1).permutation(len(rows))
    groups = group_identities(rows, range(len(rows))).groups
    np.testing.assert_array_equal(_same(groups), _same(true))
    np.testing.assert_array_equal(_same(group_identities(rows[order], range(len(rows))).groups), _same(true[order]))


def test_faces_of_one_photo_are_different_people() -> None:
    rows, _ = _people(0, 1, 40, 0.05)
    photos = np.arange(40) // 2
    groups = group_identities(rows, photos.tolist()).groups
    assert all(len(set(groups[photos == photo])) == 2 for photo in range(20))


def test_a_face_between_two_people_is_doubtful_and_clear_ones_are_not() -> None:
    rows, _ = _people(3, 2, 4, 0.1)
    clear = group_identities(rows, range(8))
    assert not clear.doubtful.any()
    towards = rows[4:].mean(axis=0) - rows[:4].mean(axis=0)
    rows[4:] = rows[:4] + towards * 0.55 / np.linalg.norm(towards)
    middle = (rows[:4].mean(axis=0) + rows[4:].mean(axis=0)) / 2
    grouping = group_identities(np.vstack([rows, middle]), range(9))
    assert grouping.doubtful[8]


def test_two_of_one_photo_stay_two_in_large_groups_of_people_who_look_alike() -> None:
    rng = np.random.default_rng(0)
    near = rng.normal(0, 0.1 / 128**0.5, (2, 400, 128)).astype(np.float32)
    near[1, :, 0] += 0.36
    groups = group_identities(near.reshape(-1, 128), [*range(400), 0, *range(400, 799)]).groups
    assert groups[0] != groups[400]


def test_nobody_makes_no_groups() -> None:
    assert len(group_identities(np.zeros((0, 128), np.float32), []).groups) == 0


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory, small_synthetic_set: Path) -> list[Path]:
    """Three photos of one, two of another, one of nobody; a folder for each of the two."""
    folder = tmp_path_factory.mktemp("album")
    for name in ("synthetic", "real"):
        (folder / name).mkdir()
    for number, path in enumerate(sorted(small_synthetic_set.glob("*.jpg"))[::20]):
        with Image.open(path) as photo:
            photo.save(folder / "synthetic" / f"{number}.png")
    Image.fromarray(data.astronaut()).save(folder / "real" / "a.png")
    Image.fromarray(data.astronaut()[:400, ::-1]).save(folder / "real" / "b.png")
    Image.new("RGB", (200, 200)).save(folder / "nobody.png")
    return sorted(folder.rglob("*.png"))


def test_every_face_of_an_album_is_compared_with_its_persons_photos(album: list[Path]) -> None:
    recognizer = Recognizer.load()
    profile = enroll(recognizer, "Eileen", [data.astronaut()]).profile
    read = read_album(recognizer, album, profiles=[profile], workers=1)
    assert [(person.name, person.faces) for person in read.people] == [("person 1", 3), ("Eileen", 2)]
    assert [part.photo for part in read.photos] == list(map(str, album))
    assert [len(part) for part in read.photos] == [0, 1, 1, 1, 1, 1]
    assert read.photos[0].error is not None
    for part in read.photos[1:]:
        person = {"real": "Eileen", "synthetic": "person 1"}[Path(part.photo).parent.name]
        assert part[0].person == person
        assert part[0].reference.photo_count == {"Eileen": 2, "person 1": 3}[person]
        assert DOUBTFUL_PERSON not in part[0].flags
        assert part[0].quality.size > 0
        alone = recognizer.recognize(part.photo, part[0].reference)
        np.testing.assert_allclose(part[0].moved, alone.moved, atol=1e-4)
        strengths = [[action.strength for action in one.actions] for one in (part[0], alone)]
        np.testing.assert_allclose(*strengths, atol=1e-4)
    assert draw_album(read).ndim == 3


def test_folders_can_say_who_is_who(album: list[Path]) -> None:
    read = read_album(Recognizer.load(), album, "folder", workers=1)
    assert [(person.name, person.faces) for person in read.people] == [("synthetic", 3), ("real", 2)]
    with pytest.raises(MienError):
        read_album(Recognizer.load(), album, "people", workers=1)  # type: ignore[arg-type]


def test_folders_of_one_name_in_several_places_are_several_people(tmp_path: Path) -> None:
    folders = [tmp_path / family / "kids" for family in ("smith", "jones")]
    for folder, photo in zip(folders, (data.astronaut(), data.astronaut()[:400, ::-1]), strict=True):
        folder.mkdir(parents=True)
        Image.fromarray(photo).save(folder / "1.png")
    read = read_album(Recognizer.load(), [folder / "1.png" for folder in folders], "folder", workers=1)
    assert [person.name for person in read.people] == list(map(str, folders))


def test_an_album_is_read_from_the_command_line(album: list[Path], tmp_path: Path) -> None:
    folder, table, sheet = album[0].parent, tmp_path / "out.csv", tmp_path / "sheet.png"
    words = ("predict", folder, "--group-by", "person", "--output", table, "--sheet", sheet)
    done = subprocess.run(
        [sys.executable, "-m", "mien", *map(str, words)], capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 2  # one photo shows nobody
    assert sheet.stat().st_size > 1000
    photo = folder / "real" / "a.png"
    before = photo.read_bytes()
    words = ("predict", folder, "--group-by", "person", "--sheet", photo)
    refused = subprocess.run([sys.executable, "-m", "mien", *map(str, words)], check=False, capture_output=True)
    assert refused.returncode == 2
    assert photo.read_bytes() == before
    rows = pl.read_csv(table)
    assert rows["person"].drop_nulls().value_counts().sort("count").rows() == [("person 2", 2), ("person 1", 3)]
