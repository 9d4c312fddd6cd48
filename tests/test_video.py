"""Films: read, followed, compared with the person, written; whole, broken, and killed on the way."""

import errno
import json
import signal
import subprocess
import sys
import time
import wave
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from skimage import data

import mien
from mien.drawing.film_files import write_film
from mien.drawing.timeline import BINS, Timeline, draw_timeline
from mien.errors import FilmError, OtherParametersError, OutputError
from mien.faces import FaceExtractor
from mien.inference import Recognizer
from mien.inference.enrolment import enroll
from mien.video import Film, FilmSummary, analyse, read, stream
from mien.video.episodes import EpisodeFinder, clock
from mien.video.pictures import AnnotatedFilm, TimelinePicture
from mien.video.reading import Frame
from mien.video.smoothing import Smoother
from mien.video.stream import writing_rows
from mien.video.tracking import Tracker

av = pytest.importorskip("av")
RATE = 25
Picture = np.ndarray


@pytest.fixture(scope="session")
def recognizer() -> Recognizer:
    return Recognizer.load()


@pytest.fixture(scope="session")
def woman() -> Picture:
    """A frame of 480 x 360 pixels with one face."""
    return np.asarray(Image.fromarray(data.astronaut()).resize((480, 480)))[:360]


@pytest.fixture(scope="session")
def other(small_synthetic_set: Path) -> Picture:
    """A frame of the same size with somebody else's face."""
    with Image.open(min(small_synthetic_set.glob("*.jpg"))) as photo:
        return np.asarray(photo.resize((540, 360)))[:, 30:510]


def _moved(picture: Picture, right: int, down: int = 0) -> Picture:
    return np.roll(picture, (down, right), (0, 1))


def _film(path: Path, pictures: Sequence[Picture], times: Sequence[float] | None = None) -> Path:
    times = times or [i / RATE for i in range(len(pictures))]
    write_film(path, zip(pictures, times, strict=True), RATE)
    return path


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory, woman: Picture) -> Path:
    """A face that moves to and fro for 50 frames."""
    pictures = [_moved(woman, round(20 * np.sin(i / 8))) for i in range(50)]
    return _film(tmp_path_factory.mktemp("film") / "film.mp4", pictures)


def test_a_face_that_moves_is_one_track_at_its_place(film: Path, recognizer: Recognizer) -> None:
    frames = list(read(film, recognizer))
    assert len(frames) == 50
    assert {(face.track, face.person) for frame in frames for face in frame} == {(0, 1)}
    places = [frame[0].recognition.face.landmarks_photo.mean(axis=0)[0] for frame in frames]
    moved = [round(20 * np.sin(i / 8)) for i in range(50)]
    np.testing.assert_allclose(np.array(places) - places[0], moved, atol=3)


def test_a_frame_followed_by_itself_reads_as_the_photo_does(woman: Picture, recognizer: Recognizer) -> None:
    face = recognizer.detect(woman)[0]
    followed = recognizer.extractor.follow(woman, face.landmarks_photo, face.box.score)
    apart = np.linalg.norm(followed.landmarks_crop - face.landmarks_crop, axis=1).mean()
    assert apart < 2.5


def test_people_are_known_again_after_cuts(
    tmp_path: Path, woman: Picture, other: Picture, recognizer: Recognizer
) -> None:
    shots = [woman, other, _moved(woman, 60), np.hstack([other, woman])[:, 240:720]]
    pictures = [shots[0]] * 8 + [shots[1]] * 8 + [shots[2]] * 8
    frames = list(read(_film(tmp_path / "cuts.mp4", pictures), recognizer))
    assert [[face.person for face in frame] for frame in frames] == [[1]] * 8 + [[2]] * 8 + [[1]] * 8
    assert len({face.track for frame in frames for face in frame}) == 3


