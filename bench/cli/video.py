"""``unmask video``: methods over clips: who can still be followed, and who is exposed for how long."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmask.bench.cli.options import (
    CHOOSING,
    MEASURING,
    NO_OUTPUT,
    RUNNING,
    ConfiguredOut,
    ConfiguredWorkers,
    Root,
    TimeLimit,
    existing_root,
    split_names,
)


def video(
    config: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG.toml]", help="Settings; options win over it.", show_default=False)
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset", "-d", help="SPEC of a set of clips, e.g. clips:FOLDER; may repeat.", rich_help_panel=CHOOSING
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            "-m",
            help="As of unmask run; outputs:dir=FOLDER for clips anonymized elsewhere.",
            rich_help_panel=CHOOSING,
        ),
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(
            "--detector",
            help="Who finds people: yolov3-tiny, yolov3:cfg=FILE,weights=FILE, ultralytics:...",
            rich_help_panel=MEASURING,
        ),
    ] = None,
    tracker: Annotated[
        list[str] | None,
        typer.Option("--tracker", help="Who follows them: deepsort, sort; may be repeated.", rich_help_panel=MEASURING),
    ] = None,
    instrument: Annotated[
        list[str] | None,
        typer.Option(
            "--instrument", help="Use only these recognisers, with commas or repeated.", rich_help_panel=MEASURING
        ),
    ] = None,
    quality: Annotated[
        list[str] | None,
        typer.Option(
            "--quality",
            help="Score every method at this quality too: matched (the source's bitrate), 56k; may repeat.",
            rich_help_panel=MEASURING,
        ),
    ] = None,
    control_quality: Annotated[
        list[str] | None,
        typer.Option(
            "--control-quality", help="The same for the control alone (default: matched).", rich_help_panel=MEASURING
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="Only the first N clips of each data set.", rich_help_panel=CHOOSING),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option("--frames", min=1, help="Only the first N frames of each clip.", rich_help_panel=CHOOSING),
    ] = None,
    keep_audio: Annotated[
        bool | None,
        typer.Option("--keep-audio", help="Keep the sound in clips that are not lossless.", rich_help_panel=RUNNING),
    ] = None,
    out: ConfiguredOut = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Of every random draw (default 0).", rich_help_panel=CHOOSING)
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="cpu (default), cuda, cuda:1.", rich_help_panel=RUNNING)
    ] = None,
    workers: ConfiguredWorkers = None,
    time_limit: TimeLimit = None,
    root: Root = None,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Write the HTML report too.", rich_help_panel=RUNNING)
    ] = True,
) -> None:
    """Run anonymizers over clips and score them over time.

    Without arguments: classical methods over two small demo clips. The same command goes on where a killed
    one stopped.
    Exit code 3: finished, but a method gave nothing usable on a data set; 2: wrong usage; 1: another error.
    """
    from rich.console import Console

    from unmask.bench.cli.fetch_progress import fetch_progress
    from unmask.bench.cli.progress import show_progress
    from unmask.bench.cli.summary import print_video_summary
    from unmask.bench.data.opening import refuse_nested
    from unmask.bench.run.config import read_running, read_settings
    from unmask.bench.run.video.config import VideoConfig
    from unmask.bench.run.video.pipeline import get_video_ready, run_video

    asked = {
        "datasets": dataset,
        "methods": method,
        "detector": detector,
        "trackers": tracker,
        "instruments": split_names(instrument),
        "qualities": split_names(quality),
        "control_qualities": split_names(control_quality),
        "limit": limit,
        "frames": frames,
        "keep_audio": keep_audio,
        "seed": seed,
        "device": device,
    }
    settings = read_settings(VideoConfig, config, asked)
    carried = read_running(config, {"out": out, "workers": workers, "time_limit": time_limit}, "runs/video")
    where = existing_root(root)
    refuse_nested(carried.out, settings.datasets, where)
    with fetch_progress(Console(stderr=True)) as fetching:
        plan = get_video_ready(settings, root=where, progress=fetching)
    folder = run_video(
        plan,
        carried.out.absolute(),
        root=where,
        workers=carried.workers,
        progress=show_progress(),
        time_limit=carried.time_limit,
    )
    complete = print_video_summary(folder)
    typer.echo(f"results: {folder.estimates_path}")
    if report:
        from unmask.reports.video.build import build_video_report

        typer.echo(f"report:  {build_video_report(folder, folder.path / 'report')}")
    if not complete:
        raise typer.Exit(NO_OUTPUT)
