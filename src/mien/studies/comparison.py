"""The paper's tables and figures with ours beside them, from evaluated runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mien.datasets.prepared import PreparedSet
from mien.evaluation.evaluate import Result
from mien.evaluation.metrics import TOP, interval_by_subject, known_interval
from mien.labels import CLASS_COUNT
from mien.studies import paper
from mien.studies.features import PHOTOS, Reading

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
        verdict: what agrees with the paper and what does not, in a sentence or two; empty where there is too little.
        in_paper: whether the paper has such a table.
    """

    key: str
    title: str
    columns: Sequence[str]
    rows: Mapping[str, Sequence[Cell]]
    digits: int
    note: str
    verdict: str = ""
    in_paper: bool = True


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


def compare_tables(
    results: Results,
    names: Mapping[str, str],
    why_missing: Mapping[str, str],
    readings: Mapping[str, Mapping[str, Reading]] | None = None,
) -> list[Table]:
    """Section III, Table I, Table II, the networks that the paper tried and found worse, and what the branches know.

    Args:
        results: the runs there are.
        names: key -> the method, for people.
        why_missing: key -> why there is no such run.
        readings: of features, see `mien.studies.features.read_features`; None: no such table.
    """

    def cell(key: str, part: str, paper_figure: float | None, k: int = 1) -> Cell:
        """Top-k accuracy of a method; its interval is known for top-1."""
        if key not in results:
            return Cell(paper_figure, None, why=why_missing.get(key, "not trained"))
        if part not in results[key]:
            return Cell(paper_figure, None, why=f"no {part} part")
        result = results[key][part]
        return Cell(paper_figure, float(result.accuracies[k - 1]), _interval_of(result, k))

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
        verdict=_order_verdict(results, names),
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
        verdict=_gain_verdict(results),
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
        verdict=_dropout_verdict(results),
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
        verdict=_others_verdict(results),
    )
    tables = [section_3, table_1, table_2, others]
    return tables if not readings else [*tables, _features_table(readings)]


def _features_table(readings: Mapping[str, Mapping[str, Reading]]) -> Table:
    """What is read from the features of trained branches."""
    parts = [part for part in PARTS if part in next(iter(readings.values()))]
    rows = {
        what: [
            Cell(
                None,
                float(by_part[part].accuracies[k - 1]),
                _interval_of(by_part[part], k),
            )
            for part in parts
            for k in (1, 5)
        ]
        for what, by_part in readings.items()
    }
    part = parts[-1]
    first = {what: float(by_part[part].accuracies[0]) for what, by_part in readings.items()}
    geometry = first.pop("displacement")
    both = {what: top1 for what, top1 in first.items() if what.startswith("that and")}
    alone = {what: top1 for what, top1 in first.items() if what not in both}
    verdict = ""
    if alone and both:
        best, together = max(alone, key=lambda w: alone[w]), max(both, key=lambda w: both[w])
        low, high = readings[together][part].beyond_displacement
        if np.isnan(low):
            adds = "may add to or take from, which one subject cannot tell,"
        else:
            neither = "neither add to nor take from, beyond chance,"
            adds = "add to" if low > 0 else "take from" if high < 0 else neither
        verdict = (
            f"Read by LDA from the {part} photos, the pictures alone reach {alone[best]:.3f} ({best}), displacement "
            f"{geometry:.3f}, and both side by side {both[together]:.3f}: the pictures {adds} the geometry "
            f"({_interval_words((low, high))})."
        )
    return Table(
        "features",
        "What the trained branches know: shrinkage LDA on their features (not in the paper)",
        [f"{part} top-{k}" for part in parts for k in (1, 5)],
        rows,
        digits=3,
        note=f"Fitted to about {PHOTOS:,} training photos, of the first subjects. A head may leave unused "
        "what its branch knows; this shows what there is.",
        verdict=verdict,
        in_paper=False,
    )