def test_what_is_covered_is_not_read_and_is_known_again(
    tmp_path: Path, woman: Picture, recognizer: Recognizer
) -> None:
    covered = woman.copy()
    covered[40:220, 130:330] = (90, 80, 70)
    pictures = [woman] * 15 + [covered] * 20 + [woman] * 25
    frames = list(read(_film(tmp_path / "covered.mp4", pictures), recognizer))
    assert not any(len(frame) for frame in frames[20:35])
    assert all([face.person for face in frame] == [1] for frame in (*frames[:15], *frames[45:]))


def test_darker_light_is_no_cut(tmp_path: Path, woman: Picture, recognizer: Recognizer) -> None:
    pictures = [woman] * 10 + [(woman * 0.6).astype(np.uint8)] * 10
    frames = list(read(_film(tmp_path / "dim.mp4", pictures), recognizer))
    assert {face.track for frame in frames for face in frame} == {0}


def test_the_running_reference_grows_and_is_told(film: Path, recognizer: Recognizer) -> None:
    counts = [frame[0].recognition.reference.photo_count for frame in read(film, recognizer)]
    assert counts[0] == 1
    assert counts == sorted(counts)
    assert counts[-1] > 2


def test_a_profile_is_the_reference_of_whom_it_is_of(
    tmp_path: Path, woman: Picture, other: Picture, recognizer: Recognizer
) -> None:
    profile = enroll(recognizer, "Eileen", [woman], "neutral").profile
    pictures = [woman] * 5 + [other] * 5
    frames = list(read(_film(tmp_path / "two.mp4", pictures), recognizer, [profile]))
    assert [frame[0].name for frame in frames] == ["Eileen"] * 5 + ["person 2"] * 5
    assert frames[0][0].recognition.reference.kind == "neutral"
    assert frames[9][0].recognition.reference.kind == "estimated"


def test_the_tracker_goes_on_from_what_it_kept(film: Path) -> None:
    with Film.open(film) as opened:
        frames = list(opened.frames())
    tracker = Tracker(FaceExtractor())
    for frame in frames[:20]:
        tracker.step(frame)
    again = Tracker(FaceExtractor())
    again.restore({name: np.array(array) for name, array in tracker.to_arrays().items()})
    for frame in frames[20:35]:
        one, two = tracker.step(frame), again.step(frame)
        assert [face.track for face in one] == [face.track for face in two]
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(a.face.landmarks_photo, b.face.landmarks_photo)


class _Killed(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".parquet", ".csv", ".jsonl"])
def test_a_killed_reading_goes_on_and_ends_with_the_same_table(
    film: Path, recognizer: Recognizer, tmp_path: Path, ending: str
) -> None:
    def kill(done: int, total: int) -> None:
        if done >= 40:
            raise _Killed

    whole, killed = tmp_path / f"whole{ending}", tmp_path / f"killed{ending}"
    analyse(film, whole, recognizer, piece=15)
    with pytest.raises(_Killed):
        analyse(film, killed, recognizer, piece=15, progress=kill)
    assert not killed.exists()
    started: list[int] = []
    analyse(film, killed, recognizer, piece=15, progress=lambda done, total: started.append(done))
    assert min(started) > 15
    assert killed.read_bytes() == whole.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {whole.name, killed.name}


def test_a_reading_that_was_begun_otherwise_is_not_gone_on_with(
    film: Path, recognizer: Recognizer, tmp_path: Path
) -> None:
    def kill(done: int, total: int) -> None:
        raise _Killed

    with pytest.raises(_Killed):
        analyse(film, tmp_path / "out.csv", recognizer, piece=15, progress=kill)
    with pytest.raises(OtherParametersError):
        analyse(film, tmp_path / "out.csv", recognizer, piece=20)


