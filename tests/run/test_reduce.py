"""From stored readings to `estimates.json`: values that can be worked out by hand, and everything that is counted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import fakes
from tests.support.painted import SFACE_BLIND, Face, picture
from tests.support.painted_runs import PhotoRun
from unmask.bench.core.errors import StoreError
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import Image
from unmask.bench.store.names import read_names
from unmask.bench.store.results import Estimates

ANN, BOB, CAT = Face(0, 10, 20), Face(1, 90, 40), Face(SFACE_BLIND, 60, 30)
PHOTOS: dict[str, Image | bytes] = {
    "ann/1.png": picture(1, [ANN]),
    "ann/2.png": picture(2, [ANN]),
    "bob.png": picture(3, [BOB]),
    "cat.png": picture(4, [CAT]),
    "empty.png": picture(5),
    "broken.png": b"no picture",
}
LABELS = "file,identity,gender\nann/1.png,ann,f\nann/2.png,ann,f\nbob.png,bob,m\ncat.png,cat,m\n"
METHODS = ("masked=edit:how=masked", "twin=edit:how=masked,batch=2", "disguised=edit:how=disguised",
           "fails=edit:how=masked,fails_on=1", "black=edit")  # fmt: skip


def run_of(folder: Path, *methods: str, photos: Mapping[str, Image | bytes] = PHOTOS, **settings: Any) -> PhotoRun:
    settings = {"metrics": ("outcome", "deid_rate", "marks"), "shard_size": 4, **settings}
    return PhotoRun(folder, photos, LABELS if photos is PHOTOS else "").planned(*methods, **settings).through()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """All methods, reduced once for the whole file."""
    with pytest.MonkeyPatch.context() as patch:
        fakes.install(patch)
        made = run_of(tmp_path_factory.mktemp("reduced"), *METHODS)
        made.reduce()
        yield made


@pytest.fixture(scope="module")
def estimates(run: PhotoRun) -> Estimates:
    return run.folder.estimates


def row(estimates: Estimates, method: str, metric: str, instrument: str, group: str = "all") -> Any:
    (only,) = [
        row
        for row in estimates.estimates
        if (row.method, row.metric, row.instrument, row.group) == (method, metric, instrument, group)
    ]
    return only


def photo(run: PhotoRun, sample: str) -> str:
    """What results call a photo."""
    return {name: shown for shown, name in read_names(run.folder.path).datasets["photos"].samples.items()}[sample]


@pytest.mark.parametrize(
    ("method", "outcome", "value"),
    [
        ("none", "missed", 1.0),
        ("none", "anonymized", 0.0),
        ("masked", "anonymized", 1.0),
        ("black", "destroyed", 1.0),
        ("fails", "error", 0.25),
        ("fails", "anonymized", 0.75),
    ],
)
def test_shares_of_outcomes_are_over_all_faces(estimates: Estimates, method: str, outcome: str, value: float) -> None:
    share = row(estimates, method, f"outcome_{outcome}", "yunet")
    assert (share.value, share.n, share.unscored) == (value, 4, 0)
    assert 0 <= share.low <= value <= share.high <= 1


@pytest.mark.parametrize(
    ("method", "instrument", "value", "n"),
    [
        ("none", "mobilefacenet", 0.0, 4),
        ("masked", "mobilefacenet", 1.0, 4),
        ("fails", "mobilefacenet", 0.75, 4),
        ("disguised", "mobilefacenet", 1.0, 4),
        ("disguised", "mobilefacenet+any-look", 0.0, 4),
        ("black", "mobilefacenet", 1.0, 4),
        ("disguised", "worst", 0.0, 4),
        # One face is not readable for it in the original either.
        ("masked", "sface", 1.0, 3),
    ],
)
def test_rates_of_recognisers(estimates: Estimates, method: str, instrument: str, value: float, n: int) -> None:
    rate = row(estimates, method, "deid_rate@1e-3", instrument)
    assert (rate.value, rate.n, rate.unscored) == (value, n, 4 - n)


def test_the_worst_attack_is_named(estimates: Estimates) -> None:
    assert row(estimates, "disguised", "deid_rate@1e-3", "worst").note == "mobilefacenet+any-look"


def test_subgroups_have_rows_of_their_own(estimates: Estimates) -> None:
    error = {
        group: row(estimates, "fails", "outcome_error", "yunet", group).value
        for group in ("all", "gender=female", "gender=male")
    }
    assert error == {"all": 0.25, "gender=female": 0.0, "gender=male": 0.5}


def test_inputs_that_could_not_be_used_are_counted_and_named_by_pseudonyms(run: PhotoRun, estimates: Estimates) -> None:
    (counts,) = estimates.inputs
    assert (counts.images, counts.faces, counts.unreadable, counts.without_face) == (6, 4, 1, 1)
    assert {problem.sample: problem.reason for problem in counts.problems} == {
        photo(run, "empty.png"): "the judge found no face in it",
        photo(run, "broken.png"): "not an image, or of an unknown format",
    }


def test_failures_have_a_row_with_their_reason(run: PhotoRun, estimates: Estimates) -> None:
    assert [(row.method, row.sample, row.reason) for row in estimates.failures] == [
        ("fails", photo(run, "bob.png"), "ValueError: cannot do person 1")
    ]


def test_no_name_of_a_photo_or_person_is_in_the_results(run: PhotoRun) -> None:
    text = run.folder.estimates_path.read_text()
    for name in ("ann", "bob", "cat.png", "empty.png", str(run.data)):
        assert f'"{name}' not in text
        assert f"/{name}" not in text
    assert set(read_names(run.folder.path).datasets["photos"].people.values()) == {"ann", "bob", "cat"}


def test_methods_are_compared_with_each_other_but_not_with_the_control(estimates: Estimates) -> None:
    pairs = {(c.a, c.b): c for c in estimates.comparisons if (c.metric, c.instrument) == ("outcome_error", "yunet")}
    labels = ["masked", "twin", "disguised", "fails", "black"]
    assert list(pairs) == [(a, b) for k, a in enumerate(labels) for b in labels[k + 1 :]]
    assert pairs["masked", "fails"].difference == -0.25
    assert [pair for pair, each in pairs.items() if each.identical] == [("masked", "twin")]
    assert (pairs["masked", "twin"].difference, pairs["masked", "twin"].p) == (0.0, None)
    assert "none" not in {rank.method for rank in estimates.ranks}


def test_findings_and_histograms_of_metrics_and_of_outputs(estimates: Estimates) -> None:
    unchanged = {row.method: (row.count, row.of) for row in estimates.findings if row.kind == "unchanged"}
    # Nobody is in one of the five readable photos. The control is there to be unchanged.
    assert unchanged == {"masked": (1, 5), "twin": (1, 5), "disguised": (1, 5), "fails": (1, 4), "black": (1, 5)}
    marks = {row.method: row.count for row in estimates.findings if row.kind == "marks"}
    assert marks["fails"] == 4
    histogram = next(row for row in estimates.histograms if row.method == "black")
    assert (histogram.metric, histogram.edges, histogram.series) == ("marks", [0, 1, 2], {"faces": [0, 4]})


def test_the_table_of_faces_tells_how_each_one_ended(run: PhotoRun) -> None:
    table = run.folder.faces("photos", "fails").to_pydict()
    ended = dict(zip(table["sample"], table["outcome"], strict=True))
    reasons = dict(zip(table["sample"], table["reason"], strict=True))
    bob = photo(run, "bob.png")
    assert ended == {
        photo(run, name): "error" if name == "bob.png" else "anonymized"
        for name in ("ann/1.png", "ann/2.png", "bob.png", "cat.png")
    }
    assert {name for name, text in reasons.items() if text} == {bob}
    people = dict(zip(table["sample"], table["identity"], strict=True))
    assert people[photo(run, "ann/1.png")] == people[photo(run, "ann/2.png")] != people[bob]
    rates = dict(zip(table["sample"], table["deid_rate@1e-3|sface|face"], strict=True))
    assert np.isnan(rates[photo(run, "cat.png")])
    assert rates[bob] == 0.0


def test_the_same_readings_give_the_same_bytes(tmp_path: Path, painted_world: pytest.MonkeyPatch) -> None:
    run = run_of(tmp_path, "masked=edit:how=masked")
    run.reduce()
    before = {p: p.read_bytes() for p in (run.folder.estimates_path, run.folder.faces_path("photos", "masked").local)}
    run.reduce()
    assert {path: path.read_bytes() for path in before} == before


def test_draws_are_averaged_into_one_method(tmp_path: Path, painted_world: pytest.MonkeyPatch) -> None:
    run = run_of(tmp_path, "noise:seeds=5", photos={"a.png": picture(1, [ANN]), "b.png": picture(2, [BOB])}, seed=4)
    numbers = run.reduce()
    hidden = np.mean([derive_seed(4, "draw", str(k)) % 2 if k else 0 for k in range(5)])
    assert 0 < hidden < 1
    labels = [method.label for method in run.plan.methods[1:]]
    assert {each.method for each in numbers.estimates} == {"none", labels[0]}
    assert row(numbers, labels[0], "outcome_destroyed", "yunet").value == pytest.approx(hidden)
    assert row(numbers, labels[0], "outcome_anonymized", "yunet").value == pytest.approx(1 - hidden)
    # Each draw has a table of faces of its own.
    tables = [run.folder.faces("photos", label).to_pydict()["outcome"] for label in labels]
    assert np.mean([outcomes == ["destroyed"] * 2 for outcomes in tables]) == pytest.approx(hidden)


def test_a_missing_table_is_no_number(tmp_path: Path, painted_world: pytest.MonkeyPatch) -> None:
    run = run_of(tmp_path, "masked=edit:how=masked")
    run.table_of("score", "outcomes", "masked").unlink()
    with pytest.raises(StoreError, match=r"outcomes.parquet is missing; run the same"):
        run.reduce()
    assert not run.folder.estimates_path.exists()


def test_a_recogniser_that_was_not_calibrated_is_not_measured(
    tmp_path: Path, painted_world: pytest.MonkeyPatch
) -> None:
    run = run_of(tmp_path, "masked=edit:how=masked", metrics=("deid_rate",))
    painted_world.setattr(fakes.SFace, "card", fakes.SFace.card.__class__("sface", "2", "recogniser", "?", "?", "?"))
    numbers = run.reduce()
    stale = row(numbers, "masked", "deid_rate@1e-3", "sface")
    assert (stale.value, stale.low, stale.high, stale.n) == (None, None, None, 0)
    assert row(numbers, "masked", "deid_rate@1e-3", "mobilefacenet").value == 1.0


def test_a_data_set_without_a_face_has_rows_without_numbers(tmp_path: Path, painted_world: pytest.MonkeyPatch) -> None:
    photos = {"wall.png": picture(1), "letter.png": b"?"}
    numbers = run_of(tmp_path, "masked=edit:how=masked", photos=photos).reduce()
    share = row(numbers, "masked", "outcome_missed", "yunet")
    assert (share.value, share.n, share.unscored) == (None, 0, 0)
    assert numbers.inputs[0].faces == 0
    assert numbers.gaps == []
