"""An audit of pictures that were made elsewhere: exported, anonymized by a stranger's script, and attacked."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.benchmarks.stages import Stages
from tests.run.test_attack import people, through
from tests.support.fake_methods import EditFaces
from tests.support.painted import Face, picture
from tests.support.painted_runs import PhotoRun
from unmask.bench.core.errors import SpecError
from unmask.bench.core.headlines import WORST
from unmask.bench.core.spec import Spec
from unmask.bench.core.types import Sample
from unmask.bench.run.exporting import export_split
from unmask.bench.run.jobs.shards import output_jobs
from unmask.bench.run.pipeline import get_ready, locations_for, run
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.store.results import AttackRow, Estimates
from unmask.bench.store.run_folder import RunFolder
from unmask.reports.build import build_report

pytestmark = pytest.mark.usefixtures("painted_world")

OURS = "ours=edit:how=tone"
LEARNERS = {"mean-shift", "procrustes", "ridge"}
NOT_POSSIBLE = "informed attacks: not possible, the method cannot be run"


@pytest.fixture
def tested(tmp_path: Path) -> PhotoRun:
    return people(tmp_path, "abcdef", 0)


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """Twelve people, two photos each: enough to learn from."""
    photos = {
        f"{name}{k}.png": picture(500 + 10 * n + k, [Face(n % 6, 20 + 5 * k, 25)])
        for n, name in enumerate("nopqrstuvwxy")
        for k in range(2)
    }
    lines = ["file,identity", *(f"{file},{file[0]}" for file in photos)]
    return PhotoRun(tmp_path / "others", photos, "\n".join(lines)).data


@pytest.fixture
def split(tmp_path: Path, tested: PhotoRun, others: Path) -> Path:
    config = RunConfig(datasets=(f"folder:{tested.data}",), background=(f"folder:{others}",), audit="quick")
    return export_split(config, tmp_path / "split", root=None, progress=Stages()).folder


def anonymized(folder: Path, out: Path) -> Path:
    """What a stranger's script makes of a folder: the same as `OURS`."""
    method = EditFaces(how="tone")
    out.mkdir(parents=True)
    for file in sorted(folder.iterdir()):
        (output,) = method.anonymize([Sample("x", np.asarray(Pillow.open(file)))], seed=0)
        Pillow.fromarray(np.asarray(output)).save(out / file.name)
    return out


@pytest.fixture
def outputs(tmp_path: Path, split: Path) -> Mapping[str, Path]:
    parts = {"dir": "tested", "background": "background", "enrolment": "enrolment"}
    return {name: anonymized(split / part, tmp_path / "OUT" / part) for name, part in parts.items()}


def theirs(split: Path, **folders: Path) -> str:
    params = {**{name: str(path) for name, path in folders.items()}, "split": str(split / "split.json")}
    return f"theirs={Spec('outputs', params).text}"


def reduced(run: PhotoRun, *methods: str, background: Path | None) -> Estimates:
    specs = (f"folder:{background}",) if background else ()
    run.planned(*methods, metrics=("audit",), audit="quick", background=specs)
    through(run)
    return run.reduce()


def rows_of(estimates: Estimates, method: str) -> list[AttackRow]:
    return [row for row in estimates.attacks if row.method == method]


def tried(estimates: Estimates, method: str) -> set[str]:
    return {row.attacker for row in rows_of(estimates, method) if not row.problem}


def strongest(estimates: Estimates, method: str, metric: str = "attack_rank1") -> list[str]:
    """Instrument names of the strongest attack on a method."""
    rows = [r for r in estimates.estimates if (r.method, r.metric, r.group) == (method, metric, "all")]
    return [row.instrument for row in rows if row.instrument.startswith(WORST)]


def findings(estimates: Estimates, kind: str) -> list[tuple[str, int, int]]:
    return [(f.method, f.count, f.of) for f in estimates.findings if f.kind == kind]


def test_equal_pictures_made_elsewhere_are_attacked_as_those_of_a_method_that_runs_here(
    tested: PhotoRun, others: Path, split: Path, outputs: Mapping[str, Path]
) -> None:
    estimates = reduced(tested, OURS, theirs(split, **outputs), background=others)
    ours, elsewhere = (
        [row.model_copy(update={"method": ""}) for row in rows_of(estimates, name)] for name in ("ours", "theirs")
    )
    assert ours == elsewhere
    assert {"parrot", "ignorant", *LEARNERS} <= tried(estimates, "theirs")
    assert max(row.named or 0.0 for row in elsewhere) == 1.0, "attacks that reach nothing would be equal anyhow"
    assert strongest(estimates, "theirs") == strongest(estimates, "ours") == [WORST]
    compared = [row for row in estimates.comparisons if (row.metric, row.instrument) == ("attack_rank1", WORST)]
    assert [{row.a, row.b} for row in compared] == [{"ours", "theirs"}]
    # The script draws nothing by chance, so that its second run gives the same pictures.
    assert findings(estimates, "enrolment-same") == [("theirs", 12, 12)]
    assert findings(estimates, "attacks-not-tried") == []


