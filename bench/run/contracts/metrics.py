"""The contract of a metric, checked on made-up readings of photos, clips or an audit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final, get_args

import numpy as np

from unmask.bench.core.cards import Family
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Float
from unmask.bench.core.values import AttackTrial, Finding, Histogram, SetStatistic, UnitValues
from unmask.bench.run.contracts.cases import evidences
from unmask.bench.run.contracts.trying import check_texts, copied, is_same, tried
from unmask.bench.run.contracts.verdicts import Ledger

_SLACK: Final = 1e-9
_NUMBERS: Final = (UnitValues, SetStatistic)


def check(ledger: Ledger, create: Callable[[], Any], device: str) -> None:
    """``create``: a new instance each time; ``device``: metrics use none."""
    metric = create()
    cards = {card.name: card for card in metric.cards}
    for card in metric.cards:
        check_texts(ledger, card, "name", "version", "title", "question", "how", "source")
        low, high = card.bounds
        if low is not None and high is not None and low >= high:
            ledger.break_("card", f"the bounds of {card.name!r} are {card.bounds}")
        if card.family not in get_args(Family) or card.direction not in ("higher", "lower", "none"):
            ledger.break_("card", f"{card.name!r} has the family {card.family!r} and the direction {card.direction!r}")
    if not cards or len(cards) != len(metric.cards):
        ledger.break_("card", "it has no cards" if not cards else "two of its cards have one name")
    ledger.keep("card")
    counts = Counter[str]()
    for what, evidence in evidences(metric.needs).items():
        items = _asked(ledger, metric, what, evidence)
        for item in items or []:
            counts[type(item).__name__] += 1
            tried(ledger, "shapes", what, partial(_check_item, ledger, item, cards, evidence, what))
        keys = Counter((type(i), i.metric, i.instrument, i.region) for i in items or [] if isinstance(i, _NUMBERS))
        if keys and max(keys.values()) > 1:
            ledger.break_("answers", f"{what}: it yielded {keys.most_common(1)[0][0][1]!r} of one instrument twice")
    ledger.keep("asks", "determinism", "inputs")
    if not counts["UnitValues"] + counts["SetStatistic"] + counts["Finding"]:
        for rule in ("answers", "shapes", "bounds", "nan"):
            ledger.leave(rule, "it yields nothing of what is made up here; its needs may be other instruments")
    ledger.keep("answers", "shapes", "bounds", "nan")


def _asked(ledger: Ledger, metric: Any, what: str, evidence: Evidence) -> list[Any] | None:
    """What it yields, asked twice; ``None`` where it cannot be asked."""
    before = copied(evidence)
    first = tried(ledger, "asks", what, lambda: list(metric.ask(evidence)))
    if first is None:
        return None
    if not is_same(before, evidence):
        ledger.break_("inputs", f"{what}: it changed the evidence")
    again = tried(ledger, "asks", f"{what}, asked again", lambda: list(metric.ask(replace(before))))
    if again is not None and not is_same([_plain(item) for item in first], [_plain(item) for item in again]):
        ledger.break_("determinism", f"{what}: asked again, it gave other values")
    return first


def _plain(item: Any) -> Any:
    """An item as it can be compared: a statistic by its value on all units."""
    if isinstance(item, SetStatistic):
        return (item.metric, item.instrument, item.scored, _value(item, _weights(item)))
    return item


def _weights(item: SetStatistic) -> Float:
    used = item.scored if item.eligible is None else item.scored & item.eligible
    return np.asarray(used, np.float64)


def _value(item: SetStatistic, weights: Float) -> Any:
    try:
        return item.compute(weights)
    except Exception:
        return None  # the rule `nan` says why


def _check_item(ledger: Ledger, item: Any, cards: dict[str, Any], evidence: Evidence, what: str) -> None:
    if isinstance(item, Histogram):
        if list(item.edges) != sorted(item.edges) or any(len(c) != len(item.edges) - 1 for c in item.series.values()):
            ledger.break_("shapes", f"{what}: a histogram needs ascending edges and a count for each bin")
        return
    if isinstance(item, AttackTrial):
        faces = (len(evidence.faces),)
        if not item.problem and any(np.shape(rows) != faces for rows in (*item.permuted, *item.trainings)):
            ledger.break_("shapes", f"{what}: the trial of an attack needs a value for each of {faces[0]} faces")
        return
    if isinstance(item, Finding):
        if not 0 < item.count <= item.of:
            ledger.break_("answers", f"{what}: the finding {item.kind!r} counts {item.count} of {item.of}")
        return
    if not isinstance(item, _NUMBERS):
        ledger.break_("answers", f"{what}: it yielded a {type(item).__name__}")
        return
    if item.metric not in cards:
        ledger.break_("answers", f"{what}: it yielded {item.metric!r}, which none of its cards is called")
        return
    n, name = evidence.count(item.unit), f"{what}: {item.metric!r}"
    values = np.asarray(item.values if isinstance(item, UnitValues) else item.scored)
    dtype = np.float64 if isinstance(item, UnitValues) else np.bool_
    if values.shape != (n,) or values.dtype != dtype:
        shape = f"{values.dtype.name} of shape {values.shape}"
        ledger.break_("shapes", f"{name} has {shape}, {np.dtype(dtype).name} of shape {(n,)} wanted")
        return
    if item.eligible is not None and (item.eligible.shape != (n,) or item.eligible.dtype != np.bool_):
        ledger.break_("shapes", f"{name}: eligible must be bool of shape {(n,)}")
        return
    if isinstance(item, SetStatistic):
        _check_statistic(ledger, item, name, cards[item.metric].bounds)
    else:
        _check_bounds(ledger, np.asarray(values, np.float64), name, cards[item.metric].bounds)


def _check_bounds(ledger: Ledger, values: Float, name: str, bounds: tuple[float | None, float | None]) -> None:
    low, high = bounds
    some = values[~np.isnan(values)]
    outside = ~np.isfinite(some)
    outside |= some < (-np.inf if low is None else low - _SLACK)
    outside |= some > (np.inf if high is None else high + _SLACK)
    if outside.any():
        ledger.break_("bounds", f"{name} has the value {some[outside][0]:g}, its card says {bounds}")


def _check_statistic(ledger: Ledger, item: SetStatistic, name: str, bounds: tuple[float | None, float | None]) -> None:
    rng, n = np.random.default_rng(0), len(item.scored)
    used = _weights(item)
    draws = [rng.multinomial(n, np.full(n, 1 / n)).astype(float) for _ in range(3)] if n else []
    for draw in (np.ones(n), *draws, np.zeros(n)):
        weights = draw * used
        before = weights.copy()
        value: Any = tried(ledger, "nan", name, partial(item.compute, weights))
        if not isinstance(value, float | np.floating):
            ledger.break_("nan", f"{name}: compute returned a {type(value).__name__}")
            return
        if not np.array_equal(weights, before):
            ledger.break_("nan", f"{name}: compute changed its weights")
        number = float(value)
        magnitude = item.centre + abs(number - item.centre) if item.magnitude else number
        _check_bounds(ledger, np.array([magnitude], np.float64), name, bounds)
