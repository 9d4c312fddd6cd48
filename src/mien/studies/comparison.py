"""The paper's tables and figures with ours beside them, from evaluated runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mien.evaluation.evaluate import Result
from mien.evaluation.metrics import TOP
from mien.studies import paper

VALIDATION, TEST = "validation", "test"
PARTS = (VALIDATION, TEST)
Results = Mapping[str, Mapping[str, Result]]
"""Key of a method -> part (validation, test) -> how its run did there."""
_TOP_NAMES = [f"top-{k}" for k in TOP]


@dataclass(frozen=True)
class Cell:
    """One figure of the paper and ours.

    Attributes:
        paper: what it gives, or None where it gives none.
        ours: what came out, or None where there is nothing.
        interval: 95% interval of ours over subjects, or None.
        why: why there is nothing.
    """

    paper: float | None
    ours: float | None
    interval: tuple[float, float] | None = None
    why: str = ""

    def as_error(self) -> Cell:
        """Our accuracy as misclassification in percent; the paper's figure is that already."""
        if self.ours is None or self.interval is None:
            return self
        low, high = self.interval
        return Cell(self.paper, 100 * (1 - self.ours), (100 * (1 - high), 100 * (1 - low)))


@dataclass(frozen=True)
class Table:
    """Rows of cells.

    Attributes:
        key: in report.json.
        title: with its place in the paper.
        columns: names of the columns of cells.
        rows: name -> cells.
        digits: after the decimal point.
        note: what to know.
    """

    key: str
    title: str
    columns: Sequence[str]
    rows: Mapping[str, Sequence[Cell]]
    digits: int
    note: str


@dataclass(frozen=True)
class Curves:
    """A figure over iterations.

    Attributes:
        key: in report.json.
        title: with its place in the paper.
        unit: of the values.
        ours: name -> iterations and values.
        paper: name -> the level that the paper gives; empty where it gives none in numbers.
        note: what to know.
    """

    key: str
    title: str
    unit: str
    ours: dict[str, tuple[list[float], list[float]]]
    paper: dict[str, float] = field(default_factory=dict)
    note: str = ""


def compare_tables(results: Results, names: Mapping[str, str], why_missing: Mapping[str, str]) -> list[Table]:
    """Section III, Table I, Table II, and the networks that the paper tried and found worse.

    Args:
        results: the runs there are.
        names: key -> the method, for people.
        why_missing: key -> why there is no such run.
    """

    def cell(key: str, part: str, paper_figure: float | None, k: int = 1) -> Cell:
        """Top-k accuracy of a method; its interval is known for top-1."""
        if key not in results:
            return Cell(paper_figure, None, why=why_missing.get(key, "not trained"))
        if part not in results[key]:
            return Cell(paper_figure, None, why=f"no {part} part")
        result = results[key][part]
        return Cell(paper_figure, float(result.accuracies[k - 1]), result.interval if k == 1 else None)

    def both_parts(key: str, paper_validation: float | None) -> list[Cell]:
        return [cell(key, VALIDATION, paper_validation), cell(key, TEST, None)]

    section_3 = Table(
        "section_3",
        "Section III: each modality alone, and both together (top-1 accuracy)",
        PARTS,
        {names[key]: both_parts(key, top1) for key, top1 in paper.SECTION_III_TOP1.items()},
        digits=3,
        note="The paper gives validation figures only, that of the fused network on 2,250 photos of nine subjects, "
        "that of the SVM on displacement on 7,000 of 28, where Table I gives the network 0.207.",
    )
    table_1 = Table(
        "table_1",
        "Table I: misclassification, percent",
        PARTS,
        {
            names[key]: [cell(key, part, errors[part]).as_error() for part in PARTS]
            for key, errors in paper.TABLE_I.items()
        },
        digits=2,
        note="The challenge's own measure; the rows of the paper's authors.",
    )
    table_2 = Table(
        "table_2",
        "Table II: landmarks from crops of 224 and of 1200 pixels, dropout 0.5 (validation)",
        _TOP_NAMES,
        {
            names[key]: [cell(key, VALIDATION, share, k) for k, share in zip(TOP, shares, strict=True)]
            for key, shares in paper.TABLE_II.items()
        },
        digits=3,
        note="The pictures are 224 pixels wide in both rows; only the displacement differs.",
    )
    others = Table(
        "others",
        "Section IV: other networks and models (top-1 accuracy)",
        PARTS,
        {
            names[key]: both_parts(key, None)
            for key in ("two-networks", "two-heads", "geometric", "direct", "lda", "fused")
            if key in names
        },
        digits=3,
        note="The paper says of two networks, one for either emotion, and of two heads on one trunk, that they were "
        "worse, without figures. The head of one layer is that of its text, the fused network's (with a hidden "
        "layer) that of its published configuration. LDA is not in the paper; on displacement of nine real "
        f"iCV-MEFED subjects it reached {paper.REAL_LDA_TOP1:.3f}, each subject left out once.",
    )
    return [section_3, table_1, table_2, others]


