"""Films of synthetic subjects, with the truth of every frame: to measure what is read in films.

    film-001.mp4 ...     the films, two subjects each
    truth.parquet        a row a face and frame; written last, so that it marks a whole set
    films.json           the parameters

A film is a row of shots with cuts between: one subject, the other, both; in some of them something passes in front of
the face, or the light goes down and up. In each shot faces go from neutral to an expression and back, and heads move.
A film is the unit of work, and its random numbers follow from the seed and its number.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.datasets.icv_mefed import TRUTH_FILE
from mien.drawing.film_files import write_film
from mien.errors import require
from mien.files import saying_where, write_parquet
from mien.images import RGBImage
from mien.jobs.claims import name_and_value, working_in
from mien.jobs.executors import THIS_PROCESS, Executor
from mien.jobs.shards import Progress, run_shards
from mien.labels import CLASSES, NEUTRAL, CompoundEmotion
from mien.synth.anatomy import Subject, draw_subject
from mien.synth.assets import HeadAssets, data_folder, load_head_assets
from mien.synth.expressions import Expression, draw_expression
from mien.synth.generate import claim_set
from mien.synth.studio import Photo, Studio
from mien.synth.viewpoint import PhotoStyle

RATE = 25
"""Frames a second."""
SIZE = (640, 480)
"""Of the films."""
_MARKER, _SHARDS = "films.json", "truth"
_FORMAT = 1
_SHOWN = 0.5
"""Strength of an expression, as a share of its apex, from which its class is the truth."""
_EVENT = (0.35, 0.75)
"""Where in a shot something passes in front, or the light is low, as shares of it."""
_GRAIN = 2.0
"""Standard deviation of the noise, of 255."""

Event = Literal["none", "covered", "dim"]


@dataclass(frozen=True)
class Summary:
    """What was made.

    Attributes:
        films: in the whole set.
        frames: in all of them.
    """

    films: int
    frames: int


def generate_films(
    out: Path,
    *,
    films: int = 2,
    seconds: float = 40.0,
    seed: int = 0,
    style: PhotoStyle = "mixed",
    executor: Executor = THIS_PROCESS,
    progress: Progress | None = None,
) -> Summary:
    """Make films of 640 x 480 pixels, 25 frames a second.

    Args:
        out: folder of the set; new, empty, or of the same set begun earlier.
        films: how many, with two subjects each.
        seconds: length of each, about: it is a whole number of shots.
        seed: the same seed makes the same frames.
        style: how people are filmed.
        executor: where they are made.
        progress: called with (frames done, frames in all) after each film.

    Raises:
        OutputError: `out` holds something else, cannot be written, or another process works there.
        MissingExtraError: the extra `synth` or `video` is not installed.
    """
    require("vtkmodules", "synth")
    require("av", "video")
    data_folder()
    plan = _Plan(out.absolute(), films, seconds, seed, style)
    claim_set(out, _MARKER, plan, _FORMAT, _as_option)
    with working_in(out):
        if not os.path.isfile(out / TRUTH_FILE):
            with saying_where(out):
                (out / _SHARDS).mkdir(exist_ok=True)
            shards = [_Shard(plan, number) for number in range(1, films + 1)]
            run_shards(shards, _make_film, executor, progress=progress)
            write_parquet(out / TRUTH_FILE, pl.concat([pl.read_parquet(shard.marker) for shard in shards]))
        shutil.rmtree(out / _SHARDS, ignore_errors=True)
    return Summary(films, sum(shot.frames for number in range(1, films + 1) for shot in _shots(plan, number)))


def _as_option(name: str, value: Any) -> str:
    return f"--{name} {value}" if name in ("seconds", "seed", "style") else name_and_value(name, value)


@dataclass(frozen=True)
class _Plan:
    out: Path
    films: int
    seconds: float
    seed: int
    style: PhotoStyle


@dataclass(frozen=True)
class _Shard:
    """One film, numbered from 1."""

    plan: _Plan
    number: int
    uncollected = None

    @property
    def size(self) -> int:
        return sum(shot.frames for shot in _shots(self.plan, self.number))

    @property
    def marker(self) -> Path:
        """The truth of the film; there when the film is."""
        return self.plan.out / _SHARDS / f"{self.number:06d}.parquet"


@dataclass(frozen=True, eq=False)
class _Act:
    """A face going from neutral to an expression and back; in frames from the start of the shot."""

    emotion: CompoundEmotion
    onset: int
    apex: int
    offset: int
    end: int

    def strength(self, frame: int) -> float:
        """0 to 1, smooth."""
        up = (frame - self.onset) / max(1, self.apex - self.onset)
        down = (self.end - frame) / max(1, self.end - self.offset)
        share = float(np.clip(min(up, down), 0, 1))
        return share * share * (3 - 2 * share)


@dataclass(frozen=True, eq=False)
class _Shot:
    """People: 0, 1 or both. What happens in it, and what each of them does."""

    people: tuple[int, ...]
    event: Event
    frames: int
    acts: dict[int, tuple[_Act, ...]]


def _shots(plan: _Plan, number: int) -> list[_Shot]:
    """The shots of a film, long enough together."""
    rng = np.random.default_rng([plan.seed, number, 0])
    usual: list[tuple[tuple[int, ...], Event]] = [
        ((0,), "none"), ((1,), "none"), ((0, 1), "none"), ((0,), "covered"), ((1,), "dim"), ((0, 1), "covered"),
    ]  # fmt: skip
    shots: list[_Shot] = []
    while sum(shot.frames for shot in shots) < plan.seconds * RATE:
        people, event = usual[len(shots) % len(usual)]
        acts = {person: _draw_acts(rng) for person in people}
        frames = max(act.end for own in acts.values() for act in own) + int(rng.integers(10, 25))
        shots.append(_Shot(people, event, frames, acts))
    return shots


def _draw_acts(rng: np.random.Generator) -> tuple[_Act, ...]:
    acts, start = [], 0
    for _ in range(2):
        onset = start + int(rng.integers(15, 40))
        apex = onset + int(rng.integers(5, 15))
        offset = apex + int(rng.integers(20, 50))
        end = offset + int(rng.integers(8, 20))
        acts.append(_Act(CLASSES[int(rng.integers(1, len(CLASSES)))], onset, apex, offset, end))
        start = end
    return tuple(acts)


@cache
def _studios(style: PhotoStyle) -> tuple[HeadAssets, tuple[Studio, Studio]]:
    assets = load_head_assets()
    return assets, (Studio(assets, SIZE[1], style), Studio(assets, SIZE[1], style))


class _Actor:
    """A subject before a camera."""

    def __init__(self, studio: Studio, subject: Subject, seed: list[int]) -> None:
        self._studio, self.subject, self._rng = studio, subject, np.random.default_rng(seed)
        studio.enter(subject)
        self._seed = int(self._rng.integers(2**31))
        self._neutral = draw_expression(NEUTRAL, subject.style, self._rng)
        names = subject.style.names
        self._blink = np.array([name.startswith("eyeBlink") for name in names])
        self._waves = self._rng.uniform(0.15, 0.6, (5, 2)), self._rng.uniform(0, 2 * np.pi, (5, 2))
        self._next_blink = 0.0
        self._expressions: list[Expression] = []

    def begin(self, acts: tuple[_Act, ...]) -> None:
        """Think of how to show what comes."""
        self._expressions = [draw_expression(act.emotion, self.subject.style, self._rng) for act in acts]

    def film(self, acts: tuple[_Act, ...], frame: int, time: float) -> tuple[Photo, CompoundEmotion, float]:
        """A frame; what is displayed in it, and how strongly."""
        actions, nod = self._neutral.actions.astype(np.float64), 0.0
        shown, strongest = NEUTRAL, 0.0
        for act, expression in zip(acts, self._expressions, strict=True):
            strength = act.strength(frame)
            actions = actions + strength * (expression.actions - self._neutral.actions)
            nod += strength * expression.nod
            if strength > strongest:
                strongest, shown = strength, act.emotion if strength >= _SHOWN else NEUTRAL
        if time >= self._next_blink + 0.2:
            self._next_blink = time + float(self._rng.uniform(1.5, 5))
        if time >= self._next_blink:
            closed = np.sin(np.pi * (time - self._next_blink) / 0.2)
            actions[self._blink] = np.maximum(actions[self._blink], closed)
        rates, phases = self._waves
        waves = np.sin(2 * np.pi * rates * time + phases).mean(axis=1)
        turn = waves[:3] * [6.0, 3.5, 2.5] + [0.0, nod, 0.0]
        photo = self._studio.film(actions.astype(np.float32), turn, waves[3:] * [0.3, 0.15], self._seed)
        return photo, shown, strongest


def _make_film(shard: _Shard) -> None:
    plan, number = shard.plan, shard.number
    assets, studios = _studios(plan.style)
    actors = []
    for person in (0, 1):
        subject = draw_subject(assets, np.random.default_rng([plan.seed, number, 1 + person]))
        actors.append(_Actor(studios[person], subject, [plan.seed, number, 3 + person]))
    name = f"film-{number:03d}.mp4"
    rows: list[dict[str, Any]] = []
    write_film(plan.out / name, _frames(plan, number, actors, name, rows), RATE)
    schema = {"landmarks": pl.Array(pl.Float32(), 136), "pose": pl.Array(pl.Float32(), 3)}
    write_parquet(shard.marker, pl.DataFrame(rows, schema_overrides=schema))


def _frames(
    plan: _Plan, number: int, actors: list[_Actor], name: str, rows: list[dict[str, Any]]
) -> Iterator[tuple[RGBImage, float]]:
    """The frames of a film with their times; the truth about each is put into `rows`."""
    noise, count = np.random.default_rng([plan.seed, number, 5]), 0
    for shot_number, shot in enumerate(_shots(plan, number)):
        for person in shot.people:
            actors[person].begin(shot.acts[person])
        for frame in range(shot.frames):
            time, share = count / RATE, frame / shot.frames
            halves = []
            for place, person in enumerate(shot.people):
                photo, emotion, strength = actors[person].film(shot.acts[person], frame, time)
                image, landmarks = _cut_out(photo, place, len(shot.people))
                covered = shot.event == "covered" and place == 0 and _pass_in_front(image, landmarks, share)
                halves.append(image)
                shift = [SIZE[0] // 2 * place if len(shot.people) > 1 else 0, 0]
                rows.append({
                    "film": name,
                    "frame": count,
                    "time": time,
                    "shot": shot_number,
                    "event": shot.event,
                    "subject": f"{number:03d}-{person + 1}",
                    "label": str(emotion),
                    "strength": strength,
                    "covered": covered,
                    "landmarks": (landmarks + shift).astype(np.float32).reshape(-1).tolist(),
                    "pose": photo.pose.tolist(),
                })  # fmt: skip
            picture = np.hstack(halves)
            if shot.event == "dim":
                picture = _dimmed(picture, share)
            grain = noise.normal(0, _GRAIN, picture.shape[:2])[..., None]
            yield np.clip(picture + grain, 0, 255).astype(np.uint8), time
            count += 1


def _cut_out(photo: Photo, place: int, people: int) -> tuple[RGBImage, NDArray[np.float32]]:
    """The part of a photo that its share of the frame shows, and the landmarks in it."""
    width = SIZE[0] // people
    left = (photo.image.shape[1] - width) // 2
    return photo.image[:, left : left + width].copy(), photo.landmarks - np.array([left, 0], np.float32)


def _pass_in_front(image: RGBImage, landmarks: NDArray[np.float32], share: float) -> bool:
    """Something as wide as the face goes from left to right; whether it covers the middle of the face."""
    start, end = _EVENT
    if not start <= share <= end:
        return False
    (left, top), (right, bottom) = landmarks.min(axis=0), landmarks.max(axis=0)
    width = right - left
    middle = left - width + (share - start) / (end - start) * 3 * width
    corners = np.round([middle - width / 2, top - width / 2, middle + width / 2, bottom + width / 2]).astype(int)
    cv2.rectangle(image, corners[:2].tolist(), corners[2:].tolist(), (96, 84, 70), -1)
    return bool(abs(middle - (left + right) / 2) < 0.6 * width)


def _dimmed(picture: RGBImage, share: float) -> RGBImage:
    """Two stops less light in the middle of the shot."""
    start, end = _EVENT
    depth = np.clip(min(share - start, end - share) / 0.1, 0, 1)
    return cv2.convertScaleAbs(picture, alpha=float(2 ** (-2 * depth / 2.2)))
