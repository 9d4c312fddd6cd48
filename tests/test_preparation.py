"""Preparing sets: bad files, hard faces, leaks, kills and full disks, each for real."""

import errno
import multiprocessing
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from contents import digests
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from mien.datasets import Preparation, PreparedSet
from mien.datasets.displacements import displacement_table, write_displacement
from mien.datasets.leaks import find_leaks, hash_face, refuse_leaks
from mien.datasets.manifest import Manifest
from mien.datasets.preparation import REPAIRED
from mien.datasets.sources import read_source
from mien.drawing.sheets import draw_contact_sheet, draw_mean_faces
from mien.errors import DataError, FaceError, LeakError, MissingExtraError, OutputError, UnreadableError
from mien.evaluation.inspection import inspect
from mien.faces import FaceExtractor
from mien.faces.alignment import Similarity, anchors, photo_to_crop, warp
from mien.faces.points68 import eye_distance
from mien.images import MAX_PIXELS, PhotoFile, read_rgb

HEAD = data.astronaut()[:340, 60:400]


def _camera_photo(path: Path, size: tuple[int, int], share: float, orientation: int = 1) -> None:
    """A JPEG of `size` pixels, stored turned as EXIF says, in which the face's square fills `share` of the height."""
    width, height = size
    side = round(share * height)
    photo = np.full((height, width, 3), 128, dtype=np.uint8)
    left, top = (width - side) // 2, (height - side) // 2
    photo[top : top + side, left : left + side] = cv2.resize(HEAD, (side, side), interpolation=cv2.INTER_CUBIC)
    exif = Image.Exif()
    exif[0x0112] = orientation
    undo = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    picture = Image.fromarray(photo)
    (picture.transpose(undo[orientation]) if orientation != 1 else picture).save(path, quality=92, exif=exif)


@pytest.fixture(scope="module")
def extractor() -> FaceExtractor:
    return FaceExtractor()


def _difference(found: np.ndarray, true: np.ndarray) -> float:
    """Mean distance, as a share of the outer-eye distance."""
    return float(np.linalg.norm(found - true, axis=1).mean() / eye_distance(true))


@pytest.mark.parametrize("reduction", [2, 4, 8])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_reduced_copy_shows_the_same_places(tmp_path: Path, orientation: int, reduction: int) -> None:
    _camera_photo(tmp_path / "photo.jpg", (1301, 907), 0.5, orientation)
    photo = PhotoFile(tmp_path / "photo.jpg", draft=True)
    assert photo.size == (1301, 907)
    decoded = photo.read(reduction)
    assert decoded.reduction == reduction
    half = (reduction - 1) / 2
    to_photo = Similarity(complex(reduction), complex(decoded.origin[0] + half, decoded.origin[1] + half))
    size = (decoded.image.shape[1], decoded.image.shape[0])
    expected = cv2.warpAffine(
        cv2.blur(photo.read().image, (reduction, reduction)), to_photo.inverse().matrix, size, borderMode=1
    )
    inside = np.s_[2:-2, 2:-2]
    assert np.abs(expected[inside].astype(int) - decoded.image[inside]).mean() < 3


@pytest.mark.parametrize("share", [0.9, 0.35])
def test_reduced_decoding_finds_the_same_landmarks(tmp_path: Path, extractor: FaceExtractor, share: float) -> None:
    _camera_photo(tmp_path / "photo.jpg", (3000, 2000), share)
    photo = PhotoFile(tmp_path / "photo.jpg", draft=True)
    reduced, whole = extractor.extract(photo), extractor.extract(photo.read().image)
    assert _difference(reduced.landmarks_photo, whole.landmarks_photo) < 0.02
    assert _difference(reduced.landmarks_crop, whole.landmarks_crop) < 0.03


