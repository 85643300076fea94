"""What anonymize leaves behind of a method's outputs: pictures, failures, and when it runs the method again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.support import fakes
from tests.support.painted import Face, picture, place_of
from tests.support.painted_runs import PhotoRun
from unmask.bench.core.errors import StoreError
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import Image, Sample
from unmask.bench.run.contestants.calling import Attempt

pytestmark = pytest.mark.usefixtures("painted_world")

ANN, BOB, CAT = Face(0, 10, 20), Face(1, 90, 40), Face(2, 60, 30)
PHOTOS: dict[str, Image | bytes] = {
    "pair.png": picture(1, [ANN, BOB]),
    "one.png": picture(2, [CAT]),
    "empty.png": picture(3),
    "broken.png": b"no picture",
}


@pytest.fixture
def run(tmp_path: Path) -> PhotoRun:
    return PhotoRun(tmp_path, PHOTOS)


def by_sample(run: PhotoRun, method: str, column: str) -> dict[str, object]:
    table = run.output(method)
    return dict(zip(table["sample"].tolist(), table[column].tolist(), strict=True))


def stored(run: PhotoRun, method: str, sample: str) -> Image:
    folder = run.table_of("output", "outputs", method).parent
    return np.asarray(Pillow.open(folder / str(by_sample(run, method, "file")[sample])))


def ready(run: PhotoRun, *methods: str, **settings: object) -> PhotoRun:
    run.planned(*methods, instruments=("sface",), **settings).prepare()
    return run


class Failing:
    """A loaded method that fails on everything with ``error``; '' = hands everything back."""

    memory = 0.0

    def __init__(self, error: str, time_limit: float) -> None:
        self.time_limit = time_limit
        self.notes: list[str] = []
        self._error = error

    def expect(self, ids: Sequence[str]) -> None: ...

    def attempt(self, batch: Sequence[Sample], seed: int) -> Attempt:
        if self._error:
            return Attempt(failure=self._error, final=True)
        return Attempt([sample.image for sample in batch], ms=1.0)

    def note(self, line: str) -> None:
        self.notes.append(line)


def test_outputs_are_stored_lossless_under_their_number_in_the_data_set(run: PhotoRun) -> None:
    ready(run, "edit")
    assert run.anonymize("edit") == [True]
    samples = run.plan.datasets[0].samples
    assert by_sample(run, "edit", "file") == {
        name: f"{samples.index(name)}.png" for name in ("pair.png", "one.png", "empty.png")
    }
    expected = picture(1, [ANN, BOB])
    for face in (ANN, BOB):
        expected[place_of(face.box)] = 0
    np.testing.assert_array_equal(stored(run, "edit", "pair.png"), expected)
    folder = run.table_of("output", "outputs", "edit").parent
    for name, file in by_sample(run, "edit", "file").items():
        assert hashlib.sha256((folder / str(file)).read_bytes()).hexdigest() == by_sample(run, "edit", "sha256")[name]
    assert set(by_sample(run, "edit", "error").values()) == {""}
    assert (run.output("edit")["ms"] > 0).all()


def test_numbers_go_on_from_shard_to_shard(run: PhotoRun) -> None:
    ready(run, "edit", shard_size=3)
    assert run.anonymize("edit") == [True, True]
    files = [file for shard in (0, 1) for file in run.output("edit", shard)["file"].tolist()]
    readable = [k for k, name in enumerate(run.plan.datasets[0].samples) if name != "broken.png"]
    assert files == [f"{k}.png" for k in readable]


def test_a_method_that_fails_on_one_photo_of_a_batch_loses_that_one(run: PhotoRun) -> None:
    ready(run, "edit:fails_on=2,batch=4")
    label = run.plan.methods[1].label
    fakes.EditFaces.batches.clear()
    assert run.anonymize(label) == [True]
    errors = by_sample(run, label, "error")
    assert errors == {"pair.png": "", "one.png": "ValueError: cannot do person 2", "empty.png": ""}
    table = run.output(label)
    failed = table["sample"] == "one.png"
    assert table["file"][failed].tolist() == table["sha256"][failed].tolist() == [""]
    assert np.isnan(table["ms"]).tolist() == failed.tolist()
    # The batch of three, then each photo alone.
    assert fakes.EditFaces.batches == [3, 1, 1, 1]


def test_a_method_that_fails_everywhere_leaves_rows_and_no_picture(run: PhotoRun) -> None:
    callee = Failing("took longer than 5 s", 5.0)
    ready(run, "edit")
    assert run.anonymize("edit", callee) == [True]
    assert set(by_sample(run, "edit", "error").values()) == {"took longer than 5 s"}
    assert list(run.table_of("output", "outputs", "edit").parent.glob("*.png")) == []
    # The method's log names no photo either.
    assert sorted(line.split()[1] for line in callee.notes) == ["photo-00001", "photo-00002", "photo-00004"]
    # The limit is the same: these would take as long again.
    assert run.anonymize("edit", callee) == [False]
    callee.time_limit = 9.0
    assert run.anonymize("edit", callee) == [True]


@pytest.mark.parametrize(
    ("error", "limit", "again"),
    [
        ("the method could not be loaded: OSError: no weights here", 0.0, True),
        ("took longer than 5 s", 5.0, False),
        ("took longer than 5 s", 5.5, True),
        ("took longer than 0.5 s", 0.6, True),
        ("took longer than 1e+03 s", 999.0, False),
        ("took longer than 1e+03 s", 1001.0, True),
        ("ValueError: took longer than 5 seconds", 99.0, False),
        ("", 99.0, False),
    ],
)
def test_what_is_worth_another_try(run: PhotoRun, error: str, limit: float, again: bool) -> None:
    ready(run, "edit").anonymize("edit", Failing(error, 0.0))
    assert run.anonymize("edit", Failing(error, limit)) == [again]


def test_nothing_is_run_twice_and_what_changes_the_outputs_runs_again(run: PhotoRun) -> None:
    ready(run, "x=edit:how=black").anonymize("x")
    fakes.EditFaces.seen.clear()
    assert run.anonymize("x") == [False]
    assert fakes.EditFaces.seen == []
    for spec, seed in (("x=edit:how=masked", 0), ("x=edit:how=masked,version=2", 0), ("x=edit:how=masked", 1)):
        assert ready(run, spec, seed=seed).anonymize("x") == [True]
        assert run.anonymize("x") == [False]


def test_an_output_table_that_is_gone_or_damaged_is_made_again(run: PhotoRun) -> None:
    ready(run, "edit").anonymize("edit")
    path = run.table_of("output", "outputs", "edit")
    for content in (None, b"no table"):
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        assert run.anonymize("edit") == [True]
        assert len(run.output("edit")["sample"]) == 3


def test_without_the_faces_of_the_originals_nothing_is_anonymized(run: PhotoRun) -> None:
    ready(run, "edit")
    run.table_of("original", "faces").unlink()
    with pytest.raises(StoreError, match=r"faces.parquet is missing; run the same"):
        run.anonymize("edit")


def test_only_methods_that_use_the_harness_s_boxes_depend_on_its_detector(
    run: PhotoRun, painted_world: pytest.MonkeyPatch
) -> None:
    methods = ("own=edit", "handed=edit:detector=harness")
    ready(run, *methods).anonymize("own")
    run.anonymize("handed")
    fakes.raise_version(painted_world, fakes.Judge)
    ready(run, *methods)
    assert (run.anonymize("own"), run.anonymize("handed")) == ([False], [True])


def test_a_method_is_handed_pictures_boxes_and_no_names(run: PhotoRun) -> None:
    ready(run, "edit").anonymize("edit")
    boxes = {len(sample.boxes or ()): sample for sample in fakes.EditFaces.seen}
    assert set(boxes) == {0, 1, 2}
    assert [(box.x, box.y) for box in boxes[2].boxes or ()] == [(10, 20), (90, 40)]
    np.testing.assert_array_equal(boxes[2].image, PHOTOS["pair.png"])
    for sample in fakes.EditFaces.seen:
        assert len(sample.id) == 64
        assert int(sample.id, 16) >= 0
    assert len({sample.id for sample in fakes.EditFaces.seen}) == 3


def test_a_method_that_goes_by_names_is_told_all_of_the_data_set(run: PhotoRun) -> None:
    ready(run, "by-name", limit=2).anonymize("by-name")
    assert [sorted(ids) for ids in fakes.ByName.expected] == [sorted(PHOTOS)]
    assert {sample.id for sample in fakes.EditFaces.seen} == set(run.plan.datasets[0].samples) - {"broken.png"}


def test_further_draws_have_seeds_of_their_own(run: PhotoRun) -> None:
    ready(run, "noise:seeds=3", seed=4)
    labels = [method.label for method in run.plan.methods[1:]]
    outputs = []
    for label in labels:
        run.anonymize(label)
        outputs.append(tuple(stored(run, label, "one.png")[40, 70].tolist()))
    seeds = [4, derive_seed(4, "draw", "1"), derive_seed(4, "draw", "2")]
    expected = [tuple(np.random.default_rng(seed).integers(0, 200, 3).tolist()) for seed in seeds]
    assert outputs == expected
    assert len(set(outputs)) == 3


def test_an_output_that_lies_wrongly_or_shows_another_photo_is_a_failure(tmp_path: Path) -> None:
    photos = {f"{k}.png": picture(k, [Face(k, 10 + 20 * k, 30)]) for k in range(4)}
    folder = tmp_path / "outputs"
    folder.mkdir()
    outputs = {**photos, "1.png": photos["1.png"][:, ::-1], "2.png": photos["3.png"]}
    for name, image in outputs.items():
        Pillow.fromarray(image).save(folder / name)
    run = ready(PhotoRun(tmp_path, photos), f"theirs=outputs:dir={folder}")
    run.anonymize("theirs")
    assert by_sample(run, "theirs", "error") == {
        "0.png": "", "1.png": "the output is the mirrored input", "2.png": "the output is another input: 3.png",
        "3.png": "",
    }  # fmt: skip


def test_new_outputs_take_the_scores_of_the_old_ones_away(run: PhotoRun) -> None:
    ready(run, "x=edit").anonymize("x")
    run.score("x")
    assert run.table_of("score", "outcomes", "x").exists()
    ready(run, "x=edit:how=masked").anonymize("x")
    assert not run.table_of("score", "outcomes", "x").parent.exists()


def test_a_data_set_without_a_readable_photo_has_no_outputs(tmp_path: Path) -> None:
    run = ready(PhotoRun(tmp_path, {"letter.png": b"?"}), "edit")
    assert run.anonymize("edit") == [True]
    assert run.output("edit")["sample"].tolist() == []
    assert run.anonymize("edit") == [False]
