"""Which plans may go on in a run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.cards import dataset_card, instrument_card, method_card
from unmask.bench.core import registry
from unmask.bench.core.errors import ConfigError, PlanMismatchError, StoreError
from unmask.bench.run.planning.plan import dataset_label
from unmask.bench.run.planning.settling import announce_changes, compare_plans, refuse_half_made, settle_plan
from unmask.bench.store.documents import Locations
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan


def method(label: str, code: str = "a", **more: Any) -> dict[str, Any]:
    return {"label": label, "spec": label, "card": method_card(label), "code": code, **more}


def plan(*methods: dict[str, Any], datasets: tuple[str, ...] = ("d",), seed: int = 0) -> Plan:
    return Plan.sealed(
        {
            "datasets": [
                {"label": d, "spec": "folder", "card": dataset_card(fingerprint=d), "samples": ["1"]} for d in datasets
            ],
            "methods": list(methods),
            "releases": [{"label": m["label"], "method": m["label"]} for m in methods],
            "detector": instrument_card(),
            "instruments": [],
            "metrics": [],
            "operating_points": {},
            "settings": {"seed": seed},
        }
    )


HERE = Locations(datasets={"d": {"path": "/a/d"}}, methods={"m": {"net": "/a/net"}})
BASE = plan(method("none"), method("m"))


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    settle_plan(RunFolder(tmp_path / "run"), BASE, HERE)
    (tmp_path / "run" / "estimates.json").write_text("{}")
    return RunFolder(tmp_path / "run")


def test_the_same_plan_from_another_place_goes_on(folder: RunFolder) -> None:
    there = Locations(datasets={"d": {"path": "/b/d"}}, methods={"m": {"net": "/b/net"}})
    settle_plan(folder, BASE, there)
    assert not folder.next_plan.exists()
    assert announce_changes(RunFolder(folder.path), BASE, there) == []


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (plan(method("none"), method("m"), method("n")), "methods: n is new"),
        (plan(method("none"), method("n"), method("m")), "methods: n is new"),
        (plan(method("none"), method("m"), datasets=("d", "e")), "datasets: e is new"),
        (plan(method("none"), method("m", code="b")), "method m changed"),
        (plan(method("none"), method("m", files={"net": "1"})), "method m changed"),
    ],
)
def test_a_plan_that_adds_or_edits_waits_beside_the_one_in_force(folder: RunFolder, new: Plan, said: str) -> None:
    assert said in announce_changes(folder, new, HERE)[0]
    settle_plan(folder, new, HERE)
    assert RunFolder(folder.path).plan == BASE
    assert RunFolder(folder.path).plan_named(new.run) == new
    settle_plan(RunFolder(folder.path), BASE, HERE)
    with pytest.raises(StoreError, match="another plan by now"):
        RunFolder(folder.path).plan_named(new.run)


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (plan(method("none")), "m is only in the old plan"),
        (plan(method("none"), {**method("m"), "spec": "m:k=2"}), "m changed"),
        (plan(method("none"), method("m"), seed=1), "seed: 0 before, 1 now"),
        (plan(method("m"), method("none")), "another order"),
        (plan(method("none"), method("m"), datasets=("e",)), "d is only in the old plan"),
    ],
)
def test_others_are_refused_and_nothing_is_written(folder: RunFolder, new: Plan, said: str) -> None:
    with pytest.raises(PlanMismatchError, match=said):
        settle_plan(folder, new, Locations(datasets={"d": {"path": "/b/d"}}))
    assert RunFolder(folder.path).plan == BASE
    assert "/a/d" in (folder.path / "locations.json").read_text()


def test_other_files_from_another_place_are_another_method(folder: RunFolder) -> None:
    elsewhere = Locations(methods={"m": {"net": "/b/net"}})
    with pytest.raises(PlanMismatchError, match="methods: m changed"):
        settle_plan(folder, plan(method("none"), method("m", files={"net": "1"})), elsewhere)


def test_a_run_whose_method_is_being_made_again_is_not_scored(folder: RunFolder) -> None:
    refuse_half_made(folder)
    settle_plan(folder, plan(method("none"), method("m"), method("n")), HERE)
    refuse_half_made(RunFolder(folder.path))
    settle_plan(folder, plan(method("none"), method("m", code="b")), HERE)
    with pytest.raises(StoreError, match="method m changed"):
        refuse_half_made(RunFolder(folder.path))


def test_a_folder_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(ConfigError, match="not empty"):
        settle_plan(RunFolder(tmp_path), BASE, HERE)


def test_a_run_s_folder_is_its_owner_s_alone(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(mode=0o755)
    for name in ("there", "new"):
        settle_plan(RunFolder(tmp_path / name), BASE, HERE)
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o700


def clips(version: str = "1", note: str = "", points: str = "a", **settings: Any) -> Plan:
    part = {"label": "yolo", "spec": "yolo", "card": instrument_card("yolo", "people", version=version)}
    data = {"label": "d", "kind": "clips", "spec": "clips", "card": dataset_card(), "samples": [], "notes": [note]}
    empty = {field: [] for field in ("methods", "releases", "instruments", "trackers", "metrics")}
    parts = {"person_detector": part, "face_tracker": {**part, "card": instrument_card("sort", "tracker")}}
    return Plan.sealed(
        {
            "datasets": [data],
            "detector": instrument_card(),
            **empty,
            **parts,
            "operating_points": {"dataset": points},
            "settings": settings,
        }
    )


def test_plans_over_clips_are_told_apart_by_the_same_rule() -> None:
    assert compare_plans(clips(), clips(note="read another way")) == []
    assert compare_plans(clips(), clips("2")) == ["person_detector.card.version: 1 before, 2 now"]
    assert compare_plans(clips(), clips(points="b", seed=7)) == [
        "seed: 0 before, 7 now",
        "the calibration card changed",
    ]


@pytest.mark.parametrize(
    ("spec", "label"),
    [
        ("folder:photos12", "folder-photos12"),
        ("folder:/elsewhere/photos12", "folder-photos12"),
        ("folder-photos12=folder:moved", "folder-photos12"),
        ("folder:path=/a/b,show_faces=true", "folder-b"),
        ("demo:split=quick", "demo-splitquick"),
    ],
)
def test_a_data_set_keeps_the_label_that_it_is_given(spec: str, label: str) -> None:
    assert dataset_label(registry.dataset_spec(spec)) == label
