"""``unmask calibrate``: decision thresholds of the recognisers at stated false match rates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmask.bench.cli.options import Root, Workers, existing_root


def calibrate(
    dataset: Annotated[
        str, typer.Option("--dataset", "-d", help="Data set SPEC with identities.")
    ] = "lfw:split=calibrate",
    instrument: Annotated[
        list[str] | None, typer.Option("--instrument", help="Recognisers; default: all that are on.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude-people-of", help="Leave out people whom this data set names too.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The card to write.")] = Path("operating_points.json"),
    work: Annotated[
        Path | None, typer.Option("--work", help="Keep the readings here, to resume.", show_default=False)
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N images.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1.")] = "cpu",
    workers: Workers = 1,
    root: Root = None,
) -> None:
    """Measure the recognisers' thresholds at FMR 1e-2, 1e-3 and 1e-4 on people of a calibration set."""
    import tempfile

    from rich.console import Console
    from rich.table import Table

    from unmask.bench.cli.progress import show_progress
    from unmask.bench.core import registry
    from unmask.bench.run.executors import open_pool
    from unmask.bench.run.originals import calibrate_on, recognisers_of
    from unmask.bench.store.documents import write_json
    from unmask.bench.store.schemas import PlanSettings

    registry.check_device(device)
    progress = show_progress()
    with tempfile.TemporaryDirectory() as scratch, open_pool(workers) as pool:
        card = calibrate_on(
            dataset,
            recognisers_of(instrument or []),
            (work or Path(scratch)).absolute(),
            root=existing_root(root),
            pool=pool,
            progress=progress,
            settings=PlanSettings(seed=seed, limit=limit, device=device),
            exclude=exclude or [],
        )
    write_json(out.absolute(), card, private=False)
    table = Table(title=f"{card['dataset']}: {card['faces']} faces of {card['people']} people")
    for head in ("recogniser", "FMR", "cosine distance", "95 % interval", "TAR", "impostor pairs"):
        table.add_column(head)
    for name, points in card["points"].items():
        for p in points:
            shown = "not measurable" if p["threshold"] is None else f"{p['threshold']:.4f}"
            interval = "" if p["low"] is None else f"{p['low']:.4f} to {p['high']:.4f}"
            tar = "" if p["tar"] is None else f"{p['tar']:.4f}"
            table.add_row(name, f"{p['fmr']:g}", shown, interval, tar, f"{p['impostor']:,}")
    Console().print(table)
    typer.echo(f"card: {out}")
