"""Builds a report: one static folder that needs nothing from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unmask.bench.core.demographics import SKIN_TERCILES
from unmask.bench.core.errors import UsageError
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.storage import Folder
from unmask.bench.store.view import RunView, own_tools
from unmask.reports import audit_plots, export, pages
from unmask.reports.attackers import AttackerPage, attacker_pages
from unmask.reports.audit import audits, share
from unmask.reports.boards import Board, Entrant, make_boards
from unmask.reports.clips.codec import codec_values
from unmask.reports.clips.findings import RULE, findings
from unmask.reports.clips.inputs import clip_facts, rate_text
from unmask.reports.clips.people import followed_by, people_tables, thesis
from unmask.reports.clips.timelines import timeline_values
from unmask.reports.columns import FAMILY_TITLES, better_text
from unmask.reports.faces import FaceGrid, FaceSource, face_grid, refuse_faces
from unmask.reports.leaderboard import make_leaderboard, summary
from unmask.reports.method_page import section_values
from unmask.reports.plots import tradeoff_plots
from unmask.reports.protection import protection
from unmask.reports.rankings import attributes, further, linking
from unmask.reports.reported import load_reported
from unmask.reports.runs_page import pairs, tagged_runs
from unmask.reports.site import Site, check_replaceable, slugs
from unmask.reports.thesis.page import thesis_runs, thesis_values

INDEX = "index.html"


@dataclass(frozen=True, slots=True)
class Content:
    """What a report is about, and under which names its pages lie."""

    runs: tuple[RunView, ...]
    boards: tuple[Board, ...]
    entrants: tuple[Entrant, ...]
    theses: Mapping[str, RunView]
    hrefs: dict[str, str]
    """Entrant -> file name of its page."""
    board_slugs: dict[str, str]
    metric_slugs: dict[str, str]
    clip_pages: dict[str, str]
    """`ClipSet.label` -> file name of its page."""
    attacker_slugs: dict[str, str]
    """Label of an attacker -> file name of its page, without its ending."""

    @classmethod
    def of(cls, runs: Sequence[RunView]) -> Content:
        boards = tuple(make_boards(runs))
        entrants = {entrant.name: entrant for board in boards for entrant in board.entrants}
        clips = slugs(clips.label for board in boards for clips in board.clips)
        return cls(
            tuple(runs),
            boards,
            tuple(entrants.values()),
            thesis_runs(runs),
            {name: f"{slug}.html" for name, slug in slugs(entrants).items()},
            slugs(board.title for board in boards),
            slugs(pages.metric_cards(boards)),
            {label: f"clips-{slug}.html" for label, slug in clips.items()},
            slugs(planned.label for run in runs for planned in run.plan.attackers),
        )

    @property
    def kinds(self) -> set[str]:
        """Of ``photos`` and ``clips``, those that the data sets hold."""
        return {dataset.kind for run in self.runs for dataset in run.plan.datasets}

    def navigation(self) -> list[tuple[str, str, str]]:
        """File, title and key of each entry."""
        theses = self.theses.items()
        return [
            (INDEX, "Leaderboard", "index"),
            *((path, f"Thesis, {run.tag}" if len(theses) > 1 else "Thesis", path) for path, run in theses),
            *((path, "Clip by clip", path) for path in self.clip_pages.values() if len(self.clip_pages) == 1),
            *([("runs.html", "Runs", "runs")] if len(self.runs) > 1 else []),
            ("methods/index.html", "Methods", "methods"),
            *([("audit.html", "Attackers", "audit")] if any(run.plan.attackers for run in self.runs) else []),
            ("metrics/index.html", "Metrics", "metrics"),
            ("data.html", "Data", "data"),
            ("instruments.html", "Instruments", "instruments"),
            ("reading.html", "How to read this", "reading"),
            ("provenance.html", "Provenance", "provenance"),
        ]


def build_report(
    runs: Sequence[RunFolder], out: Path, *, with_faces: bool = False, face_source: FaceSource | None = None
) -> Path:
    """Writes a report about finished runs, over photos, clips or both, into the folder ``out`` and returns its
    ``index.html``.

    The same runs give the same bytes. ``out`` appears whole or not at all; a former report there is replaced.
    ``with_faces`` shows originals, which ``face_source`` gives, and outputs; no frame of a clip is ever shown.

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
        _write(place.local, Content.of(views), face_source if with_faces else None)
    return out / INDEX


def open_site(out: Path, content: Content) -> Site:
    """A report in ``out`` that has no pages yet."""
    runs = content.runs
    shared = {
        "runs": runs,
        "several": len(runs) > 1,
        "kinds": content.kinds,
        "nav": content.navigation(),
        "hrefs": content.hrefs,
        "metric_slugs": content.metric_slugs,
        "board_slugs": content.board_slugs,
        "clip_pages": content.clip_pages,
        "attacker_slugs": content.attacker_slugs,
        "share": share,
        "rule": RULE,
        "better": better_text,
        "lines": pages.metric_lines,
        "rate": rate_text,
        "versions": pages.versions,
    }
    return Site(out, shared)


