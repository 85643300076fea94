"""A method that kills its process costs the images that killed it, nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from PIL import Image as Pillow

from bench.cli.progress import PlainProgress
from bench.core.errors import WorkerDiedError
from bench.core.types import Image
from bench.run.executors import run_stage, shared_pool
from bench.run.shards import ShardJob
from tests.support.cli import unmask

pytestmark = pytest.mark.weights

PLUGIN = '''
import os
import numpy as np
from bench.core.cards import MethodCard

class Fragile:
    """Blackens the image; dies on dark ones, crashes on red ones."""
    def __init__(self):
        self.card = MethodCard(name="fragile", version="1", description="d", licence="MIT", source="test")
    def load(self, files, device):
        pass
    def anonymize(self, batch, *, seed):
        for sample in batch:
            if sample.image.mean() < 40:
                os._exit(11)
            if sample.image[..., 0].mean() > 2 * sample.image[..., 1].mean():
                raise RuntimeError("no red,\\nplease")
        return [np.zeros_like(sample.image) for sample in batch]
'''


LEAKY = '''
import os
import numpy as np
from bench.core.cards import MethodCard

class Leaky:
    """Survives any single image, but not a third one."""
    def __init__(self):
        self.seen = 0
        self.card = MethodCard(name="leaky", version="1", description="d", licence="MIT", source="test")
    def load(self, files, device):
        pass
    def anonymize(self, batch, *, seed):
        self.seen += len(batch)
        if self.seen > 2:
            os._exit(11)
        return [np.zeros_like(sample.image) for sample in batch]
'''


def install(site: Path, name: str, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes ``source`` a distribution that gives a method ``name``, a class of that name."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (site / f"{name}_plugin.py").write_text(source)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[unmask.methods]\n{name} = {name}_plugin:{name.title()}\n")
    monkeypatch.setenv("PYTHONPATH", str(site))


def test_crashing_methods(tmp_path: Path, astronaut: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "site", "fragile", PLUGIN, monkeypatch)
    photos = tmp_path / "photos"
    photos.mkdir()
    small = Pillow.fromarray(astronaut).resize((256, 256))
    small.save(photos / "a.png")
    small.point(lambda v: v // 5).save(photos / "dark.png")
    r, g, b = small.split()
    Pillow.merge("RGB", (r, g.point(lambda v: v // 4), b)).save(photos / "red.png")
    small.save(photos / "z.png")
    out = tmp_path / "run"
    done = unmask(
        *("run", "--dataset", f"folder:{photos}", "--method", "fragile", "--metrics", "outcome"),
        *("--out", str(out), "--no-report"),
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((out / "estimates.json").read_text())
    reasons = {row["sample"]: row["reason"] for row in results["failures"]}
    assert reasons == {
        "dark.png": "the method's process died on this image",
        "red.png": "RuntimeError: no red, please",
    }


def test_a_process_that_dies_again_ends_in_one_line_and_what_is_done_stays(
    tmp_path: Path, astronaut: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", "leaky", LEAKY, monkeypatch)
    photos = tmp_path / "photos"
    photos.mkdir()
    for k in range(3):
        Pillow.fromarray(astronaut).resize((128, 128)).save(photos / f"{k}.png")
    command = ("run", "--dataset", f"folder:{photos}", "--method", "leaky", "--metrics", "outcome", "--no-report")
    done = unmask(*command, "--out", str(tmp_path / "run"))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "method leaky kills its process" in done.stderr.splitlines()[-1]
    assert "--shard-size" in done.stderr.splitlines()[-1]
    assert list((tmp_path / "run").glob("prepare/*/*/faces.parquet"))
    smaller = unmask(*command, "--shard-size", "1", "--workers", "3", "--out", str(tmp_path / "smaller"))
    assert smaller.returncode == 0, smaller.stderr


def end_process(job: ShardJob) -> bool:
    os._exit(9)


def test_a_worker_of_a_stage_that_dies_is_told_in_one_line(tmp_path: Path) -> None:
    jobs = [ShardJob(tmp_path, "photos", 0), ShardJob(tmp_path, "photos", 1)]
    with shared_pool(2) as pool, pytest.raises(WorkerDiedError, match=r"died in stage score.*goes on from here"):
        run_stage("score", end_process, jobs, pool, PlainProgress())