@pytest.mark.parametrize(
    ("folders", "attackers", "name", "said"),
    [
        ((), {"ignorant"}, "worst-without-method", NOT_POSSIBLE),
        (("enrolment",), {"ignorant", "parrot"}, "worst-without-background", "attackers who learn: not possible"),
        (("background",), {"ignorant", *LEARNERS}, "worst-without-enrolment", "compare with anonymized photos: not po"),
    ],
)
def test_what_attackers_lack_is_said_and_ranked_apart(
    tmp_path: Path,
    tested: PhotoRun,
    others: Path,
    split: Path,
    outputs: Mapping[str, Path],
    folders: tuple[str, ...],
    attackers: set[str],
    name: str,
    said: str,
) -> None:
    some = {each: outputs[each] for each in ("dir", *folders)}
    estimates = reduced(tested, OURS, theirs(split, **some), background=others)
    assert tried(estimates, "theirs") == attackers
    for metric in ("attack_rank1", "attack_rank5", "residual_risk"):
        assert strongest(estimates, "theirs", metric) == [name]
        assert strongest(estimates, "ours", metric) == [WORST]
    assert not [row for row in estimates.comparisons if row.metric == "attack_rank1"], "others attacked each of them"
    everybody = {attacker.label for attacker in tested.plan.attackers}
    missing = len(everybody - attackers)
    assert findings(estimates, "attacks-not-tried") == [("theirs", missing, len(everybody))]
    assert any(said in finding.text for finding in estimates.findings)
    index = build_report([RunFolder.open(tested.folder.path)], tmp_path / "report")
    text = re.sub(r"<[^>]+>|\s+", " ", (index.parent / "audit.html").read_text("utf-8"))
    assert said in text
    assert "ranked apart: " in text


def test_the_row_of_a_method_that_nobody_can_run_says_so(
    tested: PhotoRun, others: Path, split: Path, outputs: Mapping[str, Path]
) -> None:
    estimates = reduced(tested, theirs(split, dir=outputs["dir"]), background=others)
    problems = {row.problem for row in rows_of(estimates, "theirs") if row.attacker != "ignorant"}
    assert problems == {NOT_POSSIBLE}
    # Alone in its run it is no better ranked than beside others.
    assert strongest(estimates, "theirs") == ["worst-without-method"]


def test_without_background_people_nobody_learns_of_any_method_and_all_are_ranked_together(
    tested: PhotoRun, split: Path, outputs: Mapping[str, Path]
) -> None:
    some = {name: outputs[name] for name in ("dir", "enrolment")}
    estimates = reduced(tested, OURS, theirs(split, **some), background=None)
    assert tried(estimates, "theirs") == tried(estimates, "ours") == {"ignorant", "parrot"}
    assert strongest(estimates, "theirs") == strongest(estimates, "ours") == [WORST]


def test_files_missing_from_the_folders_of_an_audit_are_counted(
    tested: PhotoRun, others: Path, split: Path, outputs: Mapping[str, Path]
) -> None:
    enrolled, learned = (sorted(outputs[name].iterdir()) for name in ("enrolment", "background"))
    enrolled[0].unlink()
    learned[0].unlink()
    Pillow.new("RGB", (40, 40)).save(learned[1])
    shutil.copy(learned[2], outputs["background"] / "extra.png")
    learned[3].rename(learned[3].with_name("renamed.png"))
    estimates = reduced(tested, theirs(split, **outputs), background=others)
    assert findings(estimates, "enrolment-failed") == [("theirs", 1, 12)]
    assert findings(estimates, "background-failed") == [("theirs", 3, 24)]
    (text,) = (finding.text for finding in estimates.findings if finding.kind == "background-failed")
    assert "no output file (2)" in text
    assert "output is 40x40, the input is 160x96" in text
    assert not [row for row in estimates.failures if row.method == "theirs"], "nothing that is released is missing"
    (searched,) = {row.searches for row in rows_of(estimates, "theirs") if row.attacker == "parrot" and not row.problem}
    assert searched == 11, "whose enrolment is missing is not searched, and does not count as unnamed"


def test_a_method_that_fails_on_background_people_is_counted_too(tested: PhotoRun, others: Path) -> None:
    tested.planned("ours=edit:fails_on=5", metrics=("audit",), audit="quick", background=(f"folder:{others}",))
    through(tested)
    estimates = tested.reduce()
    assert findings(estimates, "background-failed") == [("ours", 4, 24)]
    assert findings(estimates, "enrolment-failed") == [("ours", 2, 12)]


