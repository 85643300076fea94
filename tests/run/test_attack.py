"""An audit's part of a run: what is planned, read, learned and kept for attackers who know the method."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.support.fake_methods import EditFaces
from tests.support.painted import Face, faces_seen, picture
from tests.support.painted_runs import PhotoRun
from unmask.bench.core.errors import ConfigError, DataError
from unmask.bench.core.stats.fusion import FUSED
from unmask.bench.core.stats.identification import cmc
from unmask.bench.run.anonymize import anonymize_shard
from unmask.bench.run.figures.attacking import FOLDS, folds_of
from unmask.bench.run.figures.learning import attack_jobs, attack_release
from unmask.bench.run.figures.regimes import without_idle
from unmask.bench.run.jobs.shards import Workplace, output_jobs, score_jobs
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.run.planning.plan import make_plan
from unmask.bench.run.planning.settling import announce_changes, hash_evidence, refused_changes
from unmask.bench.run.reading.restoring import learn_restorations, restore_jobs
from unmask.bench.run.score import score_shard
from unmask.bench.store.documents import read_locations
from unmask.bench.store.fits import read_fits
from unmask.bench.store.purging import purge
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.tables import read_table
from unmask.bench.store.view import RunView

pytestmark = pytest.mark.usefixtures("painted_world")

QUICK = {"metrics": ("audit",), "audit": "quick"}


def people(folder: Path, names: str, first: int, of: int = 7) -> PhotoRun:
    """Two photos of everybody, whose face is painted in a colour of its own, ``of`` so many."""
    photos = {
        f"{name}{k}.png": picture(10 * n + k, [Face((first + n) % of, 20 + 5 * k, 25)])
        for n, name in enumerate(names)
        for k in range(2)
    }
    lines = ["file,identity", *(f"{file},{file[0]}" for file in photos)]
    return PhotoRun(folder, photos, "\n".join(lines))


@pytest.fixture
def others(tmp_path: Path) -> str:
    return f"folder:{people(tmp_path / 'others', 'uvwxyz', 0).data}"


def through(run: PhotoRun) -> None:
    """All stages up to what attackers learn."""
    workplace = Workplace(run.folder.path)
    run.prepare()
    one_draw = run.plan.one_draw.values()
    jobs = output_jobs(run.plan)
    for job in [job for job in jobs if job.method not in one_draw]:
        anonymize_shard(workplace.place(job))
    for job in without_idle(run.folder, run.plan, [job for job in jobs if job.method in one_draw]):
        anonymize_shard(workplace.place(job))
    for job in restore_jobs(run.plan):
        learn_restorations(workplace.place(job))
    for job in without_idle(run.folder, run.plan, score_jobs(run.plan)):
        score_shard(workplace.place(job))
    for job in attack_jobs(run.plan):
        attack_release(workplace.place(job))


def test_what_attackers_reached_outlives_readings_and_embeddings(tmp_path: Path, others: str) -> None:
    run = people(tmp_path, "abc", 0).planned("edit", background=(others,), **QUICK)
    through(run)
    before = run.reduce()
    shown = RunFolder.open(run.folder.path, show_names=True).searches("photos", "edit")
    assert set(shown[0].people.tolist()) == {"a", "b", "c"}
    assert set(shown[0].face.tolist()) == {f"{name}{k}.png#0" for name in "abc" for k in range(2)}
    removed = purge(RunFolder.open(run.folder.path))
    assert {"prepare", "score", "attacks"} <= set(removed)
    view = RunView(RunFolder.open(run.folder.path))
    kept = view.searches("photos", "edit")
    rows = {(row.attacker, row.channel): row for row in before.attacks if row.method == "edit" and not row.problem}
    assert kept.keys() == rows.keys()
    for key, row in rows.items():
        assert set(kept[key].people.tolist()) == {f"person-{k:05d}" for k in (1, 2, 3)}
        assert kept[key].scores.people == row.people
        if row.named is not None:
            assert row.named == pytest.approx(cmc(kept[key].scores.searches.rank, 1)[0])
    assert view.searches("photos", "other") == {}


def test_an_audit_runs_the_method_again_and_on_other_people_and_only_recognisers_read_that(
    tmp_path: Path, others: str
) -> None:
    run = people(tmp_path, "abc", 0).planned("edit", background=(others,), **QUICK)
    plan = run.plan
    (entry,) = plan.others
    assert (entry.use, len(entry.samples)) == ("background", 12)
    assert plan.again == {"edit": "edit+again"}
    assert [a.label for a in plan.attackers][:2] == ["ignorant", "parrot"]
    assert {(job.dataset, job.method) for job in output_jobs(plan)} == {
        ("photos", "none"), ("photos", "edit"), ("photos", "edit+again"), ("photos", "edit+one-draw"),
        (entry.label, "edit"),
    }  # fmt: skip
    through(run)
    for dataset, label in (("photos", "edit+again"), (entry.label, "edit")):
        tables = {place.local.stem for place in run.folder.score_dir(dataset, label, 0).children()}
        assert tables == {"outcomes", "extras", *plan.recognisers}
    estimates = run.reduce()
    assert {row.dataset for row in estimates.estimates} == {"photos"}
    assert {row.method for row in estimates.estimates} == {"none", "edit"}
    assert {row.attacker for row in estimates.attacks} == {a.label for a in plan.attackers}
    assert {row.channel for row in estimates.attacks} == {*plan.recognisers, FUSED}


def test_a_method_that_draws_is_released_once_more_with_one_draw_a_person(tmp_path: Path) -> None:
    run = people(tmp_path, "abcde", 0).planned("edit", "drawn", metrics=("release_auc",), audit="quick")
    assert run.plan.one_draw == {"edit": "edit+one-draw", "drawn": "drawn+one-draw"}
    through(run)
    draws = [sample.draw for sample in EditFaces.seen if sample.draw != sample.id]
    assert len(draws) == 10, "of the method that draws alone"
    assert len(set(draws)) == 5
    assert draws[::2] == draws[1::2], "photos of one person follow each other"
    assert all(re.fullmatch("[0-9a-f]{64}", draw) for draw in draws)
    assert not run.folder.outputs_dir("photos", "edit+one-draw", 0).local.exists()
    for label, alike in (("drawn", 10), ("drawn+again", 10), ("drawn+one-draw", 5)):
        assert len({colour_of(run, label, k) for k in range(10)}) == alike, label
    assert {place.local.stem for place in run.folder.score_dir("photos", "drawn+one-draw", 0).children()} == {
        *("outcomes", "extras"),
        *run.plan.recognisers,
    }
    estimates = run.reduce()
    rows = {(row.method, row.instrument) for row in estimates.estimates if row.metric == "release_auc"}
    regimes = {(method, f"{name}+one-draw") for method in ("none", "edit", "drawn") for name in run.plan.recognisers}
    assert rows & regimes == {("drawn", f"{name}+one-draw") for name in run.plan.recognisers}
    assert {row.method for row in estimates.estimates} == {"none", "edit", "drawn"}


def colour_of(run: PhotoRun, method: str, number: int) -> tuple[int, ...]:
    """Of the face in an output."""
    table = run.output(method)
    image = np.asarray(Pillow.open(run.table_of("output", "outputs", method).parent / table["file"][number]))
    (face,) = faces_seen(image)
    return tuple(image[round(face.box.y) + 2, round(face.box.x) + 2].tolist())


def test_nobody_is_linked_who_has_one_photo(tmp_path: Path) -> None:
    run = PhotoRun(tmp_path, {f"{k}.png": picture(k, [Face(k, 20, 25)]) for k in range(3)}, "file,identity\n0.png,a")
    plan = run.planned("drawn", metrics=("release_auc",), audit="quick").plan
    assert plan.one_draw == {}
    assert plan.again == {"drawn": "drawn+again"}
    assert run.planned("drawn", metrics=("release_auc",)).plan.again == {}


def test_what_was_learned_is_kept_and_learned_again_only_from_other_readings(tmp_path: Path, others: str) -> None:
    run = people(tmp_path, "abc", 0).planned("edit", background=(others,), **QUICK)
    through(run)
    workplace = Workplace(run.folder.path)
    jobs = [workplace.place(job) for job in attack_jobs(run.plan)]
    assert len(jobs) == 2
    assert not any(attack_release(job) for job in jobs)
    before = hash_evidence(run.folder, run.plan)
    place = run.folder.attacks_dir("photos", "edit") / f"parrot@{run.plan.recognisers[0]}.safetensors"
    assert list(read_fits(place)) == ["all"]
    place.remove()
    assert [attack_release(job) for job in jobs] == [False, True]
    assert hash_evidence(run.folder, run.plan) == before


def test_without_background_people_attackers_who_learn_say_that_they_have_nobody(tmp_path: Path) -> None:
    run = people(tmp_path, "abc", 0).planned("edit", **QUICK)
    through(run)
    attacks = run.reduce().attacks
    rows = {(row.method, row.attacker): row for row in attacks if row.channel != FUSED}
    assert rows["edit", "parrot"].problem == ""
    assert "background people" in rows["edit", "ridge"].problem
    assert rows["edit", "ridge"].named is None


def test_a_finished_run_grows_by_an_audit_and_by_nothing_else(tmp_path: Path, others: str) -> None:
    run = people(tmp_path, "abc", 0)
    asked = {"metrics": ("rank1_cross_photo",), "audit": "quick", "background": (others,)}
    run.planned("edit", metrics=("rank1_cross_photo",))
    run.through()
    run.reduce()
    old, same = RunFolder(run.folder.path), {"operating_points": run.plan.operating_points}
    grown = make_plan(run_config(run, **asked)).changed(**same)
    places = read_locations(run.folder.path)
    assert refused_changes(old, grown, places) == []
    assert any("audit quick" in line for line in announce_changes(RunFolder(run.folder.path), grown, places))
    other = make_plan(run_config(run, **asked, seed=1)).changed(**same)
    assert refused_changes(old, other, places) == ["seed: 0 before, 1 now"]


def run_config(run: PhotoRun, **fields: object) -> RunConfig:
    usual = {"datasets": (f"photos=folder:path={run.data}",), "methods": ("edit",), "replicates": 100}
    return RunConfig(**usual, **fields)  # type: ignore[arg-type]


def test_nobody_who_is_tested_is_learned_from(tmp_path: Path) -> None:
    shared = people(tmp_path / "others", "cvwxyz", 0)
    with pytest.raises(DataError, match=r"1 people of .* are among the people whom attackers learn from"):
        people(tmp_path, "abc", 0).planned("edit", background=(f"folder:{shared.data}",), **QUICK)


def test_what_means_nothing_together_is_refused(tmp_path: Path, others: str) -> None:
    run = people(tmp_path, "abc", 0)
    with pytest.raises(ConfigError, match="add --audit quick or full"):
        run.planned("edit", background=(others,))
    with pytest.raises(ConfigError, match="add --audit quick or full"):
        run.planned("edit", metrics=("attack_rank1",))


def test_every_person_is_in_one_fold() -> None:

    identity = np.repeat([f"p{k}" for k in range(23)], 3)
    fold = folds_of(identity, 4)
    assert len(fold) == 69
    assert {len(set(fold[identity == name].tolist())) for name in set(identity.tolist())} == {1}
    assert np.bincount(fold, minlength=FOLDS).min() >= 12


@pytest.fixture
def crowd(tmp_path: Path) -> str:
    """Enough people to learn an inverse from."""
    return f"folder:{people(tmp_path / 'crowd', 'mnopqrstuvwxyz', 0, of=6).data}"


def test_a_face_turned_into_its_negative_is_restored_and_named(tmp_path: Path, crowd: str) -> None:
    asked = {"metrics": ("audit",), "audit": "quick", "attackers": ("closed-form",), "background": (crowd,)}
    run = people(tmp_path, "abcdef", 0, of=6).planned("edit:how=inverted", **asked)
    through(run)
    rows = {(row.method, row.attacker): row for row in run.reduce().attacks if row.channel == "mobilefacenet"}
    label = run.plan.methods[1].label
    assert rows[label, "ignorant"].named == pytest.approx(1 / 6, abs=0.2)
    restored = rows[label, "closed-form"]
    assert (restored.named, restored.ceiling, restored.problem) == (1.0, 1.0, "")
    assert restored.psnr_released is not None
    assert restored.psnr == 60
    evidence, *_ = run.evidence(label)
    assert evidence.audit is not None
    assert set(evidence.audit.restored) == {"closed-form"}
    tables = {place.local.stem for place in run.folder.score_dir("photos", f"{label}+again", 0).children()}
    assert not any("~" in name for name in tables)


def test_a_method_may_fail_on_background_photos(tmp_path: Path, others: str) -> None:
    run = people(tmp_path, "abc", 0).planned("edit:fails_on=3", background=(others,), **QUICK)
    through(run)
    (entry,) = run.plan.others
    table = read_table(run.folder.score_dir(entry.label, run.plan.methods[1].label, 0) / "outcomes.parquet")
    assert table["outcome"].tolist().count("error") == 2


def test_nothing_to_restore_is_said_and_what_lies_outside_the_face_explains(tmp_path: Path, crowd: str) -> None:
    attackers = ("closed-form", "outside", "patch")
    asked = {"metrics": ("audit",), "audit": "quick", "attackers": attackers, "background": (crowd,)}
    run = people(tmp_path, "abcdef", 0, of=6).planned("edit", **asked)
    through(run)
    estimates = run.reduce()
    # What restores nothing shows nobody as private.
    rows = [row for row in estimates.attacks if row.attacker == "closed-form" and row.method == "edit"]
    assert {row.channel for row in rows} == set(run.plan.recognisers)
    assert all(row.named is None and "shows more of" in row.problem for row in rows)
    workplace = Workplace(run.folder.path)
    assert not any(learn_restorations(workplace.place(job)) for job in restore_jobs(run.plan))
    # What lies outside the face explains and is not ranked.
    rows = [row for row in estimates.attacks if row.attacker in ("outside", "patch")]
    assert {row.channel for row in rows} == {*run.plan.recognisers, FUSED}
    assert all(row.explains for row in rows)
    # Outside the face all recognisers see nobody in particular, so that nothing is shown even of the control.
    assert all(row.named is None and row.doubts for row in rows)
    assert not any(row.explains for row in estimates.attacks if row.attacker == "parrot")


def test_attackers_are_requested_by_name_in_an_audit_alone(tmp_path: Path, crowd: str) -> None:
    run = people(tmp_path, "abc", 0)
    with pytest.raises(ConfigError, match="--attacker is part of an audit"):
        run.planned("edit", attackers=("u-net",))
    with pytest.raises(ConfigError, match="named twice"):
        run.planned("edit", attackers=("u-net", "u-net"), audit="quick", background=(crowd,))
    run.planned("edit", attackers=("small=u-net:steps=20",), audit="quick", background=(crowd,))
    (small,) = [planned for planned in run.plan.attackers if planned.card.audit == "request"]
    assert (small.label, small.view, small.card.params["steps"]) == ("small", "restored:small", 20)
    assert "u-net" not in {planned.label for planned in run.plan.attackers}