def _write(out: Path, content: Content, source: FaceSource | None) -> None:
    runs, boards = content.runs, content.boards
    site = open_site(out, content)
    site.assets()
    tables = [make_leaderboard(board) for board in boards]
    stems = {name: href.removesuffix(".html") for name, href in content.hrefs.items()}
    grids = {
        board.title: face_grid(board, source, out, f"faces/{content.board_slugs[board.title]}", stems)
        for board in boards
        if source is not None and not board.clips
    }
    site.page(
        INDEX,
        INDEX,
        "index",
        summary=summary(runs, tables),
        boards=[
            (
                table,
                tradeoff_plots(table, f"plot{number}"),
                grids.get(table.board.title),
                [(clips, findings(clips)) for clips in table.board.clips],
            )
            for number, table in enumerate(tables)
        ],
        reported=load_reported() if "photos" in content.kinds else None,
        theses=content.theses,
    )
    for board in boards:
        path = f"numbers-{content.board_slugs[board.title]}.html"
        groups, families = pages.group_titles(board), pages.metric_families(board)
        site.page("numbers.html", path, "index", board=board, groups=groups, families=families)
    _clip_pages(site, content)
    _method_pages(site, content, grids)
    _metric_pages(site, content)
    _run_pages(site, content)
    if any(run.plan.attackers for run in runs):
        _audit_pages(site, content)
    site.text("leaderboard.csv", export.to_csv(tables))
    site.text("leaderboard.md", export.to_markdown(tables))
    site.text("leaderboard.tex", export.to_latex(tables))
    site.text("estimates.csv", export.all_to_csv(boards))
    site.seal([run.key for run in runs])


def _audit_pages(site: Site, content: Content) -> None:
    """What attackers reach who know the methods: one page about all, and one about each."""
    of_boards = audits(content.boards)
    attackers: list[AttackerPage] = attacker_pages(content.runs, of_boards)
    parts = [
        (
            audit,
            linking(audit.board),
            attributes(audit.board),
            protection(audit),
            further(audit),
            audit_plots.curves(audit, f"a{number}"),
            [
                drawing
                for k, line in enumerate(audit.lines)
                if (drawing := audit_plots.galleries(line, f"a{number}-g{k}")) is not None
            ],
        )
        for number, audit in enumerate(of_boards)
    ]
    site.page("audit.html", "audit.html", "audit", parts=parts, attackers=attackers)
    for page in attackers:
        site.page("attacker.html", f"attackers/{content.attacker_slugs[page.label]}.html", "audit", page=page)


def _clip_pages(site: Site, content: Content) -> None:
    for board in content.boards:
        for clips in board.clips:
            path = content.clip_pages[clips.label]
            site.page(
                "clips.html",
                path,
                path if len(content.clip_pages) == 1 else "index",
                clips=clips,
                board=board,
                followed_by=followed_by(clips),
                people=people_tables(board, clips),
                codec=codec_values(board, clips),
                timelines=timeline_values(clips, "time"),
                thesis=thesis(),
            )


def _method_pages(site: Site, content: Content, grids: Mapping[str, FaceGrid]) -> None:
    for entrant in content.entrants:
        own = [board for board in content.boards if entrant in board.entrants]
        sections = [
            {
                **section_values(board, entrant, f"s{number}"),
                "grid": grids[board.title].only(entrant.name) if board.title in grids and not entrant.control else None,
            }
            for number, board in enumerate(own)
        ]
        method = entrant.run.releases[entrant.label].method
        spec = next(m.spec for m in entrant.run.plan.methods if m.label == method)
        values = {"card": entrant.card, "spec": spec, "sections": sections, "skin_groups": SKIN_TERCILES}
        site.page("method.html", f"methods/{content.hrefs[entrant.name]}", "methods", name=entrant.name, **values)
    site.page("methods.html", "methods/index.html", "methods", entrants=content.entrants)


def _metric_pages(site: Site, content: Content) -> None:
    cards = pages.metric_cards(content.boards)
    for name, card in cards.items():
        site.page(
            "metric.html",
            f"metrics/{content.metric_slugs[name]}.html",
            "metrics",
            card=card,
            family=FAMILY_TITLES[card.family],
            boards=[(board, lines) for board in content.boards if (lines := pages.metric_lines(board, name))],
        )
    families = [(title, [c for c in cards.values() if c.family == f]) for f, title in FAMILY_TITLES.items()]
    site.page("metrics.html", "metrics/index.html", "metrics", families=[family for family in families if family[1]])


def _run_pages(site: Site, content: Content) -> None:
    """What the runs were given and made with."""
    runs = content.runs
    datasets = [
        (board, pages.stranger_rates(board), [(clips, clip_facts(clips)) for clips in board.clips])
        for board in content.boards
    ]
    site.page("data.html", "data.html", "data", datasets=datasets)
    site.page(
        "instruments.html",
        "instruments.html",
        "instruments",
        groups=pages.instrument_groups(runs),
        own_tools=list(dict.fromkeys(text for run in runs for text in own_tools(run.methods, run.instruments))),
    )
    site.page("reading.html", "reading.html", "reading")
    site.page("provenance.html", "provenance.html", "provenance")
    write_thesis_pages(site, content)
    if len(runs) > 1:
        site.page("runs.html", "runs.html", "runs", pairs=pairs(runs))


def write_thesis_pages(site: Site, content: Content) -> None:
    """A page for each run that follows the thesis's protocol."""
    for path, run in content.theses.items():
        own = {method: content.hrefs[Entrant(run, method).name] for method in run.methods}
        site.page("thesis.html", path, path, page_hrefs=own, **thesis_values(run))
