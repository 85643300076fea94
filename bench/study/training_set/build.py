"""Builds a set in a folder, with its card; the same command resumes after a kill and ends with the same bytes."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from unmask import __version__
from unmask.bench.core import registry, training
from unmask.bench.core.claims import claim_folder, differences
from unmask.bench.core.demographics import group_name
from unmask.bench.core.errors import DataError, UsageError
from unmask.bench.core.files import replacing_file, sha256_of
from unmask.bench.core.types import FetchProgress
from unmask.bench.fetch.packages import fetch_all
from unmask.bench.run.jobs.executors import Progress, open_pool, run_stage
from unmask.bench.store.documents import read_object, write_json
from unmask.bench.store.storage import sweep_temporaries
from unmask.bench.study.training_set.labelling import FOLDER, PHOTOS, do_piece, needed_instruments, open_source, pieces
from unmask.bench.study.training_set.settings import PARTS, BuildSettings
from unmask.bench.study.training_set.writing import choose, table, write_part

PLAN: Final = "plan.json"
CARD: Final = "card.json"
REMEDY: Final = "delete its folder and build again"
TERMS: Final = "The terms of every data set below hold together: usually research only, and no passing on of images."


def build(
    settings: BuildSettings,
    out: Path,
    *,
    root: Path | None,
    workers: int,
    progress: Progress,
    fetching: FetchProgress | None = None,
) -> dict[str, Any]:
    """Builds the set in ``out`` and returns its card. A set that is complete is left alone.

    Raises `PlanMismatchError` where ``out`` holds another set, `ConfigError` where it holds something else,
    `DataError` where nothing is left of the photos, and what opening a data set or an instrument raises.
    """
    _check(settings)
    plan = plan_of(settings, root)
    claim_folder(
        out / PLAN,
        lambda: differences(read_object(out / PLAN, REMEDY), plan),
        lambda: write_json(out / PLAN, plan, private=False),
    )
    if (out / CARD).is_file():
        return read_object(out / CARD, REMEDY)
    for name in needed_instruments(settings):
        fetch_all(registry.instrument_class(name).card.files, progress=fetching)
    sweep_temporaries(out)
    work = list(pieces(out, settings, root))
    with open_pool(workers) as pool:
        run_stage("label", do_piece, work, pool, progress)
    chosen, counts = choose(settings, work)
    if not chosen:
        reasons = sorted({reason for source in counts for reason in source["dropped"]})
        raise DataError(f"no photo is left to train on ({'; '.join(reasons)}); choose other data, or other --labels")
    progress.start("write", len(chosen))
    try:
        for part in PARTS:
            faces = [face for face in chosen if face.part == part]
            for count in write_part(settings, faces, out / part) if faces else ():
                progress.done(part, skipped=False, units=count)
    finally:
        progress.end()
    card = {
        "name": settings.kind,
        "unmask": __version__,
        "terms": TERMS,
        "plan": plan,
        "counts": counts,
        "faces": table(settings, chosen),
        "files": {path.relative_to(out).as_posix(): sha256_of(path) for path in sorted(out.glob("*/faces-*.npz"))},
    }
    write_json(out / "tables.json", {key: card[key] for key in ("counts", "faces")}, private=False)
    with replacing_file(out / "card.md") as temp:
        temp.write_text(as_markdown(card), encoding="utf-8")
    write_json(out / CARD, card, private=False)
    shutil.rmtree(out / FOLDER, ignore_errors=True)
    return card


def _check(settings: BuildSettings) -> None:
    if not settings.sources:
        raise UsageError("name the photos: --from utkface:split=train, --from folder:PATH ...")
    if registry.instrument_class(settings.estimator).card.role != "attributes":
        raise UsageError(f"--estimator {settings.estimator} does not estimate age and gender")
    faces = training.training_faces()
    faces.check_attributes(settings.attributes)
    for tone in settings.tones:
        faces.tone(tone)
    for source, count in Counter(settings.sources).items():
        if count > 1:
            raise UsageError(f"--from {source.spec} is given twice")


def plan_of(settings: BuildSettings, root: Any) -> dict[str, Any]:
    """Everything that decides what the set will be. No path of this machine is in it."""
    sources = []
    for number, source in enumerate(settings.sources):
        facts = asdict(open_source(source.spec, root).card)
        name = settings.name_of(number)
        sources.append({"part": source.part, "spec": name, **facts, "roles": list(facts["roles"])})
    chosen = settings.model_dump(exclude={"sources"}) | {
        "kind": settings.kind,
        "age_groups": tuple(map(group_name, settings.age_groups)),
    }
    return {
        "format": 2,
        "settings": {key: list(value) if isinstance(value, tuple) else value for key, value in chosen.items()},
        "attributes": list(settings.attributes),
        "sources": sources,
        "instruments": [_instrument(name) for name in needed_instruments(settings)],
        "detector": {"name": "mtcnn", "weights": dict(training.training_faces().weights)},
        "photos_per_piece": PHOTOS,
    }


def _instrument(name: str) -> dict[str, Any]:
    """What of an instrument's card tells one build from another."""
    card = registry.instrument_card(name)
    facts = {field: getattr(card, field) for field in ("name", "version", "licence", "source")}
    return {**facts, "files": {file.key: file.sha256 for file in card.files}, "params": dict(card.params)}


def as_markdown(card: Mapping[str, Any]) -> str:
    """The card for a person."""
    plan, settings = card["plan"], card["plan"]["settings"]
    sources = [(s["part"], f"{s['title']} ({s['revision']})", s["licence"], s["fingerprint"]) for s in plan["sources"]]
    lines = [f"# {card['name']}", "", card["terms"], "", "## Data sets", ""]
    lines += _rows(("Part", "Data set", "Licence", "Fingerprint"), sources)
    lines += ["", "## Settings", ""]
    lines += _rows(("Setting", "Value"), [(key, _text(value)) for key, value in settings.items()])
    lines += ["", f"Attributes, in order: {', '.join(plan['attributes'])}.", ""]
    lines += [f"Estimated by {c['name']} {c['version']} ({c['licence']})." for c in plan["instruments"]]
    lines += ["", "## What became of the photos", ""]
    rows = [(c["source"], c["part"], "photos", c["photos"]) for c in card["counts"]]
    for c in card["counts"]:
        rows += [(c["source"], c["part"], f"dropped: {reason}", n) for reason, n in c["dropped"].items()]
        rows += [(c["source"], c["part"], "left out: its group is full", c["over_the_limit"])]
        rows += [(c["source"], c["part"], "faces in the set", c["faces"])]
    lines += _rows(("Data set", "Part", "What", "Number"), rows)
    if settings["tones"]:
        lines += ["", "In train and val a photo is dropped, or a face counted, once for each tone it would appear in."]
    for part, tones in card["faces"].items():
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