def test_a_whole_run_reads_every_part_from_the_folder_of_its_own(
    tmp_path: Path, tested: PhotoRun, others: Path, split: Path, outputs: Mapping[str, Path]
) -> None:
    """With methods in processes of their own, which are opened with one folder."""
    config = RunConfig(
        datasets=(f"photos=folder:path={tested.data}",),
        methods=(theirs(split, **outputs),),
        background=(f"folder:{others}",),
        metrics=("audit",),
        audit="quick",
        replicates=100,
    )
    plan = get_ready(config, root=None)
    places = locations_for(config)
    folder = run(plan, tmp_path / "whole", locations=places, root=None, workers=1, progress=Stages())
    assert [f.kind for f in folder.estimates.findings if f.kind.endswith("failed")] == []
    assert {"parrot", *LEARNERS} <= tried(folder.estimates, "theirs")


def test_a_copied_folder_answers_as_the_enrolment_too(
    tested: PhotoRun, others: Path, split: Path, outputs: Mapping[str, Path]
) -> None:
    shutil.rmtree(outputs["enrolment"])
    shutil.copytree(outputs["dir"], outputs["enrolment"])
    estimates = reduced(tested, theirs(split, **outputs), background=others)
    assert findings(estimates, "enrolment-same") == [("theirs", 12, 12)]
    assert findings(estimates, "enrolment-failed") == []


def test_folders_may_be_matched_by_the_photos_own_names(tmp_path: Path, tested: PhotoRun, others: Path) -> None:
    for name, folder in (("dir", tested.data), ("enrolment", tested.data), ("background", others)):
        shutil.copytree(folder, tmp_path / "own" / name)
        (tmp_path / "own" / name / "labels.csv").unlink()
    folders = {name: str(tmp_path / "own" / name) for name in ("dir", "enrolment", "background")}
    estimates = reduced(tested, f"theirs={Spec('outputs', folders).text}", background=others)
    assert {"parrot", *LEARNERS} <= tried(estimates, "theirs")
    assert findings(estimates, "background-failed") == []


def test_names_of_background_people_are_in_no_results(tmp_path: Path, tested: PhotoRun, others: Path) -> None:
    folders = {name: tmp_path / "own" / name for name in ("dir", "enrolment", "background")}
    for name, folder in folders.items():
        shutil.copytree(others if name == "background" else tested.data, folder)
        (folder / "labels.csv").unlink()
    (folders["background"] / "n0.png").rename(folders["background"] / "n0.tif.png")
    for twin in ("one", "two"):
        (folders["background"] / twin).mkdir()
        shutil.copy(others / "n0.png", folders["background"] / twin)
    spec = Spec("outputs", {name: str(path) for name, path in folders.items()})
    estimates = reduced(tested, f"theirs={spec.text}", background=others)
    (text,) = (finding.text for finding in estimates.findings if finding.kind == "background-failed")
    assert "2 output files match " in text
    assert "n0.png" not in estimates.model_dump_json()


def test_no_plan_holds_a_path_or_depends_on_one(
    tmp_path: Path, tested: PhotoRun, others: Path, split: Path, outputs: Mapping[str, Path]
) -> None:
    def planned() -> str:
        tested.planned(theirs(split, **outputs), metrics=("audit",), audit="quick", background=(f"folder:{others}",))
        return tested.plan.model_dump_json()

    first = planned()
    assert str(tmp_path) not in first
    assert {job.method for job in output_jobs(tested.plan) if job.dataset.endswith("+background")} == {"theirs"}
    moved = {name: Path(shutil.move(path, tmp_path / f"moved-{name}")) for name, path in outputs.items()}
    outputs = moved
    assert planned() == first
    for name in ("background", "enrolment"):
        changed = sorted(moved[name].iterdir())[0]
        before = changed.read_bytes()
        Pillow.new("RGB", (160, 96)).save(changed)
        assert planned() != first, name
        changed.write_bytes(before)


def refusal(run: PhotoRun, method: str, background: Path) -> str:
    with pytest.raises(SpecError) as caught:
        run.planned(method, metrics=("audit",), audit="quick", background=(f"folder:{background}",))
    return str(caught.value)


def test_what_cannot_be_right_is_refused_before_the_run(
    tmp_path: Path, tested: PhotoRun, others: Path, split: Path, outputs: Mapping[str, Path]
) -> None:
    swapped = {**outputs, "background": outputs["enrolment"]}
    assert "none of 24 inputs has an output" in refusal(tested, theirs(split, **swapped), others)
    own = {**outputs, "background": others}
    assert "is the data set's own folder" in refusal(tested, theirs(split, **own), others)
    gone = {**outputs, "enrolment": tmp_path / "nowhere"}
    assert "outputs:enrolment=PATH" in refusal(tested, theirs(split, **gone), others)
    shutil.copytree(split, tmp_path / "half")
    (tmp_path / "half/names-private.json").unlink()
    assert "must lie together" in refusal(tested, theirs(tmp_path / "half", **outputs), others)
    shutil.copy(split / "names-private.json", tmp_path / "half")
    with (tmp_path / "half/names-private.json").open("a") as stream:
        stream.write(" ")
    assert "does not belong to split.json" in refusal(tested, theirs(tmp_path / "half", **outputs), others)
    Pillow.new("RGB", (160, 96)).save(tested.data / "g0.png")
    assert "was not exported from the photos of" in refusal(tested, theirs(split, **outputs), others)
