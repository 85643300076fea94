"""``unmask weights inspect``, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from typer.testing import CliRunner

from tests.support.cli import unmask
from unmask.bench.cli import app
from unmask.methods.gan.networks.attgan import AttGanConfig, AttGanGenerator


def test_inspect_says_what_a_file_is(tmp_path: Path) -> None:
    path = tmp_path / "weights.149.pth"
    torch.save({"G": AttGanGenerator(AttGanConfig(5, 1, 1, enc_dim=4, dec_dim=4)).state_dict()}, path)
    (tmp_path / "setting.txt").write_text(json.dumps({"attrs": ["Male"], "data": {"sets": [{"n": 41}]}}))
    shown = unmask("weights", "inspect", str(path))
    assert shown.returncode == 0, shown.stderr
    for said in ("AttGAN generator", "n_attrs=5", "inject_layers=1", "torch zip", 'attrs: ["Male"]', "fits"):
        assert said in shown.stdout
    assert "data: ... (see --json)" in shown.stdout
    for method in ("dp-att", "attgan"):
        assert f"{method}:checkpoint=" in shown.stdout
    told = json.loads(CliRunner().invoke(app, ["weights", "inspect", str(path), "--json"]).stdout)
    assert told["settings"]["n_attrs"] == 5
    assert told["training"]["data"] == {"sets": [{"n": 41}]}
    assert told["methods"] == ["dp-att", "attgan"]


def test_inspect_refuses_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "weights.149.pth"
    state = AttGanGenerator(AttGanConfig(5, enc_dim=4, dec_dim=4)).state_dict()
    del state["dec_layers.4.layers.0.bias"]
    torch.save({"G": state}, path)
    done = unmask("weights", "inspect", str(path))
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "missing dec_layers.4.layers.0.bias" in done.stderr


def test_help_lists_the_command() -> None:
    assert "weights" in CliRunner().invoke(app, ["--help"]).stdout
    assert "inspect" in CliRunner().invoke(app, ["weights", "--help"]).stdout
