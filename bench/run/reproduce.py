"""Running the thesis's protocol: a balanced test set, its methods, every metric, and a note of who played what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from unmask.bench.core.spec import parse_spec
from unmask.bench.core.types import FetchProgress
from unmask.bench.data import open_dataset
from unmask.bench.run.balanced import balanced_test_set
from unmask.bench.run.built_set import built_test_set
from unmask.bench.run.config import load_config
from unmask.bench.run.draws import by_draws
from unmask.bench.run.executors import Progress, shared_pool
from unmask.bench.run.pipeline import get_ready, locations_for, run
from unmask.bench.run.protocol import COMPARED, SEEDS, Cast, with_seeds
from unmask.bench.run.settling import settle_plan
from unmask.bench.store.beside import Locations
from unmask.bench.store.reproduction import Reproduction, write_reproduction
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan

TEST_SET: Final = "utkface:split=test"
LABEL: Final = "balanced"
"""What results call the test set."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A protocol ready to run."""

    plan: Plan
    reproduction: Reproduction
    locations: Locations


def prepare_thesis(
    cast: Cast,
    *,
    source: str = TEST_SET,
    limit: int | None = None,
    built: Path | None = None,
    seed: int = 0,
    seeds: int = SEEDS,
    device: str = "cpu",
    root: Path | None,
    workers: int,
    progress: Progress,
    fetching: FetchProgress | None = None,
) -> Prepared:
    """Chooses the test photos and makes the plan; labels the photos of ``source`` on the way.

    ``built``: a set of `unmask data build` whose test photos are taken, instead of choosing here. ``limit``: so many
    photos at most, as balanced as can be. ``seeds``: how many draws are averaged for the parts in `COMPARED`. Raises
    `UnmaskError` subclasses, as `make_plan`.
    """
    # As it was written: a path would be cut at a comma if it were written out anew.
    spec = f"{LABEL}={source.split('=', 1)[1] if '=' in source.split(':', 1)[0] else source}"
    specs = [with_seeds(text, seeds) if role in COMPARED else text for role, text in cast.specs.items()]
    asked = {"datasets": [spec], "methods": specs, "seed": seed, "device": device}
    config = load_config(None, asked)
    plan = get_ready(config, root=root, progress=fetching)
    dataset = open_dataset(spec, root=root)
    settings = plan.settings.model_copy(update={"limit": limit})
    if built is not None:
        chosen = built_test_set(built, spec, dataset, settings)
    else:
        with shared_pool(workers) as pool:
            chosen = balanced_test_set(
                spec, dataset, settings, root=root, pool=pool, progress=progress, fetching=fetching
            )
    roles = {role: parse_spec(text, positional="dir").label for role, text in cast.specs.items()}
    drawn = dict(by_draws(plan.methods))
    body = plan.model_dump(exclude={"schema_", "run"})
    body["datasets"] = [chosen.planned.model_dump()]
    return Prepared(
        Plan.sealed(body),
        Reproduction(
            of="thesis",
            dataset=chosen.planned.label,
            roles=roles,
            draws={role: len(drawn[label]) for role, label in roles.items() if len(drawn[label]) > 1},
            left_out=dict(cast.left_out),
            selection=chosen.selection,
        ),
        locations_for(config),
    )


def run_thesis(prepared: Prepared, out: Path, *, root: Path | None, workers: int, progress: Progress) -> RunFolder:
    """Runs it into ``out``, going on where an earlier call of the same plan stopped."""
    folder = RunFolder(out)
    settle_plan(folder, prepared.plan, prepared.locations)
    write_reproduction(out, prepared.reproduction)
    return run(prepared.plan, out, locations=prepared.locations, root=root, workers=workers, progress=progress)
