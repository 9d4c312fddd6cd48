"""Recipes: what to train and how, as TOML files, checked to the last key.

A recipe is complete with its defaults; `recipes/paper.toml` beside this file spells the published configuration out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from mien.errors import RecipeError
from mien.models.network import NetworkConfig
from mien.training.augmentation import AugmentationConfig


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained; the defaults are the published solver's.

    Attributes:
        loss: `hinge` (L2, one against all) or `cross-entropy`.
        factor_weight: of the loss over the two emotions beside the 50 classes (`joint-and-factors` only).
        smoothing: share of each label that is spread over all classes, against wrong labels.
        related: share of each label that is spread over classes with one of its emotions, most over the class with
            both the other way round.
        optimiser: `sgd` with momentum, or `adamw`.
        learning_rate: of weights; biases learn at twice the rate and are not decayed.
        momentum: of SGD.
        weight_decay: of weights.
        schedule: `step`: times `step_factor` every `step_size` iterations; `cosine`: down to zero at the end.
        warmup: iterations over which the rate rises from near zero.
        average: share kept, an iteration, by the running mean of weights that is judged and saved; 0: none, the
            weights themselves are.
        batch_size: photos an iteration, over all processes.
        together: photos of one subject that come together in a batch; relative visual features are compared with
            one another among them.
        iterations: how many batches.
        validate_every: iterations between looks at the validation subjects.
        references: `mean`: displacement from the subject's mean, as in the paper; `mixed`: each photo by lot from the
            mean, from a neutral photo, or from an estimate, so that the network knows all three.
        precision: `auto` takes bfloat16 where the processor has it, else float32.
        compile: let torch compile the network; worth its minute on a GPU.
        seed: of weights, batches, dropout and augmentation.
    """

    loss: Literal["hinge", "cross-entropy"] = "hinge"
    factor_weight: float = 0.5
    smoothing: float = 0.0
    related: float = 0.0
    optimiser: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 5e-4
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: Literal["step", "cosine"] = "step"
    step_size: int = 20_000
    step_factor: float = 0.75
    warmup: int = 0
    average: float = 0.0
    batch_size: int = 32
    together: int = 1
    iterations: int = 100_000
    validate_every: int = 100
    references: Literal["mean", "mixed"] = "mean"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    compile: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Recipe:
    """What to train.

    Attributes:
        method: `network`, or a linear model: `svm`, `lda`.
        features: what a linear model sees: `displacement` or the `landmarks` themselves.
        network: what the network is made of.
        training: how it is trained.
        augmentation: how its training photos are changed.
    """

    method: Literal["network", "svm", "lda"] = "network"
    features: Literal["displacement", "landmarks"] = "displacement"
    network: NetworkConfig = field(default_factory=NetworkConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)

    def __post_init__(self) -> None:
        _check_ranges(self)

    def as_dict(self) -> dict[str, Any]:
        """Nested dictionaries, as in the TOML file."""
        return asdict(self)


def load_recipe(name: str, settings: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        name: one that comes with mien (`quick`, `paper`), or the path of a TOML file.
        settings: changes, as `section.key=value` with a TOML value, say `training.iterations=2000`; a bare
            word counts as text.

    Raises:
        RecipeError: no such recipe, no TOML, an unknown key, a value of the wrong kind or out of range.
    """
    path = _find(name)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not valid TOML ({error})") from error
    for setting in settings:
        _apply(table, setting)
    recipe: Recipe = _build(Recipe, table, str(path))
    return recipe


def recipe_names() -> list[str]:
    """The recipes that come with mien."""
    return sorted(path.stem for path in recipe_folder().glob("*.toml"))


def recipe_folder() -> Path:
    """Where they lie in the package."""
    return Path(__file__).parent / "recipes"


def _find(name: str) -> Path:
    path = Path(name)
    if path.suffix == ".toml":
        if path.is_file():
            return path
        raise RecipeError(f"{path}: no such recipe file")
    if name not in recipe_names():
        raise RecipeError(f"no recipe '{name}'; there are {', '.join(recipe_names())}, or name a .toml file")
    return recipe_folder() / f"{name}.toml"


def _apply(table: dict[str, Any], setting: str) -> None:
    key, equals, text = setting.partition("=")
    if not equals:
        raise RecipeError(f"--set {setting}: write section.key=value, say training.iterations=2000")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *sections, last = key.strip().split(".")
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            raise RecipeError(f"--set {setting}: '{section}' is no section")
    table[last] = value


def _build(cls: Any, table: dict[str, Any], where: str) -> Any:
    kinds = get_type_hints(cls)
    known = [f.name for f in fields(cls)]
    values = {}
    for key, value in table.items():
        if key not in known:
            raise RecipeError(f"{where}: unknown key '{key}'; known here: {', '.join(known)}")
        values[key] = _check(kinds[key], value, f"{where}: {key}")
    return cls(**values)


def _check(kind: Any, value: Any, where: str) -> Any:
    if is_dataclass(kind):
        if not isinstance(value, dict):
            raise RecipeError(f"{where} = {value!r}: write it as a section [{where.rsplit(maxsplit=1)[-1]}]")
        return _build(kind, value, where.replace(": ", ", section ", 1) if ", section" not in where else where)
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise RecipeError(f"{where} = {value!r}: choose one of {', '.join(map(str, get_args(kind)))}")
        return value
    assert isinstance(kind, type)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
        raise RecipeError(f"{where} = {value!r}: must be {names[kind]}")
    return value


def _check_ranges(recipe: Recipe) -> None:
    network, training = recipe.network, recipe.training
    rules = {
        "network: without a visual and a geometric branch there is nothing to learn from": (
            network.visual == "none" and not network.geometric
        ),
        f"network.dropout = {network.dropout}: must be at least 0 and under 1": not 0 <= network.dropout < 1,
        f"training.batch_size = {training.batch_size}: must be 2 or more": training.batch_size < 2,
        f"training.learning_rate = {training.learning_rate}: must be above 0": training.learning_rate <= 0,
        f"training.average = {training.average}: must be at least 0 and under 1": not 0 <= training.average < 1,
        f"training.smoothing + training.related = {training.smoothing + training.related}: must stay under 1": (
            training.smoothing + training.related >= 1
        ),
        f"training.warmup = {training.warmup}: must be under training.iterations": (
            0 < training.iterations <= training.warmup
        ),
        **{
            f"training.{key} = {getattr(training, key)}: must be 1 or more": getattr(training, key) < 1
            for key in ("iterations", "validate_every", "step_size", "together")
        },
        f"training.together = {training.together}: must divide training.batch_size = {training.batch_size}": (
            training.batch_size % max(1, training.together) != 0
        ),
        "network.relative_visual: needs training.together above 1, and a visual branch": network.relative_visual
        and (training.together < 2 or network.visual == "none"),
        **{
            f"{section}.{key} = {value}: must be 0 or more": value < 0
            for section, config in (("training", training), ("augmentation", recipe.augmentation))
            for key, value in asdict(config).items()
            if not isinstance(value, str)
        },
        f"augmentation.scale = {recipe.augmentation.scale}: must be under 0.5": recipe.augmentation.scale >= 0.5,
        f"augmentation.erase = {recipe.augmentation.erase}: must be 1 or less": recipe.augmentation.erase > 1,
    }
    for complaint, broken in rules.items():
        if broken:
            raise RecipeError(complaint)
