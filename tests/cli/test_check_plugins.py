"""``unmask check`` of metrics, instruments and attackers, and ``unmask new``: templates keep their own contracts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import faulty_plugins
from tests.support.cli import unmask_here
from unmask.bench.run.contracts.plugins import CONTRACTS

FAULTS = {
    "metric": {
        "Untitled": ("card", "its card has no title"),
        "Raises": ("asks", "photos without readings: KeyError: 'sface'"),
        "Nameless": ("answers", "it yielded 'another', which none of its cards is called"),
        "Twice": ("answers", "it yielded 'example' of one instrument twice"),
        "Short": ("shapes", "'example' has float64 of shape (35,), float64 of shape (36,) wanted"),
        "OutOfBounds": ("bounds", "its card says (0.0, 2.0)"),
        "DividesByNothing": ("nan", "'example': ZeroDivisionError"),
        "Random": ("determinism", "asked again, it gave other values"),
        "WritesEvidence": ("inputs", "it changed the evidence"),
    },
    "instrument": {
        "Unlimited": ("card", "its card has no limits"),
        "RaisesOnFaces": ("answers", "ordinary faces: ValueError: no"),
        "WrongDtype": ("shapes", "the column 'embedding' is float64 (3, 256) for 3 items, float32 with 3 rows wanted"),
        "Guesses": ("nan", "a box without an area has an embedding"),
        "Long": ("norm", "embeddings have lengths of 2 to 2"),
        "OverTheBatch": ("batch", "'embedding' is another one where the same faces come one by one"),
        "WritesImages": ("inputs", "it wrote into images or landmarks"),
        "CannotOpen": ("loads", "FileNotFoundError: weights"),
    },
    "attacker": {
        "NoKnowledge": ("card", "its card has no knows"),
        "Lists": ("state", "'shift': list, not an array of numbers"),
        "FitsByChance": ("determinism", "gave another fit the second time"),
        "Drops": ("rows", "it dropped 1 of 24 rows of 'embedding'"),
        "Invents": ("rows", "it invented 3 of 24 rows of 'embedding'"),
        "Crowd": ("alone", "of two faces is another one among the others"),
        "AlwaysLearns": ("too-little", "3 people: it went on as if that were enough"),
        "WritesReadings": ("inputs", "fit: ValueError: assignment destination is read-only"),
        "Dies": ("process", "its process ended with exit code 9"),
        "Waits": ("time", "it took longer than 5 s"),
    },
}
CASES = [(kind, name) for kind, faults in FAULTS.items() for name in faults]


def checked(*arguments: str) -> tuple[int, dict[str, Any]]:
    done = unmask_here("check", "--json", *arguments)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_faulty_plug_in_is_caught_by_the_rule_it_breaks(kind: str, name: str) -> None:
    rule, text = FAULTS[kind][name]
    limit = ["--limit", "5"] if name == "Waits" else []
    code, report = checked("--kind", kind, f"{faulty_plugins.__file__}:{name}", *limit)
    assert (code, report["kept"], report["kind"]) == (1, False, kind)
    assert [each["rule"] for each in report["rules"]] == list(CONTRACTS[kind])
    broken = {each["rule"]: each for each in report["rules"] if each["status"] == "broken"}
    assert text in broken[rule]["text"]
    assert broken[rule]["mend"]
    assert set(broken) == {rule}


@pytest.mark.parametrize("kind", ["method", "metric", "instrument", "attacker"])
def test_a_template_keeps_its_own_contract(kind: str, tmp_path: Path) -> None:
    done = unmask_here("new", kind, "my-own", "--out", str(tmp_path / "new"))
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "new").iterdir()
    assert file.name == "my_own.py"
    text = file.read_text()
    assert "# CHANGE" in text
    assert "xample" not in text
    assert f'[project.entry-points."unmask.{kind}s"]\n    my-own = "mypackage.my_own:MyOwn"' in text
    command = next(line.split() for line in done.stdout.splitlines() if "unmask check" in line)
    code, report = checked(*command[2:])
    assert [each for each in report["rules"] if each["status"] != "kept"] == []
    assert (code, report["kind"]) == (0, kind)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("mine")
    done = unmask_here("new", "method", "mine", "--out", str(tmp_path))
    assert done.returncode == 2
    assert "mine.py is there already" in done.stderr
    assert (tmp_path / "mine.py").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("blur", "there is a method 'blur' already"),
        ("../mine", "cannot be a name"),
        ("Mine", "cannot be a name"),
        ("class", "cannot be a name"),
        ("x" * 61, "cannot be a name"),
        ("9lives", "cannot be a name"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(name: str, text: str, tmp_path: Path) -> None:
    done = unmask_here("new", "method", name, "--out", str(tmp_path))
    assert done.returncode == 2
    assert text in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["ridge", "own_distance", "verification", "expression", "exposure", "people", "audit"])
def test_ours_keep_their_contracts(name: str) -> None:
    done = unmask_here("check", name)
    assert done.returncode == 0, done.stdout


@pytest.mark.weights
@pytest.mark.parametrize("name", ["yunet", "sface", "pixels"])
def test_our_instruments_keep_their_contract(name: str) -> None:
    done = unmask_here("check", name)
    assert done.returncode == 0, done.stdout


def test_what_is_not_checked_is_not_kept() -> None:
    code, report = checked("fine-tuned")
    assert (code, report["kept"]) == (1, False)
    reasons = {each["text"] for each in report["rules"] if each["status"] == "not checked"}
    assert reasons == {"it reads a recogniser's activations, which are not made up here"}


def test_parameters_of_a_metric_are_refused() -> None:
    done = unmask_here("check", "own_distance:x=1")
    assert done.returncode == 2
    assert "metrics take no parameters" in done.stderr