def test_all_forms_of_the_table_hold_the_same(film: Path, recognizer: Recognizer, tmp_path: Path) -> None:
    for ending in (".parquet", ".csv", ".jsonl"):
        analyse(film, tmp_path / f"out{ending}", recognizer)
    table = pl.read_parquet(tmp_path / "out.parquet")
    assert table.height == 50
    assert table["landmarks"].to_numpy().shape == (50, 136)
    csv = pl.read_csv(tmp_path / "out.csv")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert csv["label"].to_list() == table["label"].to_list() == [line["label"] for line in lines]
    np.testing.assert_allclose(csv["p_5_5"], table["p_5_5"])
    every = table.select(pl.sum_horizontal(pl.selectors.matches(r"^p_(\d_\d|N_N)$")))
    np.testing.assert_allclose(every.to_series(), 1, atol=0.005)


def test_the_five_largest_probabilities_fall(film: Path, recognizer: Recognizer, tmp_path: Path) -> None:
    analyse(film, tmp_path / "out.parquet", recognizer, probabilities="top5")
    table = pl.read_parquet(tmp_path / "out.parquet")
    values = table.select(f"p_{i}" for i in range(1, 6)).to_numpy()
    assert (np.diff(values, axis=1) <= 0).all()
    assert table["label_1"].to_list() == table["label"].to_list()


def test_early_frames_profit_from_late_ones(film: Path, recognizer: Recognizer, tmp_path: Path) -> None:
    summary = analyse(film, tmp_path / "out.parquet", recognizer)
    table = pl.read_parquet(tmp_path / "out.parquet")
    assert table["reference_photos"].unique().to_list() == [summary.people[0].reference.photo_count]
    assert summary.people[0].reference.photo_count > 2
    assert (summary.frames, summary.faces, summary.people[0].frames) == (50, 50, 50)


def test_an_annotated_film_has_the_frames_and_times_of_its_source(
    film: Path, recognizer: Recognizer, tmp_path: Path
) -> None:
    annotated, timeline = tmp_path / "seen.mp4", tmp_path / "timeline.png"

    class Watching:
        def __call__(self, found: FilmSummary) -> list[AnnotatedFilm | TimelinePicture]:
            self.film = AnnotatedFilm(annotated, film, found)
            return [self.film, TimelinePicture(timeline, found)]

    watching = Watching()
    analyse(film, None, recognizer, watchers=watching, piece=20)
    watching.film.__exit__(None, None, None)
    with Film.open(film) as one, Film.open(annotated) as two:
        pairs = list(zip(one.frames(), two.frames(), strict=True))
    assert len(pairs) == 50
    assert all(a.time == pytest.approx(b.time, abs=1e-3) for a, b in pairs)
    assert all(np.abs(a.image.astype(int) - b.image).mean() > 1 for a, b in pairs)
    with Image.open(timeline) as drawn:
        assert drawn.size[0] > BINS


def test_times_come_from_the_stream(tmp_path: Path, woman: Picture) -> None:
    times = [0.0, 0.04, 0.5, 0.54, 2.0]
    with Film.open(_film(tmp_path / "variable.mkv", [woman] * 5, times)) as film:
        assert [frame.time for frame in film.frames()] == pytest.approx(times, abs=1e-3)


def test_a_film_whose_rows_ffmpeg_pads_is_read(tmp_path: Path, woman: Picture, recognizer: Recognizer) -> None:
    path = _film(tmp_path / "narrow.mp4", [woman[:, :426]] * 3)
    frames = list(read(path, recognizer))
    assert all(frame.image.flags.c_contiguous and frame.image.flags.owndata for frame in frames)
    assert [len(frame) for frame in frames] == [1, 1, 1]


