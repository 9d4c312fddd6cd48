from pathlib import Path

import numpy as np
import pytest
from skimage import data

from mien import Recognizer
from mien.datasets import PreparedSet
from mien.drawing.recognition import draw_recognition
from mien.errors import CheckpointError, FaceError, UnreadableError
from mien.training.recipe import load_recipe
from mien.training.train import train


@pytest.fixture(scope="module")
def recognizer(trained: Path) -> Recognizer:
    return Recognizer.load(trained)


def test_the_weights_that_come_with_mien_read_a_photo() -> None:
    recognition = Recognizer.load().recognize(data.astronaut())
    assert recognition.emotion.dominant is not None
    assert recognition.emotion.dominant.noun == "happiness"


def test_probabilities_make_one_picture(recognizer: Recognizer) -> None:
    recognition = recognizer.recognize(data.astronaut())
    assert recognition.probabilities.sum() == pytest.approx(1)
    assert recognition.matrix.sum() + recognition.neutral == pytest.approx(1)
    emotion, share = recognition.top(1)[0]
    assert emotion == recognition.emotion
    assert share == recognition.probabilities.max()
    answer = recognition.as_dict()
    assert answer["label"] == str(emotion)
    assert len(answer["face"]["landmarks"]) == 68


def test_the_reference_is_told_and_counts(recognizer: Recognizer) -> None:
    photo = data.astronaut()
    alone = recognizer.recognize(photo)
    assert (alone.reference.kind, alone.reference.photo_count) == ("estimated", 1)
    rest = recognizer.reference_at_rest([photo])
    compared = recognizer.recognize(photo, rest)
    assert compared.reference is rest
    assert rest.kind == "neutral"
    assert recognizer.reference_from_many([photo] * 3).photo_count == 3


def test_faces_together_are_read_as_alone(recognizer: Recognizer) -> None:
    faces = [recognizer.find_face(data.astronaut()), recognizer.find_face(data.astronaut()[:, ::-1].copy())]
    together = recognizer.recognize_faces(faces)
    for face, recognition in zip(faces, together, strict=True):
        alone = recognizer.recognize_faces([face])[0]
        np.testing.assert_allclose(alone.probabilities, recognition.probabilities, atol=1e-5)


def test_several_faces_are_refused_unless_the_largest_is_wanted(recognizer: Recognizer) -> None:
    two = np.hstack([data.astronaut(), data.astronaut()])
    with pytest.raises(FaceError, match="2 faces found"):
        recognizer.recognize(two)
    assert recognizer.recognize(two, largest=True).face.face_count == 2


def test_bad_photos_are_refused_by_name(recognizer: Recognizer, tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(UnreadableError, match=r"empty.jpg: the file is empty"):
        recognizer.recognize(tmp_path / "empty.jpg")
    with pytest.raises(FaceError, match="no face"):
        recognizer.recognize(np.full((200, 200, 3), 90, dtype=np.uint8))


@pytest.mark.parametrize(
    "pixels", [np.zeros((100, 100)), np.zeros((100, 100), dtype=np.uint8), np.zeros((100, 100, 4), dtype=np.uint8)]
)
def test_pixels_of_another_form_are_refused(recognizer: Recognizer, pixels: np.ndarray) -> None:
    with pytest.raises(UnreadableError, match=r"give \(height, width, 3\), uint8, RGB"):
        recognizer.recognize(pixels)


def test_a_mirrored_view_of_pixels_is_as_good_as_a_copy(recognizer: Recognizer) -> None:
    view = data.astronaut()[:, ::-1]
    np.testing.assert_array_equal(
        recognizer.recognize(view).probabilities, recognizer.recognize(view.copy()).probabilities
    )


def test_a_picture_shows_the_face_beside_the_probabilities(recognizer: Recognizer) -> None:
    photo = data.astronaut()
    picture = draw_recognition(photo, recognizer.recognize(photo))
    assert picture.dtype == np.uint8
    assert picture.shape[1] > 1000
    assert np.ptp(picture) == 255


def test_runs_that_cannot_recognise_are_refused(prepared: PreparedSet, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no trained run"):
        Recognizer.load(tmp_path)
    train(prepared, tmp_path / "svm", load_recipe("svm"))
    with pytest.raises(CheckpointError, match="a linear model"):
        Recognizer.load(tmp_path / "svm")
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("meta.json", "population.safetensors", "model.onnx"):
        (broken / name).write_bytes((trained / name).read_bytes()[: None if name != "model.onnx" else 1000])
    with pytest.raises(CheckpointError, match=r"model.onnx: missing or damaged"):
        Recognizer.load(broken)
