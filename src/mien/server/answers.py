"""What the service answers, as models, so that the OpenAPI document is exact."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mien.server.problems import ProblemAnswer

Emotion = Literal["anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise"]
Share = Annotated[float, Field(ge=0, le=1)]
Point = Annotated[list[float], Field(min_length=2, max_length=2, description="x and y in pixels")]
Points = Annotated[list[Point], Field(min_length=68, max_length=68)]
Box = Annotated[list[float], Field(min_length=4, max_length=4, description="left, top, right, bottom in pixels")]
Row = Annotated[list[Share], Field(min_length=7, max_length=7)]
Matrix = Annotated[list[Row], Field(min_length=7, max_length=7)]
Kind = Literal["mean", "neutral", "estimated"]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Ranked(_Answer):
    """One of the 50 classes."""

    label: str = Field(description="C_D, complementary first; N_N for neutral.")
    phrase: str
    probability: Share


class ReferenceUsed(_Answer):
    """What a face was compared with."""

    kind: Kind
    photos: int = Field(ge=0)


class ReferenceWorth(ReferenceUsed):
    """What a face was compared with, and how often readings with such a reference are right."""

    top1: Share = Field(description="On the run's validation subjects, over 50 classes.")
    top5: Share


class Quality(_Answer):
    """How well a face can be read; see `mien.faces.quality`."""

    size: float
    sharpness: float
    exposure: float
    roll: float
    yaw: float
    pitch: float
    score: float
    occlusion: float


class FacePlace(_Answer):
    """Where a face lies in its photo, in photo pixels."""

    place: int = Field(ge=0)
    count: int = Field(ge=0)
    box: Box
    landmarks: Points
    neutral_landmarks: Points = Field(description="Where they would lie if the face were neutral.")
    quality: Quality


class Movement(_Answer):
    """What moved, relative to the neutral face."""

    part: str = Field(description="Of the face; left and right are the person's.")
    change: str
    amount: float = Field(gt=0, description="As a share of the distance of the outer corners of the eyes.")


class Action(_Answer):
    """A facial action of FACS."""

    unit: str = Field(description="As `AU12`.")
    side: Literal["left", "right", "both"]
    name: str
    strength: float = Field(ge=0, description="0 not to be seen, about 1 the strongest.")


class FaceAnswer(_Answer):
    """What a face displays."""

    photo: str
    person: str | None
    label: str
    phrase: str
    dominant: Emotion | None
    complementary: Emotion | None
    probability: Share
    unsure: bool
    flags: list[str]
    top: list[Ranked]
    neutral: Share
    matrix: Matrix = Field(description="Row complementary, column dominant, in the order of the emotions' numbers.")
    reference: ReferenceWorth
    reference_distance: float | None
    face: FacePlace
    movements: list[Movement]
    actions: list[Action]


class PhotoAnswer(_Answer):
    """What a photo shows."""

    width: int = Field(ge=1)
    height: int = Field(ge=1)
    faces: list[FaceAnswer]


class NamedAnswer(_Answer):
    """What one of several photos shows, or why nothing."""

    name: str = Field(description="As the sender calls it.")
    answer: PhotoAnswer | None
    problem: ProblemAnswer | None


class ReferenceAnswer(_Answer):
    """A reference that the server keeps in memory for a while."""

    reference: str = Field(description="Its name, for `reference` of other requests.")
    kind: Kind
    photos: int
    seconds: int = Field(description="After its last use it is forgotten.")
    strangers: list[int] = Field(description="Places of photos that show somebody else than most.")
    expressive: list[Expressive] = Field(description="Photos that are not neutral.")


class Expressive(_Answer):
    """A photo that was said to be neutral, and is not."""

    photo: int
    phrase: str


class PersonAnswer(_Answer):
    """What photos of one person show, each compared with all of them."""

    reference: ReferenceAnswer | None
    photos: list[NamedAnswer]


class AlbumPerson(_Answer):
    """Somebody in an album."""

    name: str
    faces: int
    doubtful: int
    reference: ReferenceUsed


class AlbumAnswer(_Answer):
    """Who is in an album, and what all faces show."""

    people: list[AlbumPerson]
    photos: list[NamedAnswer]


class Enrolled(_Answer):
    """Somebody who is enrolled."""

    name: str
    usable: bool = Field(description="With the weights of this server.")
    photos: int
    neutral: int
    enrolled: str = Field(description="The day, YYYY-MM-DD; empty where it is not usable.")


class FilmState(_Answer):
    """A film that is being read, or has been."""

    film: str
    status: Literal["waiting", "reading", "done", "failed"]
    done: int = Field(ge=0, description="Frames.")
    total: int = Field(ge=0, description="Frames in all, as the film claims; 0: not known yet.")
    problem: ProblemAnswer | None


class FilmPerson(_Answer):
    """Somebody in a film."""

    number: int
    name: str
    frames: int
    reference: ReferenceUsed


class FilmEpisode(_Answer):
    """From when to when a person displays one expression, in seconds."""

    person: int
    start: float
    end: float
    label: str
    phrase: str
    probability: Share


class FilmFace(_Answer):
    """A face in a frame of a film."""

    frame: int
    time: float
    person: int
    box: Box
    landmarks: Points
    probabilities: Annotated[list[Share], Field(min_length=50, max_length=50)]


class FilmAnswer(_Answer):
    """What a film shows."""

    frames: int
    duration: float = Field(description="Time of the last frame, in seconds.")
    problem: str | None = Field(description="Why it could not be read to its end.")
    people: list[FilmPerson]
    episodes: list[FilmEpisode]
    faces: list[FilmFace]


class CameraAnswer(_Answer):
    """A camera that the server knows."""

    camera: str


class FrameAnswer(PhotoAnswer):
    """What a frame of a camera shows."""

    number: int = Field(ge=0)
    time: float = Field(ge=0)


class Accuracy(_Answer):
    """How often readings are right with a kind of reference, over 50 classes."""

    reference: Kind
    photos: int
    top1: Share
    top5: Share


class About(_Answer):
    """What is read with."""

    weights: str
    method: str
    landmarker: str
    accuracy: list[Accuracy]


class Health(_Answer):
    """Whether the server works."""

    status: Literal["ok"]
    version: str
    signed_in: bool = Field(description="Whether this client may ask for more.")
    about: About


class SignIn(_Answer):
    """The token."""

    token: str = Field(min_length=1, max_length=200)
