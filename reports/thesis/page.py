"""Everything that the page about a reproduction of the thesis shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from unmask.bench.store.documents import read_reproduction
from unmask.bench.store.view import RunView
from unmask.reports.site import slugs
from unmask.reports.thesis.decisions import Verdict
from unmask.reports.thesis.facts import ours
from unmask.reports.thesis.gains import attribute_gains
from unmask.reports.thesis.hypotheses import decide
from unmask.reports.thesis.published import load_published
from unmask.reports.thesis.results import Results
from unmask.reports.thesis.tables import beside, deid_rates, pictures, quality_over_crops

CLASSES: Final[dict[Verdict, str]] = {
    "supported": "better",
    "not supported": "worse",
    "undecided": "tie",
    "not measured": "none",
}
"""How a verdict is coloured."""


def thesis_runs(runs: Sequence[RunView]) -> dict[str, RunView]:
    """File name of the page -> run, for the runs that follow the thesis's protocol."""
    reproductions = [run for run in runs if read_reproduction(run.folder.path) is not None]
    if len(reproductions) == 1:
        return {"thesis.html": reproductions[0]}
    names = slugs(run.tag for run in reproductions)
    return {f"thesis-{names[run.tag]}.html": run for run in reproductions}


def thesis_values(run: RunView) -> dict[str, Any]:
    """What the template shows of a run that is among `thesis_runs`. Raises `StoreError` where its files are damaged."""
    reproduction = read_reproduction(run.folder.path)
    assert reproduction is not None
    published, results = load_published(), Results(run, reproduction)
    inputs = run.inputs(reproduction.dataset)
    return {
        "published": published,
        "results": results,
        "reproduction": reproduction,
        "photos": inputs.images if inputs else 0,
        "faces": inputs.faces if inputs else 0,
        "hypotheses": decide(published, results),
        "tables": [(table, beside(table, results)) for table in published.tables],
        "pictures": pictures(results),
        "crops": quality_over_crops(published, results),
        "gains": attribute_gains(results),
        "deid": deid_rates(published.rules, results),
        "differences": [(each.what, each.thesis, ours(each, results)) for each in published.differences],
        "classes": CLASSES,
    }