def _top1(results: Results, key: str) -> float | None:
    """On the part on which nothing was chosen, if there is one."""
    if key not in results:
        return None
    return float(results[key][_judged(results[key])].accuracies[0])


def _judged(by_part: Mapping[str, Result]) -> str:
    return TEST if TEST in by_part else VALIDATION


def _order_verdict(results: Results, names: Mapping[str, str]) -> str:
    known = {key: top1 for key in paper.SECTION_III_TOP1 if (top1 := _top1(results, key)) is not None}
    if len(known) < len(paper.SECTION_III_TOP1):
        return ""
    ours, theirs = sorted(known, key=lambda k: known[k]), list(paper.SECTION_III_TOP1)
    order = " < ".join(f"{names[key]} {known[key]:.3f}" for key in ours)
    part = _judged(results[theirs[0]])
    chance = known["cnn"] * CLASS_COUNT
    return (
        f"On {part} photos {order}: {'the order of the paper' if ours == theirs else 'not the order of the paper'}. "
        f"The pictures alone reach {chance:.1f} times the chance level, the paper's "
        f"{paper.SECTION_III_TOP1['cnn'] * CLASS_COUNT:.1f} times."
    )


def _gain_verdict(results: Results) -> str:
    if (both := _beside_fused(results, "displacement-svm")) is None:
        return ""
    svm, fused, part = both
    theirs = paper.TABLE_I["displacement-svm"][VALIDATION], paper.TABLE_I["fused"][VALIDATION]
    assert theirs[0] is not None
    assert theirs[1] is not None
    points = 100 * (fused - svm)
    lowers = "lowers" if points >= 0 else "raises"
    return (
        f"The network {lowers} the SVM's misclassification by {abs(points):.1f} points "
        f"on {part} photos; the paper's by {theirs[0] - theirs[1]:.1f} on validation photos."
    )


def _dropout_verdict(results: Results) -> str:
    if (both := _beside_fused(results, "fused-half")) is None:
        return ""
    half, fused, part = both
    recipes = [results[key][VALIDATION].meta.recipe for key in ("fused-half", "fused")]
    if recipes[0]["training"]["loss"] != recipes[1]["training"]["loss"]:
        return ""  # then not dropout alone makes the difference
    dropouts = [recipe["network"]["dropout"] for recipe in recipes]
    return (
        f"Dropout {dropouts[0]:g} reads {half:.3f} and {dropouts[1]:g} {fused:.3f} of the {part} photos; the paper's "
        f"0.5 and 0.8 {paper.TABLE_II['fused-half'][0]:.3f} and {paper.SECTION_III_TOP1['fused']:.3f} of its "
        "validation photos."
    )


def _others_verdict(results: Results) -> str:
    if (both := _beside_fused(results, "geometric")) is None:
        return ""
    geometric, fused, part = both
    return (
        f"The geometric branch alone, in the same network, reads {geometric:.3f} and with the visual branch "
        f"{fused:.3f} of the {part} photos; the findings above have the interval of the difference, which is what "
        "the pictures add."
    )


def _beside_fused(results: Results, key: str) -> tuple[float, float, str] | None:
    """Top-1 of a method and of the fused network, and the part they are judged on; None without either."""
    other, fused = _top1(results, key), _top1(results, "fused")
    return None if other is None or fused is None else (other, fused, _judged(results["fused"]))


