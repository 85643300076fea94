"""Resolves a config to a plan: every name looked up, every version and fingerprint written down."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from unmask.bench.core import registry
from unmask.bench.core.cards import InstrumentCard, Role
from unmask.bench.core.errors import ConfigError, DataError
from unmask.bench.core.settings import PlanSettings
from unmask.bench.core.spec import Spec, default_label, without_folder, without_seeds
from unmask.bench.core.types import FetchProgress
from unmask.bench.data import Dataset, open_dataset
from unmask.bench.data.identities import person_hashes
from unmask.bench.data.opening import parse_dataset
from unmask.bench.data.stored_outputs import output_paths, refuse_unmatched
from unmask.bench.run.planning.auditing import QUICK_PHOTOS, background_of, further_runs, planned_attackers
from unmask.bench.run.planning.choosing import (
    JUDGE,
    SHIPPED,
    calibration_for,
    choose_instruments,
    choose_metrics,
    followed_by,
    planned_metrics,
    refuse_unmeasurable,
)
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.run.planning.sources import (
    hash_code,
    hashed_parameters,
    located_parameters,
    method_file,
    path_parameters,
)
from unmask.bench.store.documents import Locations
from unmask.bench.store.names import hide_paths
from unmask.bench.store.planned import CONTROL, MATCHED, Kind, PlannedDataset, PlannedMethod, Release, Use
from unmask.bench.store.schemas import Plan

_SHARED: Final[Mapping[Use, str]] = {
    "calibrate": "were used to calibrate ({}); use its probe split, or calibrate on other people with --calibrate-on",
    "background": "are among the people whom attackers learn from ({}); choose other people for one of them",
}
_PURPOSE: Mapping[Use, str] = {"calibrate": "calibrate", "background": "learn from"}


def make_plan(
    config: RunConfig,
    *,
    methods: Sequence[PlannedMethod] | None = None,
    root: Path | None = None,
    progress: FetchProgress | None = None,
) -> Plan:
    """The plan of ``config``. Opens the data sets (to fingerprint them) but decodes nothing.

    ``methods``: `planned_methods` of the config, where they are there already: they hash code, weights and outputs.
    Raises `UnmaskError` subclasses for unknown names, double labels, or data that is not there.
    """
    methods = list(methods or planned_methods(config.methods))
    apart = output_paths(config.methods)
    opened = [open_dataset(s, clips=None, root=root, progress=progress, exclude=apart) for s in config.datasets]
    datasets = [planned_dataset(*each, config.limit) for each in zip(config.datasets, opened, strict=True)]
    kinds = {dataset.kind for dataset in datasets}
    if "clips" in kinds and any(m.draw_of for m in methods):
        raise ConfigError("seeds= averages draws over photos; clips are anonymized once: leave it out")
    both = list(zip(datasets, opened, strict=True))
    people = {planned.label: person_hashes(dataset.refs[: config.limit]) for planned, dataset in both}
    audited = config.audit != "none"
    photos = [ref for planned, dataset in both if planned.kind == "photos" for ref in dataset.refs[: config.limit]]
    further = further_runs(methods, photos) if audited and "photos" in kinds else []
    methods, further = ([without_paths(method) for method in several] for several in (methods, further))
    for kind in sorted(kinds):
        refuse_unmatched(config.methods, [d for planned, d in both if planned.kind == kind], clips=kind == "clips")
    distinct("data set", [d.label for d in datasets])
    distinct("method", [m.label for m in methods])
    chosen = choose_metrics(config.metrics, kinds, audited=audited)
    cards = choose_instruments([metric for _, metric in chosen], config.instruments, kinds)
    if config.metrics and config.instruments:
        refuse_unmeasurable(config.metrics, chosen, cards)
    uses: dict[Use, Sequence[str]] = {"background": background_of(config)}
    if config.calibration != SHIPPED:
        uses["calibrate"] = [config.calibration]
    others = other_datasets(uses, people, config, root=root, progress=progress)
    own = next((dataset.card for dataset in others if dataset.use == "calibrate"), None)
    body: dict[str, Any] = {
        "datasets": datasets,
        "others": others,
        "methods": [*methods, *further],
        "attackers": planned_attackers(config.audit, config.attackers),
        "releases": planned_releases(methods, config, kinds),
        "detector": registry.instrument_card(JUDGE),
        "instruments": cards,
        "metrics": planned_metrics(chosen, config.metrics, kinds),
        "operating_points": calibration_for(own, [c.name for c in cards if c.role == "recogniser"]),
        "settings": _settings(config),
    }
    if "clips" in kinds:
        body |= followed_by(config.detector, config.trackers)
        distinct("tracker", [tracker.label for tracker in body["trackers"]])
        refuse_unlinked(body["settings"], cards)
    plan = Plan.sealed(body)
    if own is None:
        card = plan.operating_points
        refuse_shared_people(people, {("calibrate", card["dataset"]): set(card.get("people_sha256", ()))})
    return plan


def _settings(config: RunConfig) -> PlanSettings:
    """Raises `ConfigError` where the instrument of a headline has another role, `UnknownNameError` where it is none."""
    values = config.model_dump(include=set(PlanSettings.model_fields))
    if config.calibration != SHIPPED:
        values["calibration"] = _without(registry.dataset_spec(config.calibration), {"path"})
    defaults: dict[Role, str] = {"recogniser": config.default_recogniser, "attributes": config.default_attributes}
    for role, name in defaults.items():
        if registry.unsettled_card(name).role != role:
            raise ConfigError(f"default_{role} = {name!r} is no instrument of role {role}; see unmask list instruments")
    return PlanSettings(**values)


def kind_of(spec: str) -> Kind:
    """What a data set SPEC is of. Raises `SpecError` and `UnknownNameError`."""
    return "clips" if parse_dataset(spec)[1].clips else "photos"


def refuse_unlinked(settings: PlanSettings, cards: Sequence[InstrumentCard]) -> None:
    """Raises `ConfigError` where the instruments have no recogniser that links faces of clips to tracks."""
    if settings.default_recogniser not in {card.name for card in cards}:
        name = settings.default_recogniser
        raise ConfigError(f"face tracks need {name}; add --instrument {name}")


def planned_releases(methods: Sequence[PlannedMethod], config: RunConfig, kinds: Collection[Kind]) -> list[Release]:
    """Every method lossless and at the other qualities that its photos or clips can have. Raises `ConfigError` for a
    quality that none of the data sets can have."""
    releases = []
    for method in methods:
        variants = config.qualities
        if method.card.name == CONTROL:
            variants = tuple(dict.fromkeys((*config.control_qualities, *config.qualities)))
        releases.append(Release(label=method.label, method=method.label))
        others = [Release(label=f"{method.label}@{v}", method=method.label, variant=v) for v in variants]
        for release in others:
            if release.kind not in kinds and release.variant != MATCHED:
                raise ConfigError(f"quality {release.variant} is for {release.kind}, and there are none; leave it out")
        releases += [release for release in others if release.kind in kinds]
    return releases


def other_datasets(
    uses: Mapping[Use, Sequence[str]],
    people: Mapping[str, set[str]],
    config: RunConfig,
    *,
    root: Path | None,
    progress: FetchProgress | None,
) -> list[PlannedDataset]:
    """The entries of the data sets that are not tested, by use. Before any work is done: are they there, with people
    enough, and nobody in them who is in a test set?"""
    entries, learned = [], []
    apart = output_paths(config.methods)
    for use, text in [(use, text) for use, texts in uses.items() for text in texts]:
        dataset = open_dataset(text, root=root, progress=progress, exclude=apart)
        present = person_hashes(dataset.refs)
        if len(present) < 2:
            raise DataError(f"{text} names {len(present)} people; photos of at least two are needed to {_PURPOSE[use]}")
        refuse_shared_people(people, {(use, dataset.card.name): present})
        label = other_label(use, registry.dataset_spec(text))
        limit = None
        if use == "background":
            learned.append(dataset)
            quick = QUICK_PHOTOS if config.audit == "quick" else None
            limit = min((n for n in (config.limit, quick) if n is not None), default=None)
        entries.append(planned_dataset(text, dataset, limit).model_copy(update={"use": use, "label": label}))
    distinct("data set", [entry.label for entry in entries])
    refuse_unmatched(config.methods, [], background=learned)
    return entries


def refuse_shared_people(tests: Mapping[str, set[str]], others: Mapping[tuple[Use, str], set[str]]) -> None:
    """Raises `DataError` where somebody in a test set is in a data set of another use. ``tests``: data set -> hashes of
    its people; ``others``: use and data set -> the same."""
    for (use, other), people in others.items():
        for dataset, present in tests.items():
            if shared := len(present & people):
                raise DataError(f"{shared} people of {dataset} {_SHARED[use].format(other)}")


def other_label(use: Use, spec: Spec) -> str:
    """The label of a data set that is not tested: no test set's can look like it."""
    return f"{dataset_label(spec)}+{use}"


