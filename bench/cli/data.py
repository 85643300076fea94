"""``unmask data``: what data sets there are, where they lie, how to get them, and whether a copy is complete."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmask.bench.cli import data_build
from unmask.bench.cli.list_ import Kind, show_listing
from unmask.bench.cli.listing import print_facts, print_json
from unmask.bench.cli.options import Json, Root, existing_root

if TYPE_CHECKING:
    from unmask.bench.data.catalog import DatasetEntry
    from unmask.bench.data.dataset import Dataset

app = typer.Typer(help="Data sets: list, show, fetch, verify, build.", no_args_is_help=True)
app.add_typer(data_build.app, name="build")

Name = Annotated[str, typer.Argument(metavar="NAME", help="As `unmask data list` shows it.")]


@app.command("list")
def list_(root: Root = None, as_json: Json = False) -> None:
    """Show every data set: what it may be used for, its licence, where it lies or how to get it."""
    show_listing(Kind.DATASETS, as_json, existing_root(root))


@app.command()
def show(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="lfw, lfw:split=calibrate, folder:PATH, clips:PATH ...")],
    root: Root = None,
    as_json: Json = False,
) -> None:
    """Show a data set's card and, if it is here, what is in it, split by split."""
    from dataclasses import asdict

    from unmask.bench.cli.available import entry_facts
    from unmask.bench.data.opening import is_available, open_dataset, parse_dataset

    root = existing_root(root)
    _, entry = parse_dataset(spec)
    here = entry.by_path or bool(is_available(entry, root))
    opened = open_dataset(spec, clips=None, root=root) if here else None
    splits = {} if opened is None else _splits(entry, opened, root)
    if as_json:
        card = entry_facts(entry) if opened is None else asdict(opened.card)
        notes = list(opened.notes) if opened else []
        print_json({"card": card, "found": opened.where if opened else None, "splits": splits, "notes": notes})
        return
    print_facts(_facts(entry, opened))
    for name, counts in splits.items():
        typer.echo(f"{name}: " + ", ".join(f"{value:,} {what}" for what, value in counts.items()))


@app.command()
def fetch(name: Name, root: Root = None) -> None:
    """Fetch a data set, where a program may; else say how to get it by hand (exit code 1)."""
    from unmask.bench.cli.progress import fetch_progress
    from unmask.bench.data.catalog import find_entry
    from unmask.bench.data.upkeep import fetch_dataset

    with fetch_progress() as progress:
        where = fetch_dataset(find_entry(name), root=existing_root(root), progress=progress)
    typer.echo(f"{name}: {where}")


@app.command()
def verify(
    name: Name,
    root: Root = None,
    decode: Annotated[bool, typer.Option("--decode", help="Also decode every image or clip (slow).")] = False,
    as_json: Json = False,
) -> None:
    """Compare a copy with the catalogue: sha256, number of photos or clips and of people; exit code 1 if it differs."""
    from dataclasses import asdict

    from unmask.bench.data.catalog import find_entry
    from unmask.bench.data.upkeep import verify_dataset

    checks = list(verify_dataset(find_entry(name), root=existing_root(root), decode=decode))
    wrong = any(check.state == "wrong" for check in checks)
    if as_json:
        print_json({"ok": not wrong, "checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            typer.echo(f"{check.state:<10} {check.what}: {check.detail}")
    if wrong:
        raise typer.Exit(1)


@app.command()
def pack(
    source: Annotated[Path, typer.Argument(metavar="SET", help="What unmask data build made.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="The pack's folder.", show_default=False)],
) -> None:
    """Pack a built set for a GPU machine: faces as JPEG in parts of at most 60 MB, skin colours, LPIPS's weights."""
    from unmask.bench.cli.progress import instrument_files
    from unmask.bench.core.training import face_packer

    packer = face_packer()
    packer.pack(source, out, instrument_files(packer.instruments), typer.echo)


def _facts(entry: DatasetEntry, opened: Dataset | None) -> list[tuple[str, str]]:
    show_faces = opened.card.show_faces if opened is not None else entry.show_faces
    facts = [
        ("name", entry.name),
        ("title", entry.title),
        ("revision", opened.card.revision if opened is not None else entry.revision),
        ("licence", entry.licence),
        ("citation", entry.citation),
        ("roles", ", ".join(entry.roles)),
        ("faces in reports", "on request" if show_faces else "never"),
        ("splits", f"{', '.join(entry.split_names)} (usual: {entry.default_split})"),
        ("notes", entry.notes),
    ]
    if opened is None:
        return [*facts, ("here", "no"), ("how to get it", entry.how_to_get)]
    facts += [("of this copy", note) for note in opened.notes]
    passed_over = f" ({opened.ignored:,} other files passed over)" if opened.ignored else ""
    return [*facts, ("here", opened.where + passed_over), ("fingerprint", opened.card.fingerprint)]


def _splits(entry: DatasetEntry, opened: Dataset, root: Path | None) -> dict[str, dict[str, int]]:
    """Split -> counts, for every split that the copy has."""
    from unmask.bench.core.errors import DataError
    from unmask.bench.data.opening import open_dataset

    counts = {opened.split: _counts(opened, entry.clips)}
    for name in entry.split_names:
        if name in counts:
            continue
        try:
            dataset = open_dataset(f"{entry.name}:split={name}", clips=None, root=root)
        except DataError:  # this copy has nothing in that split
            continue
        counts[name] = _counts(dataset, entry.clips)
    return counts


def _counts(dataset: Dataset, clips: bool) -> dict[str, int]:
    from collections import Counter

    from unmask.bench.data.identities import people

    if clips:
        groups = Counter(ref.group for ref in dataset.refs if ref.group)
        annotated = {"annotated clips": len(dataset.truths)} if dataset.truths else {}
        return {
            "clips": len(dataset.refs),
            **{f"of {name}": count for name, count in sorted(groups.items())},
            **annotated,
        }
    photos_by_person = people(dataset.refs)
    return {
        "photos": len(dataset.refs),
        "people": len(photos_by_person),
        "people with two or more photos": sum(count >= 2 for count in photos_by_person.values()),
    }
