"""Builds a set in a folder; the same command goes on after a kill and ends with the same bytes."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any, Final

from unmask.bench.core import registry
from unmask.bench.core.claims import claim_folder, differences
from unmask.bench.core.errors import DataError, UsageError
from unmask.bench.core.files import replacing_file, sha256_of
from unmask.bench.core.types import FetchProgress
from unmask.bench.fetch.packages import fetch_all
from unmask.bench.run.executors import Progress, open_pool, run_stage
from unmask.bench.store.documents import read_object, write_json
from unmask.bench.store.storage import sweep_temporaries
from unmask.bench.study.training_set.card import as_markdown, card_of, plan_of
from unmask.bench.study.training_set.choosing import choose
from unmask.bench.study.training_set.labelling import needed_instruments
from unmask.bench.study.training_set.settings import PARTS, BuildSettings
from unmask.bench.study.training_set.work import FOLDER, do_piece, pieces
from unmask.bench.study.training_set.writing import write_part

PLAN: Final = "plan.json"
CARD: Final = "card.json"
REMEDY: Final = "delete its folder and build again"


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
    shards = {path.relative_to(out).as_posix(): sha256_of(path) for path in sorted(out.glob("*/faces-*.npz"))}
    card = card_of(settings, plan, chosen, counts, shards)
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
    faces = registry.training_faces()
    faces.check_attributes(settings.attributes)
    for tone in settings.tones:
        faces.tone(tone)
    for source, count in Counter(settings.sources).items():
        if count > 1:
            raise UsageError(f"--from {source.spec} is given twice")
