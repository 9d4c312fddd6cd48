"""Recognition as a developer meets it: photos of every form, references, several faces, threads, tables."""

import io
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from msgspec import structs
from PIL import Image
from skimage import data

import mien
from mien.artifacts import ENCODER_FILE, HEAD_FILE, META_FILE, POPULATION_FILE, load_meta, save_meta
from mien.datasets.prepared import PreparedSet
from mien.displacement import Reference
from mien.drawing.recognition import draw_recognition
from mien.errors import (
    CheckpointError,
    DataError,
    FaceError,
    ForeignReferenceError,
    MienError,
    OutputError,
    UnreadableError,
)
from mien.evaluation.scoring import refuse_other_landmarks
from mien.faces.identity import ONE_PERSON
from mien.faces.landmarks import landmarker_version
from mien.inference import ExpressionModel, Recognitions, Recognizer
from mien.inference.results import COLUMNS, OTHER_PERSON, UNSURE
from mien.jobs.executors import LocalProcesses
from mien.labels import CLASSES, NEUTRAL


@pytest.fixture(scope="module")
def recognizer(trained: Path) -> Recognizer:
    return Recognizer.load(trained)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory, small_synthetic_set: Path) -> list[Path]:
    """Photos of a synthetic subject in four classes, and a real one."""
    real = tmp_path_factory.mktemp("real") / "astronaut.png"
    Image.fromarray(data.astronaut()).save(real)
    return [*sorted(small_synthetic_set.glob("*.jpg"))[::13], real]


def test_the_weights_that_come_with_mien_read_a_photo() -> None:
    recognition = Recognizer.load().recognize(data.astronaut())
    assert recognition.dominant is mien.Emotion.HAPPINESS


def test_probabilities_make_one_picture(recognizer: Recognizer, faces: list[Path]) -> None:
    for photo in faces:
        recognition = recognizer.recognize(photo)
        assert recognition.probabilities.sum() == pytest.approx(1)
        assert recognition.matrix.sum() + recognition.neutral == pytest.approx(1)


def test_label_dominant_and_complementary_follow_from_the_likeliest_class(
    recognizer: Recognizer, faces: list[Path]
) -> None:
    for photo in faces:
        recognition = recognizer.recognize(photo)
        answer = recognition.to_dict()
        likeliest = CLASSES[int(recognition.probabilities.argmax())]
        assert answer["label"] == answer["top"][0]["label"] == str(likeliest)
        assert answer["probability"] == answer["top"][0]["probability"]
        assert answer["dominant"] == (likeliest.dominant and likeliest.dominant.noun)
        assert answer["complementary"] == (likeliest.complementary and likeliest.complementary.noun)
        assert (answer["dominant"] is None) == (likeliest == NEUTRAL)
        json.dumps(answer)


