"""Stored LPIPS readings become values of metrics."""

from __future__ import annotations

import dataclasses

import numpy as np

from unmask.bench.run.contracts.made_up import make_evidence
from unmask.metrics.quality.pairs import Perceptual


def test_each_network_that_was_run() -> None:
    made = make_evidence(n_people=3, photos_each=1)
    columns = {
        "lpips-alex": {"lpips_alex|standard": np.array([0.1, 0.2, np.nan], np.float32)},
        "lpips-vgg": {"lpips_vgg|standard": np.array([0.3, 0.4, 0.5], np.float32)},
    }
    evidence = dataclasses.replace(made, pairs={"face": columns, "background": {"lpips-vgg": columns["lpips-vgg"]}})
    found = {(v.metric, v.instrument, v.region, v.unit): v.values for v in Perceptual().ask(evidence)}
    assert list(found) == [
        ("lpips_alex", "lpips-alex", "face", "face"),
        ("lpips_alex_changed", "lpips-alex", "face", "face"),
        ("lpips_vgg", "lpips-vgg", "face", "face"),
        ("lpips_vgg", "lpips-vgg", "background", "image"),
    ]
    np.testing.assert_allclose(found["lpips_alex", "lpips-alex", "face", "face"], [0.1, 0.2, np.nan], rtol=1e-6)
