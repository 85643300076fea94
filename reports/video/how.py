"""What the pages about measuring show: metric cards, instruments, data sets, provenance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from unmask.bench.core.cards import InstrumentCard, MetricCard
from unmask.reports.columns import better_text
from unmask.reports.pages import InstrumentGroup
from unmask.reports.video.reading import listed
from unmask.reports.video.tables import thesis
from unmask.reports.video.view import FAMILIES, FAMILY_TITLES, VideoView

ROLE_TITLES: Final = {
    "people": "Person detector: finds people",
    "tracker": "Trackers: say who is who from frame to frame",
    "detector": "Face detector: the judge's eye",
    "recogniser": "Recognisers: the attackers",
}
FACE_TRACKER_TITLE: Final = "Face tracker: links the faces of an original to people"


@dataclass(frozen=True, slots=True)
class Explained:
    card: MetricCard
    better: str
    unit: str


@dataclass(frozen=True, slots=True)
class VideoProvenance:
    """As `reports.pages.ProvenanceEntry`, of a run over clips."""

    run: VideoView
    settings: dict[str, Any]
    versions: tuple[tuple[str, str, str, tuple[str, ...]], ...]
    provenance: dict[str, Any]


def metric_families(view: VideoView) -> list[tuple[str, list[Explained]]]:
    """Every card of the plan, by family."""
    found = []
    for family in FAMILIES:
        cards = [card for card in view.metrics.values() if card.family == family]
        if cards:
            found.append(
                (FAMILY_TITLES[family], [Explained(c, better_text(c) or "neither way", _unit(c)) for c in cards])
            )
    return found


def _unit(card: MetricCard) -> str:
    return "share, shown in per cent" if card.unit == "share" else card.unit


def instrument_groups(view: VideoView) -> list[InstrumentGroup]:
    """The detector and trackers of people, then what judges faces."""
    parts: list[tuple[str, list[InstrumentCard]]] = [
        ("people", [view.detector]),
        ("tracker", list(view.trackers.values())),
        *((role, [c for c in view.instruments.values() if c.role == role]) for role in ("detector", "recogniser")),
    ]
    groups = [InstrumentGroup(ROLE_TITLES[role], tuple((card, ()) for card in cards)) for role, cards in parts if cards]
    if view.plan.face_tracker is not None:
        groups.insert(3, InstrumentGroup(FACE_TRACKER_TITLE, ((view.plan.face_tracker.card, ()),)))
    return groups


def followed_by(view: VideoView) -> str:
    """Who found and followed people, and how that differs from the thesis."""
    source = thesis()["source"]
    trackers = list(view.trackers.values())
    here = f"People were found by {view.person_detector.label} and followed by {listed(list(view.trackers))}"
    if view.detector.name == source["detector"] and trackers[0].name == source["tracker"]:
        return f"{here}, as in the thesis ({source['instruments']})."
    return f"{here}. The thesis used {source['instruments']}, so its counts and these are not comparable."


def provenance_entry(view: VideoView) -> VideoProvenance:
    """Settings, versions and the machine."""
    versions: list[tuple[str, str, str, tuple[str, ...]]] = [
        ("data set", label, card.revision, (card.fingerprint,)) for label, card in view.datasets.items()
    ]
    for label, method in view.methods.items():
        versions.append(
            ("method", label, method.version, (*method.weights.values(), *(f.sha256 for f in method.files)))
        )
    for kind, cards in (
        ("person detector", {view.person_detector.label: view.detector}),
        ("tracker", view.trackers),
        ("instrument", view.instruments),
    ):
        for label, card in cards.items():
            versions.append((kind, label, card.version, tuple(f.sha256 for f in card.files)))
    versions += [("metric", name, card.version, ()) for name, card in view.metrics.items()]
    settings: dict[str, Any] = view.plan.settings.model_dump(mode="json")
    settings["contestants"] = [f"{c.label}: {c.method}, {c.variant}" for c in view.plan.releases]
    return VideoProvenance(
        view,
        settings,
        tuple((kind, name, version, tuple(h for h in hashes if h)) for kind, name, version, hashes in versions),
        dict(view.folder.provenance),
    )
