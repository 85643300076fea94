"""A built set's card and tables: what is in it, of what, under which terms, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from unmask import __version__
from unmask.bench.core import registry
from unmask.bench.core.demographics import group_name
from unmask.bench.study.training_set.choosing import Choice, table
from unmask.bench.study.training_set.labelling import card_of, needed_instruments
from unmask.bench.study.training_set.settings import BuildSettings
from unmask.bench.study.training_set.work import PHOTOS, source_of

TERMS = "The terms of every data set below hold together: usually research only, and no passing on of images."


def plan_of(settings: BuildSettings, root: Any) -> dict[str, Any]:
    """Everything that decides what the set will be. No path of this machine is in it."""
    sources = []
    for number, source in enumerate(settings.sources):
        card = source_of(settings, number, root).card
        sources.append(
            {"part": source.part, "spec": settings.name_of(number), **asdict(card), "roles": list(card.roles)}
        )
    chosen = asdict(settings) | {"age_groups": tuple(map(group_name, settings.age_groups))}
    del chosen["sources"]
    return {
        "format": 2,
        "settings": {key: list(value) if isinstance(value, tuple) else value for key, value in chosen.items()},
        "attributes": list(settings.attributes),
        "sources": sources,
        "instruments": [dict(card_of(name)) for name in needed_instruments(settings)],
        "detector": {"name": "mtcnn", "weights": dict(registry.training_faces().weights)},
        "photos_per_piece": PHOTOS,
    }


def card(settings: BuildSettings, plan: Mapping[str, Any], choice: Choice, files: Mapping[str, str]) -> dict[str, Any]:
    """The whole card. ``files``: shard -> sha256."""
    counts = [
        {
            "source": source["spec"],
            "part": source["part"],
            "photos": choice.photos.get(number, 0),
            "faces": sum(face.piece.source == number for face in choice.faces),
            "dropped": dict(sorted(choice.dropped[number].items())),
            "over_the_limit": choice.over.get(number, 0),
        }
        for number, source in enumerate(plan["sources"])
    ]
    return {
        "name": settings.kind,
        "unmask": __version__,
        "terms": TERMS,
        "plan": dict(plan),
        "counts": counts,
        "faces": table(settings, choice.faces),
        "files": dict(files),
    }


def as_markdown(made: Mapping[str, Any]) -> str:
    """The card for a person."""
    settings = made["plan"]["settings"]
    lines = [f"# {made['name']}", "", made["terms"], "", "## Data sets", ""]
    lines += _rows(
        ("Part", "Data set", "Licence", "Fingerprint"),
        [
            (s["part"], f"{s['title']} ({s['revision']})", s["licence"], s["fingerprint"])
            for s in made["plan"]["sources"]
        ],
    )
    lines += ["", "## Settings", ""]
    lines += _rows(("Setting", "Value"), [(key, _text(value)) for key, value in settings.items()])
    lines += ["", f"Attributes, in order: {', '.join(made['plan']['attributes'])}.", ""]
    lines += [f"Estimated by {c['name']} {c['version']} ({c['licence']})." for c in made["plan"]["instruments"]]
    lines += ["", "## What became of the photos", ""]
    rows = [(c["source"], c["part"], "photos", c["photos"]) for c in made["counts"]]
    for c in made["counts"]:
        rows += [(c["source"], c["part"], f"dropped: {reason}", n) for reason, n in c["dropped"].items()]
        rows += [(c["source"], c["part"], "left out: its group is full", c["over_the_limit"])]
        rows += [(c["source"], c["part"], "faces in the set", c["faces"])]
    lines += _rows(("Data set", "Part", "What", "Number"), rows)
    if settings["tones"]:
        lines += ["", "In train and val a photo is dropped, or a face counted, once for each tone it would appear in."]
    for part, tones in made["faces"].items():
        for tone, groups in tones.items():
            lines += ["", f"## {part}{f', {tone} skin' if tone else ''}: faces by age group and gender", ""]
            lines += group_table(groups)
    return "\n".join(lines) + "\n"


def group_table(groups: Mapping[str, Mapping[str, int]]) -> list[str]:
    """As the thesis's Table 4.7, with a line of sums."""
    rows: list[tuple[Any, ...]] = [(g, n["female"], n["male"], n["female"] + n["male"]) for g, n in groups.items()]
    sums = [sum(row[column] for row in rows) for column in (1, 2, 3)]
    return _rows(("Age group", "Female", "Male", "Summary"), [*rows, ("All", *sums)])


def _rows(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |" for line in lines]


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else "none" if value is None else str(value)
