"""What is passed on, and what methods leave behind, names no photo's file, no person and no place on the machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image as Pillow

from tests.support.cli import unmask
from tests.support.hostile import install_method
from unmask.bench.core.types import Image

pytestmark = pytest.mark.weights

TELLER = r'''
from unmask.bench.core.cards import MethodCard
from unmask.bench.core.types import MethodFailure

TEXTS = [
    "cannot open /home/Jane Roe/models/net.bin",
    "[Errno 2] No such file or directory: '/home/Jane Roe/net.bin'",
    "open:/home/janeroe/net.bin",
    r"C:\Users\Jane Roe\net.bin is missing",
    "file:///home/janeroe/net.bin",
]


class Teller:
    """Says all that a method can know of a machine, in each way that it can."""

    def __init__(self, *, weights=""):
        self.card = MethodCard("teller", "1", "d", "MIT", "test", params={"weights": weights, "twice": weights})
        self.calls = 0

    def load(self, files, device):
        print("loading", TEXTS[0], flush=True)

    def anonymize(self, batch, *, seed):
        text = TEXTS[self.calls % len(TEXTS)]
        self.calls += 1
        print(text, flush=True)
        if self.calls % 2:
            raise FileNotFoundError(text)
        return [MethodFailure(text) for _ in batch]
'''
NAMES = ("Jane Roe/1.png", "Jane Roe portrait.png", "Max Roe.png", "jane_roe_2.png", "Jane Roe/2.png")
TOLD = re.compile(r"jane|\broe\b|max roe|/home|Users", re.IGNORECASE)


def test_pages_exports_numbers_and_logs_name_nobody(
    tmp_path: Path, astronaut: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_method(tmp_path / "site", "teller", TELLER, monkeypatch)
    photos, outputs = tmp_path / "Jane Roe" / "photos", tmp_path / "Jane Roe" / "outputs"
    for folder in (photos, outputs):
        (folder / "Jane Roe").mkdir(parents=True)
    small = Pillow.fromarray(astronaut).resize((128, 128))
    for k, name in enumerate(NAMES):
        small.rotate(k).save(photos / name)
    (photos / "labels.csv").write_text("file,identity\nJane Roe/1.png,Jane Roe\nMax Roe.png,Max Roe\n")
    (photos / "Jane Roe broken.png").write_bytes(b"x")
    small.rotate(3).save(outputs / NAMES[0])  # shows another photo, which the guard names
    (outputs / NAMES[1]).write_bytes(b"x")
    weights = tmp_path / "Jane Roe" / "net.bin"
    weights.write_bytes(b"x")
    run = tmp_path / "run"
    done = unmask(
        *("run", "-d", f"photos=folder:{photos}", "-m", f"t=teller:weights={weights}"),
        *("-m", f"theirs=outputs:dir={outputs}", "--metric", "outcome", "--instrument", "yunet", "--out", str(run)),
    )
    assert done.returncode == 3, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("t: ")]
    assert line.startswith("t: 5 of 5 images failed: ")
    assert line.count(" (1)") == 3
    assert "; and 2 more: see the report (log: " in line
    # The key and the places are for the owner; plan and tables keep the ids, without which a run cannot go on.
    kept = {"names.json", "locations.json", "plan.json"}
    files = [path for path in run.rglob("*") if path.is_file() and path.name not in kept and path.suffix != ".parquet"]
    assert {path.suffix for path in files} >= {".html", ".csv", ".tex", ".json", ".md", ".txt"}
    for path in files:
        if path.suffix != ".png":
            text = path.read_text("utf-8")
            assert not TOLD.search(text), (path.relative_to(run), TOLD.findall(text))
            assert str(tmp_path) not in text
    assert not [path for path in run.rglob("*") if TOLD.search(path.relative_to(run).as_posix())]
    assert str(tmp_path) not in (run / "plan.json").read_text("utf-8")
    log = (run / "logs" / "theirs.txt").read_text("utf-8")
    assert "photos: photo-00" in log
    assert "no output file" in log
    assert 'File "teller_plugin.py", line' in (run / "logs" / "t.txt").read_text("utf-8")
    purged = unmask("purge", str(run))
    assert purged.returncode == 0, purged.stderr
    for path in (path for path in run.rglob("*") if path.is_file()):
        assert not re.search(rb"jane|max roe", path.read_bytes(), re.IGNORECASE), path.relative_to(run)
