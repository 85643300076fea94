"""A run's numbers, asked for by the parts of the protocol instead of by labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from unmask.bench.core.cards import InstrumentCard, MethodCard
from unmask.bench.store.results import Reproduction
from unmask.bench.store.view import Column, RunView
from unmask.reports.thesis.decisions import UNMEASURED, Range


@dataclass(frozen=True)
class Results:
    """Look-ups; a part that was left out, or a question that was not asked, is `UNMEASURED`."""

    run: RunView
    reproduction: Reproduction

    def label(self, role: str) -> str:
        """The method that plays a part; '' = none."""
        return self.reproduction.roles.get(role, "")

    def method(self, role: str) -> MethodCard | None:
        return self.run.methods.get(self.label(role))

    @cached_property
    def roles(self) -> list[str]:
        """The parts that are played, in the order of the plan."""
        return [
            role for label in self.run.methods for role, played in self.reproduction.roles.items() if played == label
        ]

    def estimate(
        self, role: str, metric: str, instrument: str, region: str = "face", *, dataset: str | None = None
    ) -> Range:
        """``dataset``: its label; without: the balanced test set."""
        column = Column(metric, instrument, region)
        row = self.run.row(dataset or self.reproduction.dataset, self.label(role), column)
        return UNMEASURED if row is None else Range(row.value, row.low, row.high, row.n)

    def difference(self, role: str, other: str, metric: str, instrument: str, region: str = "face") -> Range:
        """``role`` minus ``other``, paired on the same faces."""
        one, two = self.label(role), self.label(other)
        column = Column(metric, instrument, region)
        row = self.run.comparison(self.reproduction.dataset, column, one, two)
        if row is None or not one or one == two:
            return UNMEASURED
        if row.a == one:
            return Range(row.difference, row.low, row.high)
        flipped = [None if bound is None else -bound for bound in (row.high, row.low)]
        return Range(-row.difference, flipped[0], flipped[1])

    def note(self, role: str, metric: str, instrument: str, region: str = "face") -> str:
        """For ``worst``: the attack behind the number; '' = none."""
        row = self.run.row(self.reproduction.dataset, self.label(role), Column(metric, instrument, region))
        return "" if row is None else row.note

    def draws(self, role: str) -> int:
        """With how many seeds a part was run; its numbers are their average."""
        return self.reproduction.draws.get(role, 1)

    def is_by_chance(self, role: str) -> bool:
        """Whether another seed may give a part other images."""
        return role not in self.reproduction.without_chance

    def share_nearer(self, role: str, other: str, metric: str, instrument: str) -> Range:
        """Share of the faces measured under both parts whose value is smaller under ``role``. Of parts with several
        draws the first. Raises `StoreError` where a table of faces cannot be read."""
        one, two = self.label(role), self.label(other)
        if not one or not two:
            return UNMEASURED
        share = self.run.share_smaller(self.reproduction.dataset, one, two, Column(metric, instrument, "face"))
        if share is None:
            return UNMEASURED
        value, low, high = (x if math.isfinite(x) else None for x in (share.value, share.low, share.high))
        return Range(value, low, high, share.n)

    def unit(self, metric: str) -> str:
        card = self.run.metrics.get(metric)
        return "" if card is None else card.unit

    def instrument(self, name: str) -> str:
        """``labels``, ``skin`` and ``judge`` stand for an instrument of the run; other names for themselves."""
        if name == "labels":
            return self.labelling
        if name == "skin":
            return next((card.name for card in self.of_role("skin")), name)
        return self.judge.name if name == "judge" else name

    def of_role(self, role: str) -> list[InstrumentCard]:
        return [card for card in self.run.instruments.values() if card.role == role]

    @property
    def labelling(self) -> str:
        """The estimator that gave the labels and the cells of the test set."""
        return self.reproduction.selection.estimator

    @property
    def other_estimators(self) -> list[str]:
        return [card.name for card in self.of_role("attributes") if card.name != self.labelling]

    @property
    def recognisers(self) -> list[str]:
        return [card.name for card in self.of_role("recogniser")]

    @property
    def judge(self) -> InstrumentCard:
        return self.of_role("detector")[0]
