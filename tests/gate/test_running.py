"""A candidate that is run by the gate: which photos, measured by what, and what is not read twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.support.cli import unmask_here
from tests.support.gate_runs import gate_run, near
from unmask.bench.core.types import FaceLabel, SampleRef
from unmask.bench.gate.running import stratified
from unmask.bench.store.readings import VARIABLE, borrow, lend
from unmask.bench.store.storage import Folder
from unmask.bench.store.tables import read_table, write_table


def photo(name: str, person: str | None, gender: str | None = None, faces: int = 1) -> SampleRef:
    return SampleRef(name, labels=(FaceLabel(identity=person, gender=gender),) * faces)  # type: ignore[arg-type]


def test_people_and_subgroups_take_turns() -> None:
    many = [photo(f"a{k}", "one who is often there", "male") for k in range(500)]
    others = [photo(f"b{k}", f"person {k}", "male") for k in range(40)]
    women = [photo(f"c{k}", f"woman {k // 2}", "female") for k in range(60)]
    chosen = stratified([*many, *others, *women], 80)
    assert len(chosen) == 80
    genders = Counter(ref.labels[0].gender for ref in chosen)
    assert genders == {"female": 40, "male": 40}
    people = Counter(ref.labels[0].identity for ref in chosen)
    assert people["one who is often there"] == 1
    assert [ref.id for ref in chosen] == sorted((ref.id for ref in chosen), key=lambda name: (name[0], int(name[1:])))
    assert stratified([*many, *others, *women], 80) == chosen


def test_faces_are_counted_not_photos_and_few_are_all_taken() -> None:
    groups = [photo(f"{k}", None, faces=10) for k in range(30)]
    assert len(stratified(groups, 200)) == 20
    assert stratified(groups[:5], 200) == groups[:5]
    assert stratified([], 200) == []


def test_readings_are_shared_by_key_and_only_where_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = Folder(tmp_path / "one"), Folder(tmp_path / "two")
    write_table(one / "sface.parquet", {"value": np.arange(3.0)}, "key")
    lend(one, "sface", "key")
    assert not borrow(two, "sface", "key")
    shared = tmp_path / "shared"
    monkeypatch.setenv(VARIABLE, str(shared))
    lend(one, "sface", "key")
    assert not borrow(two, "sface", "another key")
    assert not borrow(two, "dlib", "key")
    assert borrow(two, "sface", "key")
    assert read_table(two / "sface.parquet")["value"].tolist() == [0, 1, 2]
    (file,) = shared.rglob("*.parquet")
    assert file.stat().st_mode & 0o077 == 0
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 255
    file.write_bytes(content)
    assert not borrow(Folder(tmp_path / "three"), "sface", "key")  # damaged: read anew


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dataset", "demo"], "name it with --method SPEC"),
        (["--dataset", "demo", "--method", "blur", "--preset", "cii"], "did you mean ci?"),
        (["--preset", "ci", "--candidate", "run"], "needs --dataset"),
        ([], "name a finished run with --candidate"),
        (["--dataset", "demo", "--method", "blurr"], "did you mean blur"),
    ],
)
def test_half_a_command_is_wrong_usage(tmp_path: Path, options: list[str], message: str) -> None:
    baseline = gate_run(tmp_path / "baseline", near(np.zeros(20)))
    done = unmask_here("gate", "--baseline", str(baseline), *options)
    assert done.returncode == 2
    assert message in done.stderr


def test_what_is_accepted_is_run_only_where_a_data_set_is_named(tmp_path: Path) -> None:
    run = gate_run(tmp_path / "run", near(np.zeros(20)))
    for options, message in (
        (["--preset", "ci"], "needs --dataset with --method"),
        (["--dataset", "demo"], "name it with --method SPEC"),
        (["--dataset", "demo", "--method", "blur", "--preset", "cii"], "did you mean ci?"),
    ):
        done = unmask_here("baseline", "accept", str(run), "--out", str(tmp_path / "baseline.json"), *options)
        assert done.returncode == 2
        assert message in done.stderr
    assert not (tmp_path / "baseline.json").exists()


@pytest.mark.slow
@pytest.mark.weights
def test_weaker_is_worse_stronger_is_not_and_originals_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "readings"))
    file = tmp_path / "baseline.json"

    def gate(method: str, name: str) -> tuple[int, str]:
        options = ("--baseline", str(file), "--method", f"me={method}", "--dataset", "demo", "--preset", "ci")
        done = unmask_here("gate", *options, "--candidate", str(tmp_path / name))
        return done.returncode, done.stdout + done.stderr

    code, printed = gate("pixelate:blocks=8", "first")
    assert code == 1
    assert f"unmask baseline accept {tmp_path / 'first'} --method me --out {file}" in printed
    first = ("--method", "me=pixelate:blocks=8", "--dataset", "demo", "--preset", "ci", "--out", str(file))
    done = unmask_here("baseline", "accept", str(tmp_path / "accepted"), *first)
    assert done.returncode == 0, done.stderr
    assert "judged by outcome" in done.stdout
    assert "left out" not in gate("pixelate:blocks=8", "first")[1]
    tables = {path: path.stat().st_mtime_ns for path in (tmp_path / "readings").rglob("*.parquet")}
    assert gate("pixelate:blocks=24", "weaker")[0] == 3
    code, printed = gate("blackout", "stronger")
    assert code in (0, 6), printed
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "readings").rglob("*.parquet")} == tables
