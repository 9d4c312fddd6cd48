"""How the predictor of landmarks is trained."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from mien.errors import RecipeError
from mien.training.recipe import TrainingConfig

Share = Annotated[float, Meta(ge=0, lt=1)]


class LandmarkRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See `landmarks.toml` beside this file.

    Attributes:
        training: optimiser, schedule, batches; its losses and references do not apply.
        by_hand: share of each batch that are real photos with points placed by hand, where there are any.
        folds, held_out: of `folds` groups of people with points placed by hand, the one that is left for validation;
            all are trained on where `folds` is 0.
    """

    training: TrainingConfig
    by_hand: Share = 0.2
    folds: Annotated[int, Meta(ge=0)] = 0
    held_out: Annotated[int, Meta(ge=0)] = 0

    def as_dict(self) -> dict[str, Any]:
        """As TOML and JSON hold it."""
        content: dict[str, Any] = msgspec.to_builtins(self)
        return content


def load_landmark_recipe(settings: Sequence[str] = ()) -> LandmarkRecipe:
    """The recipe that comes with mien, with some values changed.

    Args:
        settings: `key=value`, such as `training.iterations=2000` or `by_hand=0`.

    Raises:
        RecipeError: an unknown key, or an impossible value.
    """
    text = files("mien.training.landmarks").joinpath("landmarks.toml").read_text(encoding="utf-8")
    content = tomllib.loads(text)
    for setting in settings:
        key, _, value = setting.partition("=")
        table, _, name = key.rpartition(".")
        try:
            place = content[table] if table else content
            place[name] = tomllib.loads(f"x = {value}")["x"]
        except (KeyError, tomllib.TOMLDecodeError) as error:
            raise RecipeError(f"--set {setting}: write KEY=VALUE, such as training.iterations=2000") from error
    try:
        return msgspec.convert(content, LandmarkRecipe)
    except msgspec.ValidationError as error:
        raise RecipeError(f"the recipe of landmarks: {error}") from error
