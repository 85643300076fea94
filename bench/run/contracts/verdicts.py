"""What a check of a contract says: a verdict for each rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

KEPT: Final = "kept"
BROKEN: Final = "broken"
NOT_CHECKED: Final = "not checked"
Status = Literal["kept", "broken", "not checked"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one rule."""

    rule: str
    status: Status
    text: str
    """What is wrong, or why it was not checked; of a rule that is kept what it asks."""
    mend: str = ""
    """What to do about it; '' where it is kept."""


@dataclass(frozen=True, slots=True)
class Report:
    """All rules of one check, in the order of the contract."""

    spec: str
    kind: str
    verdicts: tuple[Verdict, ...]
    seconds: float
    facts: Mapping[str, float | None] = field(default_factory=dict)
    """What was measured on the way: name with its unit -> value, ``None`` = not measured."""

    @property
    def is_kept(self) -> bool:
        """Whether every rule is kept; one that was not checked is not."""
        return all(verdict.status == KEPT for verdict in self.verdicts)

    def as_json(self) -> dict[str, Any]:
        return {
            "spec": self.spec,
            "kind": self.kind,
            "kept": self.is_kept,
            "seconds": round(self.seconds, 2),
            **self.facts,
            "rules": [asdict(verdict) for verdict in self.verdicts],
        }


class Ledger:
    """Collects the verdicts on a contract. The first that breaks a rule stays."""

    def __init__(self, rules: Mapping[str, tuple[str, str]]) -> None:
        """``rules``: name -> what it asks, and how to mend it, in the order of the contract."""
        self._rules = rules
        self._verdicts: dict[str, Verdict] = {}

    def keep(self, *rules: str) -> None:
        """Says that rules are kept, but for those that were broken or not checked before."""
        for rule in rules:
            if rule not in self._verdicts:
                self.record(Verdict(rule, KEPT, self._rules[rule][0]))

    def break_(self, rule: str, text: str, mend: str = "") -> None:
        """``mend``: in place of what the contract says of all such cases."""
        if not self.is_broken(rule):
            self.record(Verdict(rule, BROKEN, text, mend or self._rules[rule][1]))

    def leave(self, rule: str, reason: str) -> None:
        """Says why a rule was not checked."""
        if rule not in self._verdicts:
            self.record(Verdict(rule, NOT_CHECKED, reason))

    def record(self, verdict: Verdict) -> None:
        """Takes a verdict over, in place of what was said of its rule before."""
        self._verdicts[verdict.rule] = verdict

    def is_broken(self, *rules: str) -> bool:
        return any(rule in self._verdicts and self._verdicts[rule].status == BROKEN for rule in rules)

    def verdicts(self, otherwise: str) -> tuple[Verdict, ...]:
        """All of them; ``otherwise``: why those that nothing was said of were not checked."""
        for rule in self._rules:
            self.leave(rule, otherwise)
        return tuple(self._verdicts[rule] for rule in self._rules)