def test_landmarks_of_a_larger_crop_are_in_pixels_of_the_stored_one(extractor: FaceExtractor) -> None:
    large = cv2.resize(data.astronaut(), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    face = FaceExtractor(landmark_sizes=(1200,)).extract(large)
    np.testing.assert_array_equal(face.landmarks_crop, extractor.extract(large).landmarks_crop)
    assert _difference(face.landmarks_fine[1200], face.landmarks_crop) < 0.03


@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_faces_of_any_size_are_found(tmp_path: Path, extractor: FaceExtractor, share: float) -> None:
    _camera_photo(tmp_path / "photo.jpg", (1500, 1000), share)
    assert extractor.extract(PhotoFile(tmp_path / "photo.jpg")).face_count == 1


def test_of_several_faces_the_largest_is_taken(extractor: FaceExtractor) -> None:
    photo = np.full((340, 640, 3), 128, dtype=np.uint8)
    photo[:, :340] = HEAD
    photo[40:280, 380:620] = cv2.resize(HEAD, (240, 240), interpolation=cv2.INTER_AREA)
    face = extractor.extract(photo)
    assert face.face_count == 2
    assert face.landmarks_photo[:, 0].max() < 340


def test_a_face_that_the_edge_cuts_is_found(extractor: FaceExtractor) -> None:
    assert extractor.extract(np.ascontiguousarray(HEAD[:, 100:])).face_count == 1


def test_the_whole_photo_is_a_face_only_where_that_is_asked_for(extractor: FaceExtractor) -> None:
    coffee = data.coffee()[:200, :300]
    with pytest.raises(FaceError):
        extractor.extract(coffee)
    face = FaceExtractor(whole_without_face=True).extract(coffee)
    assert face.face_count == 0
    np.testing.assert_array_equal(face.box.as_array(), [0, 0, 300, 200])


PICTURE = cv2.GaussianBlur(data.astronaut(), (0, 0), 2)
LANDMARKS = np.zeros((68, 2), dtype=np.float32)
LANDMARKS[[27, 51]] = [[225, 110], [224, 165]]


@settings(max_examples=25, deadline=None)
@given(st.floats(0.7, 1.6), st.floats(-0.5, 0.5), st.floats(-20, 20), st.floats(-20, 20))
def test_a_turned_scaled_and_shifted_photo_gives_the_same_crop(scale: float, turn: float, x: float, y: float) -> None:
    centre = complex(225, 140)
    a = scale * np.exp(1j * turn)
    move = Similarity(a, complex(400 + x, 400 + y) - a * centre)
    moved = cv2.warpAffine(PICTURE, move.matrix, (800, 800), flags=cv2.INTER_CUBIC)
    before = warp(PICTURE, photo_to_crop(LANDMARKS))
    after = warp(moved, photo_to_crop(move.apply(LANDMARKS).astype(np.float32)))
    inside = np.s_[30:190, 30:190]
    assert np.abs(before[inside].astype(int) - after[inside]).mean() < 2


@given(st.floats(0.05, 20), st.floats(-3.1, 3.1), st.floats(-1e3, 1e3))
def test_the_alignment_is_a_similarity_exact_at_its_two_points(scale: float, turn: float, shift: float) -> None:
    landmarks = Similarity(scale * np.exp(1j * turn), complex(shift, -shift)).apply(LANDMARKS)
    alignment = photo_to_crop(landmarks)
    np.testing.assert_allclose(alignment.apply(landmarks[[27, 51]]), anchors(224), atol=1e-6)
    np.testing.assert_allclose(alignment.inverse().apply(anchors(224)), landmarks[[27, 51]], atol=1e-5)
    turned = alignment.matrix[:, :2]
    np.testing.assert_allclose(turned.T @ turned, alignment.scale**2 * np.eye(2), atol=1e-9 * alignment.scale**2)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One good photo under an odd name, and every kind of file that is no use."""
    folder = tmp_path_factory.mktemp("bad") / "ann"
    folder.mkdir()
    good = folder / "a line\nbreak and 😀.png"
    Image.fromarray(HEAD).save(good)
    Image.fromarray(HEAD).save(folder / "whole.jpg", quality=95)
    (folder / "truncated.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:9000])
    (folder / "empty.jpg").touch()
    (folder / "words.jpg").write_text("no picture")
    Image.new("RGB", (1, 20000)).save(folder / "thin.png")
    Image.new("1", (20000, 15000)).save(folder / "300-megapixels.png")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    (folder / "around").symlink_to("..")
    os.mkfifo(folder / "pipe.jpg")
    Image.fromarray(data.coffee()[:200, :300]).save(folder / "coffee.png")
    return folder.parent


def test_photos_whose_file_lacks_its_end_are_used_and_say_so(tmp_path: Path) -> None:
    (tmp_path / "faces" / "ann").mkdir(parents=True)
    whole, cut = (tmp_path / "faces" / "ann" / name for name in ("whole.jpg", "cut.jpg"))
    Image.fromarray(HEAD).save(whole, quality=95)
    cut.write_bytes(whole.read_bytes()[:-2])
    summary = Preparation(validation=0, test=0).run(read_source(tmp_path / "faces"), tmp_path / "set")
    assert summary.statuses == {"ok": 2}
    table = PreparedSet.open(tmp_path / "set").table
    reasons = dict(zip(table["path"], table["reason"], strict=True))
    assert reasons == {"ann/cut.jpg": REPAIRED, "ann/whole.jpg": None}
    assert summary.notes == {"repaired": 1}


def test_every_bad_file_has_a_row_with_its_reason_and_stops_nothing(bad: Path, tmp_path: Path) -> None:
    summary = Preparation(validation=0, test=0).run(read_source(bad), tmp_path / "set")
    reasons = {Path(path).name: reason for path, reason in summary.problems}
    assert summary.statuses == {"no face": 1, "ok": 2, "unreadable": 8}
    expected = {
        "truncated.jpg": "damaged", "empty.jpg": "0 bytes", "words.jpg": "not an image", "thin.png": "1 x 20000",
        "300-megapixels.png": f"over the limit of {MAX_PIXELS // 1_000_000} megapixels", "loop.jpg": "cannot be read",
        "gone.jpg": "cannot be read", "pipe.jpg": "not a regular file", "coffee.png": "no face",
    }  # fmt: skip
    assert reasons.keys() == expected.keys()
    for name, words in expected.items():
        assert words in reasons[name]
        assert "\n" not in reasons[name]
    assert "ann/a line\nbreak and 😀.png" in PreparedSet.open(tmp_path / "set").table["path"].to_list()


def test_a_huge_picture_is_refused_before_it_takes_memory(bad: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnreadableError) as refused:
        read_rgb(bad / "ann" / "300-megapixels.png")
    assert refused.value.fault == "too large"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two subjects with three photos each, all of one face: under bob mirrored, and once as it is, saved anew."""
    folder = tmp_path_factory.mktemp("photos")
    for i, angle in enumerate((0, 6, -6, 12, -12)):
        path = folder / ("ann" if i < 3 else "bob") / ("N_N" if i in (0, 3) else "5_5") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(HEAD if i < 3 else HEAD[:, ::-1]).rotate(angle).save(path)
    Image.fromarray(HEAD).save(folder / "bob" / "5_5" / "again.jpg", quality=80)
    return folder


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The set as an undisturbed run leaves it."""
    out = tmp_path_factory.mktemp("whole") / "set"
    _prepare(photos, out)
    return out


PREPARATION = Preparation(validation=0, test=0.4, shard_size=2, landmark_size=300)


def _prepare(photos: Path, out: Path, kill_after: int | None = None) -> None:
    def report(done: int, total: int) -> None:
        if done == kill_after:
            os.kill(os.getpid(), signal.SIGKILL)

    PREPARATION.run(read_source(photos), out, progress=report)


@pytest.mark.slow
def test_after_real_kills_at_every_step_the_bytes_are_those_of_an_undisturbed_run(
    photos: Path, whole: Path, tmp_path: Path
) -> None:
    for step in (0, 2, 4, 6):
        process = multiprocessing.get_context("spawn").Process(target=_prepare, args=(photos, tmp_path / "cut", step))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    with pytest.raises(DataError):
        PreparedSet.open(tmp_path / "cut")
    _prepare(photos, tmp_path / "cut")
    assert digests(tmp_path / "cut") == digests(whole)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte, mounted for the test."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "mien-test", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount a disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_predictor_that_is_not_installed_is_said_before_anything_is_written(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError) as caught:
        Preparation(validation=0, test=0, landmarker="ert").run(read_source(photos), tmp_path / "set")
    assert caught.value.extra == "ert"
    assert not (tmp_path / "set").exists()


def test_a_full_disk_is_a_clear_error_and_the_set_goes_on_when_there_is_room(
    photos: Path, whole: Path, small_disk: Path
) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(bytes(500_000))
    with pytest.raises(OutputError) as refused:
        _prepare(photos, small_disk / "set")
    assert refused.value.errno == errno.ENOSPC
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    _prepare(photos, small_disk / "set")
    assert digests(small_disk / "set") == digests(whole)


def test_a_file_over_the_limit_of_its_disk_is_a_clear_error(photos: Path, tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        with pytest.raises(OutputError) as refused:
            _prepare(photos, tmp_path / "set")
        assert refused.value.errno == errno.EFBIG
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_one_picture_under_two_subjects_is_found_though_it_was_saved_anew(whole: Path) -> None:
    samples = pl.read_parquet(whole / "samples.parquet")
    assert [(leak.kind, leak.across) for leak in find_leaks(samples)] == [("near duplicate", True)] * 9
    with pytest.raises(LeakError) as refused:
        refuse_leaks(samples, whole)
    assert [leak.kind for leak in refused.value.leaks] == ["near duplicate"] * 9
    refuse_leaks(samples.with_columns(split=pl.lit("train")), whole)


def test_the_same_file_under_two_subjects_is_found() -> None:
    samples = pl.DataFrame({"path": ["a", "b", "c"], "subject": ["1", "2", "2"], "split": ["train", "test", "test"]})
    samples = samples.with_columns(file_hash=pl.Series(["x", "x", "y"]))
    assert [leak.kind for leak in find_leaks(samples)] == ["same file"]


def _with_another_chin(sample: pl.DataFrame) -> list[float]:
    landmarks = sample["landmarks_crop"].to_numpy().reshape(68, 2).copy()
    landmarks[:17, 1] += 20
    return landmarks.reshape(-1).tolist()


def test_alike_hashes_of_faces_whose_landmarks_differ_are_no_duplicate(whole: Path) -> None:
    samples = pl.read_parquet(whole / "samples.parquet").drop("file_hash").filter(pl.col("face_hash").is_not_null())
    first = samples.head(1)
    other = first.with_columns(
        pl.Series("landmarks_crop", [_with_another_chin(first)], dtype=samples["landmarks_crop"].dtype),
        subject=pl.lit("another"),
    )
    copy = first.with_columns(subject=pl.lit("another"))
    assert [leak.kind for leak in find_leaks(pl.concat([first, copy]))] == ["near duplicate"]
    assert find_leaks(pl.concat([first, other])) == []


def _copies(photo: np.ndarray) -> dict[str, np.ndarray]:
    height, width = photo.shape[:2]
    return {
        "brighter": np.clip(photo * 1.1 + 5.0, 0, 255).astype(np.uint8),
        "halved": cv2.resize(photo, (width // 2, height // 2), interpolation=cv2.INTER_AREA),
        "cut": photo[height // 20 :, width // 20 :],
        "mirrored": photo[:, ::-1],
    }


def test_copies_of_a_picture_under_another_name_are_found_and_other_faces_are_not(tmp_path: Path) -> None:
    for name, photo in _copies(HEAD).items():
        (tmp_path / name).mkdir()
        Image.fromarray(photo).save(tmp_path / name / "1.png")
    (tmp_path / "ann").mkdir()
    Image.fromarray(HEAD).save(tmp_path / "ann" / "1.png")
    Preparation(validation=0, test=0).run(read_source(tmp_path), tmp_path / "set")
    samples = pl.read_parquet(tmp_path / "set" / "samples.parquet")
    for name in _copies(HEAD):
        pair = samples.filter(pl.col("subject").is_in(["ann", name]))
        assert [leak.kind for leak in find_leaks(pair)] == ["near duplicate"], name


def test_the_hash_of_a_face_hardly_changes_with_brightness_and_much_with_the_face(extractor: FaceExtractor) -> None:
    face = extractor.extract(HEAD)
    other = extractor.extract(np.ascontiguousarray(HEAD[:, ::-1]))

    def bits(crop: np.ndarray, landmarks: np.ndarray) -> int:
        return int(hash_face(crop, landmarks), 16)

    brighter = np.clip(face.crop * 1.1 + 5, 0, 255).astype(np.uint8)
    own = bits(face.crop, face.landmarks_crop)
    assert (own ^ bits(brighter, face.landmarks_crop)).bit_count() < 20
    assert (own ^ bits(other.crop, other.landmarks_crop)).bit_count() > 60


def test_the_reference_of_displacement_may_be_of_all_photos_of_a_part_or_of_neutral_ones(
    prepared: PreparedSet, whole: Path
) -> None:
    everything = displacement_table(prepared)
    np.testing.assert_allclose(everything["displacement"].to_numpy(), prepared.displacement, atol=1e-5)
    assert displacement_table(prepared, "split").equals(everything)  # no subject is in two parts
    against_rest = displacement_table(prepared, "neutral").filter(pl.col("label") == "N_N")["displacement"]
    np.testing.assert_array_equal(against_rest.to_numpy(), 0)
    fine = PreparedSet.open(whole, landmark_size=300)
    assert np.abs(fine.landmarks - PreparedSet.open(whole).landmarks).mean() < 3
    with pytest.raises(DataError) as refused:
        PreparedSet.open(whole, landmark_size=1200)
    assert refused.value.column == "landmarks_crop_1200"


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_written_displacement_is_read_back_without_mien(whole: Path, tmp_path: Path, suffix: str) -> None:
    table = displacement_table(PreparedSet.open(whole), "neutral")
    path = tmp_path / f"displacement.{suffix}"
    write_displacement(table, path)
    if suffix == "npz":
        with np.load(path, allow_pickle=False) as arrays:
            assert arrays["displacement"].shape == (6, 136)
            assert arrays["class_index"].tolist() == [0 if text == "N_N" else 33 for text in arrays["label"]]
    else:
        assert pl.read_parquet(path).equals(table)


def test_subjects_without_a_neutral_photo_have_no_displacement_from_it(prepared: PreparedSet) -> None:
    table = prepared.table.with_columns(label=pl.lit(None, dtype=pl.String))
    unlabelled = PreparedSet(prepared.path, prepared.info, table, prepared.displacement)
    assert displacement_table(unlabelled, "neutral")["displacement"].null_count() == len(prepared)


def test_inspection_counts_and_draws(whole: Path) -> None:
    opened = PreparedSet.open(whole)
    seen = inspect(opened)
    assert seen.statuses == {"ok": 6}
    assert seen.labels == {"5_5": 4, "N_N": 2}
    assert seen.subject_balance == 1.0
    assert len(seen.leaks) == 9
    for picture in (draw_contact_sheet(opened), draw_mean_faces(opened)):
        assert picture.dtype == np.uint8
        assert picture.shape[1] > 600
        assert len(np.unique(picture)) > 100


def test_labels_without_photos_are_counted_in_the_summary(photos: Path, tmp_path: Path) -> None:
    lines = (
        "path,subject,label\nann/N_N/0.png,ann,N_N\nann/5_5/1.png,ann,\nann/9.png,ann,5_5\nann/N_N/0.png,ann,N_N\n"
    )
    (photos / "list.csv").write_text(lines)
    manifest: Manifest = read_source(photos / "list.csv")
    summary = Preparation(validation=0, test=0).run(manifest, tmp_path / "set")
    assert summary.statuses == {"duplicate": 1, "missing": 1, "ok": 2}
    assert summary.notes == {"unlabelled": 1}
    assert len(PreparedSet.open(tmp_path / "set")) == 2