def planned_dataset(text: str, dataset: Dataset, limit: int | None) -> PlannedDataset:
    """A data set's entry in a plan: its card and its first ``limit`` samples. Raises `DataError` for no clips."""
    spec, refs, clips = registry.dataset_spec(text), dataset.refs[:limit], kind_of(text) == "clips"
    if clips and not refs:
        raise DataError(f"{text} has no clips")
    return PlannedDataset(
        label=dataset_label(spec),
        kind="clips" if clips else "photos",
        spec=_without(spec, {"path"}),
        card=dataset.card,
        samples=[ref.id for ref in refs],
        digests=[ref.digest for ref in refs] if clips else [],
        groups=[ref.group for ref in refs] if clips else [],
        notes=list(dataset.notes),
    )


def dataset_label(spec: Spec) -> str:
    """The name results carry: the label if one was given, else the data set's name or its folder's name."""
    if "path" in spec.params and spec.label == spec.default_label:
        tail = Path(str(spec.params["path"])).resolve().name
        return default_label(f"{spec.name}:{tail or 'root'}")
    return spec.label


def planned_methods(specs: Sequence[str]) -> list[PlannedMethod]:
    """The plan's entries for method SPECs, the control first, whether it is among them or not: no privacy number
    without it. Several where draws are averaged (``seeds=5``). Their SPECs still have their paths."""
    parsed = [registry.method_spec(text) for text in specs]
    control = next((spec for spec in parsed if spec.name == CONTROL), Spec(CONTROL, {}, CONTROL))
    methods = []
    for spec, many in map(without_seeds, (control, *(spec for spec in parsed if spec.name != CONTROL))):
        first = PlannedMethod(
            label=spec.label,
            spec=spec.text,
            card=registry.create_method(spec).card,
            code=hash_code(spec.name),
            files=hashed_parameters(spec),
        )
        further = [{"label": f"{spec.label}+draw{k}", "draw": k, "draw_of": spec.label} for k in range(1, many)]
        methods += [first, *(first.model_copy(update=each) for each in further)]
    return methods


