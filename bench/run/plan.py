"""Resolves a config to a plan: every name looked up, every version and fingerprint written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from bench.core import registry
from bench.core.cards import InstrumentCard
from bench.core.errors import ConfigError, DataError, PlanMismatchError, UnavailableError, UnknownNameError
from bench.core.protocols import Metric
from bench.core.spec import Spec, default_label, parse_spec
from bench.data import Dataset, open_dataset
from bench.run.calibration import SHIPPED, calibration_for, people_of, refuse_shared_people
from bench.run.config import RunConfig
from bench.run.fetching import FetchProgress
from bench.store.atomic import write_json
from bench.store.run_folder import RunFolder
from bench.store.schemas import Plan, PlannedDataset, PlannedMethod, PlannedMetric, PlanSettings

JUDGE = "yunet"
SECOND_DETECTOR = "blazeface"
"""Asked about the place of a face that the judge's detector does not find again."""
CONTROL = "none"


def make_plan(config: RunConfig, *, root: Path | None = None, progress: FetchProgress | None = None) -> Plan:
    """The plan of ``config``. Opens the data sets (to fingerprint them) but decodes nothing.

    Raises `UnmaskError` subclasses for unknown names, double labels, or data that is not there.
    """
    opened = [(text, open_dataset(text, root=root, progress=progress)) for text in config.datasets]
    datasets = [planned_dataset(text, dataset, config.limit) for text, dataset in opened]
    people = {d.label: people_of(dataset, d.samples) for d, (_, dataset) in zip(datasets, opened, strict=True)}
    methods = planned_methods(config.methods)
    distinct("data set", [d.label for d in datasets])
    distinct("method", [m.label for m in methods])
    chosen = choose_metrics(config.metrics)
    cards = choose_instruments([metric for _, metric in chosen], config.instruments)
    if config.metrics and config.instruments:
        refuse_unmeasurable(config.metrics, chosen, cards)
    settings = PlanSettings(
        **config.model_dump(exclude={"datasets", "methods", "metrics", "instruments"}),
    )
    body: dict[str, Any] = {
        "datasets": [d.model_dump() for d in datasets],
        "methods": [m.model_dump() for m in methods],
        "instruments": [plain(card) for card in cards],
        "metrics": [planned_metric(name, metric) for name, metric in chosen],
        "operating_points": calibration_for(config.calibration, [c.name for c in cards if c.role == "recogniser"]),
        "settings": settings.model_dump(mode="json"),
    }
    plan = Plan.sealed(body)
    if config.calibration == SHIPPED:
        refuse_shared_people(plan.operating_points, people)
    else:
        _check_calibration_set(config.calibration, people, root=root, progress=progress)
    return plan


def _check_calibration_set(
    spec: str, people: Mapping[str, set[str]], *, root: Path | None, progress: FetchProgress | None
) -> None:
    """Before any work is done: is it there, with people enough, and nobody in it who is in a test set?"""
    dataset = open_dataset(spec, root=root, progress=progress)
    known = people_of(dataset, [ref.id for ref in dataset.refs])
    if len(known) < 2:
        raise DataError(f"{spec} names {len(known)} people; --calibrate-on needs photos of at least two")
    refuse_shared_people({"dataset": spec, "people_sha256": sorted(known)}, people)


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


def settle_plan(folder: RunFolder, plan: Plan) -> None:
    """Writes the plan, or checks that the folder already holds the same one.

    Raises `PlanMismatchError` with what differs, `ConfigError` where nothing can be written.
    """
    settle(folder.plan_path, plan, lambda: compare_plans(folder.plan, plan))


def settle(path: Path, plan: BaseModel, differences: Callable[[], list[str]]) -> None:
    """The same for a plan of any kind at ``path``; ``differences`` from it are asked for where it is there."""
    folder = path.parent
    try:
        if path.exists():
            found = differences()
            if found:
                raise PlanMismatchError(str(folder), found)
            return
        if folder.exists() and any(folder.iterdir()):
            raise ConfigError(f"{folder} is not empty and holds no {path.name}; choose another --out")
        write_json(path, plan.model_dump(mode="json", by_alias=True))
    except OSError as error:
        raise ConfigError(f"cannot write to {folder} ({error.strerror}); choose another --out") from error


