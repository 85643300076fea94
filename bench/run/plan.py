"""Resolves a config to a plan: every name looked up, every version and fingerprint written down."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final

from unmask.bench.core import registry
from unmask.bench.core.cards import DatasetCard, InstrumentCard, Role
from unmask.bench.core.errors import ConfigError, DataError, UnknownNameError
from unmask.bench.core.protocols import Metric
from unmask.bench.core.spec import Spec, default_label, parse_spec, written
from unmask.bench.core.types import FetchProgress
from unmask.bench.data import Dataset, open_dataset
from unmask.bench.run.calibration import SHIPPED, calibration_for, people_of, refuse_shared_people
from unmask.bench.run.config import RunConfig
from unmask.bench.run.draws import without_seeds
from unmask.bench.run.sources import hash_code, hashed_parameters, path_parameters
from unmask.bench.run.stored_outputs import output_paths, refuse_unmatched
from unmask.bench.store.beside import CALIBRATION, Locations
from unmask.bench.store.names import hide_paths
from unmask.bench.store.schemas import Plan, PlannedDataset, PlannedMethod, PlannedMetric, PlanSettings

JUDGE = "yunet"
SECOND_DETECTOR = "blazeface"
"""Asked about the place of a face that the judge's detector does not find again."""
CONTROL = "none"
PHOTO_ROLES: Final[tuple[Role, ...]] = ("detector", "recogniser", "attributes", "skin", "features", "pair")
"""Roles of the instruments that photos are read by."""


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
    apart = output_paths(config.methods)
    opened = [(text, open_dataset(text, root=root, progress=progress, exclude=apart)) for text in config.datasets]
    datasets = [planned_dataset(text, dataset, config.limit) for text, dataset in opened]
    people = {d.label: people_of(dataset, d.samples) for d, (_, dataset) in zip(datasets, opened, strict=True)}
    methods = [without_paths(method) for method in methods or planned_methods(config.methods)]
    refuse_unmatched(config.methods, [dataset for _, dataset in opened])
    distinct("data set", [d.label for d in datasets])
    distinct("method", [m.label for m in methods])
    chosen = choose_metrics(config.metrics)
    cards = choose_instruments([metric for _, metric in chosen], config.instruments)
    if config.metrics and config.instruments:
        refuse_unmeasurable(config.metrics, chosen, cards)
    settings = PlanSettings(
        **config.model_dump(exclude={"datasets", "methods", "metrics", "instruments", "calibration"}),
        calibration=config.calibration
        if config.calibration == SHIPPED
        else _without(parse_spec(config.calibration, positional="path"), {"path"}),
    )
    own = None
    if config.calibration != SHIPPED:
        own = _check_calibration_set(config.calibration, people, root=root, progress=progress)
    body: dict[str, Any] = {
        "datasets": [d.model_dump() for d in datasets],
        "methods": [m.model_dump() for m in methods],
        "instruments": [plain(card) for card in cards],
        "metrics": [planned_metric(name, metric) for name, metric in chosen],
        "operating_points": calibration_for(own, [c.name for c in cards if c.role == "recogniser"]),
        "settings": settings.model_dump(mode="json"),
    }
    plan = Plan.sealed(body)
    if config.calibration == SHIPPED:
        refuse_shared_people(plan.operating_points, people)
    return plan


def _check_calibration_set(
    spec: str, people: Mapping[str, set[str]], *, root: Path | None, progress: FetchProgress | None
) -> DatasetCard:
    """Before any work is done: is it there, with people enough, and nobody in it who is in a test set?"""
    dataset = open_dataset(spec, root=root, progress=progress)
    known = people_of(dataset, [ref.id for ref in dataset.refs])
    if len(known) < 2:
        raise DataError(f"{spec} names {len(known)} people; --calibrate-on needs photos of at least two")
    refuse_shared_people({"dataset": dataset.card.name, "people_sha256": sorted(known)}, people)
    return dataset.card


def plain(card: Any) -> dict[str, Any]:
    """A card as plain JSON values."""
    found: dict[str, Any] = _plainly(card)
    return found


