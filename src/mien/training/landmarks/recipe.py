"""How the predictor of landmarks is trained."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from mien.training.recipe import Natural, Share, TrainingConfig, with_settings


class LandmarkRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See `landmarks.toml` beside this file.

    Attributes:
        training: optimiser, schedule, batches and seed; all else does not apply.
        by_hand: share of each batch that are real photos with points placed by hand, where there are any.
        folds, held_out: of `folds` groups of people with points placed by hand, the one that is left for validation;
            all are trained on where `folds` is 0.
    """

    training: TrainingConfig
    by_hand: Share = 0.2
    folds: Natural = 0
    held_out: Natural = 0

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
    path = Path(__file__).with_name("landmarks.toml")
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return with_settings(LandmarkRecipe, table, settings, str(path))
