"""A method written outside the repository, from the notes alone: checked, run, and gated by what it protects."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import REPO, unmask_here

pytestmark = pytest.mark.weights
NOTES = (REPO / "bench" / "design" / "extending.md").read_text("utf-8")
PROGRAM = """
import argparse, json, pathlib, random
import cv2

options = argparse.ArgumentParser()
for name in ("in", "out", "seed", "boxes", "strength"):
    options.add_argument(f"--{name}", required=True)
given = options.parse_args()
chance = random.Random(int(given.seed))
for name, about in json.loads(pathlib.Path(given.boxes).read_text()).items():
    image = cv2.imread(f"{vars(given)['in']}/{name}")
    for face in about["faces"]:
        x, y, w, h = face["box"]
        left, top = (max(int(v), 0) for v in (x - 0.15 * w, y - 0.15 * h))
        region = image[top : int(y + 1.15 * h), left : int(x + 1.15 * w)]
        if region.size:
            sigma = float(given.strength) * chance.uniform(0.9, 1.1) * 1.3 * w / 8
            region[:] = cv2.GaussianBlur(region, (0, 0), sigma)
    cv2.imwrite(f"{given.out}/{name}", image)
"""
MEASURED = ("--metric", "outcome,deid_rate,own_distance", "--instrument", "sface", "--replicates", "200")
WEAK, USUAL, STRONG = 0.02, 0.6, 3.0
"""Strengths of the blur: nobody, some and nearly all are hidden."""


def example() -> str:
    """The code of the method that the notes show."""
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", NOTES, re.DOTALL) if "class Mine" in block]
    return str(code)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the method and the program in it, no package and nothing of the repository."""
    path = tmp_path_factory.mktemp("outside")
    (path / "mine.py").write_text(example())
    (path / "tool.py").write_text(PROGRAM)
    return path


def spec(kind: str, folder: Path, strength: float) -> str:
    if kind == "file":
        return f"{folder}/mine.py:Mine:strength={strength:g}"
    words = "--in {input} --out {output} --seed {seed} --boxes {boxes}"
    return f'command:"{sys.executable} {folder}/tool.py {words} --strength {strength:g}",boxes=true'


def run(out: Path, photos: int, methods: dict[str, str], *more: str) -> Path:
    chosen = [word for label, text in methods.items() for word in ("--method", f"{label}={text}")]
    data = ("--dataset", "demo", "--limit", str(photos), "--no-report", "--out", str(out))
    done = unmask_here("run", *data, *MEASURED, *chosen, *more)
    assert done.returncode == 0, done.stderr
    return out


def gated(baseline: Path, candidate: Path, one: str, other: str) -> tuple[str, dict[str, Any]]:
    """The decision, and the row of what decides."""
    methods = ("--baseline-method", one, "--method", other)
    done = unmask_here("gate", "--baseline", str(baseline), "--candidate", str(candidate), *methods)
    gate = json.loads((candidate / "gate" / "gate.json").read_text())
    assert done.returncode == gate["exit_code"], done.stderr
    (row,) = [r for r in gate["rows"] if (r["metric"], r["group"]) == ("deid_rate@1e-3", "all")]
    return gate["decision"], row


def test_the_example_of_the_notes_keeps_the_contract(folder: Path) -> None:
    done = unmask_here("check", f"{folder}/mine.py:Mine", "--json")
    rules = {each["rule"]: (each["status"], each["text"]) for each in json.loads(done.stdout)["rules"]}
    assert {name: said for name, said in rules.items() if said[0] != "kept"} == {}
    assert done.returncode == 0


@pytest.mark.parametrize("kind", ["file", "command"])
def test_a_blur_that_is_hardly_one_is_worse(kind: str, folder: Path, tmp_path: Path) -> None:
    methods = {"strong": spec(kind, folder, STRONG), "weak": spec(kind, folder, WEAK)}
    both = run(tmp_path / "run", 9, methods)
    decision, row = gated(both, both, "strong", "weak")
    assert (decision, row["verdict"]) == ("worse", "worse")
    assert row["low"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file", "command"])
def test_weaker_is_worse_stronger_is_better_and_another_seed_is_neither(
    kind: str, folder: Path, tmp_path: Path
) -> None:
    strengths = {"weak": WEAK, "usual": USUAL, "strong": STRONG}
    runs = run(tmp_path / "run", 30, {label: spec(kind, folder, value) for label, value in strengths.items()})
    again = run(tmp_path / "again", 30, {"usual": spec(kind, folder, USUAL)}, "--seed", "1")
    decision, row = gated(runs, runs, "usual", "weak")
    assert (decision, row["verdict"]) == ("worse", "worse")
    decision, row = gated(runs, runs, "usual", "strong")
    assert (decision in ("pass", "inconclusive"), row["verdict"]) == (True, "better")
    decision, row = gated(runs, again, "usual", "usual")
    assert decision in ("pass", "inconclusive")
    assert row["verdict"] in ("no worse", "inconclusive")
    assert row["reason"] != "the outputs are byte for byte the same"
