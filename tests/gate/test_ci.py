"""The shell steps of the action and of the examples, executed with stand-ins for what they call."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cli import REPO, unmask_here

ACTION = yaml.safe_load((REPO / "action.yml").read_text("utf-8"))
GITHUB = yaml.safe_load((REPO / "examples" / "ci" / "github.yml").read_text("utf-8"))
GITLAB = yaml.safe_load((REPO / "examples" / "ci" / "gitlab.yml").read_text("utf-8"))
GATE = """#!/bin/sh
printf '%s\\n' "$@" > arguments
while [ $# -gt 0 ]; do if [ "$1" = --out ]; then out=$2; fi; shift; done
if [ "$CODE" != 1 ] && [ "$CODE" != 2 ]; then
  mkdir -p "$out"
  printf '{"decision": "worse"}' > "$out/gate.json"
  printf '## unmask gate: worse\\n' > "$out/gate.md"
fi
exit "$CODE"
"""
SENDS = """#!/bin/sh
printf '%s\\n' "$@" > "sent-by-$(basename "$0")"
exit 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    for name, text in (("unmask", GATE), ("gh", SENDS), ("curl", SENDS), ("nproc", "#!/bin/sh\necho 2\n")):
        path = tmp_path / "bin" / name
        path.write_text(text)
        path.chmod(0o755)
    return tmp_path


def shell(folder: Path, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """As a runner executes a step."""
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), **variables}
    command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def step(steps: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(each for each in steps if each.get("name") == name)


def run_action(folder: Path, code: int, **inputs: str) -> tuple[int, str, str]:
    """Exit code, what the summary and what the outputs hold."""
    given = {"METHOD": "mine=blur:sigma=0.1", "DATASET": "demo", "BASELINE": "b.json", "POLICY": "", "PRESET": "ci"}
    files = {name: str(folder / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    script = step(ACTION["runs"]["steps"], "Gate")["run"]
    done = shell(folder, script, **(given | {"OUT": "gate"} | inputs), **files, CODE=str(code))
    written = [Path(path).read_text() if Path(path).is_file() else "" for path in files.values()]
    return done.returncode, written[1], written[0]


@pytest.mark.parametrize("code", [0, 3, 4, 5, 6])
def test_the_action_ends_as_the_gate_does_after_its_summary(folder: Path, code: int) -> None:
    assert run_action(folder, code) == (code, "## unmask gate: worse\n", "decision=worse\n")


@pytest.mark.parametrize("code", [1, 2])
def test_an_error_is_no_verdict(folder: Path, code: int) -> None:
    assert run_action(folder, code) == (code, "", "")


def test_inputs_are_data_and_not_code(folder: Path) -> None:
    hostile = "x=outputs:dir=a b;touch broken $(touch broken) `touch broken`"
    run_action(folder, 0, METHOD=hostile, POLICY="a policy.toml", PRESET="")
    given = (folder / "arguments").read_text().splitlines()
    assert given[given.index("--method") + 1] == hostile
    assert given[given.index("--policy") + 1] == "a policy.toml"
    assert "--preset" not in given
    assert not (folder / "broken").exists()
    text = (REPO / "action.yml").read_text("utf-8")
    scripts = [each["run"] for each in ACTION["runs"]["steps"] if "run" in each]
    assert all("${{" not in script for script in scripts)
    assert set(re.findall(r"inputs\.(\w+)", text)) == set(ACTION["inputs"])


def test_the_options_are_those_of_the_command(folder: Path) -> None:
    run_action(folder, 0, POLICY="gate.toml")
    said = unmask_here("gate", "--help").stdout
    options = [word for word in (folder / "arguments").read_text().splitlines() if word.startswith("--")]
    assert len(options) == 8
    assert all(option in said for option in options)


def test_the_comment_on_github_never_fails_and_runs_no_code_of_the_candidate(folder: Path) -> None:
    job = GITHUB["jobs"]["comment"]
    assert GITHUB["permissions"] == {"contents": "read"}
    assert job["permissions"] == {"pull-requests": "write"}
    assert "permissions" not in GITHUB["jobs"]["gate"]
    assert not any("checkout" in each.get("uses", "") for each in job["steps"])
    script = step(job["steps"], "Comment")["run"]
    assert "${{" not in script
    variables = {"GH_TOKEN": "secret", "REPOSITORY": "a/b", "NUMBER": "7"}
    assert shell(folder, script, **variables).returncode == 0
    assert "no verdict" in (folder / "comment.md").read_text()
    (folder / "gate").mkdir()
    (folder / "gate" / "gate.md").write_text("## worse\n")
    assert shell(folder, script, **variables).returncode == 0
    assert (folder / "comment.md").read_text() == "## worse\n"
    assert (folder / "sent-by-gh").read_text().splitlines()[:3] == ["pr", "comment", "7"]


def test_gitlab_gates_and_comments(folder: Path) -> None:
    gate = GITLAB["gate"]
    (script,) = gate["script"]
    assert shell(folder, script, **gate["variables"], CODE="3").returncode == 3
    assert json.loads((folder / "gate" / "gate.json").read_text()) == {"decision": "worse"}
    assert gate["artifacts"]["when"] == "always"
    comment = GITLAB["comment"]
    assert comment["allow_failure"]
    variables = {"GATE_TOKEN": "t", "CI_API_V4_URL": "https://x", "CI_PROJECT_ID": "1", "CI_MERGE_REQUEST_IID": "2"}
    for line in comment["script"]:
        assert shell(folder, line, **variables).returncode == 0
    assert "https://x/projects/1/merge_requests/2/notes" in (folder / "sent-by-curl").read_text()


def test_the_examples_name_the_inputs_of_the_action() -> None:
    used = next(each for each in GITHUB["jobs"]["gate"]["steps"] if each.get("uses") == "./")
    assert set(used["with"]) <= set(ACTION["inputs"])
    needed = {name for name, each in ACTION["inputs"].items() if each.get("required")}
    assert needed <= set(used["with"])
