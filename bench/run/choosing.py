"""What measures in a run: metrics and instruments, as a user asks for them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from unmask.bench.core import registry
from unmask.bench.core.cards import InstrumentCard
from unmask.bench.core.errors import ConfigError, UnavailableError, UnknownNameError
from unmask.bench.core.protocols import Metric
from unmask.bench.core.spec import parse_spec
from unmask.bench.core.video_evidence import VideoMetric
from unmask.bench.store.schemas import Kind, PlannedMetric, PlannedPart

JUDGE: Final = "yunet"
SECOND_DETECTOR: Final = "blazeface"
"""Asked about the place of a face that the judge's detector does not find again."""
FACE_TRACKER: Final = "deepsort:max_cosine_distance=0.5,max_iou_distance=0.8,n_init=1,nn_budget=100"
"""Every face belongs to a track from its first frame on; faces are linked by how the default recogniser sees them."""
PHOTOS: Final[tuple[Kind, ...]] = ("photos",)
AnyMetric = Metric | VideoMetric


def metrics_of(kinds: Collection[Kind]) -> Iterator[tuple[str, AnyMetric]]:
    """Every registered metric of photos, of clips, or of both, by name."""
    if "photos" in kinds:
        yield from registry.all_metrics()
    if "clips" in kinds:
        yield from registry.video_metrics()


def choose_metrics(asked: Sequence[str], kinds: Collection[Kind] = PHOTOS) -> list[tuple[str, AnyMetric]]:
    """Plug-ins for the asked names, which may be plug-in names, metric names or families; all if none are asked."""
    everything = list(metrics_of(kinds))
    if not asked:
        return everything
    known = {word for name, metric in everything for word in _handles(name, metric)}
    for word in asked:
        if word not in known:
            if "photos" in kinds and word in registry.names("metric"):
                registry.create_metric(word)  # says what is wrong with one that is registered, but broken
            raise UnknownNameError("metric", word, known)
    return [(name, metric) for name, metric in everything if _handles(name, metric) & set(asked)]


def planned_metric(name: str, metric: AnyMetric) -> PlannedMetric:
    """A metric's entry in a plan."""
    kinds: list[Kind] = ["clips"] if name in registry.names("video_metric") else ["photos"]
    return PlannedMetric(name=name, kinds=kinds, cards=list(metric.cards), needs=list(_needs(metric)))


def refuse_unmeasurable(
    asked: Sequence[str], chosen: Sequence[tuple[str, AnyMetric]], cards: Sequence[InstrumentCard]
) -> None:
    """Raises `ConfigError` for a word (plug-in, metric or family) of which the instruments can measure nothing."""
    there = {JUDGE, "role:detector", *(card.name for card in cards), *(f"role:{card.role}" for card in cards)}
    for word in asked:
        meant = [_needs(metric) for name, metric in chosen if word in _handles(name, metric)]
        if all(needs and not there & set(needs) for needs in meant):
            names = dict.fromkeys(need for needs in meant for need in needs)
            wanted = " or ".join(need.replace("role:", "one of role ") for need in names)
            raise ConfigError(f"metric {word} needs {wanted}, which --instrument leaves out")


def _needs(metric: AnyMetric) -> tuple[str, ...]:
    return tuple(getattr(metric, "needs", ()))


def _handles(name: str, metric: AnyMetric) -> set[str]:
    """The words by which a plug-in can be asked for."""
    return {name, *(card.name for card in metric.cards), *(card.family for card in metric.cards)}


def choose_instruments(
    metrics: Sequence[AnyMetric], asked: Sequence[str], kinds: Collection[Kind] = PHOTOS
) -> list[InstrumentCard]:
    """The instruments that the metrics need, and of clips recognisers in any case, restricted to ``asked``. Before them
    the second detector, which every run over photos needs; `JUDGE` itself is not among them."""
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
    needs = {need for metric in metrics for need in _needs(metric)}
    if "clips" in kinds:
        needs.add("role:recogniser")
        if "photos" not in kinds:
            _refuse_others(asked, cards.values())
    chosen = [cards[SECOND_DETECTOR]] if "photos" in kinds else []
    for name, card in cards.items():
        wanted = name in needs or f"role:{card.role}" in needs
        allowed = name in asked if asked else card.default
        if card.role != "detector" and wanted and allowed:
            chosen.append(registry.instrument_card(name))
    return chosen


def _refuse_others(asked: Sequence[str], cards: Collection[InstrumentCard]) -> None:
    """Raises `UnknownNameError` for an instrument that reads nothing of clips."""
    known = [card.name for card in cards if card.role == "recogniser"]
    for name in asked:
        if name not in known:
            raise UnknownNameError("recogniser", name, known)


def planned_part(kind: str, text: str) -> PlannedPart:
    """A plan's entry for a person detector or tracker; ``kind``: ``person_detector`` or ``tracker``."""
    spec = parse_spec(text)
    part = registry.create_tracker(spec) if kind == "tracker" else registry.create_person_detector(spec)
    return PlannedPart(label=spec.label, spec=spec.text, card=part.card)
