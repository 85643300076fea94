"""Measuring operating points on a calibration set: for `unmask calibrate`, and for runs that bring their own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from unmask.bench.core import registry
from unmask.bench.core.cards import DatasetCard
from unmask.bench.core.errors import UsageError
from unmask.bench.core.evidence import LOOKS, look_column
from unmask.bench.core.settings import CHOOSING, MEASURING, CommonSettings, OneSpec, Option, PlanSettings
from unmask.bench.data import open_dataset
from unmask.bench.run.assemble import Originals, assemble_originals
from unmask.bench.run.calibration import measure_card, people_of, person_hash
from unmask.bench.run.executors import Pool, Progress, open_pool
from unmask.bench.run.originals import originals_plan, read_originals
from unmask.bench.store.documents import write_json
from unmask.bench.store.run_folder import OWN_CARD, RunFolder
from unmask.bench.store.schemas import Plan


class CalibrationSettings(CommonSettings):
    """The settings of ``unmask calibrate``."""

    datasets: Annotated[OneSpec, Option(CHOOSING, "--dataset", "-d", metavar="SPEC")] = ("lfw:split=calibrate",)
    """Data set with identities."""
    instruments: Annotated[tuple[str, ...], Option(MEASURING, "--instrument", commas=True)] = ()
    """Use only these recognisers; may repeat. Without: all that are on by default."""
    exclude: Annotated[tuple[str, ...], Option(CHOOSING, "--exclude-people-of", metavar="SPEC")] = ()
    """Leave out people whom this data set names too; may repeat."""
    limit: Annotated[int | None, Option(CHOOSING)] = Field(default=None, ge=1)
    """Only the first N photos."""


def calibrate_on(
    spec: str,
    recognisers: Sequence[str],
    work: Path,
    *,
    root: Path | None,
    pool: Pool,
    progress: Progress,
    settings: PlanSettings,
    exclude: Sequence[str] = (),
) -> dict[str, Any]:
    """The calibration card of ``recognisers`` on the data set ``spec``; readings are kept in ``work``.

    People whom a data set of ``exclude`` (SPECs) names are left out, so that the card stays disjoint from it.
    """
    plan = originals_plan(spec, open_dataset(spec, root=root), recognisers, settings)
    originals = read_originals("calibrate", plan, spec, work, root=root, pool=pool, progress=progress)
    left_out = set()
    for other in exclude:
        dataset = open_dataset(other, root=root)
        left_out |= people_of(dataset, [ref.id for ref in dataset.refs])
    return card_of(originals, plan, plan.datasets[0].card, left_out)


def card_of(originals: Originals, plan: Plan, dataset: DatasetCard, left_out: Collection[str] = ()) -> dict[str, Any]:
    """The calibration card of the plan's recognisers by the readings of a data set; ``left_out``: hashes of people."""
    cards = {name: registry.instrument_card(name) for name in plan.recognisers}
    readings = originals.readings
    return measure_card(
        dataset,
        {name: readings[name]["embedding"] for name in cards},
        np.array(["" if person_hash(name) in left_out else name for name in originals.truth.identity], np.str_),
        cards,
        seed=plan.settings.seed,
        looks={n: [readings[n][look_column(look)] for look in LOOKS] for n, card in cards.items() if card.looks},
    )


def calibration_card(
    settings: CalibrationSettings, work: Path, *, root: Path | None, workers: int, progress: Progress
) -> dict[str, Any]:
    """What ``unmask calibrate`` writes; see `calibrate_on`. Raises `UsageError` for an instrument that is no recogniser
    and `UnavailableError` for a device that is not there."""
    registry.check_device(settings.device)
    asked = settings.instruments
    cards = {name: registry.unsettled_card(name) for name in asked} or dict(registry.instrument_cards("recogniser"))
    for name in asked:
        if cards[name].role != "recogniser":
            raise UsageError(f"{name} is no recogniser; only recognisers have thresholds to calibrate")
    with open_pool(workers) as pool:
        return calibrate_on(
            settings.datasets[0],
            [name for name, card in cards.items() if asked or card.default],
            work,
            root=root,
            pool=pool,
            progress=progress,
            settings=PlanSettings(seed=settings.seed, limit=settings.limit, device=settings.device),
            exclude=settings.exclude,
        )


def measure_own_card(folder: RunFolder, plan: Plan) -> None:
    """Calibrates on the run's own calibration set, if it has one and recognisers."""
    for dataset in plan.used_to("calibrate") if plan.recognisers else ():
        originals = assemble_originals(folder, plan, dataset.label)
        write_json(folder.results / OWN_CARD, card_of(originals, plan, dataset.card))
