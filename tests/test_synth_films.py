"""Films of synthetic subjects: the truth is that of the frames."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mien.errors import OtherParametersError
from mien.faces import FaceExtractor
from mien.synth.films import RATE, SIZE, generate_films
from mien.video import Film

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
pytest.importorskip("av")


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One film of one shot."""
    out = tmp_path_factory.mktemp("films") / "set"
    generate_films(out, films=1, seconds=1, seed=4, style="studio")
    return out


def test_every_frame_has_its_truth(films: Path) -> None:
    truth = pl.read_parquet(films / "truth.parquet")
    with Film.open(films / "film-001.mp4") as film:
        times = [frame.time for frame in film.frames()]
    assert truth["frame"].to_list() == list(range(len(times)))
    np.testing.assert_allclose(truth["time"], times, atol=1e-3)
    np.testing.assert_allclose(np.diff(times), 1 / RATE, atol=1e-3)


def test_true_points_lie_where_the_predictor_sees_them(films: Path) -> None:
    truth, extractor = pl.read_parquet(films / "truth.parquet")["landmarks"].to_numpy(), FaceExtractor()
    with Film.open(films / "film-001.mp4") as film:
        for frame in film.frames():
            if frame.number % 50 == 0:
                assert frame.image.shape == (SIZE[1], SIZE[0], 3)
                points = truth[frame.number].reshape(68, 2)
                seen = extractor.extract(frame.image).landmarks_photo
                apart = np.linalg.norm(seen[17:] - points[17:], axis=1).mean()
                assert apart < 0.08 * np.hypot(*(points[45] - points[36]))


def test_an_expression_grows_is_held_and_goes_and_is_the_truth_from_half_its_strength(films: Path) -> None:
    truth = pl.read_parquet(films / "truth.parquet")
    strength, shown = truth["strength"].to_numpy(), (truth["label"] != "N_N").to_numpy()
    np.testing.assert_array_equal(shown, strength >= 0.5)
    assert (strength[0], strength[-1]) == (0, 0)
    assert (np.abs(np.diff(strength)) < 0.4).all()
    assert (np.diff(shown.astype(int)) == 1).sum() == 2


def test_a_whole_set_is_left_as_it_is_and_other_parameters_are_refused(films: Path) -> None:
    before = (films / "film-001.mp4").stat().st_mtime_ns
    generate_films(films, films=1, seconds=1, seed=4, style="studio")
    assert (films / "film-001.mp4").stat().st_mtime_ns == before
    with pytest.raises(OtherParametersError):
        generate_films(films, films=1, seconds=1, seed=5, style="studio")
    assert {path.name for path in films.iterdir()} == {"film-001.mp4", "films.json", "truth.parquet"}
