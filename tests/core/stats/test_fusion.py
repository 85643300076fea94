"""A template of several photos, and one score of several recognisers'."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from unmask.bench.core.errors import UnavailableError
from unmask.bench.core.stats.fusion import LEAST_OWN, Fusion, templates, templates_without
from unmask.bench.core.types import Bools, Float


def test_a_template_is_the_mean_of_a_persons_photos_at_length_one() -> None:
    nan = np.nan
    rows = np.array([[1, 0], [0, 1], [nan, nan], [0, 1], [nan, nan]], np.float32)
    np.testing.assert_allclose(
        templates(rows, np.array([0, 0, 0, 1, 2]), people=4),
        [[0.5**0.5, 0.5**0.5], [0, 1], [nan, nan], [nan, nan]],
        atol=1e-7,
    )
    assert templates(rows[:0], np.zeros(0, np.int64)).shape == (0, 2)


def test_a_probe_meets_the_template_of_its_persons_other_photos_in_no_draw() -> None:
    nan = np.nan
    rows = np.array([[1, 0], [0.8, 0.6], [0, 1], [0.6, -0.8], [nan, nan]], np.float32)
    person, photo = np.array([0, 0, 0, 1, 0]), np.array([0, 0, 1, 2, 3])
    mean = np.array([1.8, 0.6]) / np.hypot(1.8, 0.6)
    whole = np.array([1.8, 1.6]) / np.hypot(1.8, 1.6)
    np.testing.assert_allclose(
        templates_without(rows, person, photo), [[0, 1], [0, 1], mean, [nan, nan], whole], atol=1e-7
    )


def scores(people: int, seed: int) -> tuple[dict[str, Float], Bools]:
    """Two photos each: two channels with errors of their own and scales of their own, and one that knows nothing."""
    rng = np.random.default_rng(seed)
    own = np.eye(people, dtype=np.bool_)
    channels = {
        "good": 0.3 + 0.2 * (2.5 * own + rng.normal(0, 1, own.shape)),
        "fair": 40 * (1.5 * own + rng.normal(0, 1, own.shape)),
        "blind": rng.normal(0, 1, own.shape),
    }
    return channels, own


def separation(values: Float, own: Bools) -> float:
    """How often one's own score is above another's of the same probe: AUC."""
    return float(np.mean([(values[k, k] > np.delete(values[k], k)).mean() for k in range(len(values))]))


def test_fused_scores_tell_people_apart_better_than_the_best_channel() -> None:
    """Independent Gaussian channels: the best sum has the root of the summed squares for d', whatever the scales."""
    fusion = Fusion.fit(*scores(200, 1))
    tested, own = scores(300, 2)
    fused = fusion.fuse(tested)
    assert separation(fused, own) > separation(tested["good"], own) + 0.01
    assert separation(fused, own) == pytest.approx(norm.cdf(np.hypot(2.5, 1.5) / np.sqrt(2)), abs=0.01)
    optimal = 2.5 * (tested["good"] - 0.3) / 0.2 + 1.5 * tested["fair"] / 40
    assert np.corrcoef(fused.ravel(), optimal.ravel())[0, 1] > 0.98


def test_a_channel_that_could_not_compare_counts_as_the_others_do() -> None:
    background, own = scores(200, 1)
    fusion = Fusion.fit(background, own)
    tested, own = scores(300, 2)
    whole = fusion.fuse(tested)
    rng = np.random.default_rng(3)
    unread = {**tested, "fair": np.where(rng.random((300, 1)) < 0.5, np.nan, tested["fair"])}
    partly = fusion.fuse(unread)
    gaps = np.isnan(unread["fair"][:, 0])
    np.testing.assert_array_equal(partly[~gaps], whole[~gaps])
    assert np.mean(np.diag(partly)[gaps]) > np.mean(partly[gaps]) + 1
    assert separation(partly, own) > separation(np.nan_to_num(unread["fair"], nan=-1e3), own)
    alone = fusion.fuse({"good": tested["good"]})
    assert separation(alone, own) == pytest.approx(separation(tested["good"], own), abs=1e-9)
    nothing = fusion.fuse({name: np.full((2, 3), np.nan) for name in tested})
    assert np.isnan(nothing).all()


def test_shuffled_people_teach_no_weights() -> None:
    background, own = scores(200, 1)
    fusion = Fusion.fit(background, own[np.random.default_rng(0).permutation(200)])
    tested, own = scores(300, 2)
    honest = Fusion.fit(*scores(200, 1)).fuse(tested)
    spread = np.diag(honest).mean() - honest[~own].mean()
    assert abs(np.diag(fusion.fuse(tested)).mean() - fusion.fuse(tested)[~own].mean()) < spread / 4


def test_photos_of_their_own_are_not_learned_from_where_they_are_not_compared() -> None:
    background, own = scores(200, 1)
    same = own & (np.arange(200) < 50)[:, None]
    spoiled = {name: np.where(same, np.nan, values) for name, values in background.items()}
    fusion, kept = Fusion.fit(spoiled, own), np.arange(200) >= 50
    part = Fusion.fit({name: values[kept] for name, values in background.items()}, own[kept])
    assert fusion.channels[:2] == part.channels[:2] == ("good", "fair")
    np.testing.assert_allclose(fusion.slope[:2], part.slope[:2], rtol=0.05)


def test_a_channel_with_too_few_comparisons_is_left_out_and_none_at_all_refused() -> None:
    background, own = scores(LEAST_OWN + 1, 1)
    lost = {**background, "fair": np.where(np.arange(len(own))[:, None] < 2, np.nan, background["fair"])}
    assert "fair" not in Fusion.fit(lost, own).channels
    few, own = scores(LEAST_OWN - 1, 1)
    with pytest.raises(UnavailableError, match=f"fusing recognisers needs {LEAST_OWN} comparisons"):
        Fusion.fit(few, own)


def test_noise_costs_nothing_and_never_speaks_against_anybody() -> None:
    """A channel without information, or one whose luck points the other way, as dissimilarity of the same person."""
    for seed in range(8):
        background, own = scores(60, seed)
        tested, others = scores(300, seed + 100)
        alone = separation(tested["good"], others)
        for channel in ("blind", "against"):
            background["against"], tested["against"] = -background["fair"], -tested["fair"]
            fusion = Fusion.fit({name: background[name] for name in ("good", channel)}, own)
            assert (fusion.slope > 0).all()
            assert (fusion.weight > 0).all()
            assert separation(fusion.fuse(tested), others) > alone - 0.01
    nothing = Fusion.fit({"against": -background["fair"], "backwards": -background["good"]}, own)
    assert nothing.channels == ("against", "backwards")
    assert (nothing.weight == 1).all()
