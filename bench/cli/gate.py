"""``unmask gate``: may a candidate take the place of a baseline? ``unmask baseline``: what it is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmask.bench.cli.options import Root, existing_root
from unmask.bench.core.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from unmask.bench.store.gating import Gate

app = typer.Typer(no_args_is_help=True)
Policy = Annotated[
    Path | None,
    typer.Option("--policy", metavar="gate.toml", help="What blocks, margins, a pinned anchor.", show_default=False),
]
Baseline = Annotated[Path, typer.Option("--baseline", metavar="RUN|FILE", help="A run, or what baseline accept wrote.")]
Candidate = Annotated[
    Path | None,
    typer.Option(
        "--candidate",
        metavar="RUN",
        help="A run with the new method; with --dataset the folder to run it in.",
        show_default="runs/gate",
    ),
]
Method = Annotated[
    str, typer.Option("--method", "-m", metavar="LABEL|SPEC", help="Which method of the run; with --dataset its SPEC.")
]
Datasets = Annotated[
    list[str] | None,
    typer.Option("--dataset", "-d", metavar="SPEC", help="Run the method over it first; may repeat."),
]
Preset = Annotated[str, typer.Option("--preset", metavar="ci", help="Fewer photos, and only the metrics that decide.")]
BaselineMethod = Annotated[
    str, typer.Option("--baseline-method", metavar="LABEL", help="Which method of the baseline.")
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", help="Folder for gate.json, gate.md, junit.xml and index.html.", show_default="CANDIDATE/gate"
    ),
]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes that share the work.")]


def gate(
    baseline: Baseline,
    candidate: Candidate = None,
    method: Method = "",
    dataset: Datasets = None,
    preset: Preset = "",
    baseline_method: BaselineMethod = "",
    policy: Policy = None,
    out: Out = None,
    workers: Workers = 1,
    root: Root = None,
) -> None:
    """Say whether a candidate is worse than a baseline, metric by metric, on the same faces.

    With --dataset the method is run first, as far as that was not done: measured as the baseline was, or as --preset
    says. Exit codes: 0 pass; 1 error; 2 wrong usage; 3 worse; 4 not comparable; 5 nothing measured, or the gate is
    broken; 6 inconclusive, where that blocks.
    """
    from unmask.bench.cli.progress import show_progress
    from unmask.bench.gate.gate import gate as judge
    from unmask.bench.gate.gate import open_candidate
    from unmask.bench.gate.policy import read_policy

    rules = read_policy(policy)
    run = (candidate if candidate is not None else Path("runs/gate")).absolute()
    notes: list[str] = []
    if dataset:
        method, notes = _run(method, dataset, baseline, preset, run, existing_root(root), workers)
    elif candidate is None or preset:
        option = "--preset chooses what is run, and needs" if preset else "name a finished run with --candidate, or"
        raise UsageError(f"{option} --dataset with --method")
    file = Path("baseline.json") if baseline.is_dir() else baseline
    result = judge(
        open_candidate(run, method, rules), baseline.absolute(), baseline_method, file, show_progress(), notes
    )
    target = out if out is not None else run / "gate"
    write_files(result, target)
    print_gate(result)
    typer.echo(f"files: {target}")
    if result.exit_code:
        raise typer.Exit(result.exit_code)


def _run(
    method: str, datasets: list[str], baseline: Path | None, preset: str, run: Path, root: Path | None, workers: int
) -> tuple[str, list[str]]:
    from unmask.bench.cli.progress import show_progress
    from unmask.bench.data.opening import refuse_nested
    from unmask.bench.gate.running import PRESETS, run_candidate

    if not method:
        raise UsageError("--dataset runs a method; name it with --method SPEC")
    if preset and preset not in PRESETS:
        raise UnknownNameError("preset", preset, PRESETS)
    refuse_nested(run, tuple(datasets), root)
    measured_as = None if baseline is None else baseline.absolute()
    return run_candidate(
        method, datasets, measured_as, preset, run, root=root, workers=workers, progress=show_progress()
    )


@app.command("accept")
def accept(
    run: Annotated[
        Path, typer.Argument(help="A run's folder; with --dataset the folder to run it in.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file, e.g. baseline.json; for git.")],
    method: Method = "",
    dataset: Datasets = None,
    preset: Preset = "",
    policy: Policy = None,
    workers: Workers = 1,
    root: Root = None,
) -> None:
    """Write a method's rows as the baseline of later gates: hashes, distances and outcomes; no faces or names.

    With --dataset the method is run first, as far as that was not done: measured as a run is without options, or as
    --preset says, which later gates then name too. Nothing else moves a baseline: commit the file, and every gate
    compares with it.
    """
    from unmask.bench.gate.gate import accept as rows_of
    from unmask.bench.gate.policy import read_policy
    from unmask.bench.store.documents import write_json

    if out.is_dir():
        raise UsageError(f"--out {out} is a folder; name the file, e.g. --out baseline.json")
    rules = read_policy(policy)
    notes: list[str] = []
    if dataset:
        method, notes = _run(method, dataset, None, preset, run.absolute(), existing_root(root), workers)
    elif preset:
        raise UsageError("--preset chooses what is run, and needs --dataset with --method")
    kept = rows_of(run.absolute(), method, rules)
    write_json(out, kept, private=False)
    faces = sum(len(dataset.faces) for dataset in kept.datasets)
    for note in notes:
        typer.echo(f"note: {note}")
    typer.echo(f"baseline: {out}: {kept.method}, {faces:,} faces, {out.stat().st_size / 1000:,.0f} kB")


def write_files(gate: Gate, folder: Path) -> None:
    """Before any exit code: whoever reads a failed gate needs them most."""
    from unmask.bench.store.documents import write_json
    from unmask.reports.gate_files import junit, markdown
    from unmask.reports.gate_page import page

    write_json(folder / "gate.json", gate, private=False)
    for name, text in (("gate.md", markdown(gate)), ("junit.xml", junit(gate)), ("index.html", page(gate))):
        (folder / name).write_bytes(text.encode("utf-8", "backslashreplace"))


def print_gate(gate: Gate) -> None:
    """The table of verdicts for the terminal, and last the decision."""
    from rich.markup import escape
    from rich.table import Table

    from unmask.bench.cli.listing import page_console
    from unmask.reports.gate_files import difference, headline, interval, needed, value

    console = page_console()
    table = Table(title=escape(f"{gate.candidate} against {gate.baseline}"), title_justify="left")
    for head in ("metric", "baseline", "candidate", "loss [95 %]", "margin", "verdict"):
        table.add_column(head, justify="left" if head in ("metric", "verdict") else "right", overflow="fold")
    several = len({row.dataset for row in gate.rows}) > 1
    for row in gate.rows:
        if row.group != "all" and row.verdict not in ("worse", "newly failed"):
            continue
        name = " ".join(
            [
                *([f"{row.dataset}:"] if several else []),
                row.title if row.group == "all" else f"{row.title}, {row.group}",
                *(["(anchor)"] if row.against == "anchor" else []),
            ]
        )
        words = row.verdict + (f"; {needed(row)}" if row.verdict == "inconclusive" else "")
        words += "; collapsed" if row.collapsed else ""
        words += f": {row.reason}" if row.reason else ""
        style = "bold" if row.blocks else ""
        values = [value(each, row.unit) for each in (row.baseline, row.candidate)]
        cells = [name, *values, interval(row), difference(row.margin, row.unit), words]
        table.add_row(*map(escape, cells), style=style)
    console.print(table)
    lines = [
        f"{each.dataset}: {each.what}{' (anchor)' if each.against == 'anchor' else ''}: {each.count:,} of {each.of:,}"
        + (f": {', '.join(each.faces[:3])}{' ...' if each.count > 3 else ''}" if each.count else "")
        for each in gate.changes
    ]
    lines += [each.text for each in gate.sensitivity]
    lines += [f"note: {note}" for note in gate.notes]
    if gate.decision != "pass":
        lines += [f"where this is meant: {gate.accept}"]
    lines += [
        *gate.reasons[:8],
        *([f"and {len(gate.reasons) - 8} more: see gate.json"] if len(gate.reasons) > 8 else []),
    ]
    for line in [*lines, f"gate: {headline(gate)}"]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
