"""Every face ends in one outcome, and what is found again is counted over all faces."""

from __future__ import annotations

import numpy as np

from unmask.bench.core.types import Outcome
from unmask.bench.core.values import UnitValues
from unmask.bench.run.contracts.made_up import make_evidence
from unmask.metrics.privacy.outcome import OutcomeShares

OUTCOMES = ["anonymized"] * 5 + ["destroyed"] * 2 + ["missed"] * 2 + ["error"]


def answers() -> dict[str, UnitValues]:
    evidence = make_evidence(5, 2, outcomes=OUTCOMES, unscored=[0])
    return {v.metric: v for v in OutcomeShares().ask(evidence) if isinstance(v, UnitValues)}


def test_shares_are_over_all_faces_and_add_up_to_one() -> None:
    found = answers()
    shares = {o: found[f"outcome_{o.value}"].values for o in Outcome}
    assert {o.value: float(v.mean()) for o, v in shares.items()} == {
        "anonymized": 0.5,
        "destroyed": 0.2,
        "missed": 0.2,
        "error": 0.1,
    }
    assert np.array_equal(sum(shares.values()), np.ones(10))


def test_detection_rate_counts_lost_and_failed_faces_as_not_found() -> None:
    assert answers()["detection_rate"].values.tolist() == [1.0] * 5 + [0.0] * 2 + [1.0] * 2 + [0.0]


def test_everything_is_a_share_by_the_judges_detector() -> None:
    assert {(v.instrument, v.share, v.eligible) for v in answers().values()} == {("yunet", True, None)}
