"""How near each face stays to its own original, before any threshold."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cosine

from unmask.bench.core.types import Outcome
from unmask.bench.run.contracts.made_up import make_evidence
from unmask.metrics.privacy.deid_rate import OwnDistance

OUTCOMES = ["anonymized"] * 6 + ["destroyed", "missed", "error", "anonymized"]


def test_is_scipys_cosine_distance_where_a_face_is_left() -> None:
    evidence = make_evidence(5, 2, outcomes=OUTCOMES, unscored=[0])
    answers = list(OwnDistance().ask(evidence))
    assert {a.instrument for a in answers} == {n for n, r in evidence.original.items() if "embedding" in r}
    for answer in answers:
        before = evidence.original[answer.instrument]["embedding"]
        after = evidence.anonymized[answer.instrument]["embedding"]
        expected = [cosine(before[i], after[i]) for i in range(1, 6)]
        np.testing.assert_allclose(answer.values[1:6], expected, atol=1e-6)
        assert np.isnan(answer.values[0])


def test_released_originals_are_at_0_and_destroyed_faces_are_not_asked_about() -> None:
    evidence = make_evidence(5, 2, outcomes=OUTCOMES)
    for answer in OwnDistance().ask(evidence):
        assert answer.eligible is not None
        assert answer.eligible.tolist() == (evidence.outcome != Outcome.DESTROYED.value).tolist()
        assert answer.values[[7, 8]].tolist() == [0.0, 0.0]
