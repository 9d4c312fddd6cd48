"""The methods that a study compares: each a recipe, and what is changed in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Preset = Literal["quick", "full"]


@dataclass(frozen=True)
class Method:
    """One row of a comparison.

    Attributes:
        name: for people.
        key: in tables, and the name of the folder of its run.
        recipe: name of the recipe.
        settings: changes to it.
    """

    name: str
    key: str
    recipe: str
    settings: tuple[str, ...] = ()


_LINEAR = (
    Method("landmark SVM", "landmark-svm", "svm", ("features=landmarks",)),
    Method("displacement SVM", "displacement-svm", "svm"),
)
_QUICK = (
    "network.relative_visual=false", "training.samples_per_subject=1", "training.references=mean",
    "training.iterations=300", "training.validate_every=50",
)  # fmt: skip
_PRESETS: dict[Preset, tuple[str, tuple[str, ...]]] = {"full": ("paper", ()), "quick": ("mien", _QUICK)}
"""Recipe of the networks, and what all of them change in it."""


def section_3_methods(network_recipe: str) -> list[Method]:
    """The four methods of section III, weakest first, the networks by one recipe."""
    return [
        *_LINEAR,
        Method("CNN alone", "cnn", network_recipe, ("network.geometric=false",)),
        Method("fused", "fused", network_recipe),
    ]


def study_methods(preset: Preset, settings: Sequence[str] = ()) -> dict[str, Method]:
    """All that the paper's tables and figures compare, by key.

    Args:
        preset: `full`: recipe `paper` as published; dropout is 0.8, and 0.5 in the studies of section V. `quick`:
            recipe `mien` with the paper's references and few iterations, hence with cross-entropy, for under the
            hinge loss pictures are not learnt from so soon (docs/experiments.md); dropout 0.5 in these studies.
        settings: changes to the recipe of all networks; what makes a method what it is stays.
    """
    recipe, common = _PRESETS[preset]
    half, hinge, cross_entropy = "network.dropout=0.5", "training.loss=hinge", "training.loss=cross-entropy"

    def network(name: str, key: str, *own: str) -> Method:
        return Method(name, key, recipe, (*common, *settings, *own))

    methods = [
        *_LINEAR,
        Method("displacement LDA", "lda", "lda"),
        network("CNN alone", "cnn", "network.geometric=false"),
        network("fused", "fused"),
        network("fused, dropout 0.5, landmarks at 224", "fused-half", half, hinge),
        network("fused, dropout 0.5, landmarks at 1200", "fused-1200", half, hinge),
        network("fused, dropout 0.5, cross-entropy", "cross-entropy", half, cross_entropy),
        network("two networks", "two-networks", "network.outputs=two-networks"),
        network("two heads", "two-heads", "network.outputs=two-heads"),
        network("displacement alone, network", "geometric", "network.visual=none"),
        network("fused, head of one layer", "direct", "network.head=direct"),
    ]
    return {method.key: method for method in methods}
