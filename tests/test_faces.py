from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import cv2
import dlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

from mien.errors import FaceError
from mien.faces import FaceExtractor
from mien.faces.alignment import EYE_DISTANCE, Similarity, anchors, photo_to_crop, stretch_of, stretched, warp
from mien.faces.detection import FaceDetector
from mien.faces.exposure import USUAL, expose
from mien.faces.identity import ONE_PERSON, describe_identity, identity_distance, shows_majority
from mien.faces.installed import installed_model
from mien.faces.points68 import BETWEEN_EYES, MIRROR, REGIONS, UPPER_LIP, eye_distance, mirror
from mien.faces.quality import SMALL, Quality
from mien.images import PhotoArray

EYES = [*range(36, 48)]
coordinates = st.floats(-1e4, 1e4)
points = st.tuples(coordinates, coordinates)


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return data.astronaut()


@pytest.fixture(scope="module")
def extractor() -> FaceExtractor:
    return FaceExtractor()


def test_mirroring_twice_changes_nothing() -> None:
    np.testing.assert_array_equal(MIRROR[MIRROR], np.arange(68))
    landmarks = np.random.default_rng(0).normal(size=(4, 68, 2)).astype(np.float32) * 50
    np.testing.assert_allclose(mirror(mirror(landmarks, 224), 224), landmarks, atol=1e-4)


def test_regions_cover_every_point_once() -> None:
    covered = [i for region in REGIONS.values() for i in range(68)[region]]
    assert covered == list(range(68))


@given(points, points, points, points)
def test_a_similarity_is_exact_at_its_two_points(s0: tuple, s1: tuple, t0: tuple, t1: tuple) -> None:
    source, target = np.array([s0, s1]), np.array([t0, t1])
    if np.linalg.norm(source[0] - source[1]) < 1:
        return
    moved = Similarity.from_two_points(source, target).apply(source)
    np.testing.assert_allclose(moved, target, atol=1e-6)


@given(points, points, points, st.floats(0.1, 10), st.floats(-3, 3))
def test_inverse_and_composition_of_similarities(p: tuple, q: tuple, r: tuple, scale: float, turn: float) -> None:
    first = Similarity(scale * np.exp(1j * turn), complex(*p))
    second = Similarity(np.exp(-2j * turn) / scale, complex(*q))
    point = np.array(r)
    np.testing.assert_allclose(first.inverse().apply(first.apply(point)), point, atol=1e-6)
    np.testing.assert_allclose(second.after(first).apply(point), second.apply(first.apply(point)), atol=1e-5)


def test_a_similarity_keeps_angles_and_has_no_mirroring() -> None:
    matrix = Similarity(2 - 1j, 5 + 3j).matrix[:, :2]
    np.testing.assert_allclose(matrix.T @ matrix, 5 * np.eye(2))
    assert np.linalg.det(matrix) > 0


def test_anchors_are_where_the_paper_puts_them() -> None:
    np.testing.assert_allclose(anchors(224), [[112, 224 * 20 / 55], [112, 224 * 38 / 55]])


def test_a_face_is_found_and_its_anchors_aligned(astronaut: np.ndarray, extractor: FaceExtractor) -> None:
    face = extractor.extract(astronaut)
    assert face.face_count == 1
    assert face.crop.shape == (224, 224, 3)
    alignment = photo_to_crop(face.landmarks_photo)
    np.testing.assert_allclose(alignment.apply(face.landmarks_photo[[27, 51]]), anchors(224), atol=1e-6)
    np.testing.assert_allclose(face.landmarks_crop[[27, 51]], anchors(224), atol=4)


