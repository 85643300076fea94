"""Our tracking scores against TrackEval's own evaluator, run on the same boxes as MOTChallenge files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trackeval

from unmask.bench.core.types import Float
from unmask.bench.core.video import Tracks
from unmask.metrics.traceability.tracking_scores import COUNTS, TrackingScores, combined, overlaps, sequence_counts

TOLERANCE = 1e-12
FRAMES = 40
Sequences = Mapping[str, tuple[Tracks, Tracks, int]]
"""Name -> reference, tracks, frames."""


def people(rng: np.random.Generator, number: int, frames: int = FRAMES) -> Tracks:
    """People who walk through the picture, some only for a while, under ids with gaps."""
    rows = []
    for person in range(number):
        start, end = sorted(rng.integers(0, frames + 1, 2))
        place, step, size = rng.uniform(0, 300, 2), rng.normal(0, 4, 2), rng.uniform(20, 90, 2)
        rows += [(f, 3 * person + 2, *(place + step * f), *size) for f in range(start, end)]
    columns = np.array(rows, np.float64).reshape(-1, 6)
    return Tracks.sorted(columns[:, 0], columns[:, 1], columns[:, 2:])


def tracked(reference: Tracks, rng: np.random.Generator, frames: int = FRAMES) -> Tracks:
    """What a tracker might make of them: shaken boxes, gaps, ids that change and swap, people who are nobody."""
    box = reference.box + rng.normal(0, 6, reference.box.shape)
    box[:, 2:] = np.maximum(box[:, 2:], 2)
    track = reference.track + 100 * (reference.frame > rng.integers(0, frames, 500)[reference.track])
    kept = rng.random(len(reference)) > 0.2
    nobody = people(rng, 2, frames)
    return Tracks.sorted(
        np.concatenate([reference.frame[kept], nobody.frame]),
        np.concatenate([track[kept], nobody.track + 1000]),
        np.concatenate([box[kept], nobody.box]),
    )


def without(tracks: Tracks, low: int, high: int) -> Tracks:
    keep = (tracks.frame < low) | (tracks.frame >= high)
    return Tracks(tracks.frame[keep], tracks.track[keep], tracks.box[keep])


def make_sequences() -> Sequences:
    rng = np.random.default_rng(4)
    made: dict[str, tuple[Tracks, Tracks, int]] = {}
    for number, count in enumerate((1, 5, 12)):
        reference = people(rng, count)
        made[f"walk{number}"] = (reference, tracked(reference, rng), FRAMES)
    reference = people(rng, 6)
    made["same"] = (reference, reference, FRAMES)
    made["gap"] = (without(reference, 10, 20), without(tracked(reference, rng), 15, 25), FRAMES)
    made["notracker"] = (reference, Tracks.none(), FRAMES)
    made["nobody"] = (Tracks.none(), people(rng, 3), FRAMES)
    made["apart"] = (reference, Tracks(reference.frame, reference.track, reference.box + np.float32(2000)), FRAMES)
    made["long"] = (reference, tracked(reference, rng), FRAMES + 17)
    return made


def write(tracks: Tracks, path: Path, *, truth: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        for frame, track, box in zip(tracks.frame, tracks.track, tracks.box.astype(np.float64), strict=True):
            numbers = ",".join(repr(float(value)) for value in box)
            # Truth: considered, class pedestrian, visible; tracker: confidence and three unused columns.
            stream.write(f"{frame + 1},{track},{numbers},{'1,1,1' if truth else '1,-1,-1,-1'}\n")


def evaluated(sequences: Sequences, folder: Path) -> Any:
    """TrackEval's evaluator on files; {sequence: {metric: fields}}, all together under COMBINED_SEQ."""
    for name, (reference, tracks, _) in sequences.items():
        write(reference, folder / "gt" / name / "gt" / "gt.txt", truth=True)
        write(tracks, folder / "trackers" / "ours" / "data" / f"{name}.txt", truth=False)
    dataset = trackeval.datasets.MotChallenge2DBox(
        {
            "GT_FOLDER": str(folder / "gt"),
            "TRACKERS_FOLDER": str(folder / "trackers"),
            "TRACKERS_TO_EVAL": ["ours"],
            "SEQ_INFO": {name: frames for name, (_, _, frames) in sequences.items()},
            "SKIP_SPLIT_FOL": True,
            "DO_PREPROC": False,
            "PRINT_CONFIG": False,
        }
    )
    quiet = ("PRINT_RESULTS", "PRINT_CONFIG", "TIME_PROGRESS", "OUTPUT_SUMMARY", "OUTPUT_DETAILED", "PLOT_CURVES")
    evaluator = trackeval.Evaluator({**dict.fromkeys(quiet, False), "LOG_ON_ERROR": None})
    metrics = trackeval.metrics
    asked = [metrics.HOTA(), metrics.CLEAR({"PRINT_CONFIG": False}), metrics.Identity({"PRINT_CONFIG": False})]
    results, _ = evaluator.evaluate([dataset], asked)
    found = results["MotChallenge2DBox"]["ours"]
    return {name: fields["pedestrian"] for name, fields in found.items()}


