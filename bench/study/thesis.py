"""The thesis's protocol: its methods, a balanced test set, every metric, and a note of which method took which part;
quality also over the thesis's kind of crop, of data sets whose photos show more than a face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from unmask.bench.core import registry
from unmask.bench.core.errors import CheckpointError, ConfigError, DataError, UnavailableError, UnknownNameError
from unmask.bench.core.settings import CHOOSING, CommonSettings, OneSpec, Option
from unmask.bench.core.spec import SEEDS, Spec, parse_spec, without_seeds
from unmask.bench.core.types import FetchProgress
from unmask.bench.data import open_dataset
from unmask.bench.run.figures.draws import by_draws
from unmask.bench.run.jobs.executors import Progress, open_pool
from unmask.bench.run.pipeline import get_ready, locations_for, run
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.run.planning.settling import settle_plan
from unmask.bench.store.documents import Locations, write_json
from unmask.bench.store.planned import CONTROL
from unmask.bench.store.results import REPRODUCTION, Reproduction, WideSet
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.study.balanced import balanced_test_set, built_test_set

ROLES: Final[Mapping[str, str]] = {
    "none": "none",
    "deepprivacy": "deepprivacy",
    "dp-att": "dp-att",
    "dp-att-s-dark": "dp-att-s:tone=dark",
    "dp-att-s-light": "dp-att-s:tone=light",
    "dp-att-s-l1-dark": "dp-att-s:checkpoint=shipped-l1,tone=dark",
    "dp-att-s-l1-light": "dp-att-s:checkpoint=shipped-l1,tone=light",
    "dp-stargan": "dp-stargan",
    "attgan": "attgan",
    "stargan": "stargan",
    "croft": "croft",
    "chen": "chen",
}
"""Part -> SPEC. ``shipped-l1``: trained for table 4.27 with L1 alone. The last two: systems that the thesis describes
and did not run (2.2.5), in compact versions of our own."""
COMPARED: Final = ("deepprivacy", "dp-att")
"""The parts whose privacy H1 and H2 compare; both draw faces by chance, so several draws are averaged."""
LABEL: Final = "balanced"
"""What results call the test set."""
WIDE: Final = ("celeba-identity:split=probe", "lfw:split=probe")
"""Data sets of wider photos; of the first one's other half networks learn."""
WIDE_PHOTOS: Final = 600
"""Of each of them, at most."""


class ThesisSettings(CommonSettings):
    """The settings of ``unmask reproduce thesis``."""

    datasets: Annotated[OneSpec, Option(CHOOSING, "--dataset", "-d", metavar="SPEC")] = ("utkface:split=test",)
    """Data set to choose the test photos from."""
    methods: Annotated[tuple[str, ...], Option(CHOOSING, "--method", "-m", metavar="PART[=SPEC]")] = ()
    """Only these parts: PART, or PART=SPEC to let another method play it; may repeat."""
    limit: Annotated[int | None, Option(CHOOSING)] = Field(default=None, ge=8)
    """At most N photos of each data set, as balanced as can be; without: up to 1,200, of wider ones 600."""
    test_set: Annotated[Path | None, Option(CHOOSING)] = None
    """Take the test photos of this set of unmask data build."""
    wide: Annotated[tuple[str, ...], Option(CHOOSING, metavar="SPEC")] = ()
    """Data set of wider photos, for quality over the thesis's kind of crop; may repeat. Without: celeba-identity's and
    lfw's probe halves, where they are here. none: not measured."""
    seeds: Annotated[int, Option(CHOOSING)] = Field(default=5, ge=1, le=100)
    """Draws averaged for deepprivacy and dp-att (H1, H2)."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Which method takes which part."""

    specs: Mapping[str, str]
    """Part -> SPEC with the part as its label; the control first."""
    left_out: Mapping[str, str]
    """Part -> why no method takes it."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A protocol ready to run."""

    plan: Plan
    reproduction: Reproduction
    locations: Locations


def choose_methods(chosen: Sequence[str] = ()) -> Cast:
    """The ``chosen`` parts (a part, a part's own SPEC, or ``PART=SPEC``), or all whose method can run here.

    Without a choice, parts are left out with the reason where their method is not registered, cannot run here or has
    no weights. Raises `UnmaskError` for a chosen one that cannot run, and where no part but the control is left.
    """
    left_out: dict[str, str] = {}
    if chosen:
        specs = dict(_part(text) for text in chosen)
        for text in specs.values():
            registry.create_method(without_seeds(registry.method_spec(text))[0])
        left_out = dict.fromkeys((role for role in ROLES if role not in specs and role != CONTROL), "not selected")
    else:
        reasons = {role: _missing(spec) for role, spec in ROLES.items()}
        left_out = {role: reason for role, reason in reasons.items() if reason}
        specs = {role: f"{role}={spec}" for role, spec in ROLES.items() if role not in left_out}
    specs.pop(CONTROL, None)
    if not specs:
        why = ", ".join(f"{role} ({reason})" for role, reason in left_out.items())
        raise ConfigError(
            f"no method of the protocol can run here{': ' + why if why else ''}; let others stand in, for example "
            "--method deepprivacy=pixelate:blocks=8"
        )
    return Cast({CONTROL: CONTROL, **specs}, left_out)


