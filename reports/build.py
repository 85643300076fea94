"""Builds a report: one static folder that needs nothing from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unmask.bench.core.errors import UsageError
from unmask.bench.core.evidence import SKIN_TERCILES
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.storage import Folder
from unmask.reports import export, pages
from unmask.reports.boards import Board, Entrant, make_boards
from unmask.reports.cards import own_tools
from unmask.reports.columns import FAMILIES, FAMILY_TITLES, better_text
from unmask.reports.faces import FaceGrid, FaceSource, face_grid, refuse_faces
from unmask.reports.leaderboard import Leaderboard, make_leaderboard
from unmask.reports.method_page import Section, make_section
from unmask.reports.metric_page import metric_cards, metric_on_boards
from unmask.reports.plots import Plot, tradeoff_plots
from unmask.reports.reported import load_reported
from unmask.reports.runs import RunView
from unmask.reports.runs_page import pairs, tagged_runs
from unmask.reports.site import Site, check_replaceable
from unmask.reports.slugs import slugs
from unmask.reports.thesis.page import make_thesis_page, thesis_runs

INDEX = "index.html"


@dataclass(frozen=True, slots=True)
class BoardView:
    """A leaderboard as the first page shows it."""

    table: Leaderboard
    plots: tuple[Plot, ...]
    grid: FaceGrid | None


@dataclass(frozen=True, slots=True)
class SectionView:
    """A data set's part of a method's page."""

    section: Section
    grid: FaceGrid | None


def build_report(
    runs: Sequence[RunFolder], out: Path, *, with_faces: bool = False, face_source: FaceSource | None = None
) -> Path:
    """Writes a report about finished runs into the folder ``out`` and returns its ``index.html``.

    The same runs give the same bytes. ``out`` appears whole or not at all; a former report there is replaced.
    ``with_faces`` shows originals, which ``face_source`` gives, and outputs.

    Raises `UsageError` if there are no runs, if ``out`` holds anything but a report, if faces are asked for and a data
    set's licence does not allow them; `StoreError` if a run is damaged.
    """
    if not runs:
        raise UsageError("name at least one run folder")
    if with_faces and face_source is None:
        raise UsageError("faces need a source of originals")
    check_replaceable(out)
    views = tagged_runs(runs)
    if with_faces:
        refuse_faces(views)
    with Folder(out, private=False).replacing(last=INDEX) as place:
        _write(place.local, views, face_source if with_faces else None)
    return out / INDEX


def _write(out: Path, runs: Sequence[RunView], source: FaceSource | None) -> None:
    boards = make_boards(runs)
    cards = metric_cards(boards)
    entrants = list({e.name: e for run in runs for e in (Entrant(run, m) for m in run.methods)}.values())
    hrefs = {name: f"{slug}.html" for name, slug in slugs(e.name for e in entrants).items()}
    board_slugs = slugs(board.title for board in boards)
    metric_slugs = slugs(cards)
    several = len(runs) > 1
    theses = thesis_runs(runs)
    site = Site(
        out,
        {
            "runs": runs,
            "several": several,
            "nav": _navigation(several, theses),
            "hrefs": hrefs,
            "metric_slugs": metric_slugs,
            "board_slugs": board_slugs,
        },
    )
    site.assets()
    tables = [make_leaderboard(board) for board in boards]
    grids = {
        board.title: face_grid(board, source, out, f"faces/{board_slugs[board.title]}", _stems(hrefs))
        for board in boards
        if source is not None
    }
    site.page(
        INDEX,
        INDEX,
        "index",
        summary=pages.summary(runs, tables),
        tables=_views(tables, grids),
        reported=load_reported(),
        theses=theses,
    )
    for board in boards:
        path = f"numbers-{board_slugs[board.title]}.html"
        site.page("numbers.html", path, "index", board=board, families=pages.number_families(board))
    _method_pages(site, boards, entrants, hrefs, grids)
    _metric_pages(site, boards, metric_slugs)
    site.page("data.html", "data.html", "data", datasets=pages.dataset_entries(boards))
    site.page(
        "instruments.html",
        "instruments.html",
        "instruments",
        groups=pages.instrument_groups(runs),
        own_tools=list(dict.fromkeys(text for run in runs for text in own_tools(run.methods, run.instruments))),
        rates_page="data.html",
        calibrations=[pages.calibration_view(run.operating_points, run.tag) for run in runs],
    )
    site.page("reading.html", "reading.html", "reading")
    site.page("provenance.html", "provenance.html", "provenance", entries=[pages.provenance_entry(r) for r in runs])
    for path, run in theses.items():
        own = {method: hrefs[Entrant(run, method).name] for method in run.methods}
        site.page("thesis.html", path, path, page=make_thesis_page(run), page_hrefs=own)
    if several:
        site.page("runs.html", "runs.html", "runs", pairs=pairs(runs))
    site.text("leaderboard.csv", export.to_csv(tables))
    site.text("leaderboard.md", export.to_markdown(tables))
    site.text("leaderboard.tex", export.to_latex(tables))
    site.seal([run.key for run in runs])


def _navigation(several: bool, theses: Mapping[str, RunView]) -> list[tuple[str, str, str]]:
    return [
        (INDEX, "Leaderboard", "index"),
        *((path, f"Thesis, {run.tag}" if len(theses) > 1 else "Thesis", path) for path, run in theses.items()),
        *([("runs.html", "Runs", "runs")] if several else []),
        ("methods/index.html", "Methods", "methods"),
        ("metrics/index.html", "Metrics", "metrics"),
        ("data.html", "Data", "data"),
        ("instruments.html", "Instruments", "instruments"),
        ("reading.html", "How to read this", "reading"),
        ("provenance.html", "Provenance", "provenance"),
    ]


def _stems(hrefs: dict[str, str]) -> dict[str, str]:
    return {name: href.removesuffix(".html") for name, href in hrefs.items()}


def _views(tables: Sequence[Leaderboard], grids: dict[str, FaceGrid]) -> list[BoardView]:
    return [
        BoardView(table, tuple(tradeoff_plots(table, f"plot{i}")), grids.get(table.board.title))
        for i, table in enumerate(tables)
    ]


def _method_pages(
    site: Site,
    boards: Sequence[Board],
    entrants: Sequence[Entrant],
    hrefs: dict[str, str],
    grids: dict[str, FaceGrid],
) -> None:
    listed: list[dict[str, Any]] = []
    for entrant in entrants:
        card = entrant.run.methods[entrant.method]
        listed.append({"name": entrant.name, "href": hrefs[entrant.name], "card": card})
        own = [board for board in boards if entrant.run in board.runs]
        sections = [
            SectionView(
                make_section(board, entrant, f"s{i}"),
                grids[board.title].only(entrant.name) if board.title in grids and not entrant.control else None,
            )
            for i, board in enumerate(own)
        ]
        plan = entrant.run.plan
        method = next(release.method for release in plan.releases if release.label == entrant.method)
        spec = next(m.spec for m in plan.methods if m.label == method)
        path = f"methods/{hrefs[entrant.name]}"
        content = {"card": card, "spec": spec, "sections": sections, "skin_groups": SKIN_TERCILES}
        site.page("method.html", path, "methods", name=entrant.name, **content)
    site.page("methods.html", "methods/index.html", "methods", methods=listed)


def _metric_pages(site: Site, boards: Sequence[Board], metric_slugs: dict[str, str]) -> None:
    cards = metric_cards(boards)
    for name, card in cards.items():
        site.page(
            "metric.html",
            f"metrics/{metric_slugs[name]}.html",
            "metrics",
            card=card,
            family=FAMILY_TITLES[card.family],
            better=better_text(card),
            boards=metric_on_boards(boards, name),
        )
    families = [(FAMILY_TITLES[f], [c for c in cards.values() if c.family == f]) for f in FAMILIES]
    site.page("metrics.html", "metrics/index.html", "metrics", families=[(t, found) for t, found in families if found])
