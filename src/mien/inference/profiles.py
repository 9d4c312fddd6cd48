"""People that mien knows: a `SubjectProfile` each, in files that only the user may read.

A profile is a reference with a name: means of landmarks and features, never a picture. Its file is the one that
`Reference.save` writes, with a few texts beside, so it can be given wherever the file of a reference can.

    $MIEN_HOME/people, or else $XDG_DATA_HOME/mien/people, or else ~/.local/share/mien/people
        Anna.profile
"""

from __future__ import annotations

import errno
import os
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from safetensors import SafetensorError, safe_open

from mien.displacement import Reference
from mien.errors import DataError, ForeignReferenceError, MienError, OutputError, ProfileError
from mien.files import saying_where
from mien.inference.model import WEIGHTS, ExpressionModel

ENDING = ".profile"
VERSION = 1
"""Of the format."""
_LONGEST = 64
_BETWEEN = " .'-"
ALL = "all"
"""Means everybody who is enrolled, so nobody is called so."""


@dataclass(frozen=True, eq=False)
class SubjectProfile:
    """What mien keeps of a person.

    Attributes:
        name: of the person.
        reference: means of landmarks and features, their kind and number of photos, and the run that made them.
        landmarker: what found the landmarks, as in `RunMeta.landmarker`.
        photo_count: how many photos were enrolled; the reference is made of all, or of the neutral ones.
        neutral_count: how many of them are neutral.
        enrolled: the day, `YYYY-MM-DD`.
    """

    name: str
    reference: Reference
    landmarker: str
    photo_count: int
    neutral_count: int
    enrolled: str

    def save(self, path: str | os.PathLike[str] | None = None, replacing: bool = True) -> Path:
        """Write the file, whole or not at all; only the user may read it.

        Args:
            path: of the file; None: among the people that mien knows.
            replacing: a profile that is there already; otherwise it is refused.

        Returns:
            the path.

        Raises:
            ProfileError: it is there already, or the name can be none of a file.
            OutputError: it cannot be written.
        """
        target = _path_of(self.name) if path is None else Path(path)
        if not replacing and os.path.lexists(target):
            raise self._is_enrolled()
        if path is None:
            _make_private(target.parent)
        notes = {
            "profile": str(VERSION),
            "name": self.name,
            "landmarker": self.landmarker,
            "photos": str(self.photo_count),
            "neutral_photos": str(self.neutral_count),
            "enrolled": self.enrolled,
        }
        try:
            self.reference.save(target, notes, private=True, first=not replacing)
        except OutputError as error:
            if error.errno != errno.EEXIST:
                raise
            raise self._is_enrolled() from error  # by another process, at this moment
        return target

    def _is_enrolled(self) -> ProfileError:
        message = f"{self.name} is enrolled already; add --replace, or choose another name"
        return ProfileError(message, self.name)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SubjectProfile:
        """Read what `save` wrote into a file.

        Raises:
            DataError: no such file, none of a profile, or one of another version.
        """
        shown = os.fspath(path)
        try:
            with safe_open(path, "numpy") as file:
                notes = file.metadata() or {}
            version = int(notes.get("profile", 0))
            if version > VERSION:
                raise DataError(f"{shown}: a profile of a newer mien (format {version}); update mien")
            if version != VERSION:
                raise ValueError("its content is of another kind")
            counts = int(notes["photos"]), int(notes["neutral_photos"])
            return cls(notes["name"], Reference.load(path), notes["landmarker"], *counts, notes["enrolled"])
        except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
            reason = str(error) or type(error).__name__
            raise DataError(f"{shown}: no profile that mien saved ({reason}); enroll the person again") from error

    @classmethod
    def open(cls, name: str) -> SubjectProfile:
        """The profile of a person that mien knows.

        Raises:
            ProfileError: nobody of that name is enrolled.
            DataError: the profile is damaged.
        """
        path = _path_of(name)
        if not os.path.isfile(path):
            known = ", ".join(enrolled_names()) or "nobody"
            raise ProfileError(
                f"{name}: nobody of that name is enrolled (enrolled: {known}); run: mien enroll {_quoted(name)} "
                "PHOTO...",
                name,
            )
        return replace(cls.load(path), name=name)

    def renamed(self, name: str) -> SubjectProfile:
        """The same profile under another name."""
        return replace(self, name=name)

    def fits(self, model: ExpressionModel) -> bool:
        """Whether it was made with these weights and their landmarks."""
        return self.reference.model == model.identity and self.landmarker == model.meta.landmarker

    def reference_for(self, model: ExpressionModel) -> Reference:
        """The reference, for faces that `model` reads.

        Raises:
            ForeignReferenceError: the profile was made with other weights, or other landmarks.
        """
        if not self.fits(model):
            run = "" if model.path == WEIGHTS else f" --run {_quoted(str(model.path))}"
            raise ForeignReferenceError(
                f"the profile of {self.name} was made with other weights; renew it from photos of the person: "
                f"mien enroll {_quoted(self.name)} PHOTO... --replace{run}"
            )
        return self.reference

    def __repr__(self) -> str:
        return f"SubjectProfile({self.name}, {self.reference!r})"


