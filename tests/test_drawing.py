import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageColor

from mien.drawing.landmarks import cut_out_face, draw_arrows, draw_landmarks, enlarge_crop
from mien.drawing.plots import accuracy_figure, confusion_figure, curves_figure, training_figure
from mien.drawing.recognition import describe_reference, draw_probabilities
from mien.drawing.style import ACCENT, shorten, text_width, wrap
from mien.labels import CLASSES, NEUTRAL, CompoundEmotion, Emotion

BLACK = (0, 0, 0)


@pytest.mark.parametrize("place", [(20.0, 31.0), (12.25, 40.5), (33.6, 9.9)])
def test_a_point_is_drawn_where_it_is(place: tuple[float, float]) -> None:
    picture = Image.new("RGB", (48, 56), BLACK)
    draw_landmarks(picture, np.tile(place, (68, 1)), colour="white", width=3)
    assert centre_of_light(picture) == pytest.approx(place, abs=0.5 / 4)  # drawn four times larger


def test_points_outside_a_picture_leave_it_as_it_is() -> None:
    picture = Image.new("RGB", (48, 56), BLACK)
    draw_landmarks(picture, np.full((68, 2), -500.0))
    draw_arrows(picture, np.full((2, 2), 900.0), np.ones((2, 2)))
    assert not np.asarray(picture).any()


def test_an_arrow_goes_from_its_start_to_its_tip_and_no_further() -> None:
    picture = Image.new("RGB", (100, 40), BLACK)
    draw_arrows(picture, np.array([[10.0, 20.0]]), np.array([[60.0, 0.0]]), colour="white", width=2)
    light = np.asarray(picture)[..., 0]
    assert light[20, 15:65].min() > 200
    assert not light[:, 72:].any()
    assert not light[:, :8].any()
    widths = (light > 100).sum(axis=0)
    assert widths[30] < widths[64]  # the head is wider than the shaft


def test_a_step_too_short_for_an_arrow_is_not_drawn() -> None:
    picture = Image.new("RGB", (40, 40), BLACK)
    draw_arrows(picture, np.full((3, 2), 20.0), np.array([[0.0, 0.0], [0.5, 0.5], [np.nan, 1.0]]))
    assert not np.asarray(picture).any()


@pytest.mark.parametrize("corner", [(100.0, 80.0), (-20.0, -10.0), (330.0, 240.0)])
@pytest.mark.parametrize("side", [64, 150, 400])
def test_a_face_cut_out_and_its_landmarks_stay_together(corner: tuple[float, float], side: int) -> None:
    """Also where the square reaches beyond the photo."""
    angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    landmarks = np.array(corner) + 50 + 48 * np.column_stack([np.cos(angle), np.sin(angle)])
    blob = landmarks[9]  # below, to the right of the middle
    y, x = np.mgrid[:360, :480]
    blob = np.clip(blob, 8, [471, 351])
    landmarks[9] = blob
    light = 255 * np.exp(-((x - blob[0]) ** 2 + (y - blob[1]) ** 2) / 18)
    photo = np.repeat(light[..., None], 3, axis=2).astype(np.uint8)
    picture, points = cut_out_face(photo, landmarks, side)
    assert picture.size == (side, side)
    pixels = np.asarray(picture.convert("L")).astype(float)
    near_y, near_x = np.mgrid[:side, :side]
    pixels[np.hypot(near_x - points[9, 0], near_y - points[9, 1]) > 10 * side / 170] = 0  # not the grey outside
    inside = (near_x * pixels).sum() / pixels.sum(), (near_y * pixels).sum() / pixels.sum()
    assert inside == pytest.approx(tuple(points[9]), abs=0.02 * side / 10)


def test_an_enlarged_crop_and_its_landmarks_stay_together() -> None:
    crop = np.zeros((50, 50, 3), dtype=np.uint8)
    crop[10, 30] = 255
    picture, points = enlarge_crop(crop, np.tile([30.0, 10.0], (68, 1)), 200)
    assert centre_of_light(picture) == pytest.approx(tuple(points[0]), abs=0.1)


@given(st.text(max_size=300), st.integers(40, 500), st.sampled_from([12, 17, 34]))
def test_text_keeps_within_its_width_and_loses_no_letter(text: str, width: int, size: int) -> None:
    lines = wrap(text, size, width)
    assert all(text_width(line, size) <= width for line in lines)
    assert len("".join(lines).replace(" ", "")) == len("".join(text.replace("…", "...").split()))
    assert text_width(shorten(text, size, width), size) <= width


