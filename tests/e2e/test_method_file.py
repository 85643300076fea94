"""A class in a file of the user's as a method: found again, noticed when it changes, never named by its folder."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image as Pillow

from tests.support.cli import unmask, unmask_here
from unmask.bench.core.errors import SpecError
from unmask.bench.core.types import Image, Sample
from unmask.bench.run.anonymize import open_contestant
from unmask.bench.run.contestants.calling import Attempt
from unmask.bench.run.contestants.contestant import LOAD_FAILED, Contestant
from unmask.bench.run.jobs.shards import Workplace, output_jobs
from unmask.bench.run.pipeline import locations_for
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.run.planning.plan import make_plan
from unmask.bench.run.planning.settling import settle_plan
from unmask.bench.run.planning.sources import hash_code
from unmask.bench.store.run_folder import RunFolder

CODE = '''
import numpy as np
from unmask import MethodCard

class Grey:
    """Fills the image with one value."""
    card = MethodCard(name="grey", version="1", description="d", licence="MIT", source=__file__)
    def load(self, files, device):
        print("here", __file__)
    def anonymize(self, batch, *, seed):
        if seed == 13:
            raise ValueError(f"{__file__} says no")
        return [np.full_like(sample.image, 10) for sample in batch]
'''


@pytest.fixture
def photos(tmp_path: Path, astronaut: Image) -> Path:
    (tmp_path / "photos").mkdir()
    Pillow.fromarray(astronaut).resize((160, 160)).save(tmp_path / "photos" / "a.png")
    return tmp_path / "photos"


def greys(run: Path) -> set[object]:
    return {Pillow.open(file).getpixel((0, 0)) for file in run.glob("outputs/*/mine/*/*.png")}


@pytest.mark.weights
def test_a_run_finds_the_file_again_and_notices_an_edit(tmp_path: Path, photos: Path) -> None:
    run, file = tmp_path / "run", tmp_path / "ann_smith" / "my.py"
    file.parent.mkdir()
    file.write_text(CODE)

    def call(
        path: Path, command: Callable[..., subprocess.CompletedProcess[str]] = unmask_here
    ) -> subprocess.CompletedProcess[str]:
        return command(
            *("run", "-d", f"folder:{photos}", "-m", f"mine={path}:Grey", "--metric", "outcome"),
            *("--workers", "2", "--no-report", "--out", str(run)),
        )

    first = call(file, unmask)
    assert first.returncode == 0, first.stderr
    assert greys(run) == {(10, 10, 10)}
    written = "".join(path.read_text("utf-8") for path in (*run.glob("[!l]*.json"), *run.glob("logs/*")))
    assert "grey" in written
    assert "ann_smith" not in written

    # At another place the same file is the same method.
    moved = tmp_path / "else" / "my.py"
    moved.parent.mkdir()
    file.rename(moved)
    assert any(line.startswith("reduce: ") and "done before" in line for line in call(moved).stderr.splitlines())
    assert json.loads((run / "locations.json").read_text())["methods"] == {"mine": {"my.py": str(moved)}}

    # At its place another content is an edit, elsewhere another method.
    moved.write_text(CODE.replace("10", "20"))
    assert "method mine changed" in call(moved).stderr
    assert greys(run) == {(20, 20, 20)}
    file.write_text(CODE.replace("10", "30"))
    refused = call(file)
    assert refused.returncode == 1
    assert "methods: mine changed" in refused.stderr

    # What is not run again needs no file; what is says so.
    moved.unlink()
    assert unmask_here("score", str(run), "--metric", "outcome,ssim").returncode == 0
    gone = call(moved)
    assert gone.returncode == 2
    assert gone.stderr.splitlines()[-1].startswith(f"unmask: {moved} cannot be read: No such file or directory")


@pytest.mark.weights
@pytest.mark.parametrize(
    ("late", "expected"),
    [("", "method mine: .*my.py cannot be read"), (CODE + "#", "method mine: my.py:Grey was changed after this run")],
)
def test_a_file_that_is_another_than_was_planned_is_not_run(
    late: str, expected: str, tmp_path: Path, photos: Path
) -> None:
    file = tmp_path / "my.py"
    file.write_text(CODE)
    config = RunConfig(datasets=(f"folder:{photos}",), methods=(f"mine={file}:Grey",), metrics=("outcome",))
    plan = make_plan(config)
    settle_plan(RunFolder(tmp_path / "run"), plan, locations_for(config))
    (job,) = (Workplace(tmp_path / "run").place(job) for job in output_jobs(plan) if job.method == "mine")
    open_contestant(job, 1, time_limit=60.0).close()
    file.unlink()
    if late:
        file.write_text(late)
    with pytest.raises(SpecError, match=expected):
        open_contestant(job, 1, time_limit=60.0)


def test_the_log_says_where_in_the_file_a_method_failed(tmp_path: Path, astronaut: Image) -> None:
    file, log = tmp_path / "my.py", tmp_path / "log.txt"
    file.write_text(CODE)
    contestant = Contestant(f"{file}:Grey", "cpu", log, time_limit=60.0)
    assert contestant.attempt([Sample("a", astronaut)], 13).failure == f"ValueError: {file} says no"
    contestant.close()
    assert 'File "my.py", line 12, in anonymize' in log.read_text()
    assert str(tmp_path) not in log.read_text()


def test_the_process_of_a_method_looks_too(tmp_path: Path, astronaut: Image) -> None:
    file = tmp_path / "my.py"
    file.write_text(CODE)
    code = hash_code(f"{file}:Grey")

    def outcome() -> Attempt:
        contestant = Contestant(f"{file}:Grey", "cpu", tmp_path / "log.txt", time_limit=60.0, code=code)
        try:
            return contestant.attempt([Sample("a", astronaut)], 0)
        finally:
            contestant.close()

    assert not outcome().failure
    file.write_text(CODE + "# edited")
    assert outcome().failure.startswith(f"{LOAD_FAILED}my.py:Grey was changed after this run was planned")
