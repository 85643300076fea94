"""``unmask calibrate``: decision thresholds of the recognisers at stated false match rates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmask.bench.cli.options import Root, existing_root

if TYPE_CHECKING:
    from unmask.bench.run.planning.config import Running
    from unmask.bench.study.originals import CalibrationSettings


def calibrate(
    settings: CalibrationSettings,
    running: Running,
    out: Annotated[Path, typer.Option("--out", "-o", help="The card to write.")] = Path("operating_points.json"),
    work: Annotated[
        Path | None, typer.Option("--work", help="Keep the readings here, to resume.", show_default=False)
    ] = None,
    root: Root = None,
) -> None:
    """Measure the recognisers' thresholds at FMR 1e-2, 1e-3 and 1e-4 on people of a calibration set."""
    import tempfile

    from rich.console import Console
    from rich.table import Table

    from unmask.bench.cli.progress import show_progress
    from unmask.bench.store.documents import write_json
    from unmask.bench.study.originals import calibration_card

    with tempfile.TemporaryDirectory() as scratch:
        card = calibration_card(
            settings,
            (work or Path(scratch)).absolute(),
            root=existing_root(root),
            workers=running.workers,
            progress=show_progress(),
        )
    write_json(out.absolute(), card, private=False)
    table = Table(title=f"{card['dataset']}: {card['faces']} faces of {card['people']} people")
    for head in ("recogniser", "FMR", "cosine distance", "95 % interval", "TAR", "impostor pairs"):
        table.add_column(head)
    for name, points in card["points"].items():
        for p in points:
            threshold = "not measurable" if p["threshold"] is None else f"{p['threshold']:.4f}"
            interval = "" if p["low"] is None else f"{p['low']:.4f} to {p['high']:.4f}"
            tar = "" if p["tar"] is None else f"{p['tar']:.4f}"
            table.add_row(name, f"{p['fmr']:g}", threshold, interval, tar, f"{p['impostor']:,}")
    Console().print(table)
    typer.echo(f"card: {out}")