FORMS: dict[str, Callable[[Path], Any]] = {
    "path": lambda path: path,
    "text": str,
    "bytes": lambda path: path.read_bytes(),
    "binary file": lambda path: io.BytesIO(path.read_bytes()),
    "PIL image": Image.open,
    "array": lambda path: np.asarray(Image.open(path)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [(640, 480), (1280, 960), (2600, 1950)], ids=str)
def test_a_photo_gives_one_answer_in_every_form_and_at_every_size(
    recognizer: Recognizer, tmp_path: Path, form: str, size: tuple[int, int]
) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(data.astronaut()[:384]).resize(size, Image.Resampling.BICUBIC).save(path, quality=92)
    expected = recognizer.recognize(np.asarray(Image.open(path)))
    read = recognizer.recognize(FORMS[form](path))
    np.testing.assert_array_equal(read.probabilities, expected.probabilities)
    np.testing.assert_array_equal(read.face.box.as_array(), expected.face.box.as_array())


def test_a_pil_image_is_turned_as_its_exif_says(recognizer: Recognizer) -> None:
    upright = Image.fromarray(data.astronaut())
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    turned.getexif()[0x0112] = 6
    np.testing.assert_allclose(
        recognizer.recognize(turned).probabilities, recognizer.recognize(upright).probabilities, atol=1e-6
    )


@pytest.mark.parametrize(
    "photo",
    [None, 3, ["a.jpg"], {}, b"", *(np.zeros(s, np.uint8) for s in (5, (100, 100, 4), (9, 9))), np.zeros((99, 99))],
)
def test_what_is_no_photo_is_refused_by_an_error_of_mien(recognizer: Recognizer, photo: Any) -> None:
    with pytest.raises(MienError):
        recognizer.recognize(photo)


def test_bad_photos_are_refused_by_name(recognizer: Recognizer, tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(UnreadableError) as refused:
        recognizer.recognize(tmp_path / "empty.jpg")
    assert refused.value.photo == str(tmp_path / "empty.jpg")
    Image.new("RGB", (200, 200)).save(tmp_path / "nobody.png")
    with pytest.raises(FaceError) as refused:
        recognizer.recognize(tmp_path / "nobody.png")
    assert refused.value.photo == str(tmp_path / "nobody.png")


def test_the_reference_is_told_and_counts(recognizer: Recognizer) -> None:
    photo = data.astronaut()
    alone = recognizer.recognize(photo)
    assert (alone.reference.kind, alone.reference.photo_count) == ("estimated", 1)
    neutral = recognizer.neutral_reference([photo])
    compared = recognizer.recognize(photo, neutral)
    assert compared.reference is neutral
    assert neutral.kind == "neutral"
    assert recognizer.reference([photo] * 3).photo_count == 3


def test_a_single_photo_is_taken_as_a_list_of_one(recognizer: Recognizer, faces: list[Path]) -> None:
    for single in (faces[0], str(faces[0]), faces[0].read_bytes(), np.asarray(Image.open(faces[0]))):
        assert recognizer.neutral_reference(single).photo_count == 1
        assert recognizer.reference(single).photo_count == 1
        assert len(list(recognizer.recognize_many(single))) == 1


def test_a_saved_reference_is_the_same_and_none_of_another_run_is_taken(
    recognizer: Recognizer, faces: list[Path], tmp_path: Path
) -> None:
    path = tmp_path / "me.reference"
    made = recognizer.reference(faces[:3])
    made.save(path)
    loaded = mien.Reference.load(path)
    np.testing.assert_array_equal(loaded.landmarks, made.landmarks)
    assert (loaded.kind, loaded.photo_count, loaded.model) == (made.kind, made.photo_count, made.model)
    np.testing.assert_array_equal(
        recognizer.recognize(faces[0], loaded).probabilities, recognizer.recognize(faces[0], made).probabilities
    )
    with pytest.raises(ForeignReferenceError):
        Recognizer.load().recognize(faces[0], loaded)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DataError):
        mien.Reference.load(path)


def test_a_reference_of_another_person_is_noticed_unless_it_is_trusted(
    recognizer: Recognizer, trained: Path, faces: list[Path], tmp_path: Path
) -> None:
    me, somebody = faces[0], faces[-1]
    mine, other = recognizer.neutral_reference(me), recognizer.neutral_reference(somebody)
    with_mine, with_other = recognizer.recognize(faces[1], mine), recognizer.recognize(faces[1], other)
    assert with_mine.reference_distance < ONE_PERSON < with_other.reference_distance
    assert OTHER_PERSON not in with_mine.flags
    assert OTHER_PERSON in with_other.flags
    assert OTHER_PERSON in with_other.to_dict()["flags"]
    assert with_other.to_row()["reference_distance"] == with_other.reference_distance
    assert recognizer.recognize(me).reference_distance is None

    other.save(tmp_path / "other.reference")
    loaded = mien.Reference.load(tmp_path / "other.reference")
    assert recognizer.recognize(faces[1], loaded).reference_distance == with_other.reference_distance
    of_old = replace(other, identity=None)  # as references that were saved before hold none
    of_old.save(tmp_path / "old.reference")
    loaded = mien.Reference.load(tmp_path / "old.reference")
    assert recognizer.recognize(faces[1], loaded).reference_distance is None

    trusting = pickle.loads(pickle.dumps(Recognizer.load(trained, trust_reference=True)))
    assert trusting.neutral_reference(somebody).identity is None
    assert OTHER_PERSON not in trusting.recognize(faces[1], other).flags


def test_photos_of_somebody_else_in_a_reference_are_named(recognizer: Recognizer, faces: list[Path]) -> None:
    for make in (recognizer.reference, recognizer.neutral_reference):
        assert make(faces[:3]).strangers == ()
        mixed = make([faces[-1], *faces[:3]])
        assert mixed.strangers == (str(faces[-1]),)
        np.testing.assert_allclose(mixed.identity, make(faces[:3]).identity, atol=1e-6)


def test_photos_of_one_person_make_their_reference_without_their_pixels_being_kept(
    recognizer: Recognizer, faces: list[Path], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    photos, counted = [*faces[:3], bad], list[int]()
    reference = recognizer.reference(faces[:3])
    expected = [recognizer.recognize(photo, reference) for photo in faces[:3]]
    for executor in (None, LocalProcesses(2)):
        made, read = recognizer.recognize_person(photos, executor=executor, errors="return", progress=counted.append)
        assert (made.kind, made.photo_count, made.strangers) == ("estimated", 3, ())
        np.testing.assert_allclose(made.landmarks, reference.landmarks, atol=1e-4)
        assert isinstance(read[3].error, UnreadableError)
        for part, alone in zip(read[:3], expected, strict=True):
            np.testing.assert_allclose(part[0].probabilities, alone.probabilities, atol=1e-5)
            assert part[0].to_dict()["face"] == alone.to_dict()["face"]
            assert part[0].face.crop.size == 0
            for ask in (recognizer.recognize, recognizer.neutral_reference, recognizer.reference):
                with pytest.raises(MienError):
                    ask(part[0].face)
    assert counted == [1, 2, 3, 4] * 2
    with pytest.raises(UnreadableError):
        recognizer.recognize_person(photos)
    assert recognizer.recognize_person(bad, errors="return")[0] is None


def test_a_happy_face_given_as_neutral_is_named_after_saving_too(tmp_path: Path) -> None:
    shipped = Recognizer.load()
    happy = data.astronaut()
    reference = shipped.neutral_reference(happy)
    ((_, phrase),) = reference.expressive
    assert phrase == shipped.recognize(happy).phrase
    reference.save(tmp_path / "saved")
    assert mien.Reference.load(tmp_path / "saved").expressive == reference.expressive
    assert Recognizer.load(trust_reference=True).neutral_reference(happy).expressive == ()


def test_every_photo_is_neutral_beside_itself_and_equally_so(faces: list[Path]) -> None:
    shipped = Recognizer.load(trust_reference=True)
    read = [shipped.recognize(photo, shipped.neutral_reference([photo])) for photo in [data.astronaut(), *faces[:3]]]
    assert {one.emotion for one in read} == {NEUTRAL}
    for one in read[1:]:
        np.testing.assert_allclose(one.probabilities, read[0].probabilities, atol=1e-4)


def test_answers_below_a_probability_are_unsure(trained: Path, faces: list[Path]) -> None:
    for unsure_below in (0, 1):
        read = Recognizer.load(trained, unsure_below=unsure_below).recognize(faces[0])
        assert read.unsure == read.to_dict()["unsure"] == bool(unsure_below)
        assert (UNSURE in read.flags) == (UNSURE in read.to_row()["flags"].split(", ")) == bool(unsure_below)
    for wrong in (-0.1, 1.1, "0.5", None):
        with pytest.raises(MienError):
            Recognizer.load(trained, unsure_below=wrong)  # type: ignore[arg-type]


def test_a_reference_of_several_photos_is_calibrated_by_their_number(recognizer: Recognizer) -> None:
    meta = recognizer.meta
    assert {(c.reference, c.photos) for c in meta.calibration} >= {("estimated", 1), ("estimated", 3), ("neutral", 1)}
    assert meta.calibration_for("estimated", 2).photos == 1
    assert meta.calibration_for("estimated", 5).photos == 3
    assert meta.calibration_for("estimated", 500).photos == 10
    assert meta.calibration_for("mean", 7).reference == "mean"


def test_several_faces_are_refused_read_or_the_largest_taken(recognizer: Recognizer) -> None:
    face = data.astronaut()[:400]
    two = np.hstack([face, face[::2, ::2].repeat(1, axis=0)[:200].repeat(2, axis=0)[:400]])
    with pytest.raises(FaceError) as refused:
        recognizer.recognize(np.hstack([face, face]))
    assert refused.value.count == 2
    assert recognizer.recognize(two, faces="largest").face.box.area > 0
    read = recognizer.recognize(np.hstack([face, face]), faces="all")
    assert len(read) == 2
    assert [one.place for one in read] == [0, 1]
    areas = [one.face.box.area for one in read]
    assert areas == sorted(areas, reverse=True)
    found = recognizer.detect(np.hstack([face, face]))
    assert found.boxes.shape == (2, 4)
    assert found.landmarks.shape == (2, 68, 2)
    assert found.scores.shape == (2,)
    assert all(quality.size > 0 for quality in found.quality)


def test_faces_that_were_found_before_are_read_as_their_photo(recognizer: Recognizer, faces: list[Path]) -> None:
    found = recognizer.detect(faces[0])
    expected = recognizer.recognize(faces[0]).probabilities
    np.testing.assert_array_equal(recognizer.recognize(found).probabilities, expected)
    np.testing.assert_array_equal(recognizer.recognize(found[0]).probabilities, expected)


@pytest.mark.slow
def test_many_photos_come_lazily_in_order_with_errors_as_rows(
    recognizer: Recognizer, faces: list[Path], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    photos = [faces[0], bad, *faces[1:]]
    expected = [recognizer.recognize(photo).probabilities for photo in faces]
    for workers in (1, 3):
        read = list(recognizer.recognize_many(photos, workers=workers, errors="return"))
        assert [part.photo for part in read] == [str(photo) for photo in photos]
        assert isinstance(read[1].error, UnreadableError)
        for part, probabilities in zip([read[0], *read[2:]], expected, strict=True):
            np.testing.assert_array_equal(part[0].probabilities, probabilities)

    read = list(recognizer.recognize_many(photos * 3, executor=LocalProcesses(2), errors="return"))
    assert [part.photo for part in read] == [str(photo) for photo in photos * 3]
    for part, probabilities in zip([read[0], *read[2 : len(photos)]], expected, strict=True):
        np.testing.assert_array_equal(part[0].probabilities, probabilities)

    def endless() -> Any:
        while True:
            yield faces[0]

    assert next(recognizer.recognize_many(endless(), workers=2)).photo == str(faces[0])
    with pytest.raises(UnreadableError):
        list(recognizer.recognize_many(photos, workers=2))


def test_every_photo_may_have_a_reference_of_its_own(recognizer: Recognizer, faces: list[Path]) -> None:
    mine = recognizer.neutral_reference(faces[0])
    first, second = recognizer.recognize_many(faces[:2], [mine, None])
    assert first[0].reference is mine
    assert second[0].reference.kind == "estimated"
    for references in ([mine], [mine, None, None]):
        with pytest.raises(MienError):
            list(recognizer.recognize_many(faces[:2], references))
    with pytest.raises(MienError):
        recognizer.recognize(faces[0], "me.reference")  # type: ignore[call-overload]
    with pytest.raises(FaceError):
        recognizer.recognize(mien.Faces(()))


def test_threads_that_share_a_recognizer_get_their_own_photos(recognizer: Recognizer, faces: list[Path]) -> None:
    alone = [recognizer.recognize(photo) for photo in faces]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(recognizer.recognize, faces * 3))
    for expected, read in zip(alone * 3, together, strict=True):
        assert read.face.box == expected.face.box
        np.testing.assert_array_equal(read.probabilities, expected.probabilities)


def test_a_recognizer_and_its_results_can_be_pickled(recognizer: Recognizer, faces: list[Path]) -> None:
    again = pickle.loads(pickle.dumps(recognizer))
    read = again.recognize(faces[0])
    np.testing.assert_array_equal(read.probabilities, recognizer.recognize(faces[0]).probabilities)
    assert pickle.loads(pickle.dumps(read)).to_dict() == read.to_dict()


def test_tables_have_the_documented_columns_and_a_row_a_face(recognizer: Recognizer, faces: list[Path]) -> None:
    read = Recognitions.concat(recognizer.recognize_many([*faces[:2], "missing.jpg"], errors="return"))
    table = read.to_polars()
    assert table.columns == list(COLUMNS)
    assert table.height == 3
    assert table["error"].null_count() == 2
    probabilities = table.select(pl.col("^p_.*$")).to_numpy()[:2]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert table["label"].to_list()[:2] == [str(one.emotion) for one in read]
    assert read[0].to_polars().equals(table[:1])
    assert Recognitions().to_polars().columns == list(COLUMNS)


def test_representations_are_short(recognizer: Recognizer, faces: list[Path]) -> None:
    found = recognizer.detect(faces[0])
    read = recognizer.recognize(faces[0], faces="all")
    for thing in (recognizer, found, found[0], read, read[0], read[0].reference):
        assert "array(" not in repr(thing)
        assert "\n" not in repr(thing)


def test_a_picture_shows_the_face_beside_the_probabilities(recognizer: Recognizer) -> None:
    photo = data.astronaut()
    picture = draw_recognition(photo, recognizer.recognize(photo))
    assert picture.dtype == np.uint8
    assert picture.shape[1] > 1000
    assert np.ptp(picture) == 255


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        Recognizer.load(tmp_path)


@pytest.mark.parametrize("name", [HEAD_FILE, ENCODER_FILE, POPULATION_FILE, META_FILE])
@pytest.mark.parametrize("harm", [lambda b: b[:1000], lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: b""])
def test_a_harmed_run_is_refused(trained: Path, tmp_path: Path, name: str, harm: Callable[[bytes], bytes]) -> None:
    for each in (META_FILE, POPULATION_FILE, HEAD_FILE, ENCODER_FILE):
        content = (trained / each).read_bytes()
        (tmp_path / each).write_bytes(harm(content) if each == name else content)
    if name == META_FILE and (tmp_path / name).stat().st_size > 1000:
        return  # its last byte is the end of a line
    with pytest.raises(CheckpointError):
        ExpressionModel.load(tmp_path)


@pytest.mark.parametrize("meta", ["[]", "null", "{}", '{"format": 1}', '{"format": 99}', '{"format": 2}'])
def test_a_run_whose_meta_is_of_another_shape_is_refused(trained: Path, tmp_path: Path, meta: str) -> None:
    for each in (POPULATION_FILE, HEAD_FILE, ENCODER_FILE):
        (tmp_path / each).write_bytes((trained / each).read_bytes())
    (tmp_path / META_FILE).write_text(meta)
    with pytest.raises(CheckpointError):
        ExpressionModel.load(tmp_path)


def test_reading_a_photo_leaves_nothing_in_the_temporary_folder(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run(
        [sys.executable, "-c", "import mien; mien.Recognizer.load()"],
        env=environment | {"TMPDIR": str(tmp_path)},
        check=True,
        timeout=120,
    )
    assert list(tmp_path.iterdir()) == []


def test_the_weights_know_the_predictor_that_comes_with_them() -> None:
    meta = Recognizer.load().meta
    assert (meta.landmarker, meta.landmarker_version) == ("cnn", landmarker_version("cnn"))


def test_a_run_of_another_version_of_the_predictor_is_refused(
    trained: Path, prepared: PreparedSet, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    save_meta(run, structs.replace(load_meta(trained), landmarker_version="01234567"))
    with pytest.raises(CheckpointError):
        Recognizer.load(run)
    parameters = {**prepared.info["parameters"], "landmarker_version": "76543210"}
    other = replace(prepared, info={**prepared.info, "parameters": parameters})
    with pytest.raises(DataError):
        refuse_other_landmarks(run, load_meta(run), other)
    refuse_other_landmarks(run, load_meta(run), prepared)


def test_a_reference_with_a_feature_of_another_size_is_refused(recognizer: Recognizer) -> None:
    landmarks = recognizer.model.population.mean.reshape(68, 2).astype(np.float32)
    strange = Reference(landmarks, "mean", 9, np.zeros(7, np.float32))
    with pytest.raises(ForeignReferenceError):
        recognizer.recognize(data.astronaut(), reference=strange)


def test_faces_of_many_photos_come_in_their_order_and_bad_ones_with_what_is_wrong(recognizer: Recognizer) -> None:
    white = np.full((64, 64, 3), 255, dtype=np.uint8)
    found = list(recognizer.detect_many([data.astronaut(), white, data.astronaut()], workers=2))
    assert [isinstance(each, FaceError) for each in found] == [False, True, False]
    assert len(found[0]) == len(found[2]) == 1


def test_what_each_kind_of_reference_is_worth_can_be_asked() -> None:
    worth = {(each.reference, each.photos): each.top1 for each in Recognizer.load().accuracy_by_reference}
    assert worth["mean", 0] > worth["estimated", 1] > 1 / 50


def test_a_reference_saved_in_other_numbers_serves_and_one_of_no_numbers_is_refused(
    recognizer: Recognizer, tmp_path: Path
) -> None:
    reference = recognizer.neutral_reference(data.astronaut())
    replace(reference, landmarks=reference.landmarks.astype(np.float64)).save(tmp_path / "wide")
    read = [recognizer.recognize(data.astronaut(), one) for one in (reference, Reference.load(tmp_path / "wide"))]
    np.testing.assert_array_equal(read[0].probabilities, read[1].probabilities)
    with pytest.raises(MienError):
        recognizer.recognize(data.astronaut(), replace(reference, landmarks=np.full((68, 2), np.nan, np.float32)))
    with pytest.raises(DataError):
        Reference.from_mean(np.zeros((0, 68, 2)))
    with pytest.raises(OutputError):
        reference.save("a\0b")
