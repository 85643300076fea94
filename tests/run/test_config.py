"""Config files: the command line wins, and mistakes are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from unmask.bench.core.errors import ConfigError
from unmask.bench.run.planning.config import DEFAULT_METHODS, RunConfig, Running, read_settings


def test_options_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('datasets = ["lfw"]\nseed = 3\nage_groups = [[0, 17], [18, 120]]\n')
    config = read_settings(RunConfig, path, {"seed": 5})
    assert config.datasets == ("lfw",)
    assert config.seed == 5
    assert config.age_groups == ((0, 17), (18, 120))
    assert config.methods == DEFAULT_METHODS


def test_a_file_may_say_how_the_run_is_carried_out(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('out = "runs/mine"\nworkers = 3\nseed = 4\n')
    assert read_settings(RunConfig, path, {}).seed == 4
    running = read_settings(Running, path, {"workers": 2}, {"workers": 7, "time_limit": 9})
    assert (running.out, running.workers, running.time_limit) == (Path("runs/mine"), 2, 9)
    assert read_settings(Running, None, {}, {"out": "runs/x"}).out == Path("runs/x")
    path.write_text("workers = 0")
    with pytest.raises(ConfigError, match="workers"):
        read_settings(Running, path, {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sed = 3", "known keys"),
        ("seed = -1", "seed"),
        ("age_groups = [[0, 20], [20, 40]]", "overlap"),
        ("age_groups = [[30, 40], [0, 20]]", "ascend"),
        ("skin_target = [300, 0, 0]", "0..255"),
        ("limit = 0", "limit"),
        ("= 3", "not TOML"),
    ],
)
def test_mistakes_are_named_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says) as caught:
        read_settings(RunConfig, path, {})
    assert str(path) in str(caught.value)
