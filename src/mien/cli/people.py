"""`mien enroll` and `mien people`"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.console import print_json, print_out, print_table, shown, stderr

if TYPE_CHECKING:
    from mien.inference import ExpressionModel, SubjectProfile
    from mien.inference.enrolment import Shown

people = typer.Typer(
    help="People whom mien knows: list, show, export, import and delete their profiles.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
Name = Annotated[str, typer.Argument(help="Of the person.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        epilog="Examples: mien enroll Anna passport.jpg  |  mien enroll Anna holidays/*.jpg --largest-face  |  "
        "mien predict photo.jpg --reference Anna",
        help="Keep what a person's face looks like, from neutral photos or any, and compare with it from then on. "
        "No picture is kept.",
    )(enroll)
    app.add_typer(people, name="people", epilog="Example: mien people list")
    people.command("list", epilog="Example: mien people list --json")(list_people)
    people.command("show", epilog="Example: mien people show Anna")(show)
    people.command("export", epilog="Example: mien people export Anna anna.profile")(export)
    people.command("import", epilog="Example: mien people import anna.profile --name Anna")(import_profile)
    people.command("delete", epilog="Example: mien people delete Anna")(delete)


def enroll(
    name: Name,
    photos: Annotated[list[str], typer.Argument(help="Photos of the person, folders of photos, or patterns.")],
    neutral: Annotated[bool, typer.Option("--neutral", help="All photos are neutral.")] = False,
    mixed: Annotated[bool, typer.Option("--mixed", help="The photos show any expression.")] = False,
    largest_face: Annotated[bool, typer.Option("--largest-face", help="Where a photo shows several faces.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Renew the profile of somebody enrolled.")] = False,
    run: Annotated[
        Path | None, typer.Option(help="A trained run.", show_default="the weights that come with mien")
    ] = None,
) -> None:
    from mien.cli.photos import named_photos
    from mien.errors import MienError, ProfileError
    from mien.inference import Recognizer
    from mien.inference.enrolment import enroll as make
    from mien.inference.profiles import is_enrolled

    if neutral and mixed:
        raise MienError("--neutral and --mixed exclude each other; choose one, or neither to have them told apart")
    if is_enrolled(name) and not replace:
        raise ProfileError(f"{name} is enrolled already; add --replace, or choose another name", name)
    known: Shown | None = "neutral" if neutral else "mixed" if mixed else None
    made = make(Recognizer.load(run), name, list(named_photos(photos)), known, "largest" if largest_face else "one")
    made.profile.save(replacing=replace)
    for reading, is_neutral in zip(made.readings, made.neutral, strict=True):
        taken = "neutral" if is_neutral else "not neutral" if known is None else "any expression"
        stderr.print(
            shown(
                f"{reading.photo}: taken as {taken} (alone it is read as {reading.phrase}, {reading.probability:.0%})"
            )
        )
    for stranger in made.profile.reference.strangers:
        warning = f"mien: {stranger}: shows another person than most photos; leave it out, and add --replace"
        stderr.print(shown(warning))
    print_out(_describe(made.profile))


def list_people(json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False) -> None:
    """List the people whom mien knows."""
    from mien.errors import DataError, ProfileError
    from mien.inference.profiles import SubjectProfile, enrolled_names

    entries, rows = [], []
    for name in enrolled_names():
        try:
            profile = SubjectProfile.open(name)
        except (DataError, ProfileError) as error:
            entries.append({"name": name, "error": str(error)})
            rows.append((name, "damaged", "", "", ""))
            continue
        entries.append(_as_dict(profile))
        reference = profile.reference
        rows.append((name, str(profile.photo_count), reference.kind, profile.enrolled, reference.model))
    if json:
        print_json(entries)
    elif rows:
        print_table(("name", "photos", "reference", "enrolled", "weights"), rows)
    else:
        stderr.print("nobody is enrolled; run: mien enroll NAME PHOTO...")


def show(name: Name, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show what is kept of a person."""
    from mien.inference.profiles import SubjectProfile, people_folder

    profile = SubjectProfile.open(name)
    if json:
        print_json(_as_dict(profile))
        return
    print_out(_describe(profile))
    reference = profile.reference
    kept = ["68 landmarks"]
    kept += [] if reference.feature is None else [f"{len(reference.feature)} numbers of a visual feature"]
    kept += [] if reference.identity is None else [f"{len(reference.identity)} numbers that tell whose face it is"]
    print_out(f"kept: {', '.join(kept)}, no picture")
    print_out(f"made with: weights {profile.reference.model}, landmarks {profile.landmarker}, on {profile.enrolled}")
    print_out(shown(f"file: {people_folder() / (name + '.profile')}"))


def export(name: Name, file: Annotated[Path, typer.Argument(help="Where to write the profile.")]) -> None:
    """Write a person's profile into a file, for another computer."""
    from mien.cli.console import refuse_output
    from mien.inference.profiles import SubjectProfile

    profile = SubjectProfile.open(name)
    refuse_output(file, ())
    profile.save(file)
    stderr.print(shown(f"{name} in {file}: it says what a face looks like; give it to those alone who should know"))


def import_profile(
    file: Annotated[Path, typer.Argument(help="A profile that mien people export wrote.")],
    name: Annotated[str | None, typer.Option(help="Of the person.", show_default="the name in the file")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace somebody of that name.")] = False,
) -> None:
    """Take a profile from a file."""
    from mien.inference.profiles import SubjectProfile

    profile = SubjectProfile.load(file)
    profile = profile if name is None else profile.renamed(name)
    profile.save(replacing=replace)
    print_out(_describe(profile))


def delete(name: Name) -> None:
    """Forget a person."""
    from mien.inference.profiles import delete_profile

    delete_profile(name)
    stderr.print(shown(f"{name} is forgotten"))


def named_profiles(names: Sequence[str], model: ExpressionModel) -> list[SubjectProfile]:
    """The profiles that are meant, see `find_profiles`; of `all` who are enrolled, those that can be used."""
    from mien.inference.profiles import ALL, find_profiles

    return [profile for name in names for profile in (_usable(model) if name == ALL else find_profiles(name))]


def _usable(model: ExpressionModel) -> Iterator[SubjectProfile]:
    """Of all who are enrolled; those made with other weights, and damaged ones, are named."""
    from mien.errors import MienError
    from mien.inference.profiles import SubjectProfile, enrolled_names

    for name in enrolled_names():
        try:
            profile = SubjectProfile.open(name)
            profile.reference_for(model)
            yield profile
        except MienError as error:
            stderr.print(shown(f"mien: left out: {error}"))


def _describe(profile: SubjectProfile) -> str:
    used = profile.reference.photo_count
    photos = f"{used} photo{'s' * (used != 1)}"
    of = f" of {profile.photo_count}" if used != profile.photo_count else ""
    what = "neutral" if profile.reference.kind == "neutral" else "any expression"
    return shown(f"{profile.name}: compared with {photos}{of} ({what}); {profile.neutral_count} neutral")


def _as_dict(profile: SubjectProfile) -> dict[str, Any]:
    reference = profile.reference
    return {
        "name": profile.name,
        "photos": profile.photo_count,
        "neutral_photos": profile.neutral_count,
        "reference": {"kind": reference.kind, "photos": reference.photo_count},
        "model": reference.model,
        "landmarker": profile.landmarker,
        "enrolled": profile.enrolled,
    }
