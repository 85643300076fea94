"""What measures in a run: metrics, instruments and their operating points, as a user asks for them."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from importlib.resources import files
from typing import Any, Final

from unmask.bench.core import registry
from unmask.bench.core.cards import DatasetCard, InstrumentCard, Role
from unmask.bench.core.errors import ConfigError, UnknownNameError
from unmask.bench.core.evidence import ANY_LOOK
from unmask.bench.core.spec import parse_spec
from unmask.bench.core.values import AUDIT, CLIPS, Metric
from unmask.bench.store.planned import Kind, PlannedMetric, PlannedPart
from unmask.bench.store.schemas import POINTS_SCHEMA

SHIPPED: Final = "shipped"
"""The operating points that come with unmask."""
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
    "photometry",
    "features",
    "pair",
)
"""Roles of the instruments that read faces and pictures; the others follow people through clips."""
KINDS: Final[tuple[Kind, ...]] = ("photos", "clips")
PHOTOS: Final[tuple[Kind, ...]] = ("photos",)


def choose_metrics(
    names: Sequence[str], kinds: Collection[Kind] = PHOTOS, *, audited: bool = False
) -> list[tuple[str, Metric]]:
    """Plug-ins for ``names``, which may be plug-in names, metric names or families; without any, all that are usual for
    these ``kinds``: of clips those of time, tracks and people, since the others cost more than all of them. A family
    has its usual metrics, too; others are chosen by their own names, and those of privacy where the run is ``audited``.

    Raises `ConfigError` for a metric that means nothing for photos, or without an audit, and `UnknownNameError`.
    """
    if not names:
        usual = registry.all_metrics(clips=None if len(kinds) > 1 else "clips" in kinds)
        return [
            (name, metric) for name, metric in usual if registry.is_usual(metric) or (audited and _of_audit(metric))
        ]
    everything = list(registry.all_metrics(clips=None if "clips" in kinds else False))
    of_clips = {word for name, metric in registry.all_metrics(clips=True) for word in _handles(name, metric)}
    words = {word for name, metric in everything for word in _handles(name, metric)}
    for word in names:
        if word not in words:
            if word in registry.names("metric"):
                registry.create_metric(word)  # says what is wrong with one that is registered, but broken
            if word in of_clips:
                raise ConfigError(f"metric {word} asks about time, tracks or people; the run has no clips to ask it of")
            raise UnknownNameError("metric", word, words)
    chosen = [(n, m) for n, m in everything if _handles(n, m) & set(names) or (audited and _of_audit(m))]
    for name, metric in chosen:
        if AUDIT in metric.needs and not audited:
            raise ConfigError(f"metric {name} asks about attackers who know the method; add --audit quick or full")
    return chosen


def planned_metrics(
    chosen: Sequence[tuple[str, Metric]], names: Sequence[str], kinds: Collection[Kind]
) -> list[PlannedMetric]:
    """The metrics' entries in a plan. A metric of photos is asked of clips where the user ``names`` any."""
    of_photos: list[Kind] = [kind for kind in KINDS if kind in kinds and (names or kind == "photos")]
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
    names: Sequence[str], chosen: Sequence[tuple[str, Metric]], cards: Sequence[InstrumentCard]
) -> None:
    """Raises `ConfigError` for a word (plug-in, metric or family) of which the instruments can measure nothing."""
    # Who finds and follows people is not chosen by --instrument.
    there = {JUDGE, "role:detector", "role:people", "role:tracker"}
    there |= {*(card.name for card in cards), *(f"role:{card.role}" for card in cards)}
    for word in names:
        meant = [_needs(metric) for name, metric in chosen if word in _handles(name, metric)]
        if all(needs and not there & set(needs) for needs in meant):
            needed = dict.fromkeys(need for needs in meant for need in needs)
            wanted = " or ".join(need.replace("role:", "one of role ") for need in needed)
            raise ConfigError(f"metric {word} needs {wanted}, which --instrument leaves out")


def _needs(metric: Metric) -> tuple[str, ...]:
    return tuple(need for need in metric.needs if need not in (CLIPS, AUDIT))


def _handles(name: str, metric: Metric) -> set[str]:
    """The words by which a plug-in can be chosen."""
    families = {card.family for card in metric.cards} if registry.is_usual(metric) else set()
    return {name, *(card.name for card in metric.cards), *families}


def _of_audit(metric: Metric) -> bool:
    """Whether an audit asks it, too."""
    return not registry.is_usual(metric) and bool({card.family for card in metric.cards} & {"audit", "privacy"})


def choose_instruments(
    metrics: Sequence[Metric], names: Sequence[str], kinds: Collection[Kind] = PHOTOS
) -> list[InstrumentCard]:
    """The instruments that the metrics need, and of clips recognisers in any case, restricted to ``names``. Before them
    the second detector where `Plan.looks_closely` has it asked; `JUDGE` itself is not among them."""
    cards = dict(registry.instrument_cards(*READING_ROLES))
    for name in names:
        registry.unsettled_card(name)  # says what is wrong with one that cannot be used
        if name not in cards:
            raise UnknownNameError("instrument", name, cards)
    needs = {need for metric in metrics for need in _needs(metric)}
    if "clips" in kinds:
        needs.add("role:recogniser")
    shared = {need for metric in metrics if CLIPS not in metric.needs for need in metric.needs}
    closely = "photos" in kinds or bool(shared & {"role:recogniser", JUDGE})
    if "photos" not in kinds:
        usable = needs | ({"role:detector"} if closely else set())
        readable = {card.name: card.role for card in cards.values() if {card.name, f"role:{card.role}"} & usable}
        for name in names:
            if name not in readable:
                kind = "recogniser" if {*readable.values()} == {"recogniser"} else "instrument"
                raise UnknownNameError(kind, name, readable)
    chosen = [cards[SECOND_DETECTOR]] if closely else []
    for name, card in cards.items():
        wanted = name in needs or f"role:{card.role}" in needs
        allowed = name in names if names else card.default
        if card.role != "detector" and wanted and allowed:
            chosen.append(registry.instrument_card(name))
    return chosen


def followed_by(detector: str, trackers: Sequence[str]) -> dict[str, Any]:
    """What of a plan finds and follows people and faces in clips; SPECs."""
    return {
        "person_detector": planned_part("people", detector),
        "trackers": [planned_part("tracker", text) for text in trackers],
        "face_tracker": planned_part("tracker", FACE_TRACKER),
    }


def planned_part(role: Role, text: str) -> PlannedPart:
    """A plan's entry for a person detector (role ``people``) or a tracker."""
    spec = parse_spec(text)
    return PlannedPart(label=spec.label, spec=spec.text, card=registry.create_instrument(spec, role).card)


def shipped_card() -> dict[str, Any]:
    """The card measured on lfw's calibration half, as it lies in the package."""
    text = files("unmask.bench.run").joinpath("operating_points", "lfw.json").read_text("utf-8")
    card: dict[str, Any] = json.loads(text)
    return card


def calibration_for(own: DatasetCard | None, recognisers: Sequence[str]) -> dict[str, Any]:
    """What the plan records: the shipped card cut down to ``recognisers``, or a promise to measure one on the run's
    own calibration set."""
    if own is not None:
        return {
            "schema": POINTS_SCHEMA,
            "dataset": f"{own.name} {own.revision}",
            "fingerprint": own.fingerprint,
            "points": {},
        }
    card = shipped_card()
    for field in ("points", "instruments"):
        card[field] = {name: v for name, v in card[field].items() if name.removesuffix(ANY_LOOK) in recognisers}
    return card
