"""Everything that the page about a reproduction of the thesis shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unmask.bench.store.documents import read_reproduction
from unmask.bench.store.results import Reproduction
from unmask.bench.store.view import RunView
from unmask.reports.site import slugs
from unmask.reports.thesis.facts import ours
from unmask.reports.thesis.gains import AttributeGains, attribute_gains
from unmask.reports.thesis.hypotheses import Decided, decide
from unmask.reports.thesis.measured import Measured
from unmask.reports.thesis.published import Cited, Inconsistency, Source, load_published
from unmask.reports.thesis.tables import DeidView, TableView, beside, deid_views
from unmask.reports.thesis.words import CLASSES


@dataclass(frozen=True, slots=True)
class ThesisPage:
    run: RunView
    reproduction: Reproduction
    source: Source
    photos: int
    faces: int
    hypotheses: tuple[Decided, ...]
    tables: tuple[TableView, ...]
    gains: tuple[AttributeGains, ...]
    deid: tuple[DeidView, ...]
    cited: tuple[Cited, ...]
    differences: tuple[tuple[str, str, str], ...]
    """What, in the thesis, here."""
    inconsistencies: tuple[Inconsistency, ...]
    classes: dict[str, str]
    """Verdict -> how it is coloured."""


def thesis_runs(runs: Sequence[RunView]) -> dict[str, RunView]:
    """File name of the page -> run, for the runs that follow the thesis's protocol."""
    reproductions = [run for run in runs if read_reproduction(run.folder.path) is not None]
    if len(reproductions) == 1:
        return {"thesis.html": reproductions[0]}
    names = slugs(run.tag for run in reproductions)
    return {f"thesis-{names[run.tag]}.html": run for run in reproductions}


def make_thesis_page(run: RunView) -> ThesisPage:
    """Raises `StoreError` where the run's files are damaged."""
    reproduction = read_reproduction(run.folder.path)
    if reproduction is None:
        raise ValueError("this run reproduces nothing")
    published, measured = load_published(), Measured(run, reproduction)
    inputs = run.inputs(reproduction.dataset)
    return ThesisPage(
        run,
        reproduction,
        published.source,
        inputs.images if inputs else 0,
        inputs.faces if inputs else 0,
        tuple(decide(published, measured)),
        tuple(beside(table, measured) for table in published.tables),
        tuple(attribute_gains(measured)),
        tuple(deid_views(published.rules, measured)),
        published.deid,
        tuple((each.what, each.thesis, ours(each, measured)) for each in published.differences),
        published.inconsistencies,
        {str(word): name for word, name in CLASSES.items()},
    )
