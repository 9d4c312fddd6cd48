"""What speaks against a reference: photos of somebody else, and photos that are not neutral."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from mien.displacement import Reference
from mien.faces import Faces
from mien.faces.identity import shows_majority
from mien.inference.results import Recognition
from mien.labels import Emotion

_EXPRESSIVE = 0.6
"""Probability that happiness or surprise is dominant, above which a photo is no neutral one: of 74 neutral photos
none, of 34 mild smiles 65%. The other emotions are read too unsurely from one photo (docs/experiments.md)."""


def with_identity(reference: Reference, photos: Sequence[Faces]) -> Reference:
    """The reference with who it is, and with the names of the photos that show somebody else than most.

    Args:
        reference: made from `photos`.
        photos: the first face of each is meant.
    """
    identities = np.stack([faces[0].identity for faces in photos])
    belongs = shows_majority(identities)
    strangers = tuple(faces.photo for faces, its in zip(photos, belongs, strict=True) if not its)
    return replace(reference, identity=identities[belongs].mean(axis=0), strangers=strangers)


def with_expressive(reference: Reference, alone: Iterable[Recognition]) -> Reference:
    """The reference with those of its photos that should be neutral and are clearly not.

    Args:
        reference: made from neutral photos.
        alone: what each of them shows, read by itself.
    """
    return replace(reference, expressive=tuple((one.photo, one.phrase) for one in alone if _is_expressive(one)))


def _is_expressive(alone: Recognition) -> bool:
    return any(alone.matrix[:, emotion - 1].sum() > _EXPRESSIVE for emotion in (Emotion.HAPPINESS, Emotion.SURPRISE))