@pytest.mark.parametrize(("scale", "turn"), [(0.6, 0.0), (2.5, 0.0), (1.0, 0.2)])
def test_a_scaled_or_turned_photo_gives_the_same_face(
    astronaut: np.ndarray, extractor: FaceExtractor, scale: float, turn: float
) -> None:
    size = int(512 * scale)
    a = scale * np.exp(1j * turn)
    about_centre = Similarity(a, (size / 2 - a * 256) * (1 + 1j))
    moved = cv2.warpAffine(astronaut, about_centre.matrix, (size, size), flags=cv2.INTER_AREA)
    before, after = extractor.extract(astronaut), extractor.extract(moved)
    distance = np.linalg.norm(before.landmarks_crop - after.landmarks_crop, axis=1)[17:].mean()
    assert distance < 0.03 * eye_distance(before.landmarks_crop)


@pytest.mark.parametrize("scale", [5.5, 5.75, 6.25])
def test_a_face_that_the_coarse_pass_barely_sees_is_boxed_by_a_finer_one(astronaut: np.ndarray, scale: float) -> None:
    photo = PhotoArray(_on_large_ground(astronaut[:300, 50:400], scale))
    boxes = FaceDetector(thorough=False).detect(photo, photo.read()).faces
    assert len(boxes) == 1
    assert boxes[0].score > 0.9
    np.testing.assert_allclose(boxes[0].as_array() / scale, [128, 83, 222, 178], atol=16)


@pytest.mark.parametrize("scale", [1.8, 2.2, 2.5, 3.3])
def test_a_badge_as_large_as_a_face_is_not_taken_for_one(astronaut: np.ndarray, scale: float) -> None:
    photo = PhotoArray(_on_large_ground(astronaut, scale))
    boxes = FaceDetector().detect(photo, photo.read()).faces
    assert len(boxes) == 1
    left, top, right, bottom = boxes[0].as_array() / scale
    assert left < 224 < right
    assert top < 120 < bottom


def _on_large_ground(image: np.ndarray, scale: float) -> np.ndarray:
    """The picture, enlarged, in the upper left of one of 6 megapixels, as a camera makes it."""
    large = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)[:2000, :3000]
    ground = np.full((2000, 3000, 3), 128, dtype=np.uint8)
    ground[: large.shape[0], : large.shape[1]] = large
    return ground


def test_a_large_photo_is_averaged_not_skipped_over() -> None:
    stripes = np.zeros((2000, 2000, 3), dtype=np.uint8)
    stripes[:, ::2] = 255  # finer than a crop pixel: must come out grey
    crop = warp(stripes, Similarity(0.1, 5 + 5j), 224)
    assert np.ptp(crop[20:-20, 20:-20].astype(int)) < 30


def test_averaging_keeps_places_exact() -> None:
    image = np.zeros((1200, 1200, 3), dtype=np.uint8)
    cv2.circle(image, (640, 480), 60, (255, 255, 255), -1)
    alignment = Similarity(0.17 * np.exp(0.3j), 20 + 10j)
    crop = warp(image, alignment, 224).astype(float)[..., 0]
    rows, columns = np.indices(crop.shape)
    centre = np.array([(crop * columns).sum(), (crop * rows).sum()]) / crop.sum()
    np.testing.assert_allclose(centre, alignment.apply(np.array([640, 480])), atol=0.05)


def test_a_photo_without_a_face_is_refused(extractor: FaceExtractor) -> None:
    with pytest.raises(FaceError) as refused:
        extractor.extract(data.coffee()[:200, :300])
    assert refused.value.count == 0


def test_the_detector_of_the_package_is_dlibs_own() -> None:
    own, original = FaceDetector()._hog, dlib.get_frontal_face_detector()
    for photo in (data.astronaut(), data.astronaut()[:, ::-1].copy(), data.coffee(), data.chelsea()):
        for found, expected in zip(own.run(photo, 0, -0.5), original.run(photo, 0, -0.5), strict=True):
            assert list(found) == list(expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["coins", "camera", "chelsea", "coffee", "rocket", "grass", "gravel", "brick", "page"]
)
def test_pictures_without_a_readable_face_are_refused(extractor: FaceExtractor, name: str) -> None:
    picture = np.asarray(getattr(data, name)())
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    for enlarged in (picture, cv2.resize(picture, None, fx=2, fy=2)):
        with pytest.raises(FaceError):
            extractor.extract(np.ascontiguousarray(enlarged))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_face_is_refused_with_the_turn_that_helps(astronaut: np.ndarray, turns: int) -> None:
    photo = PhotoArray(np.ascontiguousarray(np.rot90(astronaut, -turns)))
    found = FaceDetector().detect(photo, photo.read())
    assert found.faces == ()
    assert found.turned == 90 * turns
    assert FaceDetector().detect(PhotoArray(astronaut), PhotoArray(astronaut).read()).turned == 0


