"""What a finished run does when the method, the place of its data or the question changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image as Pillow

from tests.support.cli import unmask, unmask_here
from tests.support.hostile import install_here, install_method
from unmask.bench.core.types import Image

pytestmark = pytest.mark.weights

PLUGIN = '''
from pathlib import Path
import numpy as np
from unmask.bench.core.cards import MethodCard

class Mine:
    """Fills the image with the value in its file."""
    def __init__(self, *, value):
        self.value = Path(value)
        self.card = MethodCard(name="mine", version="1", description="d", licence="MIT", source="test")
    def load(self, files, device):
        pass
    def anonymize(self, batch, *, seed):
        return [np.full_like(sample.image, int(self.value.read_text())) for sample in batch]
'''


def outputs(run: Path, method: str) -> dict[str, tuple[int, int]]:
    """Stored pictures: first grey value and time of writing."""
    files = run.glob(f"outputs/*/{method}/*/*.png")
    return {f.name: (Pillow.open(f).getpixel((0, 0))[0], f.stat().st_mtime_ns) for f in files}  # type: ignore[index]


def plan(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "plan.json").read_text("utf-8")))


def test_a_run_goes_on(tmp_path: Path, astronaut: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    site, photos, run = tmp_path / "site", tmp_path / "photos", tmp_path / "run"
    install_method(site, "mine", PLUGIN, monkeypatch)
    photos.mkdir()
    Pillow.fromarray(astronaut).resize((200, 200)).save(photos / "a.png")
    value = tmp_path / "value.txt"
    value.write_text("10")

    def words(*more: str, folder: Path = photos) -> tuple[str, ...]:
        asked = ("-m", f"mine=mine:value={value}", "--metric", "outcome", "--no-report", "--out", str(run))
        return ("run", "-d", f"folder:{folder}", *asked, *more)

    def call(*more: str, folder: Path = photos) -> str:
        done = unmask_here(*words(*more, folder=folder))
        assert done.returncode == 0, done.stderr
        return done.stderr

    started = unmask(*words())
    assert started.returncode == 0, started.stderr
    install_here(site, monkeypatch)
    first = plan(run)
    published = (run / "estimates.json").stat().st_ino
    assert any(line.startswith("reduce: ") and "done before" in line for line in call().splitlines())
    assert (run / "estimates.json").stat().st_ino == published
    table = next(run.glob("score/*/mine/*/outcomes.parquet"))
    whole = table.read_bytes()
    pq.write_table(pq.read_table(table).slice(1), table)
    damaged = unmask_here(*words())
    assert damaged.returncode == 1
    assert f"{table} is not as unmask wrote it" in damaged.stderr
    table.write_bytes(whole)
    control = outputs(run, "none")
    assert str(tmp_path) not in "".join(path.read_text("utf-8") for path in run.glob("[!l]*.json"))

    # The file that a parameter names was replaced at its place.
    value.write_text("20")
    assert "method mine changed" in call()
    assert {grey for grey, _ in outputs(run, "mine").values()} == {20}
    assert plan(run)["run"] != first["run"]

    # The code was edited.
    module = site / "mine_plugin.py"
    module.write_text(PLUGIN.replace("int(", "1 + int("))
    assert "method mine changed" in call()
    assert {grey for grey, _ in outputs(run, "mine").values()} == {21}
    module.write_text(PLUGIN)
    value.write_text("10")

    # All back, the photos at another place, and one method more.
    photos.rename(tmp_path / "moved")
    moved = tmp_path / "else" / "photos"
    moved.parent.mkdir()
    (tmp_path / "moved").rename(moved)
    said = call("-m", "blackout:detector=harness", folder=moved)
    assert "blackout-detectorharness is new" in said
    assert "prepare: 1/1 in" in said
    assert "1 done before" in said
    assert outputs(run, "none") == control
    grown = plan(run)
    assert grown["datasets"] == first["datasets"]
    assert [m for m in grown["methods"] if m["label"] != "blackout-detectorharness"] == first["methods"]

    # Taking away is refused, and leaves everything as it is.
    refused = unmask_here("run", "-d", f"folder:{moved}", "-m", "blackout:detector=harness", "--metric", "outcome",
                          "--no-report", "--out", str(run))  # fmt: skip
    assert refused.returncode == 1
    assert "methods: mine is only in the old plan" in refused.stderr
    assert plan(run) == grown

    # Scoring needs the photos: it says which folder, and can be told where it is.
    moved.rename(tmp_path / "last")
    lost = unmask_here("score", str(run), "--metric", "ssim")
    assert lost.returncode == 1
    assert str(moved) in lost.stderr
    assert "--locate folder-photos=FOLDER" in lost.stderr
    told = unmask_here("score", str(run), "--metric", "ssim", "--locate", f"folder-photos={tmp_path / 'last'}")
    assert told.returncode == 0, told.stderr
    (tmp_path / "last" / "a.png").write_bytes(b"other")
    other = unmask_here("score", str(run), "--metric", "psnr,lpips_alex")
    assert other.returncode == 1
    assert "holds other images" in other.stderr
