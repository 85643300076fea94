"""Training on a pack: it stops in time, resumes to the same bytes, and needs torch alone."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.methods.gan.training.shards import packed, write_shard
from tests.methods.gan.training.test_training import ATTGAN, EDITING, INPAINTING, STARGAN, rows
from unmask.bench.core.errors import ConfigError, UnmaskError
from unmask.bench.core.training import TrainingInputs, open_training
from unmask.methods.gan.networks.compact import Inpainter, InpainterConfig, save_compact

DETAILED = INPAINTING + "\ndetail = 1\naugment = 1.0\nviews = ['alex-half', 'vgg-half']\n"
CASES = {"deepprivacy": DETAILED, "attgan": EDITING.replace("[editing]", "[editing]\ntones = [[111, 55, 55]]")}


@pytest.mark.parametrize("network", CASES)
def test_training_on_a_pack_stops_in_time_and_resumes_to_the_same_bytes(
    tmp_path: Path, random_features: None, monkeypatch: pytest.MonkeyPatch, network: str
) -> None:
    data, config = packed(tmp_path), tmp_path / "mine.toml"
    config.write_text(CASES[network].replace("save_every = 1", "save_every = 3"))

    def run(out: str, stop_at: float | None = None) -> tuple[Path | None, list[str]]:
        lines: list[str] = []
        inputs = TrainingInputs((data,), (), tmp_path / out, "cpu", 1, stop_at=stop_at)
        return open_training(network, str(config)).run(inputs, lines.append), lines

    whole, _ = run("whole")
    assert whole is not None
    path, lines = run("stopped", time.time() - 1)
    assert path is None
    assert "stopped in time at step 0" in lines[-1]
    # The clock jumps on at every look: some steps, then the time is up; again until the training is complete.
    for _ in range(20):
        looks = iter(range(10**6))
        monkeypatch.setattr("unmask.methods.gan.training.loop.time.time", lambda looks=looks: float(next(looks)))
        path, lines = run("stopped", 2.0)
        monkeypatch.undo()
        if path is not None:
            break
        assert "stopped in time" in lines[-1]
        card = tmp_path / "stopped" / "generator.json"  # what was trained so far can be looked at
        assert not card.exists() or f"at step {json.loads(card.read_text())['steps']}/4" in lines[-1]
    assert path is not None
    for name in ("losses.csv", "grid.png"):
        assert (path.parent / name).read_bytes() == (whole.parent / name).read_bytes(), name
    weights = load_file(whole)
    assert all(torch.equal(value, weights[name]) for name, value in load_file(path).items())


PUBLISHED = {
    "stargan": f"{STARGAN}steps = 2\n".replace("steps = 9\n", ""),
    "attgan": f'{ATTGAN}reconstruction = "ms_ssim_l1"\nepochs = 1\n'.replace("epochs = 3\n", ""),
}


def test_an_inpainter_begins_as_the_one_that_it_starts_from(tmp_path: Path, random_features: None) -> None:
    data, config, start = packed(tmp_path, counts=(8, 2)), tmp_path / "mine.toml", tmp_path / "start.safetensors"
    torch.manual_seed(3)
    save_compact(start, Inpainter(InpainterConfig(8, 8, 1)))

    def run(out: str, text: str) -> Path | None:
        config.write_text(f'start = "{start}"\n{text}')
        inputs = TrainingInputs((data,), (), tmp_path / out, "cpu", 1)
        return open_training("deepprivacy", str(config)).run(inputs, lambda line: None)

    text = INPAINTING.replace("steps = 4", "steps = 1\nrate = 1e-12")
    path = run("out", text)
    assert path is not None
    assert all(torch.allclose(value, load_file(path)[name]) for name, value in load_file(start).items())
    with pytest.raises(ConfigError, match="start: "):
        run("other", text.replace("width = 8", "width = 16"))
    assert run("detailed", f"{text}\ndetail = 1\n") is not None


@pytest.mark.slow
@pytest.mark.parametrize(("network", "text"), [*CASES.items(), *PUBLISHED.items()])
def test_compiled_steps_learn_the_same(
    tmp_path: Path, random_features: None, monkeypatch: pytest.MonkeyPatch, network: str, text: str
) -> None:
    """Traced and differentiated as for a GPU, but without a compiler."""
    data, config = packed(tmp_path, counts=(8, 2)), tmp_path / "mine.toml"
    config.write_text(text.replace("steps = 4", "steps = 2").replace("save_every = 3", "save_every = 1"))
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    tables = []
    for compiles in (False, True):
        inputs = TrainingInputs((data,), (), tmp_path / str(compiles), "cpu", 1, compiles=compiles)
        open_training(network, str(config)).run(inputs, lambda line: None)
        tables.append([[float(value or 0) for value in row.values()] for row in rows(inputs.out)])
    assert len(tables[0]) > 0
    np.testing.assert_allclose(*tables, rtol=2e-3, atol=1e-4)


def test_a_state_is_saved_every_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two rows too, and the rows of a training killed there are the same."""
    write_shard(tmp_path / "faces.npz", 32)
    config = tmp_path / "mine.toml"
    config.write_text(STARGAN)
    monkeypatch.setattr("unmask.methods.gan.training.loop.SAVE_SECONDS", 0.0)
    seen: list[int] = []

    def killed(path: Path, step: int, parts: Any) -> None:
        save(path, step, parts)
        seen.append(step)
        if step in (4, 8) and seen.count(step) == 1:
            raise KeyboardInterrupt

    from unmask.methods.gan.training import loop

    save = loop.save_state
    monkeypatch.setattr(loop, "save_state", killed)
    job = open_training("stargan", str(config))
    for end in ("killed", "killed", "killed", "whole"):
        try:
            job.run(TrainingInputs((tmp_path / "faces.npz",), (), tmp_path / end, "cpu", 1), lambda line: None)
        except KeyboardInterrupt:
            continue
    assert seen[:9] == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")


