"""Scores to probabilities: softmax at a temperature that fits on subjects never trained on.

Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_TEMPERATURES = np.geomspace(0.02, 20, 121)


def probabilities(scores: ArrayLike, temperature: ArrayLike) -> NDArray[np.float64]:
    """Softmax over the last axis of scores / temperature; each row sums to 1."""
    scaled = np.asarray(scores, dtype=np.float64) / np.asarray(temperature)
    raised = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    normalised: NDArray[np.float64] = raised / raised.sum(axis=-1, keepdims=True)
    return normalised


def fit_temperature(scores: ArrayLike, labels: ArrayLike) -> float:
    """The temperature, 0.02..20, that makes held-out labels likeliest.

    Args:
        scores: (n, 50).
        labels: (n,) class indices.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    rows = np.arange(len(labels))
    costs = [-np.log(probabilities(scores, t)[rows, labels] + 1e-12).mean() for t in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(costs))])
