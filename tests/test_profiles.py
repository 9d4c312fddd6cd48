"""People whom mien knows: enrolled, used, carried to another computer, forgotten."""

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image
from skimage import data

from mien import Recognizer, SubjectProfile
from mien.cli.people import named_profiles
from mien.displacement import Reference
from mien.errors import DataError, ForeignReferenceError, ProfileError, SeveralFacesError
from mien.images import resize
from mien.inference.enrolment import enroll
from mien.inference.profiles import (
    delete_profile,
    enrolled_names,
    find_reference,
    people_folder,
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.load()


@pytest.fixture(scope="module")
def profile(recognizer: Recognizer) -> SubjectProfile:
    return enroll(recognizer, "Eileen", [data.astronaut(), data.astronaut()[:, ::-1]]).profile


def _mien(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mien", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_a_profile_comes_back_as_it_was_saved(profile: SubjectProfile) -> None:
    profile.save()
    back = SubjectProfile.open("Eileen")
    assert enrolled_names() == ["Eileen"]
    np.testing.assert_array_equal(back.reference.landmarks, profile.reference.landmarks)
    for name in ("name", "landmarker", "photo_count", "neutral_count", "enrolled"):
        assert getattr(back, name) == getattr(profile, name)
    for name in ("kind", "photo_count", "model", "strangers", "expressive"):
        assert getattr(back.reference, name) == getattr(profile.reference, name)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_only_the_user_may_read_a_profile(profile: SubjectProfile, tmp_path: Path) -> None:
    for path in (profile.save(), profile.save(), profile.save(tmp_path / "exported.profile")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(people_folder().stat().st_mode) == 0o700


def test_a_profile_holds_less_than_a_picture(profile: SubjectProfile) -> None:
    assert profile.save().stat().st_size < 8_000


def test_the_file_of_a_profile_is_one_of_a_reference(profile: SubjectProfile, recognizer: Recognizer) -> None:
    path = profile.save()
    np.testing.assert_array_equal(Reference.load(path).landmarks, profile.reference.landmarks)
    assert find_reference(str(path), recognizer.model).kind == profile.reference.kind
    assert find_reference("Eileen", recognizer.model).kind == profile.reference.kind


def test_nothing_is_left_of_who_is_deleted(profile: SubjectProfile) -> None:
    profile.save()
    delete_profile("Eileen")
    assert list(people_folder().iterdir()) == []
    with pytest.raises(ProfileError):
        SubjectProfile.open("Eileen")
    with pytest.raises(ProfileError):
        delete_profile("Eileen")


def test_nobody_is_replaced_unasked(profile: SubjectProfile) -> None:
    profile.save(replacing=False)
    with pytest.raises(ProfileError):
        profile.save(replacing=False)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", ".hidden", "a\nb", "x" * 65, " a", "a\0b"])
def test_a_name_that_can_be_no_file_is_refused(profile: SubjectProfile, name: str) -> None:
    with pytest.raises(ProfileError):
        profile.renamed(name).save()


@pytest.mark.parametrize("name", ["a", "Anna-Lena Müller", "李雷", "O'Neil", "x1.b", "अनिता", "தமிழ்"])
def test_names_of_all_languages_can_be_used(profile: SubjectProfile, name: str) -> None:
    profile.renamed(name).save()
    assert enrolled_names() == [name]
    assert SubjectProfile.open(name).name == name


def test_a_name_is_one_however_its_accents_are_composed(profile: SubjectProfile) -> None:
    profile.renamed("Zoe\u0308").save()
    assert SubjectProfile.open("Zo\u00eb").name == "Zo\u00eb"
    assert len(enrolled_names()) == 1


def test_a_stray_file_hides_nobody(profile: SubjectProfile) -> None:
    path = profile.save()
    path.with_name(f"{path.stem} (1){path.suffix}").write_bytes(path.read_bytes())
    assert enrolled_names() == [profile.name]


def test_a_profile_of_other_weights_is_refused(
    profile: SubjectProfile, recognizer: Recognizer, trained: Path
) -> None:
    other = Recognizer.load(trained)
    assert profile.reference_for(recognizer.model) is profile.reference
    with pytest.raises(ForeignReferenceError):
        profile.reference_for(other.model)


def test_what_is_no_profile_is_refused(tmp_path: Path, profile: SubjectProfile) -> None:
    plain = tmp_path / "plain.reference"
    profile.reference.save(plain)
    (tmp_path / "words.profile").write_text("no profile")
    for path in (plain, tmp_path / "words.profile", tmp_path / "nothing.profile", tmp_path):
        with pytest.raises(DataError):
            SubjectProfile.load(path)


def test_neutral_photos_are_told_apart_unless_the_user_says(recognizer: Recognizer) -> None:
    smiling = data.astronaut()
    told = enroll(recognizer, "Eileen", [smiling])
    assert told.neutral == (False,)
    assert told.profile.reference.kind == "estimated"
    said = enroll(recognizer, "Eileen", [smiling], "neutral")
    assert said.profile.reference.kind == "neutral"
    assert said.profile.neutral_count == 1


@pytest.mark.parametrize("shown", ["neutral", "mixed"])
def test_all_photos_make_the_profile(recognizer: Recognizer, shown: Literal["neutral", "mixed"]) -> None:
    photos = [data.astronaut(), data.astronaut()[:400], data.astronaut()[:, ::-1]]
    profile = enroll(recognizer, "Eileen", photos, shown).profile
    assert profile.reference.photo_count == profile.photo_count == 3
    assert profile.reference.kind == {"neutral": "neutral", "mixed": "estimated"}[shown]


@pytest.mark.parametrize("shown", ["neutral", "mixed"])
def test_the_largest_face_is_enrolled_where_that_is_meant(
    recognizer: Recognizer, shown: Literal["neutral", "mixed"]
) -> None:
    alone = data.astronaut()[:300, 70:370]
    two = np.full((300, 600, 3), 120, np.uint8)
    two[:, :300] = alone
    two[30:270, 330:570] = resize(alone, 0.8)
    assert len(recognizer.detect(two)) == 2
    with pytest.raises(SeveralFacesError):
        enroll(recognizer, "Eileen", [two], shown)
    profile = enroll(recognizer, "Eileen", [two], shown, faces="largest").profile
    assert profile.reference.photo_count == 1


def test_of_all_people_those_of_other_weights_are_left_out(
    recognizer: Recognizer, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, known in (("Anna", recognizer), ("Ben", Recognizer.load(trained))):
        enroll(known, name, [data.astronaut()]).profile.save()
    assert [profile.name for profile in named_profiles(["all"], recognizer.model)] == ["Anna"]
    assert "Ben" in capsys.readouterr().err
    assert [profile.name for profile in named_profiles(["Ben"], recognizer.model)] == ["Ben"]


@pytest.mark.slow
def test_a_person_is_enrolled_read_carried_over_and_forgotten_on_the_command_line(tmp_path: Path) -> None:
    photos = [tmp_path / "one.png", tmp_path / "two.png"]
    Image.fromarray(data.astronaut()).save(photos[0])
    Image.fromarray(data.astronaut()[:400]).save(photos[1])
    assert _mien("enroll", "Eileen", *photos).returncode == 0
    assert _mien("enroll", "Eileen", *photos).returncode == 2
    assert _mien("enroll", "Eileen", photos[0], "--replace", "--neutral").returncode == 0
    read = _mien("predict", photos[1], "--reference", "Eileen", "--json")
    assert json.loads(read.stdout)[0]["reference"] == {"kind": "neutral", "photos": 1}
    assert [entry["name"] for entry in json.loads(_mien("people", "list", "--json").stdout)] == ["Eileen"]
    assert json.loads(_mien("people", "show", "Eileen", "--json").stdout)["photos"] == 1
    assert _mien("people", "export", "Eileen", tmp_path / "e.profile").returncode == 0
    assert _mien("people", "import", tmp_path / "e.profile").returncode == 2
    assert _mien("people", "import", tmp_path / "e.profile", "--name", "Collins").returncode == 0
    assert _mien("people", "delete", "Eileen").returncode == 0
    assert enrolled_names() == ["Collins"]
    gone = _mien("predict", photos[1], "--reference", "Eileen", "--json")
    assert gone.returncode == 2
    assert gone.stderr.count("\n") == 1


def test_nobody_is_called_all(profile: SubjectProfile) -> None:
    with pytest.raises(ProfileError):
        profile.renamed("all").save()


def test_of_two_who_enrol_one_name_at_once_one_is_told(profile: SubjectProfile) -> None:
    def save(number: int) -> bool:
        try:
            profile.renamed(f"Zoe {number // 2}").save(replacing=False)
        except ProfileError:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        saved = list(threads.map(save, range(60)))
    assert [saved[i] + saved[i + 1] for i in range(0, 60, 2)] == [1] * 30
