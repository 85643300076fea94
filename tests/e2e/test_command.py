"""Programs as methods in whole runs: what goes wrong with one becomes counted rows, and nothing of it stays behind."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image as Pillow
from skimage import data

from tests.support.cli import start_unmask, unmask, unmask_here
from tests.support.clips import write_clip
from unmask.bench.core.spec import Spec
from unmask.bench.core.types import FaceLabel, Image, Sample, SampleRef
from unmask.bench.run.contestants.contestant import Contestant
from unmask.bench.run.planning.auditing import further_runs
from unmask.bench.run.planning.plan import planned_methods
from unmask.bench.store.tables import read_table

PHOTOS: tuple[Callable[[], Image], ...] = (
    lambda: data.astronaut()[:300, 60:360],
    lambda: data.astronaut()[200:500, 200:500],
    lambda: data.chelsea()[:300, 100:400],
)
TOOL = """
import pathlib, shutil, sys, time
from PIL import Image, ImageFilter
how, source, target = sys.argv[1], *map(pathlib.Path, sys.argv[2:4])
files = sorted(source.iterdir())
print("working on", *files)
if how == "clip":
    import cv2
    (file,), reader = files, cv2.VideoCapture(str(files[0]))
    writer = cv2.VideoWriter(str(target / file.name), cv2.VideoWriter_fourcc(*"mp4v"), 10, (320, 240))
    while (read := reader.read())[0]:
        writer.write(cv2.GaussianBlur(read[1], (0, 0), 9))
    writer.release()
if how == "hanging":
    pathlib.Path(sys.argv[4]).touch()
    time.sleep(600)
for file, other in zip(files, [*files[1:], files[0]]):
    if how == "good":
        Image.open(file).filter(ImageFilter.GaussianBlur(12)).save(target / file.name)
    if how == "lying":
        shutil.copy(file, target)
    if how == "swapping":
        shutil.copy(other, target / file.name)
    if how == "flooding":
        while True:
            print("x" * 100000)
"""
FEW = ("--instrument", "sface", "--metric", "outcome", "--workers", "1", "--no-report")
CLIPS = ("--instrument", "mobilefacenet", "--metric", "exposure", "--workers", "1", "--no-report")


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    file = tmp_path / "ann_smith" / "tool.py"
    file.parent.mkdir()
    file.write_text(TOOL)
    return file


@pytest.fixture
def temporary() -> Iterator[Path]:
    """With a short name: the sockets of worker processes lie in it."""
    with tempfile.TemporaryDirectory(prefix="u-") as folder:
        yield Path(folder)


@pytest.fixture
def photos(tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three photos; temporary files go to a folder of the test's."""
    monkeypatch.setenv("TMPDIR", str(temporary))
    for k, photo in enumerate(PHOTOS):
        (tmp_path / "photos" / f"Ann_{k}").mkdir(parents=True)
        Pillow.fromarray(np.ascontiguousarray(photo())).save(tmp_path / "photos" / f"Ann_{k}" / f"Ann_{k}_0001.jpg")
    return tmp_path / "photos"


def spec(tool: Path, how: str, *more: object) -> str:
    words = " ".join(map(str, (sys.executable, tool, how, "{input}", "{output}", *more)))
    return f"{how}={Spec('command', {'run': words}).text}"


def left_over(temporary: Path) -> list[str]:
    return [path.name for path in temporary.iterdir() if path.name.startswith("unmask-")]


@pytest.mark.weights
def test_programs_that_go_wrong_end_in_counted_rows(tmp_path: Path, temporary: Path, tool: Path, photos: Path) -> None:
    kinds = ("good", "hanging", "crashing", "flooding", "lying", "swapping", "idle")
    texts = {how: spec(tool, how, tmp_path / "started") for how in kinds}
    texts["crashing"] = texts["crashing"].replace("tool.py", "missing.py")
    methods = [word for text in texts.values() for word in ("--method", text)]
    run = tmp_path / "run"
    done = unmask("run", "--dataset", f"folder:{photos}", *methods, *FEW, "--time-limit", "1", "--out", str(run))
    assert done.returncode == 3, done.stderr
    estimates = json.loads((run / "estimates.json").read_text())
    rows: dict[str, list[str]] = {how: [] for how in kinds}
    for row in estimates["failures"]:
        rows[row["method"]].append(row["reason"])
    assert rows["good"] == rows["lying"] == []
    assert rows["hanging"] == ["took longer than 1 s"] * 3
    assert rows["crashing"] == ["the program ended with exit code 2"] * 3
    assert rows["flooding"] == ["the program printed more than 16 MiB"] * 3
    assert rows["idle"] == ["no output file"] * 3
    assert [reason.startswith("the output is another input: photo-0000") for reason in rows["swapping"]] == [True] * 3
    said = [row["text"] for row in estimates["findings"] if row["method"] == "lying" and row["kind"] == "unchanged"]
    assert said == ["3 of 3 outputs are the inputs themselves, pixel for pixel: nothing was done to them"]

    # Nothing names a folder or a photo but the run's own keys; nothing of it is left.
    written = "".join(
        p.read_text("utf-8") for p in (*run.glob("plan*.json"), *run.glob("est*.json"), *run.glob("logs/*"))
    )
    assert "tool.py hanging" in written
    assert "working on scratch/input/" in written
    assert "ann_smith" not in written
    assert "Ann_0_0001" not in (run / "logs" / "good.txt").read_text()
    assert "ann_smith/tool.py" in (run / "locations.json").read_text()
    assert left_over(temporary) == []