def _part(text: str) -> tuple[str, str]:
    """A part and its SPEC, out of what the user wrote. Raises `UnknownNameError`."""
    spec = registry.method_spec(text)
    labelled = "=" in text.split(":", 1)[0]
    own = next((role for role, its in ROLES.items() if text.strip() == role or its == spec.text), text.strip())
    role = spec.label if labelled else own
    if role not in ROLES:
        raise UnknownNameError("part of the thesis's protocol", role, ROLES)
    return role, text if labelled else f"{role}={ROLES[role]}"


def _missing(spec: str) -> str:
    """Why the method of a SPEC cannot take part; '' = it can."""
    try:
        _ = registry.create_method(parse_spec(spec)).card
    except UnknownNameError:
        return "not registered in this version"
    except (CheckpointError, UnavailableError) as error:
        return " ".join(str(error).split())
    return ""


def with_seeds(text: str, seeds: int) -> str:
    """A part's SPEC that asks for the average of so many draws, unless it says itself how many, or draws nothing."""
    spec = registry.method_spec(text)
    if seeds == 1 or SEEDS in spec.params or not draws_by_chance(text):
        return text
    return f"{spec.label}={Spec(spec.name, {**spec.params, SEEDS: seeds}).text}"


def draws_by_chance(text: str) -> bool:
    """Whether another seed gives other images, as far as the method of a SPEC says."""
    return bool(getattr(registry.create_method(without_seeds(registry.method_spec(text))[0]), "by_chance", True))


def choose_wide(chosen: Sequence[str] = (), root: Path | None = None) -> tuple[list[str], dict[str, str]]:
    """Data sets of wider photos, as SPECs with a label, and those that are not here with the reason: without a choice
    `WIDE`, with ``none`` nothing. Raises `UnmaskError` subclasses for a chosen one that cannot be opened."""
    specs, absent = [], {}
    for text in WIDE if not chosen else () if tuple(chosen) == ("none",) else chosen:
        spec = registry.dataset_spec(text)
        try:
            open_dataset(text, root=root)
        except DataError as error:
            if chosen:
                raise
            absent[text] = " ".join(str(error).split())
            continue
        specs.append(text if spec.label != spec.default_label else f"wide-{spec.name}={spec.text}")
    return specs, absent


def prepare_thesis(
    cast: Cast,
    settings: ThesisSettings,
    *,
    root: Path | None,
    workers: int,
    progress: Progress,
    fetching: FetchProgress | None = None,
) -> Prepared:
    """Chooses the test photos and makes the plan; labels the photos of the data set on the way. Raises `UnmaskError`
    subclasses, as `make_plan`."""
    source, built = settings.datasets[0], settings.test_set
    spec = f"{LABEL}={registry.dataset_spec(source).text}"
    wide, absent = choose_wide(settings.wide, root)
    specs = [with_seeds(text, settings.seeds) if role in COMPARED else text for role, text in cast.specs.items()]
    config = RunConfig(datasets=(spec, *wide), methods=tuple(specs), seed=settings.seed, device=settings.device)
    plan = get_ready(config, root=root, workers=workers, progress=fetching)
    dataset = open_dataset(spec, root=root)
    limited = plan.settings.model_copy(update={"limit": settings.limit})
    fewer = plan.settings.model_copy(update={"limit": min(settings.limit or WIDE_PHOTOS, WIDE_PHOTOS)})
    with open_pool(workers) as pool:
        choose = partial(balanced_test_set, root=root, pool=pool, progress=progress, fetching=fetching)
        if built is not None:
            test_set, selection = built_test_set(built, spec, dataset, limited)
        else:
            test_set, selection = choose(spec, dataset, limited)
        wider = [choose(text, open_dataset(text, root=root), fewer) for text in wide]
    roles = {role: registry.method_spec(text).label for role, text in cast.specs.items()}
    drawn = dict(by_draws(plan.methods))
    return Prepared(
        plan.changed(datasets=[test_set, *(planned.model_copy(update={"wide": True}) for planned, _ in wider)]),
        Reproduction(
            of="thesis",
            dataset=test_set.label,
            roles=roles,
            draws={role: len(drawn[label]) for role, label in roles.items() if len(drawn[label]) > 1},
            without_chance=[role for role, text in cast.specs.items() if not draws_by_chance(text)],
            left_out=dict(cast.left_out),
            selection=selection,
            wide=[WideSet(dataset=planned.label, selection=chosen) for planned, chosen in wider],
            wide_left_out=absent,
        ),
        locations_for(config),
    )


def run_thesis(prepared: Prepared, out: Path, *, root: Path | None, workers: int, progress: Progress) -> RunFolder:
    """Runs it into ``out``, resuming an earlier call of the same plan."""
    folder = RunFolder(out)
    settle_plan(folder, prepared.plan, prepared.locations)
    write_json(out / REPRODUCTION, prepared.reproduction)
    return run(prepared.plan, out, locations=prepared.locations, root=root, workers=workers, progress=progress)
