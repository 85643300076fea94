"""Calibration of a recogniser: thresholds against brute force over all pairs, and intervals over people."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from unmask.bench.core.stats.verification import CalibratedPoint, calibrate
from unmask.bench.core.types import Floats32


def by_brute_force(impostor: list[float], fmr: float) -> float:
    """The largest distance that accepts at most a share ``fmr`` of the pairs."""
    return max(distance for distance in impostor if np.mean(np.array(impostor) <= distance) <= fmr)


def faces(people: int, photos: int, seed: int = 0, dim: int = 24) -> tuple[Floats32, list[str]]:
    rng = np.random.default_rng(seed)
    rows = np.repeat(rng.normal(size=(people, dim)), photos, axis=0) + 0.6 * rng.normal(size=(people * photos, dim))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit.astype(np.float32), [f"p{k}" for k in range(people) for _ in range(photos)]


def test_thresholds_equal_brute_force_over_all_pairs() -> None:
    rows, names = faces(40, 3)
    genuine: list[float] = []
    impostor: list[float] = []
    for a, b in combinations(range(len(names)), 2):
        (genuine if names[a] == names[b] else impostor).append(1 - float(rows[a] @ rows[b]))
    for point in calibrate(rows, names, fmrs=(1e-1, 1e-2, 1e-3), replicates=20):
        assert point.threshold == pytest.approx(by_brute_force(impostor, point.fmr), abs=1e-6)
        assert np.mean(np.array(impostor) <= point.threshold - 1e-6) <= point.fmr
        assert point.tar == pytest.approx(np.mean(np.array(genuine) <= point.threshold), abs=0.01)
        assert (point.genuine, point.impostor) == (len(genuine), len(impostor))
        assert (point.identities, point.photos) == (40, 120)


def test_through_looks_a_pair_is_as_far_as_its_nearest_look() -> None:
    rows, names = faces(40, 3)
    looks = [faces(40, 3, seed=5)[0], -rows]
    genuine: list[float] = []
    impostor: list[float] = []
    for a, b in combinations(range(len(names)), 2):
        distance = min(1 - float(look[a] @ rows[b]) for look in (rows, *looks))
        (genuine if names[a] == names[b] else impostor).append(distance)
    plain = calibrate(rows, names, fmrs=(1e-1, 1e-2), replicates=20)
    for point, before in zip(calibrate(rows, names, fmrs=(1e-1, 1e-2), replicates=20, looks=looks), plain, strict=True):
        assert point.threshold == pytest.approx(by_brute_force(impostor, point.fmr), abs=1e-6)
        assert point.tar == pytest.approx(np.mean(np.array(genuine) <= point.threshold), abs=0.01)
        # More chances to match a stranger: the same rate of false matches is a stricter threshold.
        assert point.threshold < before.threshold


def test_a_photo_with_an_unreadable_look_is_left_out() -> None:
    rows, names = faces(30, 2)
    look = rows.copy()
    look[4] = np.nan
    (point,) = calibrate(rows, names, fmrs=(1e-2,), replicates=2, looks=[look])
    assert (point.photos, point.unscored) == (59, 1)
    with pytest.raises(ValueError, match="one embedding per photo"):
        calibrate(rows, names, looks=[rows[:-1]])


def test_blocks_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, names = faces(30, 2)
    whole = calibrate(rows, names, replicates=10)
    monkeypatch.setattr("unmask.bench.core.stats.verification.BLOCK", 7)
    for one, other in zip(whole, calibrate(rows, names, replicates=10), strict=True):
        assert one == pytest.approx(other, abs=1e-6, nan_ok=True)


def test_interval_covers_the_threshold_of_a_large_population() -> None:
    (truth,) = calibrate(*faces(1500, 1, seed=99), fmrs=(1e-2,), replicates=2)
    covered = 0
    for seed in range(60):
        (point,) = calibrate(*faces(60, 2, seed=seed), fmrs=(1e-2,), replicates=100, seed=seed)
        covered += point.low <= truth.threshold <= point.high
    assert covered / 60 >= 0.88


def test_too_few_pairs_are_not_measurable() -> None:
    point = calibrate(*faces(5, 2), fmrs=(1e-3,), replicates=10)[0]
    assert math.isnan(point.threshold)
    assert math.isnan(point.low)
    assert math.isnan(point.tar)


def test_unreadable_photos_are_left_out_and_counted() -> None:
    rows, names = faces(30, 2)
    rows[4] = np.nan
    point = calibrate(rows, names, fmrs=(1e-2,), replicates=10)[0]
    assert (point.photos, point.unscored) == (59, 1)
    assert math.isfinite(point.threshold)


def test_people_with_one_photo_give_impostor_pairs_only() -> None:
    point: CalibratedPoint = calibrate(*faces(40, 1), fmrs=(1e-2,), replicates=10)[0]
    assert math.isfinite(point.threshold)
    assert math.isnan(point.tar)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"identities": ["a"]}, "one identity"), ({"identities": [""] * 10}, "identity"), ({"fmrs": (2.0,)}, "between")],
)
def test_wrong_inputs_are_refused(change: dict[str, object], message: str) -> None:
    rows, names = faces(5, 2)
    with pytest.raises(ValueError, match=message):
        calibrate(**{"embeddings": rows, "identities": names, **change})  # type: ignore[arg-type]