def without_paths(method: PlannedMethod) -> PlannedMethod:
    """The entry with a SPEC and a card that are the same on every machine: a plug-in's card may repeat a path."""
    spec = registry.method_spec(method.spec)
    paths = path_parameters(spec)
    params = {
        name: hide_paths(value) if isinstance(value, str) else value
        for name, value in method.card.params.items()
        if name not in paths or value != spec.params[name]
    }
    card = replace(method.card, params=params)
    if spec.name not in registry.TABLES["method"]:
        card = replace(card, description=hide_paths(card.description), source=hide_paths(card.source))
    return method.model_copy(update={"spec": _without(spec, {*paths, *located_parameters(spec)}), "card": card})


def _without(spec: Spec, names: Collection[str]) -> str:
    return Spec(without_folder(spec.name), {key: value for key, value in spec.params.items() if key not in names}).text


def locations_of(
    datasets: Sequence[str], methods: Sequence[str], calibration: str = SHIPPED, background: Sequence[str] = ()
) -> Locations:
    """Where the data sets and the files of the methods of these SPECs lie, by label."""
    parsed = {dataset_label(spec): spec for spec in (registry.dataset_spec(text) for text in datasets)}
    uses: dict[Use, Sequence[str]] = {
        "calibrate": [calibration] if calibration != SHIPPED else [],
        "background": background,
    }
    for use, texts in uses.items():
        parsed |= {other_label(use, spec): spec for spec in map(registry.dataset_spec, texts)}
    paths = {
        label: str(Path(str(spec.params["path"])).expanduser().absolute())
        for label, spec in parsed.items()
        if "path" in spec.params
    }
    specs = map(registry.method_spec, methods)
    contestants: dict[str, dict[str, object]] = {
        spec.label: {**method_file(spec), **path_parameters(spec), **located_parameters(spec)} for spec in specs
    }
    return Locations(
        datasets={label: {"path": path} for label, path in paths.items()},
        methods={label: {k: str(path) for k, path in files.items()} for label, files in contestants.items() if files},
    )


def distinct(kind: str, labels: list[str]) -> None:
    """Raises `ConfigError` where two results would carry one label."""
    for label in labels:
        if labels.count(label) > 1:
            raise ConfigError(f"{kind} {label!r} is named twice; write a label before one SPEC: mylabel=SPEC")
