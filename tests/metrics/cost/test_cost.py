"""Time and memory."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.support.video import Clip, video_evidence
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.stats.intervals import estimates
from unmask.bench.core.stats.resampling import ClusterResamples, replicate_statistic
from unmask.bench.run.contracts.made_up import make_evidence
from unmask.metrics.cost.cost import ClipCost, Memory, Speed

NAN = float("nan")


def evidence() -> Evidence:
    made = make_evidence(n_people=4, photos_each=1)
    return dataclasses.replace(made, ms=np.array([10.0, 30.0, NAN, 5.0]), faces_per_image=np.array([1, 3, 2, 0]))


def test_time_per_face_and_per_image() -> None:
    per_face, per_image = Speed().ask(evidence())
    assert (per_face.metric, per_image.metric) == ("ms_per_face", "ms_per_image")
    assert per_face.eligible is not None
    assert per_face.eligible.tolist() == [True, True, True, False]
    np.testing.assert_array_equal(per_face.values, [10, 10, NAN, NAN])
    np.testing.assert_array_equal(per_image.values, [10, 30, NAN, 5])
    assert per_image.eligible is None
    assert {v.unit for v in (per_face, per_image)} == {"image"}


def test_memory_is_one_measurement_without_an_interval() -> None:
    (memory,) = Memory().ask(evidence())
    (estimate,) = estimates(replicate_statistic(memory, ClusterResamples(np.arange(4), 100, seed=0)))
    assert (estimate.value, estimate.n, estimate.unscored) == (100, 4, 0)
    assert np.isnan([estimate.low, estimate.high]).all()
    assert memory.compute(np.ones(4)) == 100
    assert memory.scored.all()
    for resampled in ([2, 0, 1, 1], [1, 1, 0, 1], [0, 0, 0, 0]):
        assert np.isnan(memory.compute(np.array(resampled, dtype=float)))


def test_memory_not_measured() -> None:
    (memory,) = Memory().ask(dataclasses.replace(evidence(), peak_memory_mib=NAN))
    assert not memory.scored.any()
    assert np.isnan(memory.compute(np.ones(4)))


def test_cost_of_clips_is_one_number_a_clip() -> None:
    clips = [
        Clip([], frames=4, ms=[1.0, 3.0, NAN, 5.0], kbps=(900.0, 450.0)),
        Clip([], frames=2, ms=[NAN, NAN], kbps=(NAN, 100.0)),
    ]
    ms, output, source = ClipCost().ask(video_evidence(clips))
    assert [item.metric for item in (ms, output, source)] == ["ms_per_frame", "kbps", "kbps_original"]
    np.testing.assert_array_equal(ms.values, [3.0, NAN])
    np.testing.assert_array_equal(output.values, [450.0, 100.0])
    np.testing.assert_array_equal(source.values, [900.0, NAN])
    assert {item.unit for item in (ms, output, source)} == {"clip"}