def _plainly(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plainly(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plainly(item) for key, item in value.items()}
    return [_plainly(item) for item in value] if isinstance(value, tuple | list) else value


def planned_metric(name: str, metric: Metric) -> PlannedMetric:
    """A metric's entry in a plan."""
    return PlannedMetric(name=name, cards=[plain(card) for card in metric.cards], needs=list(metric.needs))


def choose_metrics(asked: Sequence[str]) -> list[tuple[str, Metric]]:
    """Plug-ins for the asked names, which may be plug-in names, metric names or families; all if none are asked."""
    everything = list(registry.all_metrics(clips=False))
    if not asked:
        return everything
    chosen: list[tuple[str, Metric]] = []
    known = {word for name, metric in everything for word in _handles(name, metric)}
    for word in asked:
        if word not in known:
            if word in registry.names("metric"):
                registry.create_metric(word)  # says what is wrong with one that is registered, but broken
            raise UnknownNameError("metric", word, known)
    for name, metric in everything:
        if _handles(name, metric) & set(asked):
            chosen.append((name, metric))
    return chosen


def refuse_unmeasurable(
    asked: Sequence[str], chosen: Sequence[tuple[str, Metric]], cards: Sequence[InstrumentCard]
) -> None:
    """Raises `ConfigError` for a word (plug-in, metric or family) of which the instruments can measure nothing."""
    there = {card.name for card in cards} | {f"role:{card.role}" for card in cards}
    for word in asked:
        meant = [metric for name, metric in chosen if word in _handles(name, metric)]
        if all(metric.needs and not there & set(metric.needs) for metric in meant):
            needs = dict.fromkeys(need for metric in meant for need in metric.needs)
            wanted = " or ".join(need.replace("role:", "one of role ") for need in needs)
            raise ConfigError(f"metric {word} needs {wanted}, which --instrument leaves out")


def _handles(name: str, metric: Metric) -> set[str]:
    """The words by which a plug-in can be asked for."""
    return {name, *(card.name for card in metric.cards), *(card.family for card in metric.cards)}


def choose_instruments(metrics: Iterable[Metric], asked: Sequence[str]) -> list[InstrumentCard]:
    """The instruments that the metrics need, restricted to ``asked``; the judge's detectors always come first."""
    for name in asked:
        registry.unsettled_card(name)  # says what is wrong with one that cannot be used
    cards = dict(registry.instrument_cards(*PHOTO_ROLES))
    for name in asked:
        if name not in cards:
            raise UnknownNameError("instrument", name, cards)
    needs = {need for metric in metrics for need in metric.needs}
    chosen = [cards[JUDGE], cards[SECOND_DETECTOR]]
    for name, card in cards.items():
        wanted = name in needs or f"role:{card.role}" in needs
        allowed = name in asked if asked else card.default
        if card.role != "detector" and wanted and allowed:
            chosen.append(registry.instrument_card(name))
    return chosen


def planned_dataset(text: str, dataset: Dataset, limit: int | None) -> PlannedDataset:
    """A data set's entry in a plan: its card and the ids of its first ``limit`` samples."""
    spec = parse_spec(text, positional="path")
    ids = [ref.id for ref in dataset.refs][:limit]
    return PlannedDataset(
        label=dataset_label(spec),
        spec=_without(spec, {"path"}),
        card=plain(dataset.card),
        samples=ids,
        notes=list(dataset.notes),
    )


def dataset_label(spec: Spec) -> str:
    """The name results carry: the label if one was given, else the data set's name or its folder's name."""
    unlabelled = parse_spec(written(Spec(spec.name, spec.params), positional="path"), positional="path")
    if "path" in spec.params and spec.label == unlabelled.label:
        tail = Path(str(spec.params["path"])).resolve().name
        return default_label(f"{spec.name}:{tail or 'root'}")
    return spec.label


def planned_methods(specs: Sequence[str]) -> list[PlannedMethod]:
    """The plan's entries for method SPECs, the control first; several where draws are averaged (``seeds=5``). Their
    SPECs still have their paths."""
    asked = _with_control([parse_spec(text, positional="dir") for text in specs])
    return [planned for spec in asked for planned in _draws(spec)]


def _draws(asked: Spec) -> list[PlannedMethod]:
    spec, many = without_seeds(asked)
    first = PlannedMethod(
        label=spec.label,
        spec=written(spec, positional="dir"),
        card=plain(registry.create_method(spec).card),
        code=hash_code(spec.name),
        files=hashed_parameters(spec),
    )
    further = {"draw_of": spec.label}
    return [
        first,
        *(first.model_copy(update={"label": f"{spec.label}+draw{k}", "draw": k, **further}) for k in range(1, many)),
    ]


def without_paths(method: PlannedMethod) -> PlannedMethod:
    """The entry with a SPEC and a card that are the same on every machine: a plug-in's card may repeat a path."""
    spec = parse_spec(method.spec, positional="dir")
    paths = path_parameters(spec)
    params = {
        name: hide_paths(value) if isinstance(value, str) else value
        for name, value in method.card["params"].items()
        if name not in paths or value != spec.params[name]
    }
    return method.model_copy(update={"spec": _without(spec, paths), "card": {**method.card, "params": params}})


def _without(spec: Spec, names: Collection[str]) -> str:
    return Spec(spec.name, {key: value for key, value in spec.params.items() if key not in names}).text


def locations_of(datasets: Sequence[str], methods: Sequence[str], calibration: str = SHIPPED) -> Locations:
    """Where the data sets and the files of the methods of these SPECs lie, by label."""
    parsed = {dataset_label(spec): spec for spec in (parse_spec(text, positional="path") for text in datasets)}
    if calibration != SHIPPED:
        parsed[CALIBRATION] = parse_spec(calibration, positional="path")
    paths = {
        label: str(Path(str(spec.params["path"])).expanduser().absolute())
        for label, spec in parsed.items()
        if "path" in spec.params
    }
    contestants = {spec.label: path_parameters(spec) for spec in (parse_spec(t, positional="dir") for t in methods)}
    return Locations(
        datasets={label: {"path": path} for label, path in paths.items()},
        methods={label: {k: str(path) for k, path in found.items()} for label, found in contestants.items() if found},
    )


def _with_control(specs: list[Spec]) -> list[Spec]:
    """No privacy number without its control: ``none`` comes first whether asked for or not."""
    control = [spec for spec in specs if spec.name == CONTROL]
    return [control[0] if control else Spec(CONTROL, {}, CONTROL), *[s for s in specs if s.name != CONTROL]]


def distinct(kind: str, labels: list[str]) -> None:
    """Raises `ConfigError` where two results would carry one label."""
    for label in labels:
        if labels.count(label) > 1:
            raise ConfigError(f"{kind} {label!r} is named twice; write a label before one SPEC: mylabel=SPEC")
