"""Recipes: what to train and how, as TOML files, checked to the last key.

A recipe is complete with its defaults; `recipes/paper.toml` beside this file spells the published configuration out.
Reading one loads no torch.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from mien.errors import RecipeError
from mien.models.config import NetworkConfig

Count = Annotated[int, Meta(ge=1)]
Natural = Annotated[int, Meta(ge=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, lt=1)]

AnyRecipe = TypeVar("AnyRecipe", bound=msgspec.Struct)
RENAMED_KEYS = {
    "network.head_fill": "network.head_init",
    "training.average": "training.ema_decay",
    "training.factor_weight": "training.auxiliary_weight",
    "training.together": "training.samples_per_subject",
    "augmentation.relight": "augmentation.color_jitter",
}
"""Keys of mien 0.1.0 -> what they are called now."""


class TrainingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a network is trained; the defaults are the published solver's.

    Attributes:
        loss: `hinge` (L2, one against all) or `cross-entropy`.
        auxiliary_weight: of the loss over the two emotions beside the 50 classes (`joint-and-factors` only).
        smoothing: share of each target that is spread over all classes, against wrong labels.
        related: share of each target that is spread over classes with one of its emotions, most over the class with
            both the other way round.
        neutral_weight: of photos of neutral faces in the loss, which in life are more than a fiftieth of all.
        optimiser: `sgd` with momentum, or `adamw`.
        learning_rate: of weights; biases learn at twice the rate and are not decayed.
        momentum: of SGD.
        weight_decay: of weights.
        schedule: `step`: times `step_factor` every `step_size` iterations; `cosine`: down to zero at the end.
        warmup: iterations over which the rate rises from near zero.
        ema_decay: share kept, an iteration, by the exponential moving average of the weights. Where it is above 0,
            the average is what is validated and saved.
        batch_size: photos an iteration, over all processes.
        samples_per_subject: photos of one subject that come into a batch together; relative visual features are
            compared with one another among them.
        iterations: how many batches.
        validate_every: iterations between two validations.
        references: `mean`: displacement from the subject's mean, as in the paper; `mixed`: for each photo, at random,
            from the mean, from a neutral photo, or from an estimate, so that the network knows all three.
        precision: `auto` takes bfloat16 where the processor has it, else float32.
        compile: let torch compile the visual branch; worth its minute on a GPU.
        seed: of weights, batches, dropout and augmentation.
    """

    loss: Literal["hinge", "cross-entropy"] = "hinge"
    auxiliary_weight: NotNegative = 0.5
    smoothing: NotNegative = 0.0
    related: NotNegative = 0.0
    neutral_weight: Annotated[float, Meta(gt=0)] = 1.0
    optimiser: Literal["sgd", "adamw"] = "sgd"
    learning_rate: Annotated[float, Meta(gt=0)] = 5e-4
    momentum: NotNegative = 0.9
    weight_decay: NotNegative = 5e-4
    schedule: Literal["step", "cosine"] = "step"
    step_size: Count = 20_000
    step_factor: NotNegative = 0.75
    warmup: Natural = 0
    ema_decay: Share = 0.0
    batch_size: Annotated[int, Meta(ge=2, le=65_536)] = 32
    samples_per_subject: Count = 1
    iterations: Count = 100_000
    validate_every: Count = 100
    references: Literal["mean", "mixed"] = "mean"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    compile: bool = False
    seed: Natural = 0


class AugmentationConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is changed in training photos, and how much; the defaults change nothing, as in the paper.

    Spreads are standard deviations, cut off at twice their size.

    Attributes:
        mirror: every other photo at random, its landmarks too.
        rotation: spread in degrees; picture and landmarks together, as if the face were aligned a little amiss.
        scale: spread as a share of the size; picture and landmarks together.
        move: spread in pixels, each way; picture and landmarks together.
        landmark_noise: spread in pixels, each landmark for itself.
        weakest: displacement is multiplied by a number between this and 1: people show less than synthetic subjects.
        shift: up to so many whole pixels each way; the picture alone.
        color_jitter: contrast, brightness and white balance; 1 changes them a lot.
        erase: share of photos in which a rectangle is grey.
    """

    mirror: bool = False
    rotation: NotNegative = 0.0
    scale: Annotated[float, Meta(ge=0, lt=0.5)] = 0.0
    move: NotNegative = 0.0
    landmark_noise: NotNegative = 0.0
    weakest: Annotated[float, Meta(gt=0, le=1)] = 1.0
    shift: Natural = 0
    color_jitter: NotNegative = 0.0
    erase: Annotated[float, Meta(ge=0, le=1)] = 0.0


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to train.

    Attributes:
        method: `network`, or a linear model: `svm`, `lda`.
        features: what a linear model sees: `displacement` or the `landmarks` themselves.
        network: what the network is made of.
        training: how it is trained.
        augmentation: how its training photos are changed.

    Raises:
        RecipeError: values that do not go together. Ranges of single values are checked by `build_recipe`.
    """

    method: Literal["network", "svm", "lda"] = "network"
    features: Literal["displacement", "landmarks"] = "displacement"
    network: NetworkConfig = NetworkConfig()
    training: TrainingConfig = TrainingConfig()
    augmentation: AugmentationConfig = AugmentationConfig()

    def __post_init__(self) -> None:
        network, training = self.network, self.training
        if network.visual == "none" and not network.geometric:
            raise _refusal("network.geometric", False, "must be true where network.visual = 'none'")
        if network.relative_visual and (training.samples_per_subject < 2 or network.visual == "none"):
            demand = "needs training.samples_per_subject above 1, and a visual branch"
            raise _refusal("network.relative_visual", True, demand)
        if training.smoothing + training.related >= 1:
            demand = f"must stay under 1 together with training.smoothing = {training.smoothing}"
            raise _refusal("training.related", training.related, demand)
        if training.warmup >= training.iterations:
            demand = f"must be under training.iterations = {training.iterations}"
            raise _refusal("training.warmup", training.warmup, demand)
        if training.batch_size % training.samples_per_subject:
            demand = f"must divide training.batch_size = {training.batch_size}"
            raise _refusal("training.samples_per_subject", training.samples_per_subject, demand)

    def as_dict(self) -> dict[str, Any]:
        """Nested dictionaries, as in the TOML file."""
        content: dict[str, Any] = msgspec.to_builtins(self)
        return content


