"""``unmask data build``: training data out of photos, as the thesis made it (3.2)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmask.bench.cli.options import WAY_OF_RUNNING, Root, existing_root, settings_command

if TYPE_CHECKING:
    from unmask.bench.run.planning.config import Running
    from unmask.bench.study.training_set import BuildSettings

app = typer.Typer(help="Make training data: labelled face crops, and a balanced test set.", no_args_is_help=True)

Out = Annotated[Path, typer.Option("--out", "-o", help="The set's folder; resumes.", show_default=False)]
_SETTINGS = "unmask.bench.study.training_set:BuildSettings"
_RUNNING = ("out", "time_limit")


@settings_command(app, "diverse-faces", _SETTINGS, WAY_OF_RUNNING, without=("tones", "recolour", "passes", *_RUNNING))
def diverse_faces(settings: BuildSettings, out: Out, running: Running, root: Root = None) -> None:
    """Faces with their own skin (thesis 3.2.1), labelled with gender and age group.

    Photos without a face, of several people, or of people whose age and gender cannot be told are dropped and counted.
    """
    _build(settings, out, running.workers, root)


@settings_command(
    app, "diverse-faces-skin", _SETTINGS, WAY_OF_RUNNING, without=_RUNNING, defaults={"tones": ("dark", "light")}
)
def diverse_faces_skin(settings: BuildSettings, out: Out, running: Running, root: Root = None) -> None:
    """Every face once in each skin tone (thesis 3.2.2), with the attribute dark_skin.

    Test photos stay as they are and get a target file for each tone. Faces whose skin cannot be estimated, and those
    that are not found any more once recoloured, are dropped and counted.
    """
    _build(settings, out, running.workers, root)


def _build(settings: BuildSettings, out: Path, workers: int, root: Path | None) -> None:
    from unmask.bench.cli.progress import fetch_progress, show_progress
    from unmask.bench.data.opening import refuse_nested
    from unmask.bench.study.training_set import build, group_table

    where = existing_root(root)
    refuse_nested(out, [source.spec for source in settings.sources], where)
    with fetch_progress() as fetching:
        card = build(settings, out.absolute(), root=where, workers=workers, progress=show_progress(), fetching=fetching)
    for count in card["counts"]:
        dropped = ", ".join(f"{number} {reason}" for reason, number in count["dropped"].items()) or "none"
        full = f"; {count['over_the_limit']} more than their group takes" if count["over_the_limit"] else ""
        typer.echo(f"{count['source']}: {count['photos']} photos, {count['faces']} faces; dropped: {dropped}{full}")
    for part, tones in card["faces"].items():
        for tone, groups in tones.items():
            typer.echo(f"\n{part}{f', {tone} skin' if tone else ''}\n" + "\n".join(group_table(groups)))
    typer.echo(f"\ncard: {out / 'card.md'}")