@pytest.mark.weights
def test_an_edited_program_is_another_method_and_a_moved_one_the_same(tmp_path: Path, tool: Path, photos: Path) -> None:
    def call(tool: Path) -> str:
        run = ("--out", str(tmp_path / "run"))
        done = unmask_here("run", "--dataset", f"folder:{photos}", "--method", spec(tool, "good"), *FEW, *run)
        assert done.returncode == 0, done.stderr
        return done.stderr

    call(tool)
    moved = tmp_path / "elsewhere" / "tool.py"
    moved.parent.mkdir()
    tool.rename(moved)
    again = call(moved)
    assert any(line.startswith("reduce: ") and "done before" in line for line in again.splitlines())
    moved.write_text(TOOL + "# edited")
    assert "method good changed" in call(moved)


@pytest.mark.weights
def test_an_interrupted_run_leaves_no_program_behind(tmp_path: Path, temporary: Path, tool: Path, photos: Path) -> None:
    started = tmp_path / "started"
    method = spec(tool, "hanging", started)
    run = start_unmask("run", "--dataset", f"folder:{photos}", "--method", method, *FEW, "--out", str(tmp_path / "run"))
    for _ in range(600):
        if started.exists():
            break
        time.sleep(0.1)
    assert started.exists()
    programs = [p for p in psutil.Process(run.pid).children(recursive=True) if "hanging" in p.cmdline()]
    assert programs
    os.kill(run.pid, signal.SIGINT)
    run.wait(30)
    _, alive = psutil.wait_procs(programs, 10)
    assert alive == []
    assert left_over(temporary) == []


def test_what_a_program_takes_counts_as_its_methods_memory(tmp_path: Path, tool: Path) -> None:
    code = "import shutil, sys, time; x = bytearray(b'x') * 100000000; time.sleep(1); "
    tool.write_text(code + "shutil.copytree(sys.argv[1], sys.argv[2], dirs_exist_ok=True)\n")
    text = Spec("command", {"run": f"{sys.executable} {tool} {{input}} {{output}}"}).text
    contestant = Contestant(text, "cpu", tmp_path / "log.txt", time_limit=60.0)
    done = contestant.attempt([Sample("a", PHOTOS[0]())], 0)
    contestant.close()
    assert done.failure == ""
    assert 95 < contestant.memory < 400


def test_a_program_that_is_not_there_is_said_before_any_work(tmp_path: Path, photos: Path) -> None:
    method = "mine=command:no-such-tool {input} {output}"
    done = unmask_here("run", "--dataset", f"folder:{photos}", "--method", method, "--out", str(tmp_path / "run"))
    assert done.returncode == 2
    assert done.stderr == "unmask: command: the program 'no-such-tool' is not there: check the path, or PATH\n"
    assert not (tmp_path / "run").exists()


def test_attackers_can_run_a_program_but_not_tell_it_by_whom_to_draw(tool: Path) -> None:
    refs = [SampleRef(f"{k}.jpg", (FaceLabel(identity=f"p{k // 2}"),)) for k in range(4)]
    methods = planned_methods([spec(tool, "good"), "blur"])
    assert [run.label for run in further_runs(methods, refs)] == ["good+again", "blur+again", "blur+one-draw"]


@pytest.mark.weights
@pytest.mark.slow
def test_clips_come_as_frames_or_as_files(tmp_path: Path, temporary: Path, tool: Path, photos: Path) -> None:
    write_clip(tmp_path / "clips" / "ann.mp4", 20)
    run, clips = tmp_path / "run", f"clips:{tmp_path / 'clips'}"
    whole = {how: spec(tool, how, tmp_path / "started") for how in ("clip", "hanging", "lying", "idle")}
    specs = [spec(tool, "good"), *(f"{text},frames=false" for text in whole.values())]
    methods = [word for text in specs for word in ("--method", text)]
    done = unmask("video", "--dataset", clips, *methods, *CLIPS, "--time-limit", "0.3", "--out", str(run))
    assert done.returncode == 3, done.stderr

    def errors(how: str) -> list[str]:
        (table,) = run.glob(f"outputs/*/{how}/*/outputs.parquet")
        return [str(error) for error in read_table(table)["error"]]

    assert errors("good") == errors("clip") == errors("lying") == [""] * 20
    assert "-000019.png" in (run / "logs" / "good.txt").read_text()
    assert errors("hanging") == ["a frame on average took longer than 0.3 s"] * 20
    assert errors("idle") == ["no output clip"] * 20
    assert "ann" not in (run / "logs" / "clip.txt").read_text()
    assert left_over(temporary) == []
