"""What measures in a run: metrics and instruments, as a user asks for them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from unmask.bench.core import registry
from unmask.bench.core.cards import InstrumentCard, Role
from unmask.bench.core.errors import ConfigError, UnknownNameError
from unmask.bench.core.protocols import CLIPS, Metric
from unmask.bench.core.spec import parse_spec
from unmask.bench.store.schemas import Kind, PlannedMetric, PlannedPart

JUDGE: Final = "yunet"
SECOND_DETECTOR: Final = "blazeface"
"""Asked about the place of a face that the judge's detector does not find again."""
FACE_TRACKER: Final = "deepsort:max_cosine_distance=0.5,max_iou_distance=0.8,n_init=1,nn_budget=100"
"""Every face belongs to a track from its first frame on; faces are linked by how the default recogniser sees them."""
READING_ROLES: Final[tuple[Role, ...]] = (
    "detector",
    "recogniser",
    "attributes",
    "skin",
    "expression",
    "pose",
    "features",
    "pair",
)
"""Roles of the instruments that read faces and pictures; the others follow people through clips."""
KINDS: Final[tuple[Kind, ...]] = ("photos", "clips")
PHOTOS: Final[tuple[Kind, ...]] = ("photos",)


def metrics_of(kinds: Collection[Kind]) -> Iterator[tuple[str, Metric]]:
    """Every registered metric of photos, of clips, or of both, by name."""
    return registry.all_metrics(clips=None if len(kinds) > 1 else "clips" in kinds)


def choose_metrics(names: Sequence[str], kinds: Collection[Kind] = PHOTOS) -> list[tuple[str, Metric]]:
    """Plug-ins for ``names``, which may be plug-in names, metric names or families; without any, all that are
    usual for these ``kinds``: of clips those of time, tracks and people, since the others cost more than all of them.
    A family has its usual metrics, too; others are asked for by their own names.

    Raises `ConfigError` for a metric that means nothing for photos, and `UnknownNameError`.
    """
    if not names:
        return [(name, metric) for name, metric in metrics_of(kinds) if is_usual(metric)]
    everything = list(metrics_of(KINDS if "clips" in kinds else kinds))
    of_clips = {word for name, metric in registry.all_metrics(clips=True) for word in _handles(name, metric)}
    words = {word for name, metric in everything for word in _handles(name, metric)}
    for word in names:
        if word not in words:
            if word in registry.names("metric"):
                registry.create_metric(word)  # says what is wrong with one that is registered, but broken
            if word in of_clips:
                raise ConfigError(f"metric {word} asks about time, tracks or people; the run has no clips to ask it of")
            raise UnknownNameError("metric", word, words)
    return [(name, metric) for name, metric in everything if _handles(name, metric) & set(names)]


def planned_metrics(
    chosen: Sequence[tuple[str, Metric]], asked: Sequence[str], kinds: Collection[Kind]
) -> list[PlannedMetric]:
    """The metrics' entries in a plan. A metric of photos is asked of clips where it was ``asked`` for."""
    of_photos: list[Kind] = [kind for kind in KINDS if kind in kinds and (asked or kind == "photos")]
    return [
        PlannedMetric(
            name=name,
            kinds=["clips"] if CLIPS in metric.needs else of_photos,
            cards=list(metric.cards),
            needs=list(metric.needs),
        )
        for name, metric in chosen
    ]


def refuse_unmeasurable(
    asked: Sequence[str], chosen: Sequence[tuple[str, Metric]], cards: Sequence[InstrumentCard]
) -> None:
    """Raises `ConfigError` for a word (plug-in, metric or family) of which the instruments can measure nothing."""
    # Who finds and follows people is not chosen by --instrument.
    there = {JUDGE, "role:detector", "role:people", "role:tracker"}
    there |= {*(card.name for card in cards), *(f"role:{card.role}" for card in cards)}
    for word in asked:
        meant = [_needs(metric) for name, metric in chosen if word in _handles(name, metric)]
        if all(needs and not there & set(needs) for needs in meant):
            names = dict.fromkeys(need for needs in meant for need in needs)
            wanted = " or ".join(need.replace("role:", "one of role ") for need in names)
            raise ConfigError(f"metric {word} needs {wanted}, which --instrument leaves out")


def _needs(metric: Metric) -> tuple[str, ...]:
    return tuple(need for need in metric.needs if need != CLIPS)


def _handles(name: str, metric: Metric) -> set[str]:
    """The words by which a plug-in can be asked for."""
    families = {card.family for card in metric.cards} if is_usual(metric) else set()
    return {name, *(card.name for card in metric.cards), *families}


def is_usual(metric: Metric) -> bool:
    """Whether a run asks it without being told to."""
    return getattr(metric, "default", True)


def choose_instruments(
    metrics: Sequence[Metric], asked: Sequence[str], kinds: Collection[Kind] = PHOTOS
) -> list[InstrumentCard]:
    """The instruments that the metrics need, and of clips recognisers in any case, restricted to ``asked``. Before them
    the second detector where `Plan.looks_closely` has it asked; `JUDGE` itself is not among them."""
    for name in asked:
        registry.unsettled_card(name)  # says what is wrong with one that cannot be used
    cards = dict(registry.instrument_cards(*READING_ROLES))
    for name in asked:
        if name not in cards:
            raise UnknownNameError("instrument", name, cards)
    needs = {need for metric in metrics for need in _needs(metric)}
    if "clips" in kinds:
        needs.add("role:recogniser")
    shared = {need for metric in metrics if CLIPS not in metric.needs for need in metric.needs}
    closely = "photos" in kinds or bool(shared & {"role:recogniser", JUDGE})
    if "photos" not in kinds:
        usable = needs | ({"role:detector"} if closely else set())
        _refuse_others(asked, [card for card in cards.values() if {card.name, f"role:{card.role}"} & usable])
    chosen = [cards[SECOND_DETECTOR]] if closely else []
    for name, card in cards.items():
        wanted = name in needs or f"role:{card.role}" in needs
        allowed = name in asked if asked else card.default
        if card.role != "detector" and wanted and allowed:
            chosen.append(registry.instrument_card(name))
    return chosen


def _refuse_others(asked: Sequence[str], cards: Collection[InstrumentCard]) -> None:
    """Raises `UnknownNameError` for an instrument that reads nothing of clips."""
    known = [card.name for card in cards]
    for name in asked:
        if name not in known:
            raise UnknownNameError(
                "recogniser" if {c.role for c in cards} == {"recogniser"} else "instrument", name, known
            )


def planned_part(role: Role, text: str) -> PlannedPart:
    """A plan's entry for a person detector (role ``people``) or a tracker."""
    spec = parse_spec(text)
    return PlannedPart(label=spec.label, spec=spec.text, card=registry.create_instrument(spec, role).card)
