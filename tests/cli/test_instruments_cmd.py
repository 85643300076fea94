"""``unmask instruments`` as a person or a script uses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.cli import fake_instruments
from unmask.bench.cli.instruments import app
from unmask.bench.core.errors import FetchError, UnavailableError, UnknownNameError


@pytest.fixture(autouse=True)
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_instruments.install(monkeypatch, tmp_path)


def call(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return result


def call_json(*arguments: str, code: int = 0) -> Any:
    return json.loads(call(*arguments, "--json", code=code).stdout)


def test_list_shows_every_instrument() -> None:
    out = call("list").stdout
    usual = next(line for line in out.splitlines() if "usual" in line)
    assert "recogniser" in usual
    assert "yes" in usual
    assert "7.0 kB" in usual
    assert "not cached" in usual
    assert "MIT" in usual
    assert "What usual is [v2]" in usual
    assert "no" in next(line for line in out.splitlines() if "rare" in line)
    assert "a_package_that_nobody_installed" in next(line for line in out.splitlines() if "absent" in line)


def test_list_as_json() -> None:
    rows = {row["name"]: row for row in call_json("list")}
    assert [rows[name]["state"] for name in ("usual", "rare", "plain", "absent")] == [
        "not cached",
        "not cached",
        "needs no files",
        "unavailable",
    ]
    assert rows["usual"]["size"] == 7006
    assert len(rows["usual"]["files"]) == 2
    assert not any(file["cached"] for file in rows["usual"]["files"])


def test_fetch_takes_the_default_ones() -> None:
    result = call("fetch")
    assert "fetched fake-faces 1.0" in result.stderr
    assert "usual: ready" in result.stdout
    assert "plain: needs no files" in result.stdout
    assert "absent: " in result.stdout
    assert "rare" not in result.stdout
    rows = {row["name"]: row for row in call_json("list")}
    assert rows["usual"]["state"] == "cached"
    assert Path(rows["usual"]["files"][0]["path"]).read_bytes() == fake_instruments.WEIGHTS
    assert "fetched" not in call("fetch").stderr


def test_fetch_by_name() -> None:
    found = call_json("fetch", "rare")
    assert list(found["instruments"]) == ["rare"]
    assert Path(found["instruments"]["rare"]["labels"]).read_bytes() == fake_instruments.LABELS
    # The two share a file, so the other one has a part of what it needs.
    assert {row["name"]: row["state"] for row in call_json("list")}["usual"] == "partly cached"


def test_fetch_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="a_package_that_nobody_installed"):
        CliRunner().invoke(app, ["fetch", "absent"], catch_exceptions=False)
    with pytest.raises(UnknownNameError, match="did you mean usual"):
        CliRunner().invoke(app, ["fetch", "usal"], catch_exceptions=False)
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "empty"))
    with pytest.raises(FetchError, match="Without a network"):
        CliRunner().invoke(app, ["fetch"], catch_exceptions=False)


def test_verify_finds_a_changed_file() -> None:
    assert call_json("verify")["ok"] is True
    call("fetch", "usual")
    assert "3 ok, 0 wrong, 0 not cached" in call("verify").stdout
    path = Path(call_json("list")[0]["files"][0]["path"])
    path.write_bytes(b"x" * len(fake_instruments.WEIGHTS))
    result = call("verify", code=1)
    assert str(path) in next(line for line in result.stdout.splitlines() if line.startswith("wrong"))
    assert "unmask instruments fetch usual" in result.stderr
    states = [file["state"] for file in call_json("verify", "usual", code=1)["files"]]
    assert states == ["wrong", "ok"]
    assert call_json("verify", "rare")["ok"] is True
    call("fetch", "usual")
    assert "3 ok" in call("verify").stdout
