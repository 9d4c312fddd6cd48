"""Smoothing probabilities over time: each frame counts less the farther away it is, by e in every `seconds`.

For a camera only what came before can count; for a film what comes after does as well, so nothing lags behind.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Smoother:
    """Weighted means of rows over time, by person.

    Args:
        seconds: the time constant; 0: nothing is smoothed.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._sums: dict[int, tuple[float, NDArray[np.float64], float]] = {}

    def add(self, person: int, time: float, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean of what came before and this row, of the same shape."""
        total, weight = self._accumulate(person, time, row)
        return total / weight

    def smooth(
        self,
        persons: NDArray[np.int64],
        times: NDArray[np.float64],
        rows: NDArray[np.float64],
        next_persons: NDArray[np.int64],
        next_times: NDArray[np.float64],
        next_rows: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """The means of what comes before and after; call it piece by piece through a film.

        Args:
            persons, times, rows: shape (n,), (n,), (n, k): a piece, by rising time.
            next_persons, next_times, next_rows: the same of the piece after it.

        Returns:
            shape (n, k); each row sums to what it did.
        """
        if self.seconds <= 0:
            return rows
        before = [self._accumulate(int(p), float(t), row) for p, t, row in zip(persons, times, rows, strict=True)]
        backwards = Smoother(self.seconds)
        for i in reversed(range(len(next_times))):
            backwards._accumulate(int(next_persons[i]), -float(next_times[i]), next_rows[i])
        smoothed = np.empty_like(rows)
        for i in reversed(range(len(times))):
            after, later = backwards._accumulate(int(persons[i]), -float(times[i]), rows[i])
            total, weight = before[i]
            smoothed[i] = (total + after - rows[i]) / (weight + later - 1)  # the row itself is in both
        return smoothed

    def _accumulate(self, person: int, time: float, row: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Sum and weight of the rows until this one."""
        total, weight = row, 1.0
        if person in self._sums and self.seconds > 0:
            last, before, known = self._sums[person]
            fade = float(np.exp(-max(0.0, time - last) / self.seconds))
            total, weight = row + fade * before, 1.0 + fade * known
        self._sums[person] = (time, total, weight)
        return total, weight
