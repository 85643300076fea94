"""A method that kills its process costs the images that killed it, nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image as Pillow

from bench.core.types import Image
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


def test_crashing_methods(tmp_path: Path, astronaut: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    info = site / "fragile-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "fragile_plugin.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fragile\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[unmask.methods]\nfragile = fragile_plugin:Fragile\n")
    monkeypatch.setenv("PYTHONPATH", str(site))
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