def _write_six_frames(path: Path, container_format: str, codec: str, picture: Picture) -> None:
    with av.open(str(path), "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 480, 360, "yuv420p"
        for _ in range(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def test_frames_without_times_follow_each_other(tmp_path: Path, woman: Picture) -> None:
    _write_six_frames(tmp_path / "raw.h264", "h264", "libx264", woman)
    with Film.open(tmp_path / "raw.h264") as film:
        times = [frame.time for frame in film.frames()]
    assert len(times) == 6
    assert (np.diff(times) > 0).all()


def test_times_that_start_anew_go_on_rising(tmp_path: Path, woman: Picture) -> None:
    _write_six_frames(tmp_path / "once.ts", "mpegts", "mpeg2video", woman)
    once = (tmp_path / "once.ts").read_bytes()
    (tmp_path / "twice.ts").write_bytes(once + once)
    with Film.open(tmp_path / "twice.ts") as film:
        times = [frame.time for frame in film.frames()]
    assert len(times) == 12
    assert (np.diff(times) > 0).all()


def test_of_many_frames_a_second_each_is_read_at_its_time(
    tmp_path: Path, woman: Picture, recognizer: Recognizer
) -> None:
    write_film(tmp_path / "fast.mp4", ((woman, i / 240) for i in range(144)), 240)
    frames = list(read(tmp_path / "fast.mp4", recognizer))
    assert [frame.time for frame in frames] == pytest.approx([i / 240 for i in range(144)], abs=1e-3)
    assert {face.track for frame in frames for face in frame} == {0}
    assert all(len(frame) == 1 for frame in frames)
    assert frames[-1][0].recognition.reference.photo_count == 2  # by time, not by frames


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_of_a_camera_that_is_unplugged_everything_before_is_kept(
    tmp_path: Path, woman: Picture, recognizer: Recognizer, share: float
) -> None:
    noise = np.random.default_rng(0)
    pictures = [np.clip(woman + noise.normal(0, 4, woman.shape), 0, 255).astype(np.uint8) for _ in range(30)]
    content = _film(tmp_path / "whole.mkv", pictures).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(content[: int(share * len(content))])
    camera = Film("/dev/video0", av.open(str(tmp_path / "cut.mkv")), is_live=True)  # which ends, as no camera does
    seen: list[int] = []
    with camera, pytest.raises(FilmError) as gone:
        seen += [len(frame) for frame in read(camera, recognizer)]
    assert gone.value.film == "/dev/video0"
    assert camera.problem is gone.value


def test_a_film_that_lies_on_its_side_is_turned(tmp_path: Path, woman: Picture) -> None:
    path = _film(tmp_path / "upright.mp4", [np.rot90(woman)] * 3)
    content = bytearray(path.read_bytes())
    upright = np.array([1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30], ">i4").tobytes()
    turned = np.array([0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30], ">i4").tobytes()
    place = content.index(upright, content.index(b"tkhd"))
    content[place : place + 36] = turned
    path.write_bytes(content)
    with Film.open(path) as film:
        image = next(film.frames()).image
    assert image.shape == woman.shape
    assert np.abs(image.astype(int) - woman).mean() < 8


def test_a_large_film_is_read_small_and_told_in_its_own_pixels(
    tmp_path: Path, woman: Picture, recognizer: Recognizer
) -> None:
    large = np.asarray(Image.fromarray(woman).resize((2880, 2160)))
    path = _film(tmp_path / "large.mp4", [large])
    expected = recognizer.recognize(woman).face.landmarks_photo * 6
    frame = next(read(path, recognizer))
    assert max(frame.image.shape) == 1920
    assert np.abs(frame[0].recognition.face.landmarks_photo - expected).mean() < 20


@pytest.mark.parametrize("count", [1, 2])
def test_the_shortest_films_are_read(tmp_path: Path, woman: Picture, recognizer: Recognizer, count: int) -> None:
    summary = analyse(_film(tmp_path / "short.mp4", [woman] * count), tmp_path / "out.csv", recognizer)
    assert (summary.frames, summary.faces) == (count, count)


def test_a_film_of_nobody_gives_an_empty_table(tmp_path: Path, recognizer: Recognizer) -> None:
    path = _film(tmp_path / "nobody.mp4", [np.full((240, 320, 3), 90, np.uint8)] * 4)
    for ending in (".parquet", ".csv", ".jsonl"):
        summary = analyse(path, tmp_path / f"out{ending}", recognizer)
        assert (summary.frames, summary.faces, summary.people) == (4, 0, ())
    assert pl.read_parquet(tmp_path / "out.parquet").height == 0


_JOIN = """
import resource, sys
from pathlib import Path
import polars as pl
from mien.errors import OutputError
from mien.video.table import join_tables
parts = [Path(sys.argv[1], f"{i}.parquet") for i in range(4)]
for i, part in enumerate(parts):
    pl.DataFrame({"a": [str(hash((i, j))) for j in range(500)]}).write_parquet(part)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    join_tables(parts, Path(sys.argv[1], sys.argv[2]))
except OutputError as error:
    print(error.errno)
"""


@pytest.mark.parametrize("name", ["out.parquet", "out.csv", "out.jsonl"])
def test_a_table_that_does_not_fit_on_the_disk_is_not_half_written(tmp_path: Path, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _JOIN, str(tmp_path), name], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(errno.EFBIG)]
    assert not list(tmp_path.glob("*out.*"))


def test_what_is_no_film_is_refused(tmp_path: Path) -> None:
    (tmp_path / "words.mp4").write_text("no film")
    (tmp_path / "empty.mp4").touch()
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    names = ["words.mp4", "empty.mp4", "sound.wav", "nothing.mp4", "."]
    for name in [*(str(tmp_path / name) for name in names), "https://example.org/film.mp4", "/dev/video97"]:
        with pytest.raises(FilmError) as refused:
            Film.open(name)
        assert refused.value.film == name


def test_a_name_may_hold_a_colon(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "2024-01-01T12:30.mp4"
    (tmp_path / name).write_bytes(film.read_bytes())
    monkeypatch.chdir(tmp_path)
    with Film.open(name) as opened:
        assert next(iter(opened.frames())).number == 0


def test_a_playlist_opens_nothing_on_the_net(tmp_path: Path) -> None:
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/film.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(FilmError), Film.open(tmp_path / "list.m3u8") as film:
        list(film.frames())


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_of_a_film_that_was_cut_off_everything_before_is_kept(
    tmp_path: Path, woman: Picture, recognizer: Recognizer, share: float
) -> None:
    noise = np.random.default_rng(0)
    pictures = [np.clip(woman + noise.normal(0, 4, woman.shape), 0, 255).astype(np.uint8) for _ in range(80)]
    path = _film(tmp_path / "whole.mkv", pictures)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    summary = analyse(cut, tmp_path / "out.csv", recognizer)
    assert summary.problem is not None
    assert 0 < summary.frames < 80
    assert pl.read_csv(tmp_path / "out.csv").height == summary.frames
    read_until: list[int] = []
    with pytest.raises(FilmError):
        read_until += [frame.number for frame in read(cut, recognizer)]


def test_a_film_is_written_whole_or_not_at_all(tmp_path: Path, woman: Picture) -> None:
    def failing() -> object:
        yield woman, 0.0
        raise _Killed

    with pytest.raises(_Killed):
        write_film(tmp_path / "film.mp4", failing(), RATE)  # type: ignore[arg-type]
    with pytest.raises(OutputError):
        write_film(tmp_path / "film.txt", [(woman, 0.0)], RATE)
    assert list(tmp_path.iterdir()) == []


_rows = arrays.arrays(np.float64, (12, 50), elements=st.floats(0, 1))


@settings(max_examples=20, deadline=None)
@given(rows=_rows, seconds=st.sampled_from([0.0, 0.05, 0.15, 2.0]))
def test_smoothing_keeps_within_what_it_is_given(rows: np.ndarray, seconds: float) -> None:
    times, persons, none = np.arange(12) / RATE, np.arange(12) % 2, np.zeros(0, np.int64)
    smoothed = Smoother(seconds).smooth(persons, times, rows, none, times[:0], rows[:0])
    for person in (0, 1):
        own = rows[persons == person]
        assert (smoothed[persons == person] <= own.max(axis=0) + 1e-9).all()
        assert (smoothed[persons == person] >= own.min(axis=0) - 1e-9).all()


def test_smoothing_in_pieces_is_smoothing_of_the_whole() -> None:
    rows, times = np.random.default_rng(0).random((400, 50)), np.arange(400) / RATE
    persons, none = np.zeros(400, np.int64), np.zeros(0, np.int64)
    whole = Smoother(0.15).smooth(persons, times, rows, none, times[:0], rows[:0])
    pieces, smoother = [], Smoother(0.15)
    for start in range(0, 400, 200):
        own, later = slice(start, start + 200), slice(start + 200, start + 400)
        pieces.append(smoother.smooth(persons[own], times[own], rows[own], persons[later], times[later], rows[later]))
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-9)


def test_smoothing_of_the_past_lags_and_that_of_both_sides_does_not() -> None:
    rows, times = np.repeat([[0.0], [1.0]], 50, axis=0), np.arange(100) / RATE
    persons, none = np.zeros(100, np.int64), np.zeros(0, np.int64)
    both = Smoother(0.15).smooth(persons, times, rows, none, times[:0], rows[:0])[:, 0]
    smoother = Smoother(0.15)
    past = np.array([smoother.add(0, time, row)[0] for time, row in zip(times, rows, strict=True)])
    assert np.flatnonzero(both >= 0.5)[0] == 50
    assert np.flatnonzero(past >= 0.5)[0] > 50


def test_episodes_are_what_is_displayed_for_some_time() -> None:
    finder = EpisodeFinder()
    classes = [0] * 10 + [5] * 20 + [0] * 2 + [9] * 3 + [0] * 5
    for i, index in enumerate(classes):
        finder.add(1, "Anna", i / RATE, np.eye(50)[index])
    (episode,) = finder.end()
    assert (episode.start, episode.end) == pytest.approx((10 / RATE, 30 / RATE))
    assert (episode.emotion.index, episode.name, episode.probability) == (5, "Anna", 1.0)


def test_times_are_written_as_people_write_them() -> None:
    assert [clock(t) for t in (0, 12.44, 59.96, 3612.4)] == ["00:00.0", "00:12.4", "01:00.0", "1:00:12.4"]


def test_a_timeline_shows_shares_that_make_a_whole() -> None:
    timeline = Timeline(10.0, {1: "Anna", 2: "person 2"})
    rows = np.random.default_rng(0).dirichlet(np.ones(50), 100)
    timeline.add(1, np.linspace(0, 5, 100), rows)
    shares = timeline.shares(1)
    seen = ~np.isnan(shares[:, 0])
    np.testing.assert_allclose(shares[seen].sum(axis=1), 1)
    assert 0.45 * BINS < seen.sum() < 0.55 * BINS
    assert np.isnan(timeline.shares(2)).all()
    drawn = draw_timeline("film.mp4", timeline, [(1, 1.0, 2.0, 5, "happy")])
    assert drawn.dtype == np.uint8
    assert drawn.shape[1] > BINS


def test_a_frame_of_any_shape_is_taken(recognizer: Recognizer) -> None:
    tracker = Tracker(recognizer.extractor)
    for number, shape in enumerate([(2, 2, 3), (16, 300, 3), (300, 16, 3), (97, 131, 3)]):
        assert tracker.step(Frame(number, number / RATE, np.full(shape, 128, np.uint8))) == []


@pytest.mark.slow
def test_films_are_read_from_the_command_line(film: Path, tmp_path: Path) -> None:
    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mien", "video", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)

    table, timeline, annotated = tmp_path / "out.csv", tmp_path / "out.png", tmp_path / "out.mp4"
    done = run(film, table, "--timeline", timeline, "--annotate", annotated, "--top5")
    assert done.returncode == 0, done.stderr
    assert all(path.stat().st_size > 1000 for path in (table, timeline, annotated))
    lines = run(film, "--jsonl").stdout.splitlines()
    assert [json.loads(line)["frame"] for line in lines] == list(range(50))
    for words in ((tmp_path / "none.mp4",), (film, "out.txt"), (film, film.with_suffix(".csv"), "--annotate", film)):
        refused = run(*words)
        assert refused.returncode == 2
        assert refused.stderr.count("\n") == 1


def test_films_are_read_as_the_documents_say(film: Path) -> None:
    frame = next(mien.video.read(film))
    assert frame[0].phrase
    assert frame.to_dict()["faces"][0]["person"] == "person 1"


@pytest.mark.slow
def test_a_film_in_8k_is_read(tmp_path: Path, woman: Picture, recognizer: Recognizer) -> None:
    large = np.asarray(Image.fromarray(woman).resize((7680, 5760)))[:4320]
    frame = next(read(_film(tmp_path / "8k.mp4", [large]), recognizer))
    assert max(frame.image.shape) == 1920
    expected = recognizer.recognize(woman).face.landmarks_photo * 16
    assert np.abs(frame[0].recognition.face.landmarks_photo - expected).mean() < 50


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the peak of a process there")
def test_an_hour_of_film_takes_no_more_memory_than_six_minutes(tmp_path: Path, woman: Picture) -> None:
    near, peaks = woman[:200, 100:340], []
    for name, seconds in (("short", 360), ("long", 3600)):  # a frame every two seconds
        frames = ((_moved(near, round(15 * np.sin(i / 8))), 2.0 * i) for i in range(seconds // 2))
        film, table = tmp_path / f"{name}.mp4", tmp_path / f"{name}.parquet"
        write_film(film, frames, 0.5)
        code = (
            "from pathlib import Path; from mien.video import analyse;"
            f"found = analyse({str(film)!r}, Path({str(table)!r}), piece=100);"
            "print(found.faces, Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"  # kB
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        faces, peak = map(int, done.stdout.split())
        assert faces > 0.9 * seconds / 2
        peaks.append(peak // 1024)
    assert peaks[1] < peaks[0] + 40
    assert peaks[1] < 500


def test_rows_of_a_camera_keep_no_pixels(recognizer: Recognizer, film: Path, tmp_path: Path) -> None:
    images, faces = [], 0
    with writing_rows(tmp_path / "rows.parquet", "all") as write:
        for frame in read(film, recognizer):
            images.append(weakref.ref(frame.image))
            faces += len(frame)
            write(frame)
            write(replace(frame, faces=()))
            del frame
        assert sum(image() is not None for image in images) <= 2
    assert pl.read_parquet(tmp_path / "rows.parquet").height == faces


def test_rows_that_could_not_be_written_once_are_written_later(
    recognizer: Recognizer, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OutputError("the disk is full")

    with writing_rows(tmp_path / "rows.parquet", "all") as write, monkeypatch.context() as patched:
        patched.setattr(stream, "write_parquet", full)
        patched.setattr(stream, "_TOGETHER", 1)
        with pytest.raises(OutputError):
            write(next(iter(read(film, recognizer))))
    assert pl.read_parquet(tmp_path / "rows.parquet").height == 1


@pytest.mark.slow
def test_a_film_may_be_closed_while_it_is_decoded(tmp_path: Path, woman: Picture) -> None:
    large = np.tile(woman, (5, 5, 1))
    path = _film(tmp_path / "large.mp4", [_moved(large, i) for i in range(20)])
    code = (
        "import sys\nfrom mien.video import Film\n"
        "with Film.open(sys.argv[1]) as film:\n    frames = film.frames()\n    next(frames)\n    raise SystemExit(3)"
    )
    for _ in range(3):
        assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 3


def test_a_film_is_written_as_its_frames_come(tmp_path: Path, woman: Picture) -> None:
    images: list[weakref.ref[Picture]] = []

    def frames() -> Iterator[tuple[Picture, float]]:
        for i in range(20):
            image = _moved(woman, i)
            images.append(weakref.ref(image))
            yield image, i / RATE
            del image
            assert sum(one() is not None for one in images) <= 3

    write_film(tmp_path / "film.mp4", frames(), RATE)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_rows_of_a_film_that_is_read_once_are_kept_where_it_is_stopped(
    tmp_path: Path, woman: Picture, number: signal.Signals
) -> None:
    path = _film(tmp_path / "film.mp4", [_moved(woman, i % 20) for i in range(400)])
    command = [sys.executable, "-m", "mien", "video", str(path), str(tmp_path / "rows.csv"), "--jsonl"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(30)]
        process.send_signal(number)
        lines += process.stdout.readlines()
    assert process.returncode == 128 + number
    assert 30 <= pl.read_csv(tmp_path / "rows.csv").height <= len(lines) + 1  # stopped between row and line
    assert sorted(one.name for one in tmp_path.iterdir()) == ["film.mp4", "rows.csv"]


def test_a_film_of_which_nothing_can_be_read_leaves_nothing(tmp_path: Path, film: Path) -> None:
    broken = tmp_path / "broken.mkv"
    with av.open(str(broken), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        container.start_encoding()
    with pytest.raises(FilmError):
        analyse(broken, tmp_path / "rows.csv")
    assert [one.name for one in tmp_path.iterdir()] == ["broken.mkv"]


def test_the_frames_of_a_film_are_read_once(film: Path) -> None:
    with Film.open(film) as opened:
        first = opened.frames()
        next(first)
        with pytest.raises(FilmError):
            next(opened.frames())
    with pytest.raises(FilmError):
        next(opened.frames())


def test_a_film_as_thin_as_a_line_is_read(tmp_path: Path, recognizer: Recognizer) -> None:
    thin = np.zeros((2, 4000, 3), np.uint8)
    with av.open(str(tmp_path / "thin.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height = 4000, 1
        container.mux(stream.encode(av.VideoFrame.from_ndarray(thin[:1])))
        container.mux(stream.encode())
    assert [len(frame) for frame in read(tmp_path / "thin.mkv", recognizer)] == [0]


def test_a_camera_may_be_a_number() -> None:
    with pytest.raises(FilmError):
        Film.open(987)


@pytest.mark.parametrize("name", ["rows.txt", "rows"])
def test_a_table_of_another_kind_is_refused_before_any_work(film: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError):
        analyse(film, tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rate", [2, 4, 5, 10, 25])
def test_one_expression_is_one_episode_however_few_frames_there_are(rate: int) -> None:
    finder, shown = EpisodeFinder(rate), np.eye(50)[7]
    for number in range(10 * rate):
        finder.add(1, "person 1", number / rate, shown)
    (episode,) = finder.end()
    assert episode.end - episode.start == pytest.approx(10 - 1 / rate)


def test_a_film_whose_sound_is_longer_than_its_picture_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.mkv"
    with av.open(str(path), "w") as container:
        picture, sound = container.add_stream("mpeg4", rate=25), container.add_stream("pcm_s16le", rate=8000)
        picture.width = picture.height = 64
        for _ in range(25):
            container.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        container.mux(picture.encode())
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000 * 10), np.int16), layout="mono")
        silence.sample_rate = 8000
        container.mux(sound.encode(silence))
        container.mux(sound.encode())
    with Film.open(path) as film:
        assert len(list(film.frames())) == 25
        assert film.problem is None


def test_a_film_may_be_closed_by_another_thread(film: Path) -> None:
    opened = Film.open(film)
    frames = opened.frames()
    next(frames)
    with ThreadPoolExecutor(1) as other:
        rest = other.submit(lambda: len(list(frames)))
        time.sleep(0.01)
        opened.close()
        assert rest.result(30) < 50