@pytest.mark.parametrize("width", [640, 1300, 2500, 2700, 4000])
def test_two_faces_are_noticed_at_every_size_of_the_photo(
    astronaut: np.ndarray, extractor: FaceExtractor, width: int
) -> None:
    face = astronaut[:300, 70:370]
    smaller = cv2.resize(face, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    scene = np.full((400, 700, 3), 120, dtype=np.uint8)
    scene[50:350, 20:320] = face
    scene[100:340, 420:660] = smaller
    photo = cv2.resize(scene, None, fx=width / 700, fy=width / 700, interpolation=cv2.INTER_CUBIC)
    found = list(extractor.extract_all(photo))
    assert len(found) == found[0].face_count == 2
    assert found[0].box.area > found[1].box.area


def test_a_larger_face_in_front_that_cannot_be_read_is_not_passed_over(astronaut: np.ndarray) -> None:
    scene = np.full((500, 900, 3), 120, dtype=np.uint8)
    front = cv2.resize(astronaut[20:270, 100:350], (480, 480), interpolation=cv2.INTER_CUBIC)
    front[250:] = 200  # mouth and nose are covered
    scene[10:490, 10:490] = front
    scene[150:320, 620:790] = cv2.resize(astronaut[20:270, 100:350], (170, 170), interpolation=cv2.INTER_AREA)
    photo = PhotoArray(scene)
    found = FaceDetector().detect(photo, photo.read())
    assert found.larger is not None or found.faces[0].left < 490
    if found.larger is not None:
        with pytest.raises(FaceError):
            FaceExtractor().extract(scene)


@pytest.mark.parametrize("stops", [-3.0, -2.0, -1.0, 1.0])
def test_dark_and_bright_photos_give_the_same_face(
    astronaut: np.ndarray, extractor: FaceExtractor, stops: float
) -> None:
    table = (255 * np.clip((np.arange(256) / 255) ** 2.2 * 2.0**stops, 0, 1) ** (1 / 2.2)).astype(np.uint8)
    before, after = extractor.extract(astronaut), extractor.extract(cv2.LUT(astronaut, table))
    distance = np.linalg.norm(before.landmarks_crop - after.landmarks_crop, axis=1)[17:].mean()
    assert distance < 0.035 * eye_distance(before.landmarks_crop)
    assert USUAL[0] - 10 < after.crop[60:190, 45:180].mean() < USUAL[1] + 10
    assert (after.quality.exposure < before.quality.exposure) == (stops < 0)


def test_a_face_in_usual_light_is_left_as_it_is(astronaut: np.ndarray) -> None:
    box = np.array([170, 60, 280, 170], dtype=np.float64)
    mean = cv2.cvtColor(astronaut[90:140, 200:250], cv2.COLOR_RGB2GRAY).mean()
    assert USUAL[0] < mean < USUAL[1]
    assert expose(astronaut, box) is astronaut
    dark = (astronaut // 5).astype(np.uint8)
    assert expose(dark, box)[90:140, 200:250].mean() > 2 * dark[90:140, 200:250].mean()


def test_quality_tells_blurred_small_and_tilted_faces(astronaut: np.ndarray, extractor: FaceExtractor) -> None:
    sharp = extractor.extract(astronaut).quality
    blurred = extractor.extract(cv2.GaussianBlur(astronaut, (0, 0), 3)).quality
    small = extractor.extract(cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)).quality
    tilt = cv2.getRotationMatrix2D((224, 120), -12, 1.0)
    tilted = extractor.extract(cv2.warpAffine(astronaut, tilt, (512, 512), borderMode=cv2.BORDER_REPLICATE)).quality
    assert blurred.sharpness < 0.6 * sharp.sharpness
    assert small.size == pytest.approx(sharp.size / 2, rel=0.1)
    assert tilted.roll - sharp.roll == pytest.approx(12, abs=3)


def test_an_identity_belongs_to_the_person_not_to_the_light_or_the_side(astronaut: np.ndarray) -> None:
    face = FaceExtractor().extract(astronaut)
    dark = FaceExtractor().extract((astronaut * 0.6).astype(np.uint8))
    mirrored = FaceExtractor().extract(np.ascontiguousarray(astronaut[:, ::-1]))
    assert identity_distance(face.identity, face.identity) == 0
    for same in (dark, mirrored):
        assert identity_distance(face.identity, same.identity) < ONE_PERSON


def test_an_identity_is_that_of_dlibs_own_network(astronaut: np.ndarray) -> None:
    network = dlib.face_recognition_model_v1(str(installed_model("dlib_face_recognition_resnet_model_v1.dat")))
    face = FaceExtractor(alignment="similarity").extract(astronaut)
    points = [dlib.point(round(x), round(y)) for x, y in face.landmarks_crop.tolist()]
    shape = dlib.full_object_detection(dlib.rectangle(0, 0, 224, 224), points)
    theirs = np.array(network.compute_face_descriptor(face.crop, shape))
    assert identity_distance(describe_identity(face.crop, face.landmarks_crop), theirs) < 0.002


def test_the_majority_is_found_in_any_order_and_one_person_alone_is_a_majority() -> None:
    rng = np.random.default_rng(0)
    people = rng.normal(size=(3, 128)) / 128**0.5
    who = np.array([0, 1, 1, 2, 1, 0, 1])
    identities = people[who] + rng.normal(size=(7, 128)) * 0.01
    for order in (np.arange(7), rng.permutation(7)):
        np.testing.assert_array_equal(shows_majority(identities[order]), who[order] == 1)
    assert shows_majority(identities[:1]).tolist() == [True]
    assert shows_majority(people).sum() == 1


def _cover(photo: np.ndarray, centre: np.ndarray, axes: tuple[float, float], colour: np.ndarray) -> np.ndarray:
    """A photo with a soft-edged ellipse of a colour, with a little noise."""
    mask = np.zeros(photo.shape[:2], np.uint8)
    cv2.ellipse(mask, tuple(map(int, centre)), tuple(map(int, axes)), 0, 0, 360, 255, -1)
    share = cv2.GaussianBlur(mask, (0, 0), 0.8)[..., None] / 255
    noise = np.random.default_rng(0).normal(0, 2, (*mask.shape, 1))
    return np.clip(photo * (1 - share) + (colour + noise) * share, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("thing", ["sunglasses", "mask", "mouth painted over", "patch on an eye"])
def test_a_covered_face_is_flagged_and_an_uncovered_one_not(
    astronaut: np.ndarray, extractor: FaceExtractor, thing: str
) -> None:
    face = extractor.extract(astronaut)
    points, span = face.landmarks_photo, float(eye_distance(face.landmarks_photo))
    skin = astronaut[tuple(((points[29] + points[2]) / 2).astype(int)[::-1])]
    ellipses = {
        "sunglasses": [
            (points[eye].mean(axis=0), (0.32, 0.24), np.full(3, 25)) for eye in (slice(36, 42), slice(42, 48))
        ],
        "mask": [((points[8] + points[30]) / 2, (0.72, 0.62), np.array([190, 215, 230]))],
        "mouth painted over": [(points[48:60].mean(axis=0), (0.42, 0.27), skin)],
        "patch on an eye": [(points[36:42].mean(axis=0), (0.3, 0.25), np.full(3, 40))],
    }
    covered = astronaut
    for centre, axes, colour in ellipses[thing]:
        covered = _cover(covered, centre, tuple(span * axis for axis in axes), colour)
    assert "covered" not in face.quality.flags
    with suppress(FaceError):  # so much that the detector sees no face: as good
        assert "covered" in extractor.extract(covered).quality.flags


def test_synthetic_faces_are_not_covered(small_synthetic_set: Path, extractor: FaceExtractor) -> None:
    flagged = ["covered" in extractor.extract(path).quality.flags for path in small_synthetic_set.glob("*.jpg")]
    assert np.mean(flagged) <= 0.04


def test_flags_follow_their_thresholds() -> None:
    plain = Quality(100.0, 0.4, 130.0, 0.0, 0.0, 0.0, 1.5, 0.1)
    assert plain.flags == ()
    for flag, change in {
        "small": {"size": SMALL - 1}, "blurred": {"sharpness": 0.05}, "dark": {"exposure": 20.0},
        "bright": {"exposure": 240.0}, "turned": {"yaw": -0.3}, "covered": {"occlusion": 0.9},
        "hardly a face": {"score": 0.4},
    }.items():  # fmt: skip
        assert replace(plain, **change).flags == (flag,)
    assert replace(plain, pitch=0.3).flags == ("turned",)


def test_a_face_without_pixels_keeps_what_was_measured(astronaut: np.ndarray, extractor: FaceExtractor) -> None:
    face = extractor.extract(astronaut)
    identity = face.identity
    light = face.without_pixels()
    assert light.crop.size == 0
    assert light.quality == face.quality
    np.testing.assert_array_equal(light.identity, identity)
    np.testing.assert_array_equal(light.landmarks_crop, face.landmarks_crop)


@pytest.mark.parametrize("broader", [0.8, 1.3])
def test_a_photo_with_its_sides_scaled_differently_gives_the_same_crop(broader: float) -> None:
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(60, 160, 68), rng.uniform(60, 160, 68)]).astype(np.float32)
    points[[36, 45]] = [[70, 90], [150, 90]]
    points[[BETWEEN_EYES, UPPER_LIP]] = [[110, 90], [110, 140]]
    wide = points * np.array([broader, 1.0], dtype=np.float32)
    crops = [stretched(photo_to_crop(p).apply(p), stretch_of(p)) for p in (points, wide)]
    np.testing.assert_allclose(crops[0], crops[1], atol=1e-3)
    assert eye_distance(crops[0]) == pytest.approx(EYE_DISTANCE * 224, rel=1e-5)