@pytest.fixture(scope="module")
def sequences() -> Sequences:
    return make_sequences()


@pytest.fixture(scope="module")
def theirs(sequences: Sequences, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return evaluated(sequences, tmp_path_factory.mktemp("mot"))


def test_the_sequences_are_not_trivial(theirs: Any) -> None:
    everything = theirs["COMBINED_SEQ"]
    assert everything["CLEAR"]["IDSW"] > 5
    assert 0.2 < everything["HOTA"]["HOTA"].mean() < 0.9
    assert everything["CLEAR"]["CLR_FP"] > 50


def test_each_sequence_counts_as_theirs(sequences: Sequences, theirs: Any) -> None:
    for name, (reference, tracks, frames) in sequences.items():
        ours = sequence_counts(reference, tracks, frames)
        results = theirs[name]
        expected = [results["HOTA"][key] for key in COUNTS["HOTA"]]
        expected.append(results["HOTA"]["AssA"] * results["HOTA"]["HOTA_TP"])
        expected += [[results[family][key]] for family in ("CLEAR", "Identity") for key in COUNTS[family]]
        np.testing.assert_allclose(ours, np.concatenate(expected), rtol=0, atol=1e-9, err_msg=name)


def scores(counts: list[Float], weights: Float | None = None) -> TrackingScores:
    return combined(np.stack(counts), np.ones(len(counts)) if weights is None else weights)


def as_theirs(results: Any) -> tuple[float, ...]:
    hota, clear, identity = (results[key] for key in ("HOTA", "CLEAR", "Identity"))
    return (
        float(hota["HOTA"].mean()),
        float(hota["DetA"].mean()),
        float(hota["AssA"].mean()),
        float(identity["IDF1"]),
        float(clear["MOTA"]),
        float(clear["IDSW"]),
    )


def test_each_sequence_scores_as_theirs(sequences: Sequences, theirs: Any) -> None:
    for name, (reference, tracks, frames) in sequences.items():
        ours = scores([sequence_counts(reference, tracks, frames)])
        if len(reference):
            np.testing.assert_allclose(ours, as_theirs(theirs[name]), rtol=0, atol=TOLERANCE, err_msg=name)
        else:
            assert np.isnan(ours).all()


def test_all_sequences_together_score_as_theirs(sequences: Sequences, theirs: Any) -> None:
    ours = scores([sequence_counts(*sequence) for sequence in sequences.values()])
    np.testing.assert_allclose(ours, as_theirs(theirs["COMBINED_SEQ"]), rtol=0, atol=TOLERANCE)


def test_weights_are_sequences_taken_several_times(sequences: Sequences, tmp_path: Path) -> None:
    names = list(sequences)
    weights = np.array([2, 1, 0, 0, 3, 1, 1, 0, 2], np.float64)
    drawn = {f"{name}{copy}": sequences[name] for name, w in zip(names, weights, strict=True) for copy in range(int(w))}
    ours = scores([sequence_counts(*sequences[name]) for name in names], weights)
    expected = as_theirs(evaluated(drawn, tmp_path)["COMBINED_SEQ"])
    np.testing.assert_allclose(ours, expected, rtol=0, atol=TOLERANCE)


def test_overlaps_as_theirs() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-50, 50, (2, 30, 4)).astype(np.float32)
    a[:, 2:], b[:, 2:] = np.maximum(a[:, 2:], 0), np.maximum(b[:, 2:], 0)
    theirs = trackeval.datasets.MotChallenge2DBox._calculate_box_ious(a.astype(np.float64), b.astype(np.float64))
    assert (theirs > 0).any()
    np.testing.assert_allclose(overlaps(a, b), theirs, rtol=0, atol=TOLERANCE)


def test_nothing_is_printed(sequences: Sequences, capsys: pytest.CaptureFixture[str]) -> None:
    sequence_counts(*sequences["gap"])
    assert capsys.readouterr().out == ""
