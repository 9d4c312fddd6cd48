"""The paper's tables and figures with ours beside them, from judged runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mien.evaluation.evaluate import Result
from mien.studies import paper

VALIDATION, TEST = "validation", "test"
Judged = Mapping[str, Mapping[str, Result]]
"""Key of a method -> part (validation, test) -> how its run did there."""


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


@dataclass(frozen=True)
class Table:
    """Rows of cells.

    Attributes:
        key: in report.json.
        title: with its place in the paper.
        heads: of the columns of cells.
        rows: name -> cells.
        digits: after the decimal point.
        note: what to know.
    """

    key: str
    title: str
    heads: list[str]
    rows: dict[str, list[Cell]]
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


def compare_tables(judged: Judged, names: Mapping[str, str], why_missing: Mapping[str, str]) -> list[Table]:
    """Section III, Table I, Table II, and the networks that the paper tried and found worse.

    Args:
        judged: the runs there are.
        names: key -> the method, for people.
        why_missing: key -> why there is no such run.
    """

    def cell(key: str, part: str, given: float | None, place: int = 0) -> Cell:
        if key not in judged:
            return Cell(given, None, why=why_missing.get(key, "not trained"))
        if part not in judged[key]:
            return Cell(given, None, why="no test part")
        result = judged[key][part]
        return Cell(given, float(result.accuracies[place]), result.interval if place == 0 else None)

    def error(key: str, part: str) -> Cell:
        share = cell(key, part, paper.TABLE_I[key][part])
        if share.ours is None or share.interval is None:
            return share
        low, high = share.interval
        return Cell(share.paper, 100 * (1 - share.ours), (100 * (1 - high), 100 * (1 - low)))

    def both_parts(key: str, given: float | None) -> list[Cell]:
        return [cell(key, VALIDATION, given), cell(key, TEST, None)]

    others = ("two-networks", "two-heads", "geometric", "direct", "lda")
    return [
        Table(
            "section_3", "Section III: each way alone, and both together (top-1 accuracy)", ["validation", "test"],
            {names[key]: both_parts(key, given) for key, given in paper.SECTION_III_TOP1.items()}, 3,
            "The paper gives validation figures only, that of the fused network on 2,250 photos of nine "
            "subjects, that of the SVM on displacement on 7,000 of 28, where Table I gives the network 0.207.",
        ),
        Table(
            "table_1", "Table I: misclassification, percent", ["validation", "test"],
            {names[key]: [error(key, VALIDATION), error(key, TEST)] for key in paper.TABLE_I}, 2,
            "The challenge's own measure; the rows of the paper's authors.",
        ),
        Table(
            "table_2", "Table II: landmarks from crops of 224 and of 1200 pixels, dropout 0.5 (validation)",
            [f"top-{k}" for k in range(1, 6)],
            {
                names[key]: [cell(key, VALIDATION, share, place) for place, share in enumerate(shares)]
                for key, shares in paper.TABLE_II.items()
            }, 3,
            "The pictures are 224 pixels wide in both rows; only the displacement differs.",
        ),
        Table(
            "others", "Section IV: other networks and models (top-1 accuracy)", ["validation", "test"],
            {names[key]: both_parts(key, None) for key in (*others, "fused") if key in names}, 3,
            "The paper says of two networks, one for either emotion, and of two heads on one trunk, that they were "
            "worse, without figures. The head of one layer is that of its text, the fused network's (with a hidden "
            "layer) that of its published configuration. LDA is not in the paper; on displacement of nine real "
            f"iCV-MEFED subjects it read {paper.REAL_LDA_TOP1:.3f}, each subject left out once.",
        ),
    ]  # fmt: skip


def compare_curves(judged: Judged) -> list[Curves]:
    """Fig. 6 to 10."""

    def log_of(key: str) -> Sequence[Mapping[str, float]]:
        return judged[key][VALIDATION].log if key in judged else []

    def line(key: str, figure: str) -> tuple[list[float], list[float]]:
        return [row["step"] for row in log_of(key)], [row[figure] for row in log_of(key)]

    def losses(key: str) -> dict[str, tuple[list[float], list[float]]]:
        return {"validation": line(key, "loss"), "training": line(key, "training_loss")}

    def tops(key: str) -> dict[str, tuple[list[float], list[float]]]:
        return {f"top-{k}": line(key, f"top{k}") for k in range(1, 6)}

    published = dict(zip([f"top-{k}" for k in range(1, 6)], paper.TABLE_II["fused-half"], strict=True))
    best = f"The paper's best, dotted, came at iteration {paper.BEST_ITERATION:,} of {paper.ITERATIONS:,}."
    average = "Training loss is the mean since the last validation, with dropout at work; it can lie above."
    return [
        Curves("figure_6", "Fig. 6: hinge loss", "hinge loss", losses("fused"),
               {"validation": paper.FIGURE_6_LOSS}, f"{best} {average}"),
        Curves("figure_7", "Fig. 7: validation accuracy", "top-1 accuracy", {"top-1": line("fused", "top1")},
               {"top-1": paper.FIGURE_7_TOP1}, best),
        Curves("figure_8", "Fig. 8: top-1 to top-5, dropout 0.5", "validation accuracy", tops("fused-half"),
               published, "Dotted: the paper's best, as in Table II."),
        Curves("figure_9", "Fig. 9: cross-entropy loss, dropout 0.5", "cross-entropy, nats",
               losses("cross-entropy"), note=f"The paper gives this as a picture only. {average}"),
        Curves("figure_10", "Fig. 10: top-1 to top-5 with cross-entropy, dropout 0.5", "validation accuracy",
               tops("cross-entropy"),
               note="The paper gives this as a picture only, and says that it reaches the accuracy of Fig. 8."),
    ]  # fmt: skip


def findings(judged: Judged) -> list[str]:
    """Whether the paper's order of methods came out, in sentences, by top-1 on the validation subjects."""
    said = []
    for worse, better, claim in (
        ("landmark-svm", "displacement-svm", "Displacement from the subject's mean against bare landmarks"),
        ("cnn", "fused", "The fused network against the visual branch alone"),
        ("displacement-svm", "fused", "The fused network against the SVM on displacement"),
        ("two-networks", "fused", "One network for the 50 classes against two networks"),
        ("two-heads", "fused", "One output against two heads"),
    ):
        if worse in judged and better in judged:
            low, high = (float(judged[key][VALIDATION].accuracies[0]) for key in (worse, better))
            verdict = "better, as in the paper" if high > low else "worse, other than in the paper"
            verdict = "equal, other than in the paper" if high == low else verdict
            said.append(f"{claim}: {verdict} ({high:.3f} against {low:.3f}).")
    if {"fused-half", "cross-entropy"} <= judged.keys():
        hinge, entropy = (judged[key][VALIDATION] for key in ("fused-half", "cross-entropy"))
        said.append(
            f"Hinge loss against cross-entropy, dropout 0.5: {hinge.accuracies[0]:.3f} against "
            f"{entropy.accuracies[0]:.3f}; validation loss was lowest at iteration {hinge.meta.best['step']:,} "
            f"and {entropy.meta.best['step']:,}. The paper finds both equally accurate, and cross-entropy to "
            "overfit sooner."
        )
    return said


def table_to_dict(table: Table) -> dict[str, Any]:
    """For JSON: the paper's figure and ours in every cell."""
    rows = {
        name: {head: _cell_to_dict(cell) for head, cell in zip(table.heads, cells, strict=True)}
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
