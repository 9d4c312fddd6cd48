"""What goes into the comparison with the paper, as a page and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mien.datasets.prepared import PreparedSet
from mien.drawing.pages import Figure, write_page
from mien.drawing.plots import curves_figure
from mien.evaluation.report import CHANCE_LEVEL, accuracy_plot, confusion_plots, example_faces
from mien.files import write_json
from mien.studies import paper
from mien.studies.comparison import (
    TEST,
    VALIDATION,
    Curves,
    Results,
    compare_curves,
    compare_tables,
    curves_to_dict,
    findings,
    table_to_dict,
)
from mien.studies.features import Reading


def write_comparison(
    out: Path,
    faces: str,
    setup: Mapping[str, str],
    parts: Mapping[str, PreparedSet],
    results: Results,
    names: Mapping[str, str],
    why_missing: Mapping[str, str],
    readings: Mapping[str, Mapping[str, Reading]] | None = None,
) -> dict[str, Any]:
    """Write `report.html` and `report.json` into `out`.

    Args:
        out: folder.
        faces: a sentence that says on what faces it ran.
        setup: what else to know about the runs: name -> text.
        parts: validation and, if there is one, test photos.
        results: the runs.
        names: key -> the method, for people.
        why_missing: key -> why there is no such run.
        readings: see `compare_tables`.

    Returns:
        the content of report.json.
    """
    tables = compare_tables(results, names, why_missing, readings)
    curves = compare_curves(results, names)
    counts = {name: {"photos": len(part), "subjects": len(set(part.subjects))} for name, part in parts.items()}
    content: dict[str, Any] = {
        "paper": {"source": paper.SOURCE, "faces": paper.FACES},
        "ours": {"faces": faces, "parts": counts, "setup": dict(setup)},
        "findings": findings(results, parts),
        "tables": {table.key: table_to_dict(table) for table in tables},
        "figures": {curve.key: curves_to_dict(curve) for curve in curves},
        "runs": {names[key]: {part: r.as_dict() for part, r in by_part.items()} for key, by_part in results.items()},
    }
    write_json(out / "report.json", content)
    shown = "fused" if "fused" in results else next(iter(results))
    part = TEST if TEST in parts else VALIDATION
    result = results[shown][part]
    write_page(
        out / "report.html",
        "comparison.html",
        title="The paper, reproduced",
        source=paper.SOURCE,
        faces=faces,
        paper_faces=paper.FACES,
        parts=[{"name": name, **count} for name, count in counts.items()],
        setup=setup,
        findings=content["findings"],
        chance_level=CHANCE_LEVEL,
        tables=tables,
        curves=[{"title": curve.title, "figure": _plot(curve)} for curve in curves],
        shown_method=names[shown],
        shown_part=part,
        accuracy=accuracy_plot(
            {names[key]: results[key][part].accuracies for key in paper.SECTION_III_TOP1 if key in results}
        ),
        confusions=confusion_plots(result),
        examples=example_faces(parts[part], result),
    )
    return content


def _plot(curves: Curves) -> Figure | None:
    """None where nothing was trained."""
    if not any(steps for steps, _ in curves.ours.values()):
        return None
    return Figure(curves_figure(curves.ours, curves.paper, curves.unit), curves.note or curves.title)