def load_recipe(name: str, settings: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        name: one that comes with mien (`quick`, `paper`), or the path of a TOML file.
        settings: changes, as `section.key=value` with a TOML value, say `training.iterations=2000`; a bare
            word counts as text.

    Raises:
        RecipeError: no such recipe, no TOML, an unknown or a renamed key, a value of the wrong kind or out of range.
    """
    path = _find(name)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not valid TOML ({error})") from error
    return with_settings(Recipe, table, settings, str(path))


def with_settings(struct: type[AnyRecipe], table: dict[str, Any], settings: Sequence[str], source: str) -> AnyRecipe:
    """A recipe of any kind from nested dictionaries, with some values changed.

    Args:
        struct: what the recipe is.
        table: its content; changed.
        settings: as for `load_recipe`.
        source: where the content comes from, for what is raised.

    Raises:
        RecipeError: an unknown or a renamed key, a value of the wrong kind or out of range.
    """
    set_by = {_apply(table, setting): f"--set {setting}" for setting in settings}
    try:
        return _convert(struct, table)
    except RecipeError as error:
        key = error.key or ""  # of a whole section, where that is what is unknown
        error.source = next((text for name, text in set_by.items() if f"{name}.".startswith(f"{key}.")), source)
        raise


def build_recipe(table: Mapping[str, Any]) -> Recipe:
    """A recipe from nested dictionaries, as `Recipe.as_dict` gives them; what is not there has its default.

    Raises:
        RecipeError: an unknown or a renamed key, a value of the wrong kind or out of range.
    """
    return _convert(Recipe, table)


def _convert(struct: type[AnyRecipe], table: Mapping[str, Any]) -> AnyRecipe:
    try:
        return msgspec.convert(table, struct)
    except msgspec.ValidationError as error:
        raise _explain(struct, table) or RecipeError(str(error)) from error


def recipe_names() -> list[str]:
    """The recipes that come with mien."""
    return sorted(path.stem for path in recipe_folder().glob("*.toml"))


def recipe_folder() -> Path:
    """Where they lie in the package."""
    return Path(__file__).parent / "recipes"


def _find(name: str) -> Path:
    path = Path(name)
    if path.suffix == ".toml":
        if os.path.isfile(path):
            return path
        raise RecipeError(f"{path}: no such recipe file")
    if name not in recipe_names():
        raise RecipeError(f"no recipe '{name}'; there are {', '.join(recipe_names())}, or name a .toml file")
    return recipe_folder() / f"{name}.toml"


def _apply(table: dict[str, Any], setting: str) -> str:
    """Put a setting into the table; returns its key, with dots."""
    key, equals, text = (part.strip() for part in setting.partition("="))
    if not equals:
        raise _refused_setting(setting, "write section.key=value, say training.iterations=2000")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *sections, last = key.split(".")
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            raise _refused_setting(setting, f"'{section}' is no section", key, value)
    table[last] = value
    return key


def _refused_setting(setting: str, reason: str, key: str | None = None, value: object = None) -> RecipeError:
    error = RecipeError(reason, key=key, value=value)
    error.source = f"--set {setting}"
    return error


def _explain(struct: type[msgspec.Struct], table: Mapping[str, Any], prefix: str = "") -> RecipeError | None:
    """What is wrong with the first key of a table that the struct does not take; None where it takes all."""
    kinds = {field.name: field.type for field in msgspec.structs.fields(struct)}
    for name, value in table.items():
        key = f"{prefix}{name}"
        if name not in kinds:
            return _unknown(key, value, kinds)
        kind = kinds[name]
        if isinstance(value, dict) and isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            if (found := _explain(kind, value, f"{key}.")) is not None:
                return found
            continue
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            return _refusal(key, value, _demand(key, kind))
    return None


def _unknown(key: str, value: object, known: Iterable[str]) -> RecipeError:
    if new_name := RENAMED_KEYS.get(key):
        return RecipeError(f"{key} is now called {new_name}", key=key, value=value, new_name=new_name)
    return RecipeError(f"unknown key {key}; known here: {', '.join(known)}", key=key, value=value)


def _refusal(key: str, value: object, demand: str) -> RecipeError:
    shown = str(value).lower() if isinstance(value, bool) else repr(value)  # as in TOML
    return RecipeError(f"{key} = {shown}: {demand}", key=key, value=value)


def _demand(key: str, kind: Any) -> str:
    """What a key takes, in words."""
    match msgspec.inspect.type_info(kind):
        case msgspec.inspect.LiteralType(values):
            return f"choose one of {', '.join(map(str, values))}"
        case msgspec.inspect.BoolType():
            return "must be true or false"
        case msgspec.inspect.IntType() as number:
            noun = "a whole number"
        case msgspec.inspect.FloatType() as number:
            noun = "a number"
        case _:
            return f"write it as a section [{key}]"
    words = {"at least": number.ge, "above": number.gt, "under": number.lt, "at most": number.le}
    limits = [f"{word} {limit:g}" for word, limit in words.items() if limit is not None]
    return f"must be {noun}, {' and '.join(limits)}"
