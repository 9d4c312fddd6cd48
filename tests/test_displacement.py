from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.artifacts import save_arrays
from mien.displacement import Population, Reference, displacement, displacement_by_subject
from mien.errors import DataError


def _faces(people: int = 60, photos: int = 20, seed: int = 0) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Landmarks of people who differ by 6 pixels and move by 2; the first photo of each is neutral.

    Seeds draw other people about the same average face.
    """
    average = np.random.default_rng(100)
    mean = average.normal(112, 40, (68, 2))
    rest = average.normal(0, 1, (68, 2))
    chance = np.random.default_rng(seed)
    persons = mean + chance.normal(0, 6, (people, 1, 68, 2))
    moves = chance.normal(0, 2, (people, photos, 68, 2))
    moves[:, 0] = rest
    neutral = np.zeros((people, photos), dtype=bool)
    neutral[:, 0] = True
    names = [str(p) for p in range(people) for _ in range(photos)]
    return (persons + moves).reshape(-1, 68, 2), names, neutral.reshape(-1)


@given(st.integers(1, 6), st.integers(1, 8))
@settings(max_examples=20, deadline=None)
def test_displacement_of_each_subject_sums_to_zero(people: int, photos: int) -> None:
    landmarks, names, _ = _faces(people, photos)
    moved = displacement_by_subject(landmarks, names)
    assert moved.shape == (people * photos, 136)
    for name in set(names):
        np.testing.assert_allclose(moved[np.array(names) == name].mean(axis=0), 0, atol=1e-4)


def test_photos_of_a_subject_may_lie_anywhere_in_the_set() -> None:
    landmarks, names, _ = _faces(5, 6)
    order = np.random.default_rng(0).permutation(len(names))
    moved = displacement_by_subject(landmarks[order], [names[i] for i in order])
    np.testing.assert_array_equal(moved, displacement_by_subject(landmarks, names)[order])


def test_displacement_does_not_see_who_it_is() -> None:
    landmarks, names, _ = _faces()
    shifted = landmarks + np.repeat(np.random.default_rng(1).normal(0, 30, (60, 68, 2)), 20, axis=0)
    np.testing.assert_allclose(
        displacement_by_subject(landmarks, names), displacement_by_subject(shifted, names), atol=1e-3
    )


def test_order_is_x1_y1_to_x68_y68() -> None:
    reference = Reference(np.zeros((68, 2), dtype=np.float32), "mean", 1)
    points = np.arange(136, dtype=np.float32).reshape(68, 2)
    np.testing.assert_array_equal(displacement(points, reference), np.arange(136))


def test_the_estimate_is_better_than_the_average_face_and_grows_better_with_photos() -> None:
    landmarks, names, neutral = _faces()
    population = Population.fit(landmarks, names, neutral)
    others, _, _ = _faces(seed=1)
    persons = others.reshape(60, 20, 68, 2)
    truth = persons.mean(axis=1)

    def error(count: int) -> float:
        found = [population.estimate(photos[1 : 1 + count]).landmarks for photos in persons]
        return float(np.abs(np.stack(found) - truth).mean())

    average = float(np.abs(population.mean.reshape(68, 2) - truth).mean())
    assert error(12) < error(3) < error(1) < average


def test_few_photos_of_each_person_say_how_much_one_person_moves() -> None:
    rng = np.random.default_rng(0)
    people = rng.normal(0, 5, (600, 1, 136))
    photos = (people + rng.normal(0, 2, (600, 2, 136))).reshape(-1, 68, 2)
    names = [str(i // 2) for i in range(1200)]
    population = Population.fit(photos, names, np.zeros(1200, dtype=bool))
    assert abs(np.diag(population.within).mean() - 4) < 0.3


def test_a_neutral_photo_gives_nearly_the_mean() -> None:
    landmarks, names, neutral = _faces()
    population = Population.fit(landmarks, names, neutral)
    reference = population.from_neutral(landmarks[0])
    assert reference.kind == "neutral"
    np.testing.assert_allclose(reference.landmarks, landmarks[:20].mean(axis=0), atol=2.5)


def test_a_neutral_photo_gives_the_mean_feature_by_the_usual_way_there() -> None:
    population = replace(Population.fit(*_faces()), neutral_feature=np.array([1.0, -2.0], np.float32))
    photos = _faces()[0][:2]
    features = np.array([[3.0, 4.0], [5.0, 6.0]], np.float32)
    for_two = population.from_neutral(photos, features)
    assert for_two.feature is not None
    assert for_two.feature.tolist() == [3.0, 7.0]
    assert population.from_neutral(photos).feature is None
    assert replace(population, neutral_feature=None).from_neutral(photos, features).feature is None


def test_a_mean_reference_counts_its_photos() -> None:
    landmarks, _, _ = _faces()
    reference = Reference.from_mean(landmarks[:20])
    assert (reference.kind, reference.photo_count) == ("mean", 20)
    assert reference.landmarks == pytest.approx(landmarks[:20].mean(axis=0), abs=1e-3)


def test_a_saved_reference_keeps_the_doubts_about_its_photos_without_their_folders(tmp_path: Path) -> None:
    made = Reference.from_mean(np.zeros((3, 68, 2)))
    doubtful = replace(made, strangers=("album/b.jpg", "c\udcff.jpg"), expressive=(("/home/a.jpg", "happy"),))
    for reference, strangers, expressive in (
        (made, (), ()),
        (doubtful, ("b.jpg", "c\\udcff.jpg"), (("a.jpg", "happy"),)),
    ):
        reference.save(tmp_path / "saved")
        back = Reference.load(tmp_path / "saved")
        assert (back.strangers, back.expressive) == (strangers, expressive)
        back.save(tmp_path / "again")
        assert Reference.load(tmp_path / "again").strangers == strangers


def test_a_reference_of_the_format_before_is_read(tmp_path: Path) -> None:
    about = {"mien": "reference", "kind": "neutral", "photo_count": "2", "model": "", "format": "2"}
    save_arrays(tmp_path / "old", {"landmarks": np.ones((68, 2), np.float32)}, about)
    assert Reference.load(tmp_path / "old").photo_count == 2


@pytest.mark.parametrize("broken", ["[", "3", '[["a.jpg"]]'])
def test_a_reference_whose_doubts_are_broken_is_refused(tmp_path: Path, broken: str) -> None:
    about = {"mien": "reference", "kind": "neutral", "photo_count": "2", "model": "", "expressive": broken}
    save_arrays(tmp_path / "broken", {"landmarks": np.ones((68, 2), np.float32)}, about)
    with pytest.raises(DataError):
        Reference.load(tmp_path / "broken")