def compare_curves(results: Results) -> list[Curves]:
    """Fig. 6 to 10."""

    def log(key: str, figure: str) -> tuple[list[float], list[float]]:
        """Iterations, and a figure of the run's log at each; empty where there is no such run."""
        lines = results[key][VALIDATION].log if key in results else []
        return [line["step"] for line in lines], [line[figure] for line in lines]

    def losses(key: str) -> dict[str, tuple[list[float], list[float]]]:
        return {"validation": log(key, "loss"), "training": log(key, "training_loss")}

    def top_accuracies(key: str) -> dict[str, tuple[list[float], list[float]]]:
        return {f"top-{k}": log(key, f"top{k}") for k in TOP}

    best = f"The paper's best, dotted, came at iteration {paper.BEST_ITERATION:,} of {paper.ITERATIONS:,}."
    average = "Training loss is the mean since the last validation, with dropout active; it can lie above."
    as_picture = "The paper gives this as a picture only"
    return [
        Curves(
            "figure_6",
            "Fig. 6: hinge loss",
            "hinge loss",
            losses("fused"),
            {"validation": paper.FIGURE_6_LOSS},
            f"{best} {average}",
        ),
        Curves(
            "figure_7",
            "Fig. 7: validation accuracy",
            "top-1 accuracy",
            {"top-1": log("fused", "top1")},
            {"top-1": paper.FIGURE_7_TOP1},
            best,
        ),
        Curves(
            "figure_8",
            "Fig. 8: top-1 to top-5, dropout 0.5",
            "validation accuracy",
            top_accuracies("fused-half"),
            dict(zip(_TOP_NAMES, paper.TABLE_II["fused-half"], strict=True)),
            "Dotted: the paper's best, as in Table II.",
        ),
        Curves(
            "figure_9",
            "Fig. 9: cross-entropy loss, dropout 0.5",
            "cross-entropy, nats",
            losses("cross-entropy"),
            note=f"{as_picture}. {average}",
        ),
        Curves(
            "figure_10",
            "Fig. 10: top-1 to top-5 with cross-entropy, dropout 0.5",
            "validation accuracy",
            top_accuracies("cross-entropy"),
            note=f"{as_picture}, and says that it reaches the accuracy of Fig. 8.",
        ),
    ]


_CLAIMS = (
    ("landmark-svm", "displacement-svm", "Displacement from the subject's mean against bare landmarks"),
    ("cnn", "fused", "The fused network against the visual branch alone"),
    ("displacement-svm", "fused", "The fused network against the SVM on displacement"),
    ("two-networks", "fused", "One network for the 50 classes against two networks"),
    ("two-heads", "fused", "One output against two heads"),
)
"""Worse, better by the paper, and both in words."""


def findings(results: Results) -> list[str]:
    """Whether the paper's order of methods came out, in sentences, by top-1 on the validation subjects."""
    sentences = []
    for worse, better, claim in _CLAIMS:
        if worse in results and better in results:
            low, high = (float(results[key][VALIDATION].accuracies[0]) for key in (worse, better))
            sentences.append(f"{claim}: {_verdict(low, high)} ({high:.3f} against {low:.3f}).")
    if {"fused-half", "cross-entropy"} <= results.keys():
        hinge, entropy = (results[key][VALIDATION] for key in ("fused-half", "cross-entropy"))
        sentences.append(
            f"Hinge loss against cross-entropy, dropout 0.5: {hinge.accuracies[0]:.3f} against "
            f"{entropy.accuracies[0]:.3f}; validation loss was lowest at iteration "
            f"{hinge.meta.best['step']:,} and {entropy.meta.best['step']:,}. The paper finds both equally "
            "accurate, and cross-entropy to overfit sooner."
        )
    return sentences


def _verdict(low: float, high: float) -> str:
    if high > low:
        return "better, as in the paper"
    return "equal, other than in the paper" if high == low else "worse, other than in the paper"


def table_to_dict(table: Table) -> dict[str, Any]:
    """For JSON: the paper's figure and ours in every cell."""
    rows = {
        name: {column: _cell_to_dict(cell) for column, cell in zip(table.columns, cells, strict=True)}
        for name, cells in table.rows.items()
    }
    return {"title": table.title, "rows": rows, "note": table.note}


def curves_to_dict(curves: Curves) -> dict[str, Any]:
    """For JSON."""
    ours = {name: {"iteration": steps, "value": values} for name, (steps, values) in curves.ours.items()}
    return {"title": curves.title, "unit": curves.unit, "paper": curves.paper, "ours": ours, "note": curves.note}


def _cell_to_dict(cell: Cell) -> dict[str, Any]:
    content: dict[str, Any] = {"paper": cell.paper, "ours": None if cell.ours is None else round(cell.ours, 6)}
    if cell.interval is not None:
        content["interval"] = [round(edge, 6) for edge in cell.interval]
    if cell.why:
        content["why"] = cell.why
    return content
