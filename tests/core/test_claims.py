"""A folder takes work under one plan, and whoever comes with another is told what differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from unmask.bench.core.claims import claim_folder, differences
from unmask.bench.core.errors import ConfigError, PlanMismatchError
from unmask.bench.core.files import TEMP_PREFIX

OLD = {
    "settings": {"seed": 0, "device": "cpu"},
    "methods": [{"label": "none"}, {"label": "blur", "spec": "blur"}],
    "tones": ["dark"],
    "sources": [{"name": "lfw", "part": "train"}, {"name": "lfw", "part": "test"}],
}


@pytest.mark.parametrize(
    ("change", "phrases"),
    [
        ({}, []),
        ({"settings": {"seed": 1, "device": "cpu"}}, ["settings.seed: 0 before, 1 now"]),
        ({"settings": {"device": "cpu"}}, ["settings.seed: 0 before, None now"]),
        ({"settings": None}, ["settings changed"]),
        ({"limit": 3}, ["limit: None before, 3 now"]),
        ({"methods": OLD["methods"][:1]}, ["methods: blur is only in the old plan"]),
        ({"methods": [*OLD["methods"], {"label": "mine"}]}, ["methods: mine is not in the old plan"]),
        ({"methods": [{"label": "none"}, {"label": "blur", "spec": "b"}]}, ["methods: blur changed"]),
        ({"methods": OLD["methods"][::-1]}, ["methods: another order"]),
        ({"tones": ["dark", "light"]}, ["tones changed"]),
        ({"sources": [{"name": "lfw", "part": "val"}, OLD["sources"][1]]}, ["sources changed"]),
    ],
)
def test_each_difference_is_a_phrase(change: dict[str, Any], phrases: list[str]) -> None:
    assert differences(OLD, {**OLD, **change}) == phrases


def test_free_keys_may_differ_at_any_depth() -> None:
    new = {**OLD, "settings": {"seed": 0, "device": "cuda"}}
    assert differences(OLD, new, free=("device",)) == []


def test_the_first_claim_writes_and_later_ones_compare(tmp_path: Path) -> None:
    plan = tmp_path / "run" / "plan.json"

    def write() -> None:
        plan.parent.mkdir()
        plan.write_text("1")

    claim_folder(plan, lambda: pytest.fail("nothing to compare with"), write)
    claim_folder(plan, list, lambda: pytest.fail("written twice"))
    with pytest.raises(PlanMismatchError, match=r"seed: 0 before, 1 now"):
        claim_folder(plan, lambda: ["seed: 0 before, 1 now"], write)


def test_what_a_killed_claim_left_behind_is_no_obstacle_and_anything_else_is(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    (tmp_path / f"{TEMP_PREFIX}7-x").write_text("")
    claim_folder(plan, list, lambda: None)
    (tmp_path / "letter.txt").write_text("")
    with pytest.raises(ConfigError, match="not empty"):
        claim_folder(plan, list, lambda: pytest.fail("written"))


def test_a_file_in_the_folders_place_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(ConfigError, match="Not a directory"):
        claim_folder(tmp_path / "out" / "plan.json", list, lambda: pytest.fail("written"))