def compare_curves(results: Results, names: Mapping[str, str]) -> list[Curves]:
    """Fig. 6 to 10, and all networks in one."""

    def log(key: str, figure: str) -> tuple[list[float], list[float]]:
        """Iterations, and a figure of the run's log at each; empty where there is no such run."""
        lines = results[key][VALIDATION].log if key in results else []
        return [line["step"] for line in lines], [line[figure] for line in lines]

    def losses(key: str) -> dict[str, tuple[list[float], list[float]]]:
        return {"validation": log(key, "loss"), "training": log(key, "training_loss")}

    def top_accuracies(key: str) -> dict[str, tuple[list[float], list[float]]]:
        return {f"top-{k}": log(key, f"top{k}") for k in TOP}

    loss = str(results["fused"][VALIDATION].meta.recipe["training"]["loss"]) if "fused" in results else "hinge"
    best = f"The paper's best, dotted, came at iteration {paper.BEST_ITERATION:,} of {paper.ITERATIONS:,}."
    average = "Training loss is the mean since the last validation, with dropout active; it can lie above."
    as_picture = "The paper gives this as a picture only"
    return [
        Curves(
            "figure_6",
            f"Fig. 6: {loss} loss" + ("" if loss == "hinge" else ", where the paper has the hinge loss"),
            f"{loss} loss",
            losses("fused"),
            {"validation": paper.FIGURE_6_LOSS} if loss == "hinge" else {},
            f"{best} {average}" if loss == "hinge" else average,
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
        Curves(
            "all_networks",
            "All networks: validation accuracy",
            "top-1 accuracy",
            {names[key]: log(key, "top1") for key in results if results[key][VALIDATION].log},
            note="Not in the paper.",
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
_QUESTION = (
    "geometric",
    "fused",
    "The fused network against its geometric branch alone, which the paper does not give",
)


def findings(results: Results, parts: Mapping[str, PreparedSet]) -> list[str]:
    """Whether the paper's order of methods came out, in sentences, by top-1 on the test subjects if there are any."""
    sentences = []
    for worse, better, claim in (*_CLAIMS, _QUESTION):
        if worse not in results or better not in results:
            continue
        part = _judged(results[better])
        right = [results[key][part].scores.argmax(axis=1) == parts[part].labels for key in (worse, better)]
        low, high = (float(results[key][part].accuracies[0]) for key in (worse, better))
        edges = interval_by_subject(right[1] - right[0].astype(np.float64), parts[part].subjects)
        verdict = _verdict(edges, (worse, better, claim) in _CLAIMS)
        sentences.append(
            f"{claim}: {verdict} ({part} photos: {high:.3f} against {low:.3f}; {_interval_words(edges)})."
        )
    if {"fused-half", "cross-entropy"} <= results.keys():
        hinge, entropy = (results[key][VALIDATION] for key in ("fused-half", "cross-entropy"))
        sentences.append(
            f"Hinge loss against cross-entropy, dropout 0.5: {hinge.accuracies[0]:.3f} against "
            f"{entropy.accuracies[0]:.3f}; validation loss was lowest at iteration "
            f"{hinge.meta.best['step']:,.0f} and {entropy.meta.best['step']:,.0f}. The paper finds both equally "
            "accurate, and cross-entropy to overfit sooner."
        )
    return sentences


def _interval_of(read: Result | Reading, k: int) -> tuple[float, float] | None:
    """Of top-k accuracy: known for top-1, of two subjects or more."""
    return known_interval(read.interval) if k == 1 else None


def _interval_words(edges: tuple[float, float]) -> str:
    if np.isnan(edges[0]):
        return "one subject, so no interval"
    return f"95% interval of the difference over subjects {edges[0]:.3f} to {edges[1]:.3f}"


def _verdict(edges: tuple[float, float], claimed: bool) -> str:
    """By the interval of the difference, and whether the paper claims that it is above zero."""
    if np.isnan(edges[0]):
        return "unknown, for one subject says nothing about others"
    if edges[0] > 0:
        return "better, as in the paper" if claimed else "better"
    if edges[1] < 0:
        return "worse, other than in the paper" if claimed else "worse"
    return "no difference beyond chance" + (", where the paper has one" if claimed else "")


def table_to_dict(table: Table) -> dict[str, Any]:
    """For JSON: the paper's figure and ours in every cell."""
    rows = {
        name: {column: _cell_to_dict(cell) for column, cell in zip(table.columns, cells, strict=True)}
        for name, cells in table.rows.items()
    }
    return {"title": table.title, "rows": rows, "note": table.note, "verdict": table.verdict}


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