def test_a_stretched_crop_shows_its_points_where_they_are_said_to_be() -> None:
    image = np.zeros((224, 224, 3), dtype=np.uint8)
    image[100:103, 60:63] = 255
    crop = warp(image, Similarity(1, 0), 224, stretch=0.5)
    row, column = np.unravel_index(crop[..., 0].argmax(), crop.shape[:2])
    np.testing.assert_allclose([column, row], stretched(np.array([61.0, 101.0]), 0.5), atol=1.01)


@pytest.mark.parametrize("stretch", [0.7, 0.85, 1.0, 1.2])
@pytest.mark.parametrize("scale", [0.9, 0.3, 0.11])
def test_a_crop_inside_its_photo_has_no_black_edge(stretch: float, scale: float) -> None:
    side = round(2.2 * 224 / scale)
    alignment = Similarity(complex(scale), 112 - scale * side / 2 * (1 + 1j))
    assert warp(np.full((side, side, 3), 200, np.uint8), alignment, stretch=stretch).min() == 200


def test_a_photo_and_a_larger_copy_show_the_same_crop(astronaut: np.ndarray, extractor: FaceExtractor) -> None:
    narrow = cv2.resize(astronaut, None, fx=0.9, fy=0.75, interpolation=cv2.INTER_AREA)  # a face that is too broad
    large = cv2.resize(narrow, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    crops = [extractor.extract(photo).crop.astype(int) for photo in (narrow, large)]
    assert extractor.extract(large).stretch < 0.95
    assert np.abs(crops[0] - crops[1]).mean() < 6
