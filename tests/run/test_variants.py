"""Photos as JPEGs: releases of their own, made of the lossless outputs, beside the control's of the same quality."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.support import fakes
from tests.support.painted import Face, picture
from tests.support.painted_runs import PhotoRun
from unmask.bench.core.errors import ConfigError
from unmask.bench.run.outputs.releases import as_jpeg, release_items
from unmask.bench.run.planning.config import RunConfig, read_settings
from unmask.bench.run.planning.plan import planned_methods, planned_releases

pytestmark = pytest.mark.usefixtures("painted_world")


@pytest.fixture
def run(tmp_path: Path) -> PhotoRun:
    faces = [Face(0, 10, 20), Face(1, 60, 30)]
    return PhotoRun(tmp_path, {f"{k}.png": picture(k, [face]) for k, face in enumerate(faces)})


def test_every_method_and_the_control_are_scored_as_jpegs_too(run: PhotoRun) -> None:
    run.planned("x=edit", metrics=("outcome",), instruments=("sface", "mobilefacenet"), qualities=("jpeg75",))
    assert [r.label for r in run.plan.releases] == ["none", "none@jpeg75", "x", "x@jpeg75"]
    run.prepare()
    for method in ("none", "x"):
        run.anonymize(method)
    for label in run.plan.labels_of(run.plan.datasets[0]):
        assert run.score(label) == [True]
    estimates = run.reduce()
    assert {row.method for row in estimates.estimates} == {"none", "none@jpeg75", "x", "x@jpeg75"}
    assert {(row.a, row.b) for row in estimates.comparisons} == {("x", "x@jpeg75")}
    assert "none@jpeg75" not in {row.method for row in estimates.ranks}
    for label, quality in (("x", None), ("x@jpeg75", 75)):
        (job,) = run.jobs(label)
        (plain,) = run.jobs("x")
        for chunk, lossless in zip(release_items(job), release_items(plain), strict=True):
            for released, before in zip(chunk, lossless, strict=True):
                assert released.output is not None
                assert before.output is not None
                expected = before.output if quality is None else as_jpeg(before.output, quality)
                np.testing.assert_array_equal(released.output, expected)
                assert released.same is False


def test_a_further_quality_runs_no_method_again(run: PhotoRun) -> None:
    run.planned("x=edit", instruments=("sface",)).through()
    fakes.EditFaces.seen.clear()
    run.planned("x=edit", instruments=("sface",), qualities=("jpeg75",)).prepare()
    assert run.anonymize("x") == [False]
    assert (run.score("x"), run.score("x@jpeg75")) == ([False], [True])
    assert fakes.EditFaces.seen == []
    # Another quality is another reading.
    run.planned("x=edit", instruments=("sface",), qualities=("jpeg30",)).prepare()
    assert run.score("x@jpeg30") == [True]


@pytest.mark.parametrize("quality", [10, 75, 100])
def test_a_jpeg_is_what_another_encoder_makes_of_it(quality: int) -> None:
    image = picture(3, [Face(0, 10, 20)])
    stored = io.BytesIO()
    Pillow.fromarray(image).save(stored, "JPEG", quality=quality, subsampling="4:2:0")
    theirs = np.asarray(Pillow.open(stored).convert("RGB"), np.int16)
    off = np.abs(as_jpeg(image, quality) - theirs)
    assert off.mean() < 1.0
    assert (np.abs(theirs - image).mean() < np.abs(as_jpeg(image, 5).astype(np.int16) - image).mean()) == (quality > 5)


def test_qualities_go_to_what_can_have_them() -> None:
    methods = planned_methods(["none", "edit"])
    config = RunConfig(qualities=("jpeg75", "56k"), control_qualities=("matched", "jpeg50"))
    labels = [release.label for release in planned_releases(methods, config, {"photos", "clips"})]
    both = [
        "none",
        "none@matched",
        "none@jpeg50",
        "none@jpeg75",
        "none@56k",
        *(f"{methods[1].label}{v}" for v in ("", "@jpeg75", "@56k")),
    ]
    assert labels == both
    with pytest.raises(ConfigError, match="quality 56k is for clips, and there are none; leave it out"):
        planned_releases(methods, config, {"photos"})
    with pytest.raises(ConfigError, match="quality jpeg50 is for photos, and there are none; leave it out"):
        planned_releases(methods, config, {"clips"})
    assert [r.label for r in planned_releases(methods, RunConfig(), {"photos"})] == [m.label for m in methods]


@pytest.mark.parametrize("quality", ["jpeg", "jpeg0", "jpeg101", "jpg75", "jpeg75.5"])
def test_a_quality_that_is_none_is_refused(quality: str) -> None:
    with pytest.raises(ConfigError, match="or jpeg75"):
        read_settings(RunConfig, None, {"qualities": (quality,)})
