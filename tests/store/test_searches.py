"""What attackers reached is kept so that every number can be worked out again without any reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.audits import audited, unit
from unmask.bench.core.errors import StoreError
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.stats.disclosure import expected_disclosure, worst_disclosure
from unmask.bench.core.stats.fusion import FUSED
from unmask.bench.core.stats.identification import cmc, open_set
from unmask.bench.core.stats.linkability import binned_linkability
from unmask.bench.core.types import Floats32
from unmask.bench.core.values import AttackTrial, SetStatistic, UnitValues
from unmask.bench.store.names import Pseudonyms
from unmask.bench.store.searches import StoredAttack, read_searches, write_searches
from unmask.bench.store.storage import Folder
from unmask.bench.store.tables import read_table, write_table
from unmask.metrics.privacy.audit import AuditedAttacks
from unmask.metrics.privacy.audit_cards import FPIR

REMEDY = "run `unmask score RUN`"


def half(rows: Floats32, seed: int) -> Floats32:
    noise = np.random.default_rng([seed, len(rows)]).normal(size=rows.shape)
    return unit((rows + 0.4 * noise).astype(np.float32))


@pytest.fixture(scope="module")
def tested() -> Evidence:
    return audited(half, ("ignorant", "ridge", "semi-informed:steps=50"), people=40, background=60)[0]


def stored(evidence: Evidence, folder: Path) -> tuple[list[AttackTrial], list[StoredAttack], dict[str, float]]:
    """Trials, the same read back, and the numbers of the run as ``METRIC ATTACKER/CHANNEL``."""
    items = list(AuditedAttacks().ask(evidence))
    trials = [item for item in items if isinstance(item, AttackTrial)]
    names = Pseudonyms(sorted(set(evidence.faces.sample.tolist())), evidence.truth.identity)
    write_searches(Folder(folder), trials, evidence.faces, evidence.truth, names)
    numbers = {
        f"{item.metric} {item.instrument}": item.compute(item.scored.astype(np.float64))
        for item in items
        if isinstance(item, SetStatistic)
    }
    numbers |= {
        f"{item.metric} {item.instrument}": float(np.nanmean(item.values))
        for item in items
        if isinstance(item, UnitValues)
    }
    return trials, read_searches(Folder(folder), REMEDY), numbers


def test_the_numbers_of_the_run_come_out_of_what_is_kept(tested: Evidence, tmp_path: Path) -> None:
    trials, attacks, numbers = stored(tested, tmp_path)
    assert [(each.attacker, each.channel) for each in attacks] == [(each.attacker, each.channel) for each in trials]
    assert {each.channel for each in attacks} == {*tested.recognisers, FUSED}
    for attack, trial in zip(attacks, trials, strict=True):
        scores, name = attack.scores, f"{attack.attacker}/{attack.channel}"
        histograms, own = scores.histograms, trial.scores
        assert own is not None
        assert numbers[f"linkability {name}"] == float(binned_linkability(histograms))
        assert numbers[f"disclosure_expected {name}"] == float(expected_disclosure(histograms))
        assert numbers[f"attack_eer {name}"] == float(histograms.equal_error_rate().value)
        assert numbers[f"attack_fnir {name}"] == float(open_set(scores.searches, FPIR).fnir)
        assert numbers[f"attack_rank1 {name}"] == pytest.approx(cmc(scores.searches.rank, 1)[0], abs=1e-12)
        assert worst_disclosure(histograms) == worst_disclosure(own.histograms)
        np.testing.assert_array_equal(histograms.edges, own.histograms.edges)
        np.testing.assert_array_equal(scores.strangers.sum(axis=0), own.strangers.sum(axis=0))
        # One comparison for each probe and other person.
        assert scores.strangers.sum() == len(tested.faces) * (scores.people - 1)
        assert scores.people == own.people == len(attack.people)


def test_people_and_photos_stand_by_pseudonyms_and_each_has_its_own_counts(tested: Evidence, tmp_path: Path) -> None:
    trials, attacks, _ = stored(tested, tmp_path)
    identity = tested.truth.identity
    pseudonym = {name: f"person-{k:05d}" for k, name in enumerate(dict.fromkeys(identity.tolist()), 1)}
    own = trials[0].scores
    assert own is not None
    for row, name in enumerate(attacks[0].people):
        (real,) = [real for real, each in pseudonym.items() if each == name]
        number = own.person[identity == real][0]
        np.testing.assert_array_equal(attacks[0].scores.histograms.genuine[row], own.histograms.genuine[number])
        assert set(attacks[0].scores.person[identity == real].tolist()) == {row}
    raw = b"".join(path.read_bytes() for path in tmp_path.rglob("*.parquet"))
    assert not any(name.encode() in raw for name in identity.tolist())
    assert not any(sample.encode() in raw for sample in tested.faces.sample.tolist())
    shown = attacks[0].renamed(lambda face: f"f {face}", lambda person: f"p {person}")
    assert shown.people[0] == "p person-00001"
    assert shown.face[0] == "f photo-00001#0"


def test_nobody_asked_leaves_nothing_and_what_is_not_ours_is_refused(tested: Evidence, tmp_path: Path) -> None:
    names = Pseudonyms(tested.faces.sample.tolist(), tested.truth.identity)
    write_searches(Folder(tmp_path), [AttackTrial("x", "y", problem="not possible")], tested.faces, tested.truth, names)
    assert not list(tmp_path.iterdir())
    with pytest.raises(StoreError, match="is missing; run `unmask score RUN` to make it"):
        read_searches(Folder(tmp_path), REMEDY)
    stored(tested, tmp_path)
    place = tmp_path / "people.parquet"
    table = read_table(place)
    write_table(place, table, "unmask.searches/99")
    with pytest.raises(StoreError, match="of another version of unmask; run `unmask score RUN`"):
        read_searches(Folder(tmp_path), REMEDY)
    place.write_bytes(place.read_bytes()[:-200])
    with pytest.raises(StoreError, match="cannot be read"):
        read_searches(Folder(tmp_path), REMEDY)
