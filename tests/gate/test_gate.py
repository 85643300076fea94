"""Gates over two runs and over a run and an accepted baseline: verdicts, exit codes, files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest

from tests.gate.gates import N, accepted, matched, run_gate, verdict
from tests.support.cli import REPO, unmask_here
from tests.support.gate_runs import gate_run
from unmask.bench.store.documents import shipped_schema


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    return gate_run(tmp_path / "baseline", matched(0.05))


@pytest.fixture(params=["run", "file"])
def against(request: pytest.FixtureRequest, baseline: Path) -> Path:
    return baseline if request.param == "run" else accepted(baseline)


def test_weaker_is_worse_and_says_which_faces(against: Path, tmp_path: Path) -> None:
    code, gate, printed = run_gate(against, gate_run(tmp_path / "new", matched(0.20)))
    assert (code, gate["decision"], verdict(gate)) == (3, "worse", "worse")
    assert "gate: worse (exit code 3)" in printed
    (newly,) = [each for each in gate["changes"] if each["what"] == "newly matched"]
    assert (newly["count"], newly["of"]) == (30, N)
    assert newly["faces"] == [f"photo-{k:05d}#0" for k in range(11, 41)]
    (row,) = [r for r in gate["rows"] if r["metric"] == "deid_rate@1e-3" and r["group"] == "all"]
    assert (row["baseline"], row["candidate"]) == (0.95, pytest.approx(0.80))
    assert row["loss"] == pytest.approx(0.15)
    assert 0 < row["low"] < 0.15 < row["high"]


def test_stronger_is_better(against: Path, tmp_path: Path) -> None:
    code, gate, _ = run_gate(gate_run(tmp_path / "weak", matched(0.30)), gate_run(tmp_path / "new", matched(0.05)))
    assert (code, gate["decision"], verdict(gate)) == (0, "pass", "better")


def test_a_few_faces_either_way_are_no_worse(against: Path, tmp_path: Path) -> None:
    code, gate, _ = run_gate(against, gate_run(tmp_path / "new", np.roll(matched(0.05), 3)))
    assert (code, gate["decision"], verdict(gate)) == (0, "pass", "no worse")


def test_equal_outputs_are_identical(tmp_path: Path) -> None:
    one, two = (gate_run(tmp_path / name, matched(0.05), outputs="same") for name in ("one", "two"))
    for before in (one, accepted(one)):
        code, gate, _ = run_gate(before, two)
        assert (code, {row["verdict"] for row in gate["rows"]}) == (0, {"identical"})


def test_few_faces_are_inconclusive_and_block_unless_allowed(tmp_path: Path) -> None:
    one, two = (gate_run(tmp_path / name, matched(0.1, 40)) for name in ("one", "two"))
    code, gate, printed = run_gate(one, two)
    assert (code, gate["decision"], verdict(gate)) == (6, "inconclusive", "inconclusive")
    assert "about 72 would do" in printed
    policy = tmp_path / "gate.toml"
    policy.write_text("allow_inconclusive = true\n")
    assert run_gate(one, two, "--policy", str(policy))[0] == 0


def test_another_recogniser_is_not_comparable_and_named(against: Path, tmp_path: Path) -> None:
    code, gate, printed = run_gate(against, gate_run(tmp_path / "new", matched(0.0), recogniser_version="99"))
    assert (code, verdict(gate), verdict(gate, "ssim")) == (4, "not comparable", "no worse")
    assert re.search(r"instrument sface: 1 \(\w+\) against 99 \(\w+\)", printed)


def test_another_calibration_is_not_comparable(against: Path, tmp_path: Path) -> None:
    code, _, printed = run_gate(against, gate_run(tmp_path / "new", matched(0.0), points=0.3))
    assert code == 4
    assert "decision thresholds" in printed


def test_other_data_are_not_comparable(against: Path, tmp_path: Path) -> None:
    code, gate, printed = run_gate(against, gate_run(tmp_path / "new", matched(0.0), fingerprint="e" * 64))
    assert (code, {row["verdict"] for row in gate["rows"]}) == (4, {"not comparable"})
    assert "data" in printed
    other = gate_run(tmp_path / "elsewhere", matched(0.0), dataset="others")
    code, _, printed = run_gate(against, other)
    assert code == 4
    assert "the candidate was not run over this data set" in printed
    assert "others: not judged: the baseline does not have it" in printed


def test_other_photos_under_one_fingerprint_are_not_comparable(baseline: Path, tmp_path: Path) -> None:
    photos = [f"another {k}" for k in range(N)]
    code, _, printed = run_gate(accepted(baseline), gate_run(tmp_path / "new", matched(0.0), photos=photos))
    assert code == 4
    assert "other faces: 200 against 200, 0 of them the same" in printed


def test_a_metric_that_vanishes_does_not_pass(against: Path, tmp_path: Path) -> None:
    new = gate_run(tmp_path / "new", matched(0.0), metrics=("outcome", "ssim"))
    code, gate, printed = run_gate(against, new)
    assert (code, verdict(gate)) == (4, "not comparable")
    assert "measured for the baseline, but not for the candidate" in printed


def test_a_candidate_without_values_is_newly_failed(against: Path, tmp_path: Path) -> None:
    code, gate, printed = run_gate(against, gate_run(tmp_path / "new", np.full(N, np.nan)))
    assert (code, verdict(gate)) == (3, "newly failed")
    assert "the candidate has no value for any face" in printed


def test_nothing_that_blocks_measured_is_no_pass(tmp_path: Path) -> None:
    one, two = (gate_run(tmp_path / name, matched(0.1), metrics=("ssim",)) for name in ("one", "two"))
    code, gate, printed = run_gate(one, two)
    assert (code, gate["decision"]) == (5, "nothing measured")
    assert "nothing measured (exit code 5)" in printed


def test_a_metric_that_the_policy_names_must_be_there(tmp_path: Path) -> None:
    one, two = (gate_run(tmp_path / name, matched(0.1)) for name in ("one", "two"))
    policy = tmp_path / "gate.toml"
    policy.write_text('metrics = ["deid_rate@1e-3", "kid"]')
    code, _, printed = run_gate(one, two, "--policy", str(policy))
    assert code == 5
    assert "the policy names kid, which one side or both did not measure" in printed
    policy.write_text('metrics = ["deid_rate@1e-3"]')
    code, gate, _ = run_gate(one, two, "--policy", str(policy))
    assert (code, {row["metric"] for row in gate["rows"]}) == (0, {"deid_rate@1e-3"})


def test_missed_and_failed_faces_are_listed(against: Path, tmp_path: Path) -> None:
    outcome = np.full(N, "anonymized")
    outcome[:70], outcome[70:72] = "missed", "error"
    _, gate, _ = run_gate(against, gate_run(tmp_path / "new", matched(0.05), outcome=outcome))
    lists = {each["what"]: each for each in gate["changes"]}
    assert lists["newly missed"]["count"] == 70
    assert len(lists["newly missed"]["faces"]) == 50
    assert lists["newly failed"]["faces"] == ["photo-00071#0", "photo-00072#0"]
    assert verdict(gate, "outcome_missed") == "worse"


def test_a_subgroup_that_collapses_under_a_passing_mean_fails(tmp_path: Path) -> None:
    n = 1000
    gender = ["female"] * 60 + ["male"] * (n - 60)
    before = gate_run(tmp_path / "one", matched(0.0, n), gender=gender)
    after = gate_run(tmp_path / "two", matched(0.03, n), gender=gender)
    for baseline in (before, accepted(before)):
        code, gate, _ = run_gate(baseline, after)
        assert code == 3
        assert verdict(gate) == "no worse"
        assert verdict(gate, group="gender=female") == "worse"
        (fallen,) = [row for row in gate["rows"] if row["collapsed"]]
        assert fallen["group"] == "gender=female"


def test_a_purged_baseline_is_judged_by_the_subgroups_of_the_candidate(tmp_path: Path) -> None:
    gender = ["female"] * 60 + ["male"] * 940
    before = gate_run(tmp_path / "one", matched(0.0, 1000), gender=gender)
    assert unmask_here("purge", str(before)).returncode == 0
    code, gate, _ = run_gate(before, gate_run(tmp_path / "two", matched(0.03, 1000), gender=gender))
    assert (code, verdict(gate, group="gender=female")) == (3, "worse")


def test_small_losses_do_not_add_up_past_the_anchor(tmp_path: Path) -> None:
    anchor = accepted(gate_run(tmp_path / "release", matched(0.0)))
    before = gate_run(tmp_path / "before", matched(0.10))
    after = gate_run(tmp_path / "after", matched(0.11))
    assert run_gate(before, after)[0] == 0
    policy = tmp_path / "gate.toml"
    policy.write_text(f'anchor = "{anchor.name}"\n')
    code, gate, printed = run_gate(before, after, "--policy", str(policy))
    assert (code, verdict(gate), verdict(gate, against="anchor")) == (3, "no worse", "worse")
    assert "worse than the anchor" in printed


def test_the_policy_says_what_blocks_and_by_how_much(baseline: Path, tmp_path: Path) -> None:
    new = gate_run(tmp_path / "new", matched(0.20), ssim=np.linspace(0.1, 0.3, N))
    policy = tmp_path / "gate.toml"
    policy.write_text('blocking = ["quality"]\n')
    code, gate, _ = run_gate(baseline, new, "--policy", str(policy))
    assert (code, verdict(gate), verdict(gate, "ssim")) == (3, "worse", "worse")
    policy.write_text('blocking = ["quality"]\n[margins]\nssim = 0.5\n')
    assert run_gate(baseline, new, "--policy", str(policy))[0] == 0
    policy.write_text("[margins]\nprivacy = 0.5\n")
    assert run_gate(baseline, new, "--policy", str(policy))[0] == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blockin = ['privacy']", "blockin"),
        ("blocking = []", "name one family at least"),
        ("blocking = ['privcy']", "blocking"),
        ("[margins]\ndeid_rat = 0.1", "did you mean deid_rate"),
        ("metrics = ['ssimm']", "did you mean"),
        ("[margins]\nprivacy = 0", "greater than 0"),
        ("anchor = 'nowhere.json'", "nowhere.json"),
        ("x", "not TOML"),
    ],
)
def test_a_wrong_policy_is_wrong_usage_and_no_verdict(baseline: Path, tmp_path: Path, text: str, message: str) -> None:
    policy = tmp_path / "gate.toml"
    policy.write_text(text)
    code, gate, printed = run_gate(baseline, gate_run(tmp_path / "new", matched(0.05)), "--policy", str(policy))
    assert code == (1 if "nowhere" in text else 2)
    assert message in printed
    assert not gate


@pytest.mark.parametrize("option", ["--polcy", "--method=other", "--baseline-method=other"])
def test_a_mistyped_option_never_reads_as_a_verdict(baseline: Path, tmp_path: Path, option: str) -> None:
    code, gate, _ = run_gate(baseline, gate_run(tmp_path / "new", matched(0.5)), option)
    assert (code, gate) == (2, {})


def test_a_folder_that_is_no_run_is_an_error(baseline: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run_gate(baseline, tmp_path / "empty")[0] == 1
    assert run_gate(tmp_path / "nothing.json", baseline)[0] == 1


def test_files_are_written_before_a_failing_exit(baseline: Path, tmp_path: Path) -> None:
    new = gate_run(tmp_path / "new", matched(0.3))
    out = tmp_path / "files"
    done = unmask_here("gate", "--baseline", str(baseline), "--candidate", str(new), "--out", str(out))
    assert done.returncode == 3
    gate = json.loads((out / "gate.json").read_text())
    jsonschema.validate(gate, shipped_schema("gate.schema.json"))
    suites = ElementTree.parse(out / "junit.xml").getroot()
    cases = suites.findall(".//testcase")
    assert len(cases) == len(gate["rows"]) + 1
    assert sum(int(suite.get("tests", "")) for suite in suites) == len(cases)
    failed = {case.get("name") for case in cases if case.find("failure") is not None}
    assert failed == {"deid_rate@1e-3 worst face all", "decision"}
    assert (out / "gate.md").read_text().startswith("## unmask gate: worse (exit code 3)")


def test_judging_runs_that_are_there_loads_nothing_that_measures(against: Path, tmp_path: Path) -> None:
    arguments = ["gate", "--baseline", str(against), "--candidate", str(gate_run(tmp_path / "new", matched(0.05)))]
    code = f"""
import sys
from unmask.bench.cli import main
sys.argv = ["unmask", *{arguments!r}]
try:
    main()
finally:
    heavy = ("pandas", "scipy.stats", "scipy.optimize", "trackeval", "torch", "onnxruntime", "sklearn", "matplotlib")
    print("loaded:", [name for name in heavy if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPO)
    assert "gate: pass" in done.stdout
    assert done.stderr.splitlines()[-1] == "loaded: []"
