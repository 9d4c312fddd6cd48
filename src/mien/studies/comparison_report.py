"""The comparison with the paper as one HTML file that needs no network, and as JSON."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mien.datasets.prepared import PreparedSet
from mien.drawing.plots import accuracy_figure, confusion_figure, curves_figure
from mien.evaluation.metrics import confusions_of_emotions
from mien.evaluation.report import examples, figure_to_html, write_page
from mien.files import write_json
from mien.labels import CLASS_COUNT
from mien.studies import paper
from mien.studies.comparison import (
    TEST,
    VALIDATION,
    Cell,
    Curves,
    Judged,
    Table,
    compare_curves,
    compare_tables,
    curves_to_dict,
    findings,
    table_to_dict,
)

_TITLE = "The paper, reproduced"
_CELL_STYLE = (
    "<style>td small { color: #52616f; display: block; font-size: .78rem; line-height: 1.25; "
    "white-space: normal; max-width: 11rem; margin-left: auto } "
    "td.ours { font-weight: 600 } td.ours small { font-weight: 400 } ul { padding-left: 1.2rem }</style>"
)


def write_comparison(
    out: Path,
    faces: str,
    setup: Mapping[str, str],
    parts: Mapping[str, PreparedSet],
    judged: Judged,
    names: Mapping[str, str],
    why_missing: Mapping[str, str],
) -> dict[str, Any]:
    """Write `report.html` and `report.json` into `out`.

    Args:
        out: folder.
        faces: a sentence that says on what faces it ran.
        setup: what else to know about the runs: name -> text.
        parts: validation and, if there is one, test photos.
        judged: the runs.
        names: key -> the method, for people.
        why_missing: key -> why there is no such run.

    Returns:
        the content of report.json.
    """
    tables, figures = compare_tables(judged, names, why_missing), compare_curves(judged)
    counts = {name: {"photos": len(part), "subjects": len(set(part.subjects))} for name, part in parts.items()}
    content: dict[str, Any] = {
        "paper": {"source": paper.SOURCE, "faces": paper.FACES},
        "ours": {"faces": faces, "parts": counts, "setup": dict(setup)},
        "findings": findings(judged),
        "tables": {table.key: table_to_dict(table) for table in tables},
        "figures": {curves.key: curves_to_dict(curves) for curves in figures},
        "runs": {names[key]: {part: r.as_dict() for part, r in by_part.items()} for key, by_part in judged.items()},
    }
    write_json(out / "report.json", content)
    shown = "fused" if "fused" in judged else next(iter(judged))
    part = TEST if TEST in parts else VALIDATION
    result = judged[shown][part]
    sections = [
        _CELL_STYLE,
        f"<h1>{_TITLE}</h1>",
        f"<p class=note>{html.escape(paper.SOURCE)}.</p>",
        f"<p><b>{html.escape(faces)}</b> The paper's figures are from other faces ({html.escape(paper.FACES)}), so "
        "compare the order of methods, not the numbers.</p>",
        "<p>" + " ".join(_part_sentence(name, counts[name]) for name in parts) + "</p>",
        "<ul>" + "".join(f"<li>{html.escape(k)}: {html.escape(v)}</li>" for k, v in setup.items()) + "</ul>",
        "<h2>What came out</h2>",
        "<ul>" + "".join(f"<li>{html.escape(sentence)}</li>" for sentence in content["findings"]) + "</ul>",
        f"<p class=note>Guessing gives {1 / CLASS_COUNT:.3f}. One run each, one seed: a difference within the "
        "intervals of the tables says little.</p>",
        *(_table_to_html(table) for table in tables),
        *(_curves_to_html(curves) for curves in figures),
        f"<h2>All methods, {part} photos</h2>",
        figure_to_html(
            accuracy_figure(
                {names[key]: judged[key][part].accuracies for key in paper.SECTION_III_TOP1 if key in judged},
                1 / CLASS_COUNT,
            ),
            "Share of photos whose true class, one of 50, is among the k likeliest.",
        ),
        f"<h2>What is taken for what: {html.escape(names[shown])}</h2>",
        figure_to_html(
            confusion_figure(*confusions_of_emotions(result.confusion)),
            "Percent of the photos that show the emotion of the row.",
        ),
        "<h2>Aligned faces and their landmarks (Fig. 1, 4 and 5)</h2>",
        figure_to_html(examples(parts[part], result), "What they show, and what was read. Drawn by "
                       "lot, not by success."),
        "<p class=note>A class says what a face displays, not what a person feels. Accuracy on made faces says "
        "little about real ones.</p>",
    ]  # fmt: skip
    write_page(out / "report.html", _TITLE, sections)
    return content


def _part_sentence(name: str, counts: Mapping[str, int]) -> str:
    use = "on which each run's best iteration was chosen" if name == VALIDATION else "which nothing was chosen on"
    return f"{name.capitalize()}: {counts['photos']:,} photos of {counts['subjects']} people, {use}."


def _table_to_html(table: Table) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("", *table.heads))
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td>{''.join(_cell_to_html(cell, table.digits) for cell in cells)}</tr>"
        for name, cells in table.rows.items()
    )
    return (
        f"<h2>{html.escape(table.title)}</h2><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"<p class=note>In each cell ours with its 95% interval over people (too narrow where these are few), "
        "and the paper's. "
        f"{html.escape(table.note)}</p>"
    )


def _cell_to_html(cell: Cell, digits: int) -> str:
    given = "paper: none given" if cell.paper is None else f"paper: {cell.paper:.{digits}f}"
    if cell.ours is None:
        return f"<td>\u2013<small>{html.escape(cell.why)}</small><small>{given}</small></td>"
    reach = ""
    if cell.interval is not None:
        low, high = cell.interval
        reach = f"<small>{low:.{digits}f} to {high:.{digits}f}</small>"
    return f"<td class=ours>{cell.ours:.{digits}f}{reach}<small>{given}</small></td>"


def _curves_to_html(curves: Curves) -> str:
    title = f"<h2>{html.escape(curves.title)}</h2>"
    if not any(steps for steps, _ in curves.ours.values()):
        return f"{title}<p class=note>Not trained.</p>"
    return title + figure_to_html(curves_figure(curves.ours, curves.paper, curves.unit), curves.note or curves.title)
