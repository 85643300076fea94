"""What is kept of an accepted baseline, and who may replace it."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from tests.gate.gates import N, accepted, matched, run_gate, verdict
from tests.support.cli import unmask_here
from tests.support.gate_runs import gate_run
from unmask.bench.gate.baseline import read_baseline
from unmask.bench.store.documents import shipped_schema, write_json


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    return gate_run(tmp_path / "baseline", matched(0.05))


def test_a_baseline_is_byte_stable_small_and_names_nobody(tmp_path: Path) -> None:
    people = [f"Jane Roe {k // 2}" for k in range(N)]
    run = gate_run(tmp_path / "run", matched(0.1), people=people)
    file = accepted(run)
    first = file.read_bytes()
    assert accepted(run).read_bytes() == first
    assert len(first) < 40_000
    text = first.decode()
    assert "Jane" not in text
    assert "00001.png" not in text
    assert "photo-00001" not in text
    assert "f" * 64 not in text
    kept = json.loads(text)
    jsonschema.validate(kept, shipped_schema("baseline.schema.json"))
    (dataset,) = kept["datasets"]
    assert dataset["faces"] == sorted(dataset["faces"])
    assert len({row[1] for row in dataset["faces"]}) == N // 2
    assert dataset["columns"][:4] == ["face", "person", "groups", "outcome"]


def test_copies_of_a_photo_are_told_apart(tmp_path: Path) -> None:
    photos = [f"content {k // 2}" for k in range(N)]
    one, two = (gate_run(tmp_path / name, matched(0.05), photos=photos) for name in ("one", "two"))
    code, gate, _ = run_gate(accepted(one), two)
    assert (code, verdict(gate)) == (0, "no worse")


def test_thresholds_are_applied_to_what_is_rounded_alike(tmp_path: Path) -> None:
    """Distances that rounding carries over the threshold are so on both sides."""
    distance = np.where(np.arange(N) < 100, 0.500004, 0.9)
    one, two = (gate_run(tmp_path / name, distance) for name in ("one", "two"))
    _, gate, _ = run_gate(accepted(one), two)
    (row,) = [r for r in gate["rows"] if r["metric"] == "deid_rate@1e-3" and r["group"] == "all"]
    assert (row["baseline"], row["candidate"], row["loss"]) == (0.5, 0.5, 0)


def test_a_baseline_that_was_edited_is_refused(baseline: Path, tmp_path: Path) -> None:
    file = accepted(baseline)
    file.write_text(file.read_text().replace('"anonymized"', '"destroyed"', 1))
    code, _, printed = run_gate(file, gate_run(tmp_path / "new", matched(0.05)))
    assert code == 1
    assert "was changed after unmask wrote it" in printed


def test_another_key_is_not_comparable(baseline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = accepted(baseline)
    new = gate_run(tmp_path / "new", matched(0.05))
    assert run_gate(file, new)[0] == 0
    monkeypatch.setitem(os.environ, "UNMASK_BASELINE_KEY", "secret")
    code, _, printed = run_gate(file, new)
    assert code == 4
    assert "data set and key" in printed


def test_the_printed_command_accepts_the_candidate(baseline: Path, tmp_path: Path) -> None:
    file, new = accepted(baseline), gate_run(tmp_path / "new", matched(0.3))
    before = file.read_bytes()
    code, gate, printed = run_gate(file, new)
    assert (code, file.read_bytes()) == (3, before)  # nothing moves a baseline by itself
    assert f"where this is meant: {gate['accept']}" in printed
    assert unmask_here(*shlex.split(gate["accept"])[1:]).returncode == 0
    assert file.read_bytes() != before
    code, gate, _ = run_gate(file, new)
    assert (code, verdict(gate)) == (0, "identical")


def test_a_run_that_measured_nothing_is_no_baseline(tmp_path: Path) -> None:
    for metrics in (("ssim",), ("deid_rate", "own_distance")):
        run = gate_run(tmp_path / metrics[0], np.full(N, np.nan), metrics=metrics)
        done = unmask_here("baseline", "accept", str(run), "--out", str(tmp_path / "file.json"))
        assert done.returncode == 1
        assert "nothing of privacy, outcome was measured" in done.stderr
        assert not (tmp_path / "file.json").exists()


def test_whatever_stands_in_a_file_ends_in_one_line(baseline: Path, tmp_path: Path) -> None:
    file, new = accepted(baseline), gate_run(tmp_path / "new", matched(0.05))
    whole = read_baseline(file)
    (dataset,) = whole.datasets
    (first, *others) = dataset.faces
    for changed in (
        {"columns": [*dataset.columns[:-1], "no key"]},
        {"columns": [*dataset.columns[:-1], dataset.columns[-2]]},
        {"columns": dataset.columns[1:]},
        {"faces": [first[:-1], *others]},
        {"faces": [first, first, *others]},
        {"faces": [[*first[:-1], "text"], *others]},
        {"faces": [[1, *first[1:]], *others]},
        {"faces": [[]]},
    ):
        write_json(file, whole.model_copy(update={"datasets": [dataset.model_copy(update=changed)]}).sealed())
        code, gate, printed = run_gate(file, new)
        assert (code, gate) == (1, {})
        assert "do not fit their columns" in printed
    write_json(file, whole.model_copy(update={"datasets": [dataset.model_copy(update={"faces": []})]}).sealed())
    assert run_gate(file, new)[0] == 4
    for text in ("", "[]", "{}", "\x00", '{"schema": "unmask.baseline/9"}'):
        file.write_text(text)
        assert run_gate(file, new)[0] == 1
