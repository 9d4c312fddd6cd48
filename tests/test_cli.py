"""The command line as people meet it: in a process of its own."""

import inspect
import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from skimage import data

from mien.cli import app
from mien.cli.answers import answers_to
from mien.cli.predict import predict
from mien.datasets import PreparedSet
from mien.errors import PhotoError
from mien.files import replacing
from mien.inference.results import COLUMNS, UNSURE_BELOW, Recognitions


def _mien(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mien", *map(str, words)]
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}  # as in most places of the world
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=120, env=strict)


@pytest.fixture(scope="module")
def astronaut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    Image.fromarray(data.astronaut()).save(path)
    return path


def _loaded_by(code: str) -> str:
    command = [sys.executable, "-X", "importtime", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stderr


def test_importing_mien_loads_nothing_heavy() -> None:
    loaded = _loaded_by("import mien")
    assert "mien.labels" in loaded
    for heavy in ("torch", "matplotlib", "cv2", "onnxruntime", "polars"):
        assert f" {heavy}\n" not in loaded


def test_help_of_the_command_line_loads_nothing_heavy() -> None:
    loaded = _loaded_by("import mien.cli")
    for heavy in ("torch", "matplotlib", "cv2", "onnxruntime", "polars", "vtkmodules"):
        assert f" {heavy}\n" not in loaded


def test_reading_photos_loads_no_extra() -> None:
    loaded = _loaded_by("import mien.inference, mien.drawing.recognition, mien.drawing.albums, mien.cli.answers")
    assert " onnxruntime\n" in loaded
    for extra in ("torch", "matplotlib", "polars", "sklearn", "jinja2"):
        assert f" {extra}\n" not in loaded


@pytest.mark.parametrize(
    "command", [command.name or command.callback.__name__ for command in app.registered_commands]
)
def test_every_command_has_help_with_an_example(command: str) -> None:
    shown = _mien(command, "--help")
    assert shown.returncode == 0
    assert f"mien {command}" in " ".join(shown.stdout.split())
    assert "Example" in shown.stdout


def test_predict_answers_in_json_for_every_photo_bad_ones_too(astronaut: Path, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "words.jpg").write_text("no picture")
    answer = _mien("predict", astronaut, tmp_path / "words.jpg", "--run", trained, "--json")
    assert answer.returncode == 2
    good, bad = json.loads(answer.stdout)
    assert good["photo"] == str(astronaut)
    assert 0 < good["probability"] <= 1
    assert set(bad) == {"photo", "error"}
    assert bad["photo"] == str(tmp_path / "words.jpg")
    assert answer.stderr.count("\n") == 1


def test_photos_of_one_person_are_compared_with_one_another_though_one_is_bad(
    astronaut: Path, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.jpg").touch()
    two = tmp_path / "two.png"
    Image.fromarray(np.hstack([data.astronaut()[:400]] * 2)).save(two)
    words = ("--run", trained, "--same-person", "--largest-face", "--json")
    answer = _mien("predict", astronaut, tmp_path / "empty.jpg", two, *words)
    assert answer.returncode == 2
    first, bad, second = json.loads(answer.stdout)
    assert first["reference"] == second["reference"] == {"kind": "estimated", "photos": 2}
    assert bad["photo"] == str(tmp_path / "empty.jpg")


@pytest.mark.slow
def test_a_reference_of_another_person_is_warned_of_in_a_line_unless_it_is_trusted(
    astronaut: Path, trained: Path, small_synthetic_set: Path
) -> None:
    one, another = sorted(small_synthetic_set.glob("*.jpg"))[:2]
    words = ("predict", one, "--run", trained, "--jsonl")
    answer = _mien(*words, "--neutral", astronaut)
    assert answer.returncode == 0
    assert "other person" in json.loads(answer.stdout)["flags"]
    [line] = [line for line in answer.stderr.splitlines() if str(one) in line]
    assert str(astronaut) in line
    for quiet in (("--neutral", another), ("--neutral", astronaut, "--trust-reference")):
        assert str(one) not in _mien(*words, *quiet).stderr
    answer = _mien(*words, another, astronaut, "--same-person")
    [line] = [line for line in answer.stderr.splitlines() if str(astronaut) in line]
    assert str(one) not in line


@pytest.mark.slow
def test_photos_of_one_person_are_told_their_reference_in_every_form(astronaut: Path, trained: Path) -> None:
    for form in ((), ("--json",)):
        answer = _mien("predict", astronaut, astronaut, "--run", trained, "--same-person", *form)
        said = answer.stderr if form else answer.stdout
        assert "2 photos" in said
        assert "--neutral" not in said


def test_the_largest_face_is_taken_of_a_reference_too(astronaut: Path, trained: Path, tmp_path: Path) -> None:
    two = tmp_path / "two.png"
    Image.fromarray(np.hstack([data.astronaut()[:400]] * 2)).save(two)
    answer = _mien("predict", astronaut, "--run", trained, "--largest-face", "--neutral", two, "--json")
    assert json.loads(answer.stdout)[0]["reference"] == {"kind": "neutral", "photos": 1}


@pytest.mark.parametrize(
    "words",
    [
        ("--neutral", "a.jpg", "--same-person"),
        ("--reference", "a.reference", "--same-person"),
        ("--save-reference", "a.reference"),
        ("--same-person", "--faces", "all"),
        ("--picture", "out.gif"),
        ("--neutral", "a.png", "--picture", "./a.png"),
        ("--output", "out.txt"),
        ("--json", "--jsonl"),
        ("--faces", "all", "--neutral", "a.jpg"),
        ("--faces", "all", "--largest-face"),
        ("--neutral", "a.png", "--save-reference", "./a.png"),
        ("-", "-"),
        ("http://example.org/a.jpg",),
        ("no-such-photo.jpg", "--picture", "out.png"),
    ],
    ids=" ".join,
)
def test_words_that_contradict_are_refused(astronaut: Path, words: tuple[str, ...]) -> None:
    answer = _mien("predict", astronaut, *words)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.count("\n") == 1


@pytest.mark.slow
def test_names_of_photos_are_shown_as_they_are(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    odd = ["[red]a.png", "b:smile:.png", "c\n.png", os.fsdecode(b"d\xff.png")]
    for name in odd:
        Image.fromarray(data.astronaut()).save(tmp_path / name)
    answer = _mien("predict", *odd, "--run", trained)
    assert answer.returncode == 0, answer.stderr
    named = [line.split()[0] for line in answer.stdout.splitlines()[:4]]
    assert named == ["[red]a.png", "b:smile:.png", "c\\n.png", "d\\udcff.png"]
    answer = _mien("predict", *odd, "--run", trained, "--json")
    assert [entry["photo"] for entry in json.loads(answer.stdout)] == odd


@pytest.mark.slow
def test_predict_draws_a_picture_and_compares_with_a_neutral_photo(
    astronaut: Path, trained: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "out.png"
    answer = _mien("predict", astronaut, "--run", trained, "--neutral", astronaut, "--picture", picture)
    assert answer.returncode == 0, answer.stderr
    answer = _mien("predict", astronaut, "--run", trained, "--neutral", astronaut, "--json", "--picture", picture)
    assert json.loads(answer.stdout)[0]["reference"] == {"kind": "neutral", "photos": 1}
    with Image.open(picture) as drawn:
        assert drawn.size[0] > 1000


@pytest.mark.slow
def test_lines_and_tables_survive_every_encoding_of_stdout(tmp_path: Path) -> None:
    photo = tmp_path / "\u0141ukasz.png"
    Image.fromarray(data.astronaut()).save(photo)
    for words in ((), ("--csv",)):
        command = [sys.executable, "-m", "mien", "landmarks", str(photo), *words]
        environment = {**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252"}
        answer = subprocess.run(command, capture_output=True, check=True, timeout=120, env=environment)
        assert b"ukasz.png" in answer.stdout


@pytest.mark.slow
def test_answers_survive_every_encoding_of_stdout(trained: Path, tmp_path: Path) -> None:
    photo = tmp_path / "\u7b11_\u0444\u043e\u0442\u043e.png"
    Image.fromarray(data.astronaut()).save(photo)
    for encoding in ("cp1252", "ascii"):
        command = [sys.executable, "-m", "mien", "predict", str(photo), "--run", str(trained), "--json"]
        environment = {**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding}
        answer = subprocess.run(command, capture_output=True, check=True, timeout=120, env=environment)
        assert json.loads(answer.stdout.decode(encoding))[0]["photo"] == str(photo)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl", "json"])
def test_a_run_that_fails_before_its_first_answer_leaves_the_file_of_before(
    astronaut: Path, trained: Path, tmp_path: Path, ending: str
) -> None:
    out = tmp_path / f"out.{ending}"
    out.write_text("answers of before")
    words = ("predict", astronaut, "--output", out)
    for wrong in (("--run", tmp_path), ("--run", trained, "--neutral", tmp_path / "gone.jpg")):
        answer = _mien(*words, *wrong)
        assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert out.read_text() == "answers of before"


def test_answers_that_came_before_a_failure_stay_and_none_before_them_is_lost(tmp_path: Path) -> None:
    failed = Recognitions((), "a.jpg", (("a.jpg", PhotoError("no face", "a.jpg")),))

    def stop_after(out: Path, count: int) -> None:
        with suppress(KeyboardInterrupt), answers_to(["a.jpg"], out, False, False) as answers:
            for _ in range(count):
                answers.add(failed)
            raise KeyboardInterrupt

    for ending in ("csv", "jsonl", "json"):
        out = tmp_path / f"out.{ending}"
        out.write_text("of before")
        stop_after(out, 0)
        assert out.read_text() == "of before"
        stop_after(out, 1)
        assert "a.jpg" in out.read_text()
        assert "of before" not in out.read_text()


@pytest.mark.slow
def test_answers_go_into_files_by_their_ending(astronaut: Path, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.png").write_bytes(astronaut.read_bytes())
    (tmp_path / "photos" / "two.png").write_bytes(astronaut.read_bytes())
    (tmp_path / "photos" / "film.mov").touch()
    tables = {}
    for ending in ("csv", "parquet", "jsonl", "json"):
        out = tmp_path / f"out.{ending}"
        answer = _mien("predict", tmp_path / "photos", "--run", trained, "--output", out)
        assert (answer.returncode, answer.stdout) == (0, "")
        assert "1 .mov" in answer.stderr  # what is no photo is named
        tables[ending] = out
    rows = pl.read_csv(tables["csv"])
    assert rows.columns == pl.read_parquet(tables["parquet"]).columns == list(COLUMNS)
    assert rows["label"].to_list() == pl.read_parquet(tables["parquet"])["label"].to_list()
    lines = [json.loads(line) for line in tables["jsonl"].read_text().splitlines()]
    assert lines == json.loads(tables["json"].read_text())
    assert [Path(line["photo"]).name for line in lines] == ["one.png", "two.png"]


@pytest.mark.slow
def test_a_photo_on_stdin_and_a_pattern_are_read(astronaut: Path, trained: Path) -> None:
    command = [sys.executable, "-m", "mien", "predict", "-", "--run", str(trained), "--jsonl"]
    piped = subprocess.run(command, input=astronaut.read_bytes(), capture_output=True, check=True, timeout=120)
    named = _mien("predict", astronaut.parent / "*.png", "--run", trained, "--jsonl")
    assert json.loads(piped.stdout)["matrix"] == json.loads(named.stdout)["matrix"]


@pytest.mark.slow
def test_a_saved_reference_serves_later_photos(astronaut: Path, trained: Path, tmp_path: Path) -> None:
    saved = tmp_path / "me.reference"
    words = ("predict", astronaut, "--run", trained, "--json")
    first = _mien(*words, "--neutral", astronaut, "--save-reference", saved)
    again = _mien(*words, "--reference", saved)
    assert json.loads(first.stdout) == json.loads(again.stdout)
    assert saved.stat().st_size < 5000
    assert first.stderr == again.stderr  # what speaks against it too
    foreign = _mien("predict", astronaut, "--reference", saved)
    assert (foreign.returncode, foreign.stderr.count("\n")) == (2, 1)


def _bad_photo(folder: Path, kind: str) -> Path:
    path = folder / f"{kind}.png"
    if kind == "empty":
        path.touch()
    elif kind == "words":
        path.write_text("no picture")
    elif kind == "truncated":
        Image.fromarray(data.astronaut()).save(path)
        path.write_bytes(path.read_bytes()[:20000])
    elif kind == "faceless":
        Image.new("RGB", (300, 300), "grey").save(path)
    elif kind == "two-faces":
        Image.fromarray(np.hstack([data.astronaut()] * 2)).save(path)
    elif kind == "thin":
        Image.new("RGB", (1, 20000)).save(path)
    return path


@pytest.mark.parametrize("kind", ["empty", "words", "truncated", "faceless", "two-faces", "thin", "missing"])
def test_a_bad_photo_is_one_line_that_names_it_and_exit_code_2(tmp_path: Path, trained: Path, kind: str) -> None:
    path = _bad_photo(tmp_path, kind)
    before = sorted(tmp_path.iterdir())
    answer = _mien("predict", path, "--run", trained, "--picture", tmp_path / "out.png")
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.count("\n") == 1
    assert answer.stderr.startswith(f"mien: {path}: ")
    assert sorted(tmp_path.iterdir()) == before


def _bad_source(folder: Path, kind: str) -> Path:
    source = folder / "source"
    source.mkdir()
    if kind == "label":
        Image.new("RGB", (50, 50)).save(source / "Sample_001_001.jpg")
        (source / "labels.txt").write_text("Sample_001_001.jpg\t8_1\n")
    elif kind == "column":
        (source / "photos.csv").write_text("path,label\na.jpg,1_1\n")
        return source / "photos.csv"
    elif kind == "missing":
        return folder / "nowhere"
    return source


@pytest.mark.parametrize("kind", ["empty", "label", "column", "missing"])
def test_a_bad_source_is_one_line_and_leaves_nothing_behind(tmp_path: Path, kind: str) -> None:
    answer = _mien("prepare", _bad_source(tmp_path, kind), tmp_path / "out")
    assert answer.returncode == 2
    lines = [line for line in answer.stderr.splitlines() if line.strip()]
    assert len(lines) == 1
    assert lines[0].startswith(f"mien: {tmp_path}")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["prepare", "synth", "train"])
def test_an_output_folder_with_other_content_is_left_as_it_is(
    tmp_path: Path, command: str, astronaut: Path, prepared: PreparedSet
) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    words: dict[str, list[str | Path]] = {
        "prepare": [astronaut.parent, tmp_path, "--validation", "0", "--test", "0"],
        "synth": [tmp_path, "--subjects", "1"],
        "train": [prepared.path, tmp_path, "--recipe", "svm"],
    }
    answer = _mien(command, *words[command])
    assert answer.returncode == 2
    assert answer.stderr.splitlines()[-1].startswith(f"mien: {tmp_path}: ")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.slow
def test_nothing_is_written_over_what_is_read(prepared: PreparedSet, tmp_path: Path) -> None:
    before = (prepared.path / "samples.parquet").read_bytes()
    order = tmp_path / "order.txt"
    order.write_text("0/1.jpg\n")
    for words in (
        ("displacement", prepared.path, prepared.path / "samples.parquet"),
        ("submit", "run", prepared.path, order, "--order", order),
        ("evaluate", prepared.path, "run", "--report", prepared.path / "samples.parquet"),
        ("synth", tmp_path / "faces", "--contact-sheet", tmp_path / "sheet.txt"),
    ):
        answer = _mien(*words)
        assert (answer.returncode, answer.stderr.count("\n")) == (2, 1), answer.stderr
    assert (prepared.path / "samples.parquet").read_bytes() == before
    assert order.read_text() == "0/1.jpg\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["order.txt"]


def test_it_tells_its_version() -> None:
    assert _mien("--version").stdout == f"mien {version('mien')}\n"


@pytest.mark.slow
def test_debug_shows_where_an_error_comes_from(tmp_path: Path) -> None:
    words = ["prepare", tmp_path / "nowhere", tmp_path / "out"]
    for place in (0, 1, 3):
        answer = _mien(*words[:place], "--debug", *words[place:])
        assert "Traceback" in answer.stderr
    assert "Traceback" not in _mien(*words).stderr


@pytest.mark.parametrize(("command", "default"), [("predict", "come with mien"), ("prepare", "recognised")])
def test_help_tells_defaults(command: str, default: str) -> None:
    shown = " ".join(_mien(command, "--help").stdout.replace("\u2502", " ").split())
    assert default in shown


@pytest.mark.slow
def test_train_and_evaluate_from_the_command_line(prepared: PreparedSet, tmp_path: Path) -> None:
    trained = _mien("train", prepared.path, tmp_path / "svm", "--recipe", "svm", "--json")
    assert json.loads(trained.stdout)["method"] == "svm"
    judged = _mien("evaluate", prepared.path, tmp_path / "svm", "--json", "--report", tmp_path / "report.html")
    result = json.loads(judged.stdout)[0]
    assert result["name"] == "svm"
    assert result["top"][0] > 0.9
    assert (tmp_path / "report.html").stat().st_size > 50_000


@pytest.mark.slow
def test_preparing_tells_by_its_exit_code_that_a_photo_was_unusable_and_the_set_can_be_inspected(
    astronaut: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "face.png").write_bytes(astronaut.read_bytes())
    (photos / "empty.png").touch()
    (photos / "notes.txt").write_text("no picture")
    answer = _mien("prepare", photos, tmp_path / "set", "--workers", "1", "--json")
    assert answer.returncode == 1
    made = json.loads(answer.stdout)
    assert made["statuses"] == {"ok": 1, "unreadable": 1}
    assert [problem["path"] for problem in made["problems"]] == ["empty.png"]
    assert made["counts"] == {"photos": 1, "subjects": 1, "labelled": 0, "classes": 0, "parts": {}}
    assert made["other_files"] == {".txt": 1}
    assert _mien("inspect", tmp_path / "set").returncode == 0
    assert (tmp_path / "set" / "contact-sheet.png").stat().st_size > 10_000
    assert _mien("displacement", tmp_path / "set", tmp_path / "out.npz").returncode == 0


@pytest.mark.slow
def test_a_cluster_reads_photos_as_one_process_does(astronaut: Path, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_text("no picture")
    photos = [astronaut] * 9 + [tmp_path / "bad.jpg"] + [astronaut] * 9
    words = ("predict", *photos, "--run", trained, "--jsonl")
    alone, cluster = _mien(*words), _mien(*words, "--ray", "local")
    assert alone.returncode == cluster.returncode == 2
    assert cluster.stdout == alone.stdout


def test_the_command_line_calls_answers_unsure_where_python_does() -> None:
    assert inspect.signature(predict).parameters["unsure_below"].default == UNSURE_BELOW


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
@pytest.mark.parametrize("words", [
    ("predict",), ("predict", "--json"), ("landmarks",), ("landmarks", "--csv"), ("landmarks", "--json"), ("--help",),
    ("--version",),
])  # fmt: skip
def test_a_full_disk_behind_stdout_is_one_line(astronaut: Path, words: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "mien", *words, *([] if words[0][0] == "-" else [str(astronaut)])]
    with open("/dev/full", "w") as full:
        answer = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert answer.returncode == 2
    assert len(answer.stderr.splitlines()) == 1


def test_a_user_without_a_home_folder_can_do_without_profiles_and_is_told_so() -> None:
    code = (
        "from pathlib import Path\nimport mien.cli\ndef home():\n    raise RuntimeError('none')\n"
        "Path.home = home\nmien.cli.main()"
    )
    bare = {name: value for name, value in os.environ.items() if name not in ("MIEN_HOME", "XDG_DATA_HOME")}
    command = [sys.executable, "-c", code, "people", "list"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=bare)
    assert (answer.returncode, len(answer.stderr.splitlines())) == (2, 1)


def test_what_a_killed_command_had_begun_to_write_is_removed_by_the_next(astronaut: Path, tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with replacing(tmp_path / "seen.png") as temporary:
        left = temporary.with_name(re.sub(r"\d+-\d+\.part$", f"{ended.pid}-1.part", temporary.name))
        left.touch()
        temporary.touch()
    assert left != temporary
    assert left.is_file()
    assert _mien("predict", astronaut, "--picture", tmp_path / "seen.png").returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["seen.png"]


def test_a_label_file_for_what_is_no_icv_mefed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos.csv").write_text("path,subject,label\na.jpg,ann,1_1\n")
    (tmp_path / "labels.txt").write_text("a.jpg\t1_1\n")
    answer = _mien("prepare", tmp_path / "photos.csv", tmp_path / "out", "--labels", tmp_path / "labels.txt")
    assert answer.returncode == 2
    assert "labels.txt" in answer.stderr
    assert not (tmp_path / "out").exists()


def test_the_demo_refuses_what_it_could_not_end_with(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").touch()
    Image.new("RGB", (200, 200), "white").save(tmp_path / "white.png")
    for words in ((tmp_path / "new", "--photo", tmp_path / "white.png"), (tmp_path / "mine",)):
        answer = _mien("demo", *words)
        assert (answer.returncode, len(answer.stderr.splitlines())) == (2, 1)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("words", [("--film", "--height", "1080"), ("--film", "--samples", "2"), ("--seconds", "9")])
def test_options_of_photos_and_of_films_are_not_mixed(tmp_path: Path, words: tuple[str, ...]) -> None:
    answer = _mien("synth", tmp_path / "out", "--subjects", "1", *words)
    assert (answer.returncode, len(answer.stderr.splitlines())) == (2, 1)
    assert not (tmp_path / "out").exists()