NEEDED = ("torch", "torchvision", "numpy", "safetensors")
"""What a GPU machine has, with what these bring along."""
BROUGHT = ("functorch", "torchgen", "PIL", "sympy", "mpmath", "networkx", "jinja2", "markupsafe", "fsspec", "filelock")
ALONE = f"""
import importlib.machinery, runpy, sys
class Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        spec = super().find_spec(name, path, target)
        ours = spec is None or "site-packages" not in str(spec.origin or spec.submodule_search_locations)
        return spec if ours or name.partition(".")[0] in {(*NEEDED, *BROUGHT, "typing_extensions")!r} else None
sys.meta_path = [Finder if finder is importlib.machinery.PathFinder else finder for finder in sys.meta_path]
sys.argv = ["unmask.methods.gan.training", *sys.argv[1:]]
runpy.run_module("unmask.methods.gan.training", run_name="__main__")
"""


def test_a_machine_with_torch_alone_trains(tmp_path: Path, random_features: None) -> None:
    data, config = packed(tmp_path, counts=(8, 2)), tmp_path / "mine.toml"
    config.write_text(CASES["attgan"].replace("steps = 4", "steps = 2"))

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        command = ["attgan", str(config), "--data", str(data), "--out", str(tmp_path / "out"), "--workers", "1", *more]
        return subprocess.run([sys.executable, "-c", ALONE, *command], capture_output=True, text=True, check=False)

    done = run("--device", "cpu", "--stop-at", "+10m")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"trained: {tmp_path / 'out' / 'generator.safetensors'}"
    for more, says in ((("--stop-at", "soon"), "--stop-at soon"), (("--device", "cuda:77"), "no such device")):
        wrong = run(*more)
        assert wrong.returncode in (1, 2)
        assert len(wrong.stderr.splitlines()) == 1
        assert says in wrong.stderr


def test_a_pack_is_asked_for_where_weights_are_missing(tmp_path: Path) -> None:
    write_shard(tmp_path / "faces.npz", 12, 128)
    config = tmp_path / "mine.toml"
    config.write_text(INPAINTING)
    inputs = TrainingInputs((tmp_path / "faces.npz",), (), tmp_path / "out")
    with pytest.raises(UnmaskError, match="unmask data pack"):
        open_training("deepprivacy", str(config)).run(inputs, print)