def compare_plans(old: Plan, new: Plan) -> list[str]:
    """What differs between two plans, as short phrases; empty = the same run."""
    found = []
    for field in ("datasets", "methods", "instruments", "metrics"):
        found += listed_differences(field, getattr(old, field), getattr(new, field))
    a, b = old.settings.model_dump(mode="json"), new.settings.model_dump(mode="json")
    found += [f"{key}: {a[key]} before, {b[key]} now" for key in b if a[key] != b[key]]
    if old.operating_points != new.operating_points:
        found.append("the calibration card changed")
    return found


def listed_differences(field: str, old: Sequence[Any], new: Sequence[Any]) -> list[str]:
    """What differs between two lists of named entries of a plan, as short phrases."""
    before, after = _by_name(old), _by_name(new)
    found = [f"{field}: {name} is not in the old plan" for name in after if name not in before]
    found += [f"{field}: {name} is only in the old plan" for name in before if name not in after]
    found += [f"{field}: {name} changed" for name in after if name in before and before[name] != after[name]]
    if not found and list(before) != list(after):
        found.append(f"{field}: another order")
    return found


def planned_metric(name: str, metric: Metric) -> PlannedMetric:
    """A metric's entry in a plan."""
    return PlannedMetric(name=name, cards=[plain(card) for card in metric.cards], needs=list(metric.needs))


def choose_metrics(asked: Sequence[str]) -> list[tuple[str, Metric]]:
    """Plug-ins for the asked names, which may be plug-in names, metric names or families; all if none are asked."""
    everything = list(registry.all_metrics())
    if not asked:
        return everything
    chosen: list[tuple[str, Metric]] = []
    known = {word for name, metric in everything for word in _handles(name, metric)}
    for word in asked:
        if word not in known:
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
        if name not in registry.names("instrument"):
            raise UnknownNameError("instrument", name, registry.names("instrument"))
    cards: dict[str, InstrumentCard] = {}
    for name in registry.names("instrument"):
        try:
            cards[name] = registry.instrument_class(name).card
        except UnavailableError:
            if name in asked:
                raise
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
    return PlannedDataset(label=dataset_label(spec), spec=text, card=plain(dataset.card), samples=ids)


def dataset_label(spec: Spec) -> str:
    """The name results carry: the label if one was given, else the data set's name or its folder's name."""
    if "path" in spec.params and spec.label.startswith(spec.name):
        tail = Path(str(spec.params["path"])).resolve().name
        return default_label(f"{spec.name}:{tail or 'root'}")
    return spec.label


def planned_methods(specs: Sequence[str]) -> list[PlannedMethod]:
    """The plan's entries for method SPECs, the control first."""
    return [_method(spec) for spec in _with_control([parse_spec(text, positional="dir") for text in specs])]


def _method(spec: Spec) -> PlannedMethod:
    return PlannedMethod(label=spec.label, spec=spec.text, card=plain(registry.create_method(spec).card))


def _with_control(specs: list[Spec]) -> list[Spec]:
    """No privacy number without its control: ``none`` comes first whether asked for or not."""
    control = [spec for spec in specs if spec.name == CONTROL]
    return [control[0] if control else Spec(CONTROL, {}, CONTROL), *[s for s in specs if s.name != CONTROL]]


def distinct(kind: str, labels: list[str]) -> None:
    """Raises `ConfigError` where two results would carry one label."""
    for label in labels:
        if labels.count(label) > 1:
            raise ConfigError(f"{kind} {label!r} is named twice; give one a label of its own: mylabel={label}")


def _by_name(items: Sequence[Any]) -> dict[str, Any]:
    plainly = [item if isinstance(item, dict) else item.model_dump() for item in items]
    return {str(item.get("label") or item["name"]): item for item in plainly}
