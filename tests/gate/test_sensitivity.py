"""A gate that cannot find a weakened candidate worse says so, and fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.cli import unmask_here
from tests.support.gate_runs import gate_run, near
from unmask.bench.core.types import Float
from unmask.bench.gate import sensitivity
from unmask.bench.gate.policy import Policy
from unmask.bench.gate.sides import Side, side_of_run
from unmask.bench.store.view import RunView

N = 100
ARGUMENTS = tuple[RunView, str, str]


def gate(run: Path) -> tuple[int, str, dict[str, object]]:
    """Of a run against itself: exit code, what was printed, and the sensitivity."""
    done = unmask_here("gate", "--baseline", str(run), "--candidate", str(run))
    assert "Traceback" not in done.stderr
    (shown,) = json.loads((run / "gate" / "gate.json").read_text())["sensitivity"]
    return done.returncode, done.stdout, shown


def weakened_as(patch: pytest.MonkeyPatch, distance: Callable[[Side], Float]) -> list[int]:
    """Scores the weakened outputs as ``distance`` says of the candidate's side; returns how many faces, each time."""
    calls: list[int] = []

    def made_up(view: RunView, method: str, dataset: str, photos: list[str], *_: object) -> Side:
        own = side_of_run(view, dataset, method, Policy())
        calls.append(len(photos))
        names = {f"photo-{int(photo[:5]) + 1:05d}#0" for photo in photos}
        chosen = np.array([face in names for face in own.face.tolist()])
        values = {key: column[chosen] for key, column in own.values.items()}
        values["own_distance", "sface", "face"] = distance(own)[chosen]
        return replace(own, face=own.face[chosen], person=own.person[chosen], values=values)

    patch.setattr(sensitivity, "_run_weakened", made_up)
    return calls


def distances(side: Side) -> Float:
    return side.values["own_distance", "sface", "face"]


def test_a_weakened_candidate_that_is_found_worse_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = weakened_as(monkeypatch, lambda side: distances(side) * 0)
    run = gate_run(tmp_path / "run", near(np.zeros(N)))
    code, said, shown = gate(run)
    assert (code, shown["verdict"], shown["faces"]) == (0, "shown", 50)
    assert "50 outputs mixed half with their originals are found worse" in said
    gate(run)
    assert calls == [50]  # kept until something changes


def test_a_weakened_candidate_that_is_not_found_worse_breaks_the_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weakened_as(monkeypatch, distances)
    code, said, shown = gate(gate_run(tmp_path / "run", near(np.zeros(N))))
    assert (code, shown["verdict"]) == (5, "gate broken")
    assert "gate: gate broken (exit code 5)" in said


def test_a_candidate_like_no_anonymization_cannot_be_weakened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = weakened_as(monkeypatch, distances)
    code, said, shown = gate(gate_run(tmp_path / "run", near((np.arange(N) % 20 > 0).astype(float))))
    assert (code, shown["verdict"], calls) == (0, "not shown", [])
    assert "not better than no anonymization (0) by twice the margin" in said


def test_few_people_cannot_show_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = weakened_as(monkeypatch, distances)
    people = [f"person-{k % 5:05d}" for k in range(N)]
    _, said, shown = gate(gate_run(tmp_path / "run", near(np.zeros(N)), people=people))
    assert (shown["verdict"], calls) == ("not shown", [])
    assert "5 people in 50 photos are too few" in said


def test_photos_that_are_gone_are_said(tmp_path: Path) -> None:
    _, said, shown = gate(gate_run(tmp_path / "run", near(np.zeros(N))))
    assert shown["verdict"] == "not tried"
    assert "sensitivity not shown: " in said


def test_half_of_either_picture() -> None:
    black, grey = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 100, np.uint8)
    assert (sensitivity.mix(grey, black) == 50).all()


@pytest.mark.slow
@pytest.mark.weights
def test_real_outputs_are_weakened_and_found_worse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    settings = ("-d", "demo", "--limit", "24", "-m", "blur:sigma=0.2", "--replicates", "200", "--no-report")
    measured = ("--metric", "deid_rate,own_distance,outcome", "--instrument", "sface", "--out", str(run))
    assert unmask_here("run", *settings, *measured).returncode == 0
    _, said, shown = gate(run)
    assert shown["verdict"] == "shown", said
    (run / "sensitivity.json").unlink()
    monkeypatch.setattr(sensitivity, "mix", lambda original, output: output)
    code, _, shown = gate(run)
    assert (code, shown["verdict"]) == (5, "gate broken")
