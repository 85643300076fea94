"""``unmask train``, as a user runs it, kills it and runs it again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from typer.testing import CliRunner

from tests.methods.gan.training.shards import write_shard
from tests.methods.gan.training.test_training import ATTGAN, rows
from tests.support.cli import start_unmask, unmask_here
from unmask.bench.cli import app


def command(folder: Path, out: str, *more: str) -> list[str]:
    config = folder / "mine.toml"
    config.write_text(ATTGAN)
    data = folder / "faces"
    if not data.exists():
        data.mkdir()
        write_shard(data / "part0.npz", 64, 32)
    return ["train", "attgan", str(config), "--data", str(data), "--out", str(folder / out), "--workers", "1", *more]


def test_killed_and_run_again(tmp_path: Path) -> None:
    settings = ["--set", "epochs=3", "--set", "save_every=3", "--set", "width=16"]
    whole = unmask_here(*command(tmp_path, "whole", *settings))
    assert whole.returncode == 0, whole.stderr
    assert whole.stdout.splitlines()[-1] == f"trained: {tmp_path / 'whole' / 'generator.safetensors'}"
    killed = start_unmask(*command(tmp_path, "killed", *settings))
    table = tmp_path / "killed" / "losses.csv"
    while killed.poll() is None and not (table.exists() and len(rows(table.parent)) >= 2):
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert len(rows(tmp_path / "killed")) < len(rows(tmp_path / "whole"))
    again = unmask_here(*command(tmp_path, "killed", *settings))
    assert again.returncode == 0, again.stderr
    for name in ("losses.csv", "losses.svg", "grid.png", "generator.safetensors"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    report = json.loads(
        unmask_here("weights", "inspect", str(tmp_path / "killed/generator.safetensors"), "--json").stdout
    )
    assert (report["architecture"], report["training"]["config"]) == ("attgan", "mine")


def test_mistakes_end_in_one_line() -> None:
    """The others are in tests/methods/gan/training/test_settings.py and test_sets.py."""
    done = unmask_here("train", "attgan", "dp-att")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "add --data" in done.stderr


def test_help_needs_no_torch() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from unmask.bench.cli import app;"
        "shown = CliRunner().invoke(app, ['train', '--help']);"
        "print(shown.exit_code, 'torch' in sys.modules, 'dp-att-s' in shown.stdout)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False", "True"]
    assert "train" in CliRunner().invoke(app, ["--help"]).stdout
