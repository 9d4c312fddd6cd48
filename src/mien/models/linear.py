"""Linear models on geometry: the paper's SVM, and shrinkage LDA, which does better on real faces.

Fitting needs scikit-learn; a fitted model is two arrays and needs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.errors import DataError, require
from mien.labels import CLASS_COUNT, CLASSES


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Scores = features @ weights + bias.

    Attributes:
        weights: shape (136, 50), float32.
        bias: shape (50,), float32.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def scores(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 136) to (n, 50); classes that were not trained on score lowest of all."""
        scores: NDArray[np.float32] = features @ self.weights + self.bias
        return scores


def fit_svm(features: NDArray[np.float32], labels: NDArray[np.int64]) -> LinearModel:
    """Linear SVM, L2 hinge, one against all.

    Args:
        features: (n, 136): landmarks or displacement; brought to equal spread for fitting.
        labels: (n,) class indices.

    Raises:
        DataError: all photos show one class.
    """
    svm = require("sklearn.svm", "train")
    return _fit(svm.LinearSVC(C=0.01, dual=False), features, labels)


def fit_lda(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    shrinkage: float | Literal["auto"] = "auto",
    even: bool = False,
) -> LinearModel:
    """Linear discriminant analysis with a shrunk covariance; features and labels as for `fit_svm`.

    Args:
        shrinkage: 0 (none) to 1 (variances alone); `auto` is Ledoit and Wolf's estimate, the best for faces like
            the ones it is fitted to. Faces of another kind want more.
        even: hold all classes for equally common, however many photos show each.

    Raises:
        DataError: all photos show one class, or each another.
    """
    analysis = require("sklearn.discriminant_analysis", "train")
    count = len(np.unique(labels))
    if len(labels) <= count:
        raise DataError(f"{len(labels)} photos to train on, one of each class; a model needs several of some")
    priors = np.full(count, 1 / count) if even else None
    return _fit(
        analysis.LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=priors), features, labels
    )


def fit_ridge(features: NDArray[np.float64], targets: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    """Ridge regression of targets, (n, m), on features, (n, k), both without their means.

    Args:
        ridge: added to the variance of every feature.

    Returns:
        shape (k, m): target for each unit of a feature.
    """
    away = features - features.mean(axis=0)
    damped = away.T @ away + ridge * len(away) * np.eye(away.shape[1])
    weights: NDArray[np.float64] = np.linalg.solve(damped, away.T @ (targets - targets.mean(axis=0)))
    return weights


LINEAR_FITS: dict[str, Callable[[NDArray[np.float32], NDArray[np.int64]], LinearModel]] = {
    "svm": fit_svm,
    "lda": fit_lda,
}


def _fit(classifier, features: NDArray[np.float32], labels: NDArray[np.int64]) -> LinearModel:  # type: ignore[no-untyped-def]
    if len(np.unique(labels)) < 2:
        raise DataError(f"all photos to train on show one class, {CLASSES[labels[0]]}; a model needs two or more")
    wide = features.astype(np.float64)
    mean, spread = wide.mean(axis=0), np.maximum(wide.std(axis=0), 1e-6)
    classifier.fit((wide - mean) / spread, labels)
    coefficients, intercepts = classifier.coef_, classifier.intercept_
    if len(classifier.classes_) == 2:  # scikit-learn then keeps by how much the second class is ahead
        coefficients, intercepts = (
            np.vstack([-coefficients, coefficients]) / 2,
            np.hstack([-intercepts, intercepts]) / 2,
        )
    weights = np.zeros((wide.shape[1], CLASS_COUNT))
    bias = np.full(CLASS_COUNT, -1e6)  # a class without examples must never win
    weights[:, classifier.classes_] = coefficients.T / spread[:, None]
    bias[classifier.classes_] = intercepts - mean @ weights[:, classifier.classes_]
    return LinearModel(weights.astype(np.float32), bias.astype(np.float32))
