from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from contents import digests

from mien.datasets.sources import read_source
from mien.drawing.sheets import draw_synthetic_sheet
from mien.errors import OtherContentError, OtherParametersError
from mien.faces import FaceExtractor
from mien.faces.points68 import INNER, MIRROR, eye_distance
from mien.images import RGBImage, read_rgb
from mien.jobs.executors import LocalProcesses
from mien.labels import CLASSES
from mien.synth.anatomy import Subject, draw_subject, landmark_places
from mien.synth.assets import HeadAssets
from mien.synth.camera import Lens, develop, draw_session
from mien.synth.expressions import Expression
from mien.synth.generate import generate
from mien.synth.studio import Studio
from mien.synth.truth import TruePoints

HEIGHT = 216


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person, one photo in each class."""
    out = tmp_path_factory.mktemp("made") / "faces"
    generate(out, subjects=1, samples=1, seed=3, height=432)
    return out


def test_a_set_lies_as_icv_mefed_does_with_all_classes(made: Path) -> None:
    manifest = read_source(made)
    assert manifest.layout == "icv-mefed"
    assert sorted(manifest.table["label"]) == sorted(str(emotion) for emotion in CLASSES)
    assert read_rgb(made / manifest.table["path"][0]).shape == (432, 648, 3)


def test_true_points_lie_in_the_picture_and_where_the_predictor_sees_them(made: Path) -> None:
    truth = pl.read_parquet(made / "truth.parquet")
    landmarks = truth["landmarks"].to_numpy().reshape(-1, 68, 2)
    assert landmarks.min() > 0
    assert landmarks[..., 0].max() < 648
    assert landmarks[..., 1].max() < 432
    extractor = FaceExtractor()
    errors = []
    for path, points in zip(truth["path"][:12], landmarks[:12], strict=True):
        seen = extractor.extract(read_rgb(made / path)).landmarks_photo
        errors.append(np.linalg.norm(seen - points, axis=1)[INNER].mean() / eye_distance(points))
    assert np.mean(errors) < 0.05


def test_all_points_of_a_face_from_in_front_are_visible(made: Path) -> None:
    visible = pl.read_parquet(made / "truth.parquet")["visible"].to_numpy()
    assert visible.shape == (50, 68)
    assert visible.mean() > 0.98


def test_the_whole_face_and_chin_turn_with_the_head_and_shoulders_stay(assets: HeadAssets) -> None:
    chin_and_face = assets.turning[landmark_places(assets)]
    assert chin_and_face.min() > 0.8
    assert assets.turning[assets.vertices[:, 1] < 5].max() < 0.1


def test_a_point_on_the_cheek_slides_to_the_outline_when_the_head_turns(assets: HeadAssets) -> None:
    points = TruePoints(assets)
    angle = np.radians(30)
    rotation = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    turned = (assets.vertices @ rotation.T).astype(np.float32)

    def project(vertices: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        return (vertices[:, :2] * [100, -100] + [324, 900]).astype(np.float32)

    forward = np.tile(np.array([0, 0, 1], dtype=np.float32), (len(turned), 1))
    located = points.locate(turned, forward, rotation, project, (648, 432)).positions
    fixed = project(turned[landmark_places(assets)])
    far_cheek = slice(0, 4)  # the head turns to the person's left, away from the right cheek
    assert (located[far_cheek, 0] <= fixed[far_cheek, 0]).all()
    assert (located[far_cheek, 0] < fixed[far_cheek, 0] - 1).any()
    np.testing.assert_array_equal(located[INNER], fixed[INNER])


def test_landmark_vertices_are_mirror_images(assets: HeadAssets) -> None:
    points = assets.vertices[landmark_places(assets)]
    np.testing.assert_allclose(points[MIRROR] * [-1, 1, 1], points, atol=0.02)


def test_a_person_follows_from_the_seed_and_no_two_are_alike(assets: HeadAssets) -> None:
    ann, again, bob = (draw_subject(assets, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(ann.neutral, again.neutral)
    assert np.abs(ann.neutral - bob.neutral).max() > 0.02
    assert 18 <= ann.age <= 80


def test_an_expression_is_linear_in_its_actions(assets: HeadAssets) -> None:
    person = draw_subject(assets, np.random.default_rng(1))
    one, other = np.random.default_rng(0).uniform(0, 0.5, (2, 52)).astype(np.float32)
    moves = person.shape(one) + person.shape(other) - person.neutral
    np.testing.assert_allclose(person.shape(one + other), moves, atol=1e-5)


@pytest.mark.slow
def test_a_photo_depends_neither_on_who_sat_before_nor_on_what_was_shown(assets: HeadAssets) -> None:
    studio = Studio(assets, HEIGHT)
    people = [draw_subject(assets, np.random.default_rng(seed)) for seed in range(8)]
    rest, shown = (Expression(np.full(52, strength, dtype=np.float32)) for strength in (0.0, 0.3))

    def photograph(person: Subject, expression: Expression) -> RGBImage:
        studio.enter(person)
        studio.photograph(expression, np.random.default_rng(0))
        return studio.photograph(rest, np.random.default_rng(1)).image

    first = [photograph(person, rest) for person in people]
    assert not np.array_equal(first[0], first[1])
    again = [photograph(person, shown) for person in reversed(people)]
    np.testing.assert_array_equal(np.stack(again[::-1]), np.stack(first))


def test_brows_are_where_the_person_has_them(assets: HeadAssets) -> None:
    def project(vertices: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        return (vertices[:, :2] * [100, -100] + [324, 900]).astype(np.float32)

    forward = np.tile(np.array([0, 0, 1], dtype=np.float32), (len(assets.vertices), 1))
    points = TruePoints(assets)
    plain, raised = (
        points.locate(assets.vertices, forward, np.eye(3), project, (648, 432), brows).positions
        for brows in (None, np.tile([0.0, 0.1], (5, 1)))
    )
    brows = slice(17, 27)
    assert (raised[brows, 1] < plain[brows, 1] - 1).all()
    np.testing.assert_array_equal(np.delete(raised, np.r_[brows], axis=0), np.delete(plain, np.r_[brows], axis=0))
    np.testing.assert_allclose(raised[MIRROR] * [-1, 1] + [648, 0], raised, atol=2.5)


def test_a_studio_is_better_lit_than_any_place() -> None:
    seeds = range(200)
    studio, anywhere = (
        [draw_session((96, 64), style, np.random.default_rng(seed)) for seed in seeds]
        for style in ("studio", "camera")
    )
    stops, distances = (
        [[getattr(getattr(session, part), name) for session in sessions] for sessions in (studio, anywhere)]
        for part, name in (("lens", "stops"), ("stand", "distance"))
    )
    assert min(stops[0]) > -1.5
    assert -3 <= min(stops[1]) < -2
    assert 0.5 < max(stops[1]) <= 1
    assert min(distances[0]) >= 9
    assert 4 <= min(distances[1]) < 5
    assert max(distances[1]) > 20


def test_a_darker_exposure_gives_a_darker_photo(assets: HeadAssets) -> None:
    picture = np.full((64, 96, 4), [90, 70, 50, 255], dtype=np.uint8)
    landmarks = np.random.default_rng(0).uniform([10, 10], [80, 50], (68, 2)).astype(np.float32)
    session = draw_session((96, 64), "studio", np.random.default_rng(0))
    means = [
        develop(picture, landmarks, 150, replace(session, lens=Lens(stops=stops)), np.random.default_rng(1)).mean()
        for stops in (-3, -1, 0, 1)
    ]
    assert means == sorted(means)
    assert means[0] < 0.6 * means[2]


def test_a_grey_camera_gives_equal_colours(assets: HeadAssets) -> None:
    picture = np.random.default_rng(0).integers(0, 100, (64, 96, 4), dtype=np.uint8)
    landmarks = np.random.default_rng(0).uniform([10, 10], [80, 50], (68, 2)).astype(np.float32)
    session = draw_session((96, 64), "camera", np.random.default_rng(0))
    for lens in (Lens(grey=True), Lens(grey=True, sharpness=0.4, motion=5.0, grain=9.0)):
        photo = develop(picture, landmarks, 150, replace(session, lens=lens), np.random.default_rng(1))
        assert photo.shape == (64, 96, 3)
        np.testing.assert_array_equal(photo[..., 0], photo[..., 2])


def test_a_second_run_does_nothing_and_other_content_is_refused(made: Path, tmp_path: Path) -> None:
    before = digests(made)
    assert generate(made, subjects=1, samples=1, seed=3, height=432).up_to_date
    assert digests(made) == before
    with pytest.raises(OtherParametersError) as refused:
        generate(made, subjects=1, samples=1, seed=4, height=432)
    assert refused.value.differing == {"seed": (3, 4)}
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(OtherContentError):
        generate(tmp_path, subjects=1, samples=1)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_contact_sheet_has_a_filled_tile_for_each_person_and_class(made: Path) -> None:
    sheet = draw_synthetic_sheet(made, side=32)
    assert sheet.shape == (2 * (36 + 32), 25 * 32, 3)
    for block in (0, 1):
        tiles = sheet[block * 68 + 36 :][:32].reshape(32, 25, 32, 3)
        assert (tiles.std(axis=(0, 2, 3)) > 5).all()


@pytest.mark.slow
def test_neither_workers_nor_a_kill_change_a_byte(tmp_path: Path) -> None:
    generate(tmp_path / "one", subjects=3, samples=1, seed=5, height=HEIGHT)
    generate(tmp_path / "two", subjects=3, samples=1, seed=5, height=HEIGHT, executor=LocalProcesses(2))
    assert digests(tmp_path / "one") == digests(tmp_path / "two")

    class Killed(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 50:
            raise Killed

    with pytest.raises(Killed):
        generate(tmp_path / "cut", subjects=3, samples=1, seed=5, height=HEIGHT, progress=stop)
    generate(tmp_path / "cut", subjects=3, samples=1, seed=5, height=HEIGHT)
    assert digests(tmp_path / "cut") == digests(tmp_path / "one")
