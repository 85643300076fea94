"""Builds a set in a folder; the same command goes on after a kill and ends with the same bytes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final

from unmask.bench.core import registry
from unmask.bench.core.errors import DataError, PlanMismatchError, StoreError, UsageError
from unmask.bench.core.files import replacing_file, sha256_of
from unmask.bench.core.types import FetchProgress
from unmask.bench.fetch.packages import fetch_all
from unmask.bench.run.executors import Progress
from unmask.bench.store.atomic import sweep_temporaries, write_json
from unmask.bench.study.training_set import card as cards
from unmask.bench.study.training_set.choosing import choose
from unmask.bench.study.training_set.labelling import needed_instruments
from unmask.bench.study.training_set.settings import PARTS, BuildSettings
from unmask.bench.study.training_set.work import FOLDER, do_all, pieces
from unmask.bench.study.training_set.writing import write_part

PLAN: Final = "plan.json"
CARD: Final = "card.json"


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

    Raises `PlanMismatchError` where ``out`` holds another set, `StoreError` where it holds something else,
    `DataError` where nothing is left of the photos, and what opening a data set or an instrument raises.
    """
    _check(settings)
    plan = cards.plan_of(settings, root)
    _claim(out, plan)
    if (out / CARD).is_file():
        return _read(out / CARD)
    for name in needed_instruments(settings):
        fetch_all(registry.instrument_class(name).card.files, progress=fetching)
    sweep_temporaries(out)
    work = list(pieces(out, settings, root))
    do_all(work, workers, progress)
    choice = choose(settings, work)
    if not choice.faces:
        reasons = sorted({reason for dropped in choice.dropped.values() for reason in dropped})
        raise DataError(f"no photo is left to train on ({'; '.join(reasons)}); choose other data, or other --labels")
    progress.start("write", len(choice.faces))
    try:
        for part in PARTS:
            faces = [face for face in choice.faces if face.part == part]
            if faces:
                for count in write_part(settings, faces, out / part):
                    for _ in range(count):
                        progress.done(part, skipped=False)
    finally:
        progress.end()
    shards = sorted(out.glob("*/faces-*.npz"))
    made = cards.card(settings, plan, choice, {path.relative_to(out).as_posix(): sha256_of(path) for path in shards})
    write_json(out / "tables.json", cards.tables_json(made), private=False)
    with replacing_file(out / "card.md") as temp:
        temp.write_text(cards.as_markdown(made), encoding="utf-8")
    write_json(out / CARD, made, private=False)
    shutil.rmtree(out / FOLDER, ignore_errors=True)
    return made


def _check(settings: BuildSettings) -> None:
    if not settings.sources:
        raise UsageError("name the photos: --from utkface:split=train, --from folder:PATH ...")
    if registry.instrument_class(settings.estimator).card.role != "attributes":
        raise UsageError(f"--estimator {settings.estimator} does not estimate age and gender")
    faces = registry.training_faces()
    faces.check_attributes(settings.attributes)
    for tone in settings.tones:
        faces.tone(tone)
    given = [(source.part, source.spec) for source in settings.sources]
    doubled = next((spec for part, spec in given if given.count((part, spec)) > 1), None)
    if doubled is not None:
        raise UsageError(f"--from {doubled} is given twice")


def _claim(out: Path, plan: dict[str, Any]) -> None:
    """Writes the plan, or compares it with the one that is there."""
    if (out / PLAN).is_file():
        different = cards.differences(plan, _read(out / PLAN))
        if different:
            raise PlanMismatchError(str(out), different)
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StoreError(f"{out} holds something else; choose another --out")
    write_json(out / PLAN, plan, private=False)


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} is damaged ({error}); delete its folder and build again") from error
    if not isinstance(value, dict):
        raise StoreError(f"{path} is damaged; delete its folder and build again")
    return value