def test_the_likeliest_class_is_framed_in_its_row_and_column() -> None:
    left, top = frame(NEUTRAL.index)[:2]
    frames = {emotion: frame(emotion.index) for emotion in CLASSES[1:]}
    columns = [frames[CompoundEmotion(Emotion.ANGER, dominant)][0] for dominant in Emotion]
    rows = [frames[CompoundEmotion(complementary, Emotion.ANGER)][1] for complementary in Emotion]
    assert columns == sorted(set(columns))
    assert rows == sorted(set(rows))
    for emotion, place in frames.items():
        assert emotion.dominant is not None
        assert emotion.complementary is not None
        assert place[:2] == (columns[emotion.dominant - 1], rows[emotion.complementary - 1])
    assert left == columns[0]
    assert top > rows[-1]


def test_neutral_is_a_bar_as_long_as_its_probability() -> None:
    lengths = []
    for share in (0.1, 0.4, 0.9):
        probabilities = np.full(50, (1 - share) / 49)
        probabilities[0] = share
        picture = draw(probabilities)
        bar = frame(NEUTRAL.index)
        row = picture[bar[3] - 8, bar[0] + 6 : bar[2] - 6]
        lengths.append((row[:, 0] < 60).mean())
    assert lengths == pytest.approx([0.1, 0.4, 0.9], abs=0.03)


def test_the_picture_of_a_neutral_face_differs_from_one_of_doubt() -> None:
    neutral = np.full(50, 0.1 / 49)
    neutral[0] = 0.9
    doubt = np.full(50, 0.02)
    doubt[20] += 0.001
    assert (draw(neutral)[:60] != draw(doubt)[:60]).any()


@pytest.mark.parametrize("text", ["", "a reference " * 60, "x" * 900, "表情 \n\t\0 €"])
def test_a_text_of_any_length_fits_the_picture(text: str) -> None:
    short, picture = draw(np.full(50, 0.02)), draw(np.full(50, 0.02), text)
    assert picture.shape[1] == short.shape[1]
    assert (picture.shape[0] > short.shape[0]) == (len(text) > 200)
    assert (picture[:, :20] == 255).all()
    assert (picture[:100, -20:] == 255).all()


@pytest.mark.parametrize("kind", ["mean", "neutral", "estimated", "another"])
def test_a_reference_is_described_with_its_number_of_photos(kind: str) -> None:
    assert "3 photos" in describe_reference(kind, 3)
    assert "photos" not in describe_reference(kind, 1)


@pytest.mark.parametrize("name", ["a$b$c{", "_hidden", "表情", "x" * 300, "<b>"])
def test_plots_take_any_name(name: str) -> None:
    log = [{"step": 1.0, "top1": 0.1, "top5": 0.2}, {"step": 2.0, "top1": 0.2, "top5": 0.3}]
    for png in (
        accuracy_figure({name: np.full(5, 0.5), "other": np.zeros(5)}, 0.02),
        training_figure({name: log}),
        curves_figure({name: ([1.0], [2.0])}, {name: 3.0}, "loss"),
    ):
        assert png.startswith(b"\x89PNG")


def test_plots_take_nothing_and_more_methods_than_colours() -> None:
    assert confusion_figure(np.zeros((7, 8), dtype=np.int64)).startswith(b"\x89PNG")
    assert accuracy_figure({str(i): np.full(5, 0.5) for i in range(14)}, 0.02).startswith(b"\x89PNG")


@pytest.mark.parametrize("module", ["landmarks", "recognition", "sheets"])
def test_pictures_need_only_the_base_install(module: str) -> None:
    extras = "{'torch', 'matplotlib', 'jinja2', 'sklearn', 'anny', 'vtk'}"
    code = f"import sys, mien.drawing.{module}; sys.exit(bool({extras} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def draw(probabilities: np.ndarray, reference: str = "compared with nothing") -> np.ndarray:
    landmarks = np.random.default_rng(0).uniform(50, 150, size=(68, 2))
    photo = np.full((200, 200, 3), 120, dtype=np.uint8)
    picture = draw_probabilities(photo, landmarks, probabilities, reference)
    assert picture.dtype == np.uint8
    return picture


def frame(index: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the frame where a class is the likeliest."""
    probabilities = np.full(50, 0.01)
    probabilities[index] = 0.51
    y, x = np.nonzero((draw(probabilities) == ImageColor.getrgb(ACCENT)).all(axis=2))
    return int(x.min()), int(y.min()), int(x.max()), int(y.max())


def centre_of_light(picture: Image.Image) -> tuple[float, float]:
    light = np.asarray(picture.convert("L")).astype(float)
    y, x = np.mgrid[: light.shape[0], : light.shape[1]]
    return (x * light).sum() / light.sum(), (y * light).sum() / light.sum()
