"""The claims of ``make bench-audit`` can fail, and what was not measured is no success."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.benchmarks import audit_time
from tests.benchmarks.audit_time import TimedProgress, added_by_quick, minutes_each
from tests.benchmarks.printing import print_claims
from tests.benchmarks.privacy_audit import Figures, agreement, of_broken, of_contestants
from tests.support.broken_attackers import BROKEN
from unmask.bench.core.headlines import WORST
from unmask.bench.store.results import AttackRow


def figures(*attacks: AttackRow, risks: Any = ()) -> Figures:
    rows = [
        SimpleNamespace(method=m, metric="residual_risk", instrument=WORST, group="all", low=low, high=high, value=low)
        for m, low, high in risks
    ]
    return Figures(SimpleNamespace(attacks=attacks, estimates=rows))  # type: ignore[arg-type]


def attack(attacker: str = "parrot", method: str = "mirror", **more: Any) -> AttackRow:
    return AttackRow(dataset="lfw", method=method, attacker=attacker, channel="sface", **more)


def held(claims: Any) -> list[bool | None]:
    return [holds for _, holds in claims]


@pytest.mark.parametrize(
    ("rows", "exposed"),
    [
        ([attack(risk=0.95, named=0.9)], True),
        ([attack(risk=0.85, named=0.9)], False),
        ([attack(doubts=["no"])], False),
        ([attack(method="tiles", risk=0.95)], False),
        ([attack(attacker="zero-weights", risk=0.95)], False),
        ([attack(attacker="outside", risk=0.95, explains=True)], False),
        ([], False),
    ],
)
def test_a_contestant_is_exposed_by_a_believed_attack_that_names_nearly_everybody(
    rows: list[AttackRow], exposed: bool
) -> None:
    assert held(of_contestants(figures(*rows), ["none", "mirror"])) == [exposed]


def test_a_broken_attacker_must_be_tried_and_doubted_every_time() -> None:
    doubted = [attack(name, doubts=["It learned nothing."], floor=0.01) for name in BROKEN]
    assert held(of_broken(figures(*doubted), 100)) == [True, True, True]
    first, second = doubted
    believed = second.model_copy(update={"doubts": [], "named": 0.0, "method": "blackout"})
    assert held(of_broken(figures(first, second, believed), 100)) == [True, False, True]
    assert held(of_broken(figures(first), 100)) == [True, False, True], "not tried"
    assert held(of_broken(figures(*doubted, attack(floor=0.2)), 100)) == [True, True, False]
    assert held(of_broken(figures(*(row.model_copy(update={"floor": None}) for row in doubted)), 100))[2] is None


def test_runs_agree_where_their_intervals_overlap() -> None:
    runs = [figures(risks=[("a", 0.1, 0.3), ("b", 0.1, 0.2)]), figures(risks=[("a", 0.2, 0.5), ("b", 0.3, 0.4)])]
    assert held(agreement(runs, ["a", "b", "c"])) == [True, False, None]
    assert held(agreement(runs[:1], ["a"])) == [None]


def test_what_was_not_measured_is_said_and_fails_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_claims([("a", True), ("b", None)]) == 0
    assert "- not measured: b" in capsys.readouterr().out
    assert print_claims([("a", True), ("b", None), ("c", False)]) == 1


def test_only_what_was_done_counts_as_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def stage(name: str, seconds: float, *, done: int, skipped: int) -> None:
        progress = TimedProgress(tmp_path / "times")
        progress.start(name, done + skipped)
        for k in range(done + skipped):
            progress.done(str(k), skipped=k < skipped)
        now[0] += seconds
        progress.end()

    stage("attack", 240.0, done=2, skipped=0)
    assert minutes_each(tmp_path / "times") is None, "nothing was judged"
    stage("reduce", 60.0, done=2, skipped=0)
    assert minutes_each(tmp_path / "times") == pytest.approx(2.5)
    stage("attack", 120.0, done=2, skipped=2)
    stage("attack", 5.0, done=0, skipped=4)
    assert minutes_each(tmp_path / "times") == pytest.approx(360 / 4 / 60 + 0.5)


def test_the_share_of_a_quick_audit_is_of_the_time_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    took = iter([100.0, 150.0, 120.0])
    monkeypatch.setattr(audit_time, "_seconds", lambda photos, methods, audit, more: next(took))
    assert added_by_quick(tmp_path) == pytest.approx(0.5)
    assert added_by_quick(tmp_path) == pytest.approx(0.5), "it is not measured again"
