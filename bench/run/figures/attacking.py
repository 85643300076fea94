"""Attackers at work: what they learn of a method from background people, and readings as they read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import AttackerCard
from unmask.bench.core.errors import UnavailableError
from unmask.bench.core.evidence import ALL_PEOPLE, Background, Columns
from unmask.bench.core.protocols import Attacker
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import Bools
from unmask.bench.core.video import Ints
from unmask.bench.run.jobs import opened

IGNORANT: Final = "ignorant"
FOLDS: Final = 5
"""Thresholds are measured on background people whom a fit has not seen: each person is in one of so many folds."""
SHARES: Final = (0.25, 0.5)
"""Shares of the background people that an attacker learns from to tell whether more of them would make it stronger."""
TRAININGS: Final = 3
"""Fits on all people under different seeds, of an attacker into which chance enters."""


def folds_of(identity: NDArray[np.str_], seed: int) -> Ints:
    """(M,) the fold, 0 to `FOLDS` - 1, of each face's person."""
    people, person = np.unique(identity, return_inverse=True)
    order = np.random.default_rng(derive_seed(seed, "folds")).permutation(len(people))
    return np.asarray(np.argsort(order)[person] % FOLDS, np.int64)


def learned_of(attacker: Attacker, background: Background, fold: Ints, seed: int) -> dict[str, Columns | str]:
    """All fits of an attacker to one recogniser's readings: name -> what it learned, or why it learned nothing.

    `ALL_PEOPLE` is the one that attacks; ``again/K`` the same under other seeds; ``fold/K`` without the people of fold
    K; ``share/S`` with a share of the people; ``shuffled/0`` with released faces given to other people at random. An
    attacker who learns nothing of all people has `ALL_PEOPLE` alone.
    """
    fits: dict[str, Columns | str] = {}
    refit: Callable[..., Columns] | None = getattr(attacker, "refit", None)
    for name, rows, fit_seed in _fits(attacker.card, background, fold, seed):
        settled = fits.get(ALL_PEOPLE)
        try:
            if settled is None or refit is None or isinstance(settled, str):
                fits[name] = dict(attacker.fit(rows, seed=fit_seed))
            else:
                fits[name] = dict(refit(rows, seed=fit_seed, settled=settled))
        except UnavailableError as error:
            fits[name] = str(error)
        if not fits[ALL_PEOPLE] or isinstance(fits[ALL_PEOPLE], str):
            break
    return fits


def _fits(card: AttackerCard, background: Background, fold: Ints, seed: int) -> Iterator[tuple[str, Background, int]]:
    everybody = np.ones(len(fold), np.bool_)
    yield ALL_PEOPLE, background, derive_seed(seed, "fit", "0")
    if card.by_chance:
        for k in range(1, TRAININGS):
            yield f"again/{k}", background, derive_seed(seed, "fit", str(k))
    for k in range(FOLDS):
        yield f"fold/{k}", _part(background, fold != k), derive_seed(seed, "fit", "0")
    people, person = np.unique(background.identity, return_inverse=True)
    rng = np.random.default_rng(derive_seed(seed, "shares"))
    place = rng.permutation(len(people))[person] if len(people) else np.zeros(0, np.int64)
    for share in SHARES:
        yield f"share/{share}", _part(background, place < share * len(people)), derive_seed(seed, "fit", "0")
    # Every released face is somebody else's, so that what is learned holds for nobody.
    other = rng.permutation(len(everybody))
    shuffled = Background(background.original, _rows(background.released, other), background.identity)
    yield "shuffled/0", shuffled, derive_seed(seed, "fit", "0")


def _part(background: Background, kept: Bools) -> Background:
    original, released = (_rows(columns, kept) for columns in (background.original, background.released))
    return Background(original, released, background.identity[kept])


def _rows(columns: Columns, which: NDArray[Any]) -> Columns:
    return {name: rows[which] for name, rows in columns.items()}


@dataclass(frozen=True)
class Learned:
    """An attacker with what it has learned of one method (`LearnedAttack`)."""

    label: str
    spec: str
    states: Mapping[str, Mapping[str, Columns | str]]
    """Recogniser -> fit -> what was learned, or why there is nothing."""

    view: str = ""
    device: str = "cpu"

    @cached_property
    def attacker(self) -> Attacker:
        return opened.attacker(self.spec, self.device)

    @property
    def card(self) -> AttackerCard:
        return self.attacker.card

    def problem(self, recogniser: str, fit: str = ALL_PEOPLE) -> str:
        state = self.states.get(recogniser, {}).get(fit, "it was not asked to learn of this recogniser's readings")
        return state if isinstance(state, str) else ""

    @property
    def recognisers(self) -> Sequence[str]:
        return list(self.states)

    def learns(self, recogniser: str) -> bool:
        return any(state for state in self.states.get(recogniser, {}).values() if not isinstance(state, str))

    def fits(self, recogniser: str) -> Sequence[str]:
        return list(self.states.get(recogniser, {}))

    def read(self, recogniser: str, readings: Columns, *, released: bool, fit: str = ALL_PEOPLE) -> Columns:
        state = self.states.get(recogniser, {}).get(fit, "")
        if isinstance(state, str):
            raise UnavailableError(f"attacker {self.label!r}: {self.problem(recogniser, fit)}")
        return read_by(self.attacker, state, readings, released=released)


def read_by(attacker: Attacker, state: Columns, readings: Columns, *, released: bool) -> Columns:
    """One recogniser's readings as ``attacker`` reads them. Raises `UnavailableError` where it drops faces or invents
    readings, which would look like privacy or like danger."""
    anew = attacker.read(state, readings, released=released)
    who = f"attacker {attacker.card.name!r}"
    if anew.keys() != readings.keys():
        raise UnavailableError(f"{who} returned the readings {', '.join(anew)} for {', '.join(readings)}")
    for name, rows in readings.items():
        if anew[name] is rows:
            continue
        if anew[name].ndim != 2 or not np.array_equal(_readable(anew[name]), _readable(rows)):
            raise UnavailableError(f"{who} must return one reading for each of {name!r} that there is, and no other")
    return anew


def _readable(rows: NDArray[Any]) -> Bools:
    return np.asarray(np.isfinite(rows).all(axis=tuple(range(1, rows.ndim))))
