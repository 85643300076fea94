"""What this run used where the thesis used something else, out of the plan and its cards."""

from __future__ import annotations

from collections.abc import Callable

from unmask.bench.core.cards import InstrumentCard, MethodCard
from unmask.reports.numbers import listed
from unmask.reports.thesis.published import Difference, Facts
from unmask.reports.thesis.results import Results

SHIPPED = "shipped"
"""The value of a method's ``checkpoint`` for the weights that come with unmask."""


def ours(difference: Difference, results: Results) -> str:
    """Our side of a difference."""
    return difference.ours if difference.ours_from is None else _FACTS[difference.ours_from](results)


def _dataset(results: Results) -> str:
    selection, inputs = results.reproduction.selection, results.run.inputs(results.reproduction.dataset)
    card = results.run.datasets[results.reproduction.dataset]
    photos = inputs.images if inputs else 0
    return (
        f"{card.title} ({selection.source}): whole photos, {photos:,} of {selection.photos:,}, at most "
        f"{selection.per_cell} for each age group and gender, out of the same groups; no cell is filled up where the "
        "split has fewer"
    )


def _labels(results: Results) -> str:
    return f"As estimated on the originals by {_about(results.run.instruments[results.labelling])}"


def _methods(results: Results) -> str:
    cards = {role: card for role in results.roles if role != "none" and (card := results.method(role)) is not None}
    networks = [f"{results.label(role)}: {_network(card)}" for role, card in cards.items()]
    return "; ".join(networks) or "none was run"


def _network(card: MethodCard) -> str:
    checkpoint = card.params.get("checkpoint")
    if checkpoint is None:
        return f"{card.name}, which has no network of the thesis's kind"
    if checkpoint == SHIPPED:
        return f"{card.name} {card.version}, a compact network that comes with unmask, not the published one"
    return f"{card.name} {card.version}, the network in {checkpoint}"


def _detectors(results: Results) -> str:
    cards = [card for role in results.roles if role != "none" and (card := results.method(role)) is not None]
    names = list(dict.fromkeys(card.detector for card in cards))
    soft = any(card.params.get("paste") == "feather" for card in cards)
    how = "with a soft edge around the box found" if soft else "as a rectangle"
    return f"{listed(names) or 'no detector'}; only the face is replaced, and pasted back into the whole photo {how}"


def _judge(results: Results) -> str:
    return f"{_about(results.judge)} finds it at the same place; the estimators look at that face"


def _recognisers(results: Results) -> str:
    names = listed(results.recognisers)
    people = results.run.operating_points.get("dataset", "another data set")
    return f"{names}; thresholds calibrated on other people ({people}), and the thesis's 0.3 in both readings"


def _skin(results: Results) -> str:
    cards = results.of_role("skin")
    return _about(cards[0]) if cards else "not measured"


def _about(card: InstrumentCard) -> str:
    return f"{card.name}: {card.description.rstrip('.')}"


_FACTS: dict[Facts, Callable[[Results], str]] = {
    "dataset": _dataset,
    "labels": _labels,
    "methods": _methods,
    "detectors": _detectors,
    "judge": _judge,
    "recognisers": _recognisers,
    "skin": _skin,
}