def people_folder() -> Path:
    """Where profiles lie; it may not exist yet. `MIEN_HOME` overrides the user's data directory."""
    if home := os.environ.get("MIEN_HOME"):
        return Path(home) / "people"
    usual = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_DATA_HOME")
    try:
        return Path(usual or Path.home() / ".local" / "share") / "mien" / "people"
    except RuntimeError as error:  # a user without an entry, as in a container
        raise MienError("this user has no home folder that could keep profiles; set MIEN_HOME to a folder") from error


def is_enrolled(name: str) -> bool:
    """Whether somebody has this name, however its accents are composed."""
    return unicodedata.normalize("NFC", name) in enrolled_names()


def enrolled_names() -> list[str]:
    """The people that mien knows, by the alphabet."""
    with suppress(OSError):
        found = [path for path in people_folder().glob(f"*{ENDING}") if os.path.isfile(path)]
        return sorted(path.stem for path in found if _may_be_a_name(path.stem))
    return []


def delete_profile(name: str) -> None:
    """Forget a person.

    Raises:
        ProfileError: nobody of that name is enrolled.
        OutputError: the file may not be removed.
    """
    path = _path_of(name)
    with saying_where(path):
        try:
            path.unlink()
        except FileNotFoundError as error:
            raise ProfileError(f"{name}: nobody of that name is enrolled; run: mien people list", name) from error


def find_reference(named: str, model: ExpressionModel) -> Reference:
    """The reference that a person of the command line means: a file of one, or the name of an enrolled person.

    Raises:
        DataError: a file that holds no reference.
        ProfileError: neither a file nor somebody who is enrolled.
        ForeignReferenceError: made with other weights.
    """
    if os.path.isfile(named):
        reference = Reference.load(named)
        try:
            model.refuse_foreign(reference)
        except ForeignReferenceError as error:
            raise ForeignReferenceError(f"{named}: {error}") from error
        return reference
    if not _may_be_a_name(named):
        raise DataError(f"{named}: no such file; name one that --save-reference wrote, or somebody enrolled")
    return SubjectProfile.open(named).reference_for(model)


def find_profiles(named: str) -> list[SubjectProfile]:
    """The profiles that are meant on the command line: an enrolled person's, a file, or a folder of files.

    Raises:
        DataError: a file or folder that holds none.
        ProfileError: neither a file nor somebody who is enrolled.
    """
    if os.path.isdir(named):
        found = sorted(Path(named).glob(f"*{ENDING}"))
        if not found:
            raise DataError(f"{named}: no profiles in this folder; write some with mien people export")
        return [SubjectProfile.load(path) for path in found]
    return [SubjectProfile.load(named)] if os.path.isfile(named) else [SubjectProfile.open(named)]


def _may_be_a_name(name: str) -> bool:
    """Letters and digits of any language and script, with spaces, dots, hyphens and apostrophes between them."""
    letters = [character == "_" or unicodedata.category(character)[0] in "LMN" for character in name]
    fit = all(letter or character in _BETWEEN for letter, character in zip(letters, name, strict=True))
    fit &= name.lower() != ALL
    return 0 < len(name) <= _LONGEST and fit and letters[0] and (letters[-1] or name[-1] == ".")


def _path_of(name: str) -> Path:
    """Where a profile lies; one name is one file, however a keyboard or a disk composes its accents."""
    name = unicodedata.normalize("NFC", name)
    if not _may_be_a_name(name):
        raise ProfileError(
            f"{name!r} can be no name of a profile; use up to 64 letters and digits, with spaces or hyphens between",
            name,
        )
    return people_folder() / f"{name}{ENDING}"


def _make_private(folder: Path) -> None:
    with saying_where(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)


def _quoted(word: str) -> str:
    import shlex

    return shlex.quote(word)
