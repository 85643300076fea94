"""Whatever pip has been told about its index counts for us too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from unmask.bench.fetch.pypi import read_pip_config


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "site"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_reads_every_setting_that_says_where_packages_come_from(tmp_path: Path) -> None:
    write(
        tmp_path / "user" / "pip" / "pip.conf",
        "[global]\nindex-url = https://a.example/simple\nextra_index_url =\n  https://b.example\n  https://c.example\n"
        "find-links = /wheels\nno-index = true\ntrusted-host = a.example b.example:8080\n"
        "cert = /ca.pem\nclient-cert = /me.pem\nproxy = proxy.example:3128\ntimeout = 99\n",
    )
    assert tuple(dict(read_pip_config()).values()) == (
        "https://a.example/simple",
        ("https://b.example", "https://c.example"),
        ("/wheels",),
        True,
        ("a.example", "b.example:8080"),
        "/ca.pem",
        "/me.pem",
        "proxy.example:3128",
        99.0,
    )


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file locations differ")
def test_the_nearest_setting_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> str | None:
        return read_pip_config().index_url

    write(tmp_path / "site" / "pip" / "pip.conf", "[global]\nindex-url = https://site")
    assert found() == "https://site"
    write(tmp_path / "home" / ".pip" / "pip.conf", "[global]\nindex-url = https://legacy")
    assert found() == "https://legacy"
    write(tmp_path / "user" / "pip" / "pip.conf", "[global]\nindex-url = https://user")
    assert found() == "https://user"
    write(
        tmp_path / "user" / "pip" / "pip.conf", "[global]\nindex-url = https://user\n[install]\nindex-url = https://i"
    )
    assert found() == "https://i"
    write(tmp_path / "venv" / "pip.conf", "[global]\nindex-url = https://venv")
    assert found() == "https://venv"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(write(tmp_path / "named.conf", "[global]\nindex-url = https://named")))
    assert found() == "https://named"
    monkeypatch.setenv("PIP_INDEX_URL", "https://environment")
    assert found() == "https://environment"
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_INDEX_URL")
    assert found() is None


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file locations differ")
def test_agrees_with_pip_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "site" / "pip" / "pip.conf", "[global]\nindex-url = https://site\nfind-links = /site")
    write(tmp_path / "user" / "pip" / "pip.conf", "[global]\nindex-url = https://user")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "a.example")
    done = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("pip is not installed here")
    values = dict(line.replace(":env:", "global").split("=", 1) for line in done.stdout.splitlines())
    config = read_pip_config()
    assert values["global.index-url"] == f"'{config.index_url}'"
    assert values["global.find-links"] == f"'{config.find_links[0]}'"
    assert values["global.trusted-host"] == f"'{config.trusted_host[0]}'"
