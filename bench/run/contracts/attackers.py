"""The contract of an attacker, checked on made-up readings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from unmask.bench.core.errors import UnavailableError, reason_of
from unmask.bench.core.evidence import Columns
from unmask.bench.core.views import ACTIVATIONS
from unmask.bench.fetch.packages import fetch_all
from unmask.bench.run.contracts import cases
from unmask.bench.run.contracts.trying import check_texts, is_same, tried
from unmask.bench.run.contracts.verdicts import Ledger

ROUNDING: Final = 1e-5
"""By which sums may differ with the number of rows."""
FEW_PEOPLE: Final = 3
_SIDES: Final = ((False, "originals"), (True, "released faces"))


def check(ledger: Ledger, create: Callable[[], Any], device: str) -> None:
    """``create``: a new instance each time."""

    def opened() -> Any:
        attacker = create()
        if attacker.card.files:
            attacker.load(fetch_all(attacker.card.files), device)
        return attacker

    attacker = opened()
    check_texts(ledger, attacker.card, "name", "version", "title", "knows", "how", "source")
    ledger.keep("card")
    if attacker.card.view == ACTIVATIONS:
        for rule in ("state", "determinism", "rows", "alone", "too-little", "inputs"):
            ledger.leave(rule, "it reads a recogniser's activations, which are not made up here")
        return
    people = cases.background()
    state: Any = tried(ledger, "state", "fit", lambda: attacker.fit(people, seed=3))
    if state is None and ledger.is_broken("state", "inputs"):
        return
    if wrong := _no_state(state):
        ledger.break_("state", f"fit returned {wrong}")
        return
    ledger.keep("state")
    again = tried(ledger, "determinism", "fit, by another instance", lambda: opened().fit(people, seed=3))
    if again is not None and not is_same(dict(state), dict(again)):
        ledger.break_("determinism", "the same people and seed gave another fit the second time")
    ledger.keep("determinism")
    _check_reading(ledger, attacker, state)
    _check_too_little(ledger, attacker, state)
    if not is_same(people, cases.background()):
        ledger.break_("inputs", "it changed the readings that it was handed")
    ledger.keep("inputs")


def _no_state(state: Any) -> str:
    """What of a state cannot be stored; '' where all of it can."""
    if not isinstance(state, Mapping):
        return f"a {type(state).__name__}, not a dict of arrays"
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
            return f"{name!r}: {type(value).__name__}, not an array of numbers"
    return ""


def _check_reading(ledger: Ledger, attacker: Any, state: Columns) -> None:
    readings = cases.readings()
    lengths: set[int] = set()
    for released, side in _SIDES:
        answers = tried(ledger, "rows", side, lambda r=released: attacker.read(state, readings, released=r))  # type: ignore[misc]
        if answers is None:
            return
        if wrong := _wrong_rows(readings, answers):
            ledger.break_("rows", f"{side}: {wrong}")
            continue
        lengths |= {rows.shape[1] for rows in answers.values()}
        few = {name: rows[3:5] for name, rows in readings.items()}
        part = tried(ledger, "alone", "two faces", lambda r=released, f=few: attacker.read(state, f, released=r))  # type: ignore[misc]
        if part is not None and (wrong := _wrong_rows(few, part)):
            ledger.break_("rows", f"{side}, two of them: {wrong}")
        elif part is not None:
            for name, rows in answers.items():
                if not np.allclose(part[name], rows[3:5], atol=ROUNDING, equal_nan=True):
                    ledger.break_("alone", f"{side}: {name!r} of two faces is another one among the others")
        none = {name: rows[:0] for name, rows in readings.items()}
        nobody = tried(ledger, "alone", "no faces", lambda r=released, f=none: attacker.read(state, f, released=r))  # type: ignore[misc]
        if nobody is not None and (wrong := _wrong_rows(none, nobody)):
            ledger.break_("rows", f"{side}, none of them: {wrong}")
    if len(lengths) > 1:
        ledger.break_("rows", "originals and released faces get rows of different lengths")
    ledger.keep("rows")
    if ledger.is_broken("rows"):
        ledger.leave("alone", "it cannot be told of rows that are wrong")
    ledger.keep("alone")


def _wrong_rows(before: Columns, after: Any) -> str:
    if not isinstance(after, Mapping) or set(after) != set(before):
        what = ", ".join(map(str, after)) if isinstance(after, Mapping) else type(after).__name__
        return f"it returned {what or 'nothing'} for {', '.join(before)}"
    for name, rows in before.items():
        anew = np.asarray(after[name])
        if anew.ndim != 2 or len(anew) != len(rows):
            return f"{name!r} has shape {anew.shape} for {rows.shape}"
        unread, missing = np.isnan(rows).any(axis=1), ~np.isfinite(anew).all(axis=1)
        if (missing & ~unread).any():
            return f"it dropped {int((missing & ~unread).sum())} of {len(rows)} rows of {name!r}"
        if (unread & ~missing).any():
            return f"it invented {int((unread & ~missing).sum())} of {len(rows)} rows of {name!r}"
        if not np.allclose(np.linalg.norm(anew[~unread], axis=1), 1, atol=1e-4):
            return f"rows of {name!r} are not of length 1"
    return ""


def _check_too_little(ledger: Ledger, attacker: Any, state: Columns) -> None:
    if not state:
        ledger.keep("too-little")
        return

    def refuses(what: str, call: Callable[[], Any]) -> None:
        try:
            call()
        except UnavailableError:
            return
        except BaseException as error:
            ledger.break_("too-little", f"{what}: {reason_of(error)}, not an UnavailableError")
            return
        ledger.break_("too-little", f"{what}: it went on as if that were enough")

    refuses(f"{FEW_PEOPLE} people", lambda: attacker.fit(cases.background(FEW_PEOPLE), seed=0))
    refuses("no state", lambda: attacker.read({}, cases.readings(), released=True))
    ledger.keep("too-little")
