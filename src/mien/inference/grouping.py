"""Which faces of an album are whose: clusters of identities, by average linkage.

Two groups join as long as the mean distance between their faces is small, the nearest first (agglomerative clustering
by nearest-neighbour chains: Murtagh, "A Survey of Recent Advances in Hierarchical Clustering Algorithms", 1983).
Faces of one photo are different people.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

JOINED = 0.4
"""Mean distance up to which two groups are one person's (docs/experiments.md)."""
_DIFFERENT = 1e9
"""Distance between faces of one photo: so far that no mean over groups that hold two of them is small."""
_CLEARLY = 0.04
"""How much nearer a face must be to its own group than to the next one."""


@dataclass(frozen=True, eq=False)
class Grouping:
    """Who is who among n faces.

    Attributes:
        groups: shape (n,), int64: number of each face's group, from 0 in the order in which they appear.
        doubtful: shape (n,), bool: faces that lie nearly as near to another group, or far from their own.
    """

    groups: NDArray[np.int64]
    doubtful: NDArray[np.bool_]


def group_identities(identities: NDArray[np.float32], photos: Sequence[Hashable], joined: float = JOINED) -> Grouping:
    """Group faces by person.

    Args:
        identities: shape (n, 128), see `mien.faces.identity`.
        photos: n of them: in which photo each face is.
        joined: mean distance up to which two groups are one.
    """
    count = len(identities)
    if not count:
        return Grouping(np.zeros(0, np.int64), np.zeros(0, np.bool_))
    distances = _distances(identities, photos)
    joins = _linkage(distances.copy())
    groups = _cut(joins, count, joined)
    return Grouping(groups, _doubtful(distances, groups, joined))


def _distances(identities: NDArray[np.float32], photos: Sequence[Hashable]) -> NDArray[np.float32]:
    """(n, n): between all faces; n = 5,000 takes 100 MB."""
    squares = (identities * identities).sum(axis=1)
    products = identities @ identities.T
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * products, 0)).astype(np.float32)
    numbers = {photo: i for i, photo in enumerate(dict.fromkeys(photos))}
    of_photo = np.array([numbers[photo] for photo in photos])
    distances[of_photo[:, None] == of_photo] = _DIFFERENT
    np.fill_diagonal(distances, 0)
    return distances


def _linkage(distances: NDArray[np.float32]) -> list[tuple[float, int, int]]:
    """All joins by average linkage: distance, and one face of each of the two groups. Changes `distances`."""
    count = len(distances)
    sizes, alive = np.ones(count), np.ones(count, dtype=bool)
    np.fill_diagonal(distances, np.inf)
    joins: list[tuple[float, int, int]] = []
    chain: list[int] = []
    while len(joins) < count - 1:
        if not chain:
            chain.append(int(np.flatnonzero(alive)[0]))
        last = chain[-1]
        nearest = int(np.argmin(distances[last]))
        if len(chain) > 1 and distances[last, chain[-2]] <= distances[last, nearest]:
            one, other = last, chain[-2]
            del chain[-2:]
            joins.append((float(distances[one, other]), one, other))
            share = sizes[one] / (sizes[one] + sizes[other])
            mean = share * distances[one] + (1 - share) * distances[other]
            distances[one], distances[:, one] = mean, mean
            distances[other], distances[:, other] = np.inf, np.inf
            distances[one, one] = np.inf
            sizes[one] += sizes[other]
            alive[other] = False
        else:
            chain.append(nearest)
    return joins


def _cut(joins: list[tuple[float, int, int]], count: int, joined: float) -> NDArray[np.int64]:
    """Groups from the joins up to a distance, numbered as they appear."""
    leader = list(range(count))

    def find(face: int) -> int:
        while leader[face] != face:
            leader[face] = leader[leader[face]]
            face = leader[face]
        return face

    for distance, one, other in joins:
        if distance <= joined:
            leader[find(one)] = find(other)
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(find(face), len(numbers)) for face in range(count)], np.int64)


def _doubtful(distances: NDArray[np.float32], groups: NDArray[np.int64], joined: float) -> NDArray[np.bool_]:
    """By the mean distance of each face to the others of its group, and to the nearest other group."""
    belongs = np.eye(int(groups.max()) + 1, dtype=np.float32)[groups]  # (n, groups)
    sizes = belongs.sum(axis=0)
    sums = np.minimum(distances, 2.0) @ belongs
    rows = np.arange(len(groups))
    own = sums[rows, groups] / np.maximum(1, sizes[groups] - 1)
    others = sums / sizes
    others[rows, groups] = np.inf
    nearest = others.min(axis=1, initial=np.inf)
    alone = sizes[groups] == 1
    doubtful: NDArray[np.bool_] = np.where(
        alone, nearest < joined + _CLEARLY, own > np.minimum(joined, nearest - _CLEARLY)
    )
    return doubtful
