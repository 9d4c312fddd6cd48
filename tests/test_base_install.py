"""What the base install does in an environment of its own: recognise, without any extra."""

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from PIL import Image
from skimage import data

ROOT = Path(__file__).parents[1]
PHOTOS = ("passport.jpg", "photo.jpg", "a.jpg", "b.jpg")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of a new environment in which mien alone is installed."""
    folder = tmp_path_factory.mktemp("base")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    interpreter = folder / "venv" / "bin" / "python"
    pip = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", ROOT / "constraints.txt", ROOT], check=True, capture_output=True)
    return interpreter


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the photos that the README names."""
    folder = tmp_path_factory.mktemp("photos")
    for name in PHOTOS:
        Image.fromarray(data.astronaut()).save(folder / name)
    return folder


def _run(python: Path, photos: Path, code: str) -> str:
    done = subprocess.run([python, "-c", code], cwd=photos, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_extra_is_installed(python: Path, photos: Path) -> None:
    for extra in (
        "torch",
        "matplotlib",
        "sklearn",
        "vtk",
        "ray",
        "jinja2",
        "polars",
        "sympy",
        "face_recognition_models",
    ):
        code = f"import importlib.util; print(importlib.util.find_spec('{extra}'))"
        assert _run(python, photos, code).strip() == "None", extra


def test_the_python_of_the_readme_runs_as_written(python: Path, photos: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        shown = _run(python, photos, f"{block}\nprint(seen.phrase)")
        assert shown.splitlines()[-1]


def test_a_table_of_answers_asks_for_the_extra(python: Path, photos: Path) -> None:
    code = """
        import mien
        from mien.errors import MissingExtraError
        try:
            mien.Recognizer.load().recognize("photo.jpg").to_polars()
        except MissingExtraError as error:
            print(error.extra)
    """
    assert _run(python, photos, dedent(code)).strip() == "tables"


def test_the_predictor_that_is_not_free_asks_for_its_extra(python: Path, photos: Path) -> None:
    code = """
        from mien.errors import MissingExtraError
        from mien.faces import FaceExtractor
        try:
            FaceExtractor(landmarker="ert").extract("photo.jpg")
        except MissingExtraError as error:
            print(error.extra)
    """
    assert _run(python, photos, dedent(code)).strip() == "ert"


def test_a_folder_is_read_from_the_command_line_and_drawn(python: Path, photos: Path, tmp_path: Path) -> None:
    for words in (["."], ["photo.jpg", "--picture", tmp_path / "out.png"], [".", "--output", tmp_path / "out.csv"]):
        done = subprocess.run([python, "-m", "mien", "predict", *words], cwd=photos, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.csv").read_text().count("\n") == 5
    assert (tmp_path / "out.png").stat().st_size > 50_000


def test_a_person_is_enrolled_from_two_photos_read_in_a_third_and_forgotten(
    python: Path, photos: Path, tmp_path: Path
) -> None:
    home = {**os.environ, "MIEN_HOME": str(tmp_path)}
    for words in (
        ("enroll", "Eileen", "a.jpg", "b.jpg"),
        ("predict", "photo.jpg", "--reference", "Eileen"),
        ("people", "show", "Eileen"),
        ("people", "delete", "Eileen"),
    ):
        done = subprocess.run([python, "-m", "mien", *words], cwd=photos, capture_output=True, check=False, env=home)
        assert done.returncode == 0, done.stderr
    assert list((tmp_path / "people").iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ("train", "set", "run"),
        ("serve", "--open"),
        ("combine", "set", "run", "--run", "other"),
        ("synth", "faces"),
        ("synth", "faces", "--ray", "local"),
        ("synth", "films", "--film"),
        ("video", "film.mp4"),
        ("prepare", "set", "prepared"),
        ("inspect", "set"),
        ("evaluate", "set", "run"),
        ("score", "predictions.zip", "truth.txt"),
        ("predict", "photo.jpg", "--output", "out.parquet"),
    ],
)
def test_a_missing_extra_is_one_line(python: Path, photos: Path, words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [python, "-m", "mien", *words], cwd=photos, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert {path.name for path in photos.iterdir()} == set(PHOTOS)
