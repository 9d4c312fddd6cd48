"""The figures of the paper (Guo et al., FG 2017), all on iCV-MEFED; accuracies are shares, 0..1.

Its validation photos are not always the same ones. Table I, and the SVM on displacement of section III with it, are
on the challenge's 7,000 of 28 subjects (test: 5,751 of 23). The fused network's 0.2289 and Table II are on the last
2,250, of nine subjects: 0.2289 is 515 of 2,250 and no number of 7,000, and Table I's 79.33% for it is 0.2067.
"""

from __future__ import annotations

SOURCE = (
    "Guo et al., \u201cMulti-modality Network with Visual and Geometrical Information for Micro Emotion "
    "Recognition\u201d, FG 2017"
)
FACES = "iCV-MEFED: 125 people, photographed by even light before a plain background"

SECTION_III_TOP1 = {"landmark-svm": 0.09, "cnn": 0.14, "displacement-svm": 0.15, "fused": 0.2289}
"""Top-1 accuracy on validation photos."""

TABLE_I: dict[str, dict[str, float | None]] = {
    "displacement-svm": {"validation": 84.957143, "test": None},
    "fused": {"validation": 79.328571, "test": 80.212137},
}
"""Misclassification in percent; the paper gives no test figure for its SVM."""

TABLE_II = {
    "fused-half": (0.2222, 0.3662, 0.4658, 0.5471, 0.6129),
    "fused-1200": (0.2227, 0.3800, 0.4764, 0.5613, 0.6293),
}
"""Top-1..5 with dropout 0.5, displacement from crops of 224 and of 1200 pixels."""

FIGURE_6_LOSS = 3.5736
"""Hinge loss on validation photos where accuracy was highest."""

FIGURE_7_TOP1 = 0.2289
"""Highest accuracy on validation photos, at iteration 76,700."""

BEST_ITERATION = 76_700
ITERATIONS = 100_000

REAL_LDA_TOP1 = 0.157
"""Not of the paper: shrinkage LDA on displacement of nine iCV-MEFED subjects, each left out once, for mien."""
