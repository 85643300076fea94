"""``unmask doctor`` tells what is missing, and fails only for what a run without options needs."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from tests.cli import fake_instruments
from unmask.bench.cli import data, doctor_checks, instruments
from unmask.bench.cli.doctor import doctor
from unmask.bench.core import registry
from unmask.bench.fetch import npm

app = typer.Typer()
app.command()(doctor)


@pytest.fixture(autouse=True)
def small_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up instruments, and a package list that imports nothing large."""
    fake_instruments.install(monkeypatch, tmp_path)
    monkeypatch.delenv("UNMASK_DATA", raising=False)
    monkeypatch.setattr(metadata, "requires", lambda name: ["numpy>=2", "pillow", "mypy; extra == 'dev'"])


def call(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return result


def check(name: str, *arguments: str, code: int = 0) -> dict[str, Any]:
    report = json.loads(call("--json", *arguments, code=code).stdout)
    assert report["ok"] is (code == 0)
    found: dict[str, Any] = next(check for check in report["checks"] if check["name"] == name)
    return found


def test_a_table_for_people(tmp_path: Path) -> None:
    out = call().stdout
    assert "Everything that a run without options needs is in order." in out
    for text in ("python", "numpy", "npm", str(tmp_path / "cache"), "usual", "unmask instruments fetch usual"):
        assert text in out
    assert "mypy" not in out


def test_it_downloads_nothing(tmp_path: Path) -> None:
    call()
    assert not (tmp_path / "cache").exists()


def test_instruments_are_cached_fetchable_or_unavailable() -> None:
    assert check("usual")["state"] == "note"
    assert check("usual")["fix"].startswith("unmask instruments fetch usual")
    assert "a_package_that_nobody_installed" in check("absent")["detail"]
    assert check("absent")["state"] == "note"
    CliRunner().invoke(instruments.app, ["fetch", "usual"])
    assert check("usual") == {
        "section": "instruments",
        "name": "usual",
        "state": "ok",
        "detail": "recogniser, cached",
        "fix": "",
    }


def test_a_changed_file_is_named() -> None:
    CliRunner().invoke(instruments.app, ["fetch", "usual"])
    rows = json.loads(CliRunner().invoke(instruments.app, ["list", "--json"]).stdout)
    Path(rows[0]["files"][0]["path"]).write_bytes(b"other")
    assert "net.onnx has other bytes" in check("usual")["detail"]


def test_a_plug_in_that_cannot_be_loaded_does_not_hide_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    here = "tests.cli.fake_instruments"
    table = {"usual": f"{here}:Usual", "bad": f"{here}:NoSuchClass"}
    real = registry.targets
    monkeypatch.setattr(registry, "targets", lambda kind: table if kind == "instrument" else real(kind))
    assert "NoSuchClass" in check("bad", code=1)["detail"]
    assert check("usual", code=1)["state"] == "note"


@pytest.mark.parametrize(
    ("requirement", "state", "detail"),
    [
        ("numpy>=999", "problem", "but >=999 is needed"),
        ("a-package-that-nobody-installed", "problem", "not installed"),
        ("a-package-that-nobody-installed; extra == 'more'", "note", "extra more"),
        ("numpy; python_version < '3'", "ok", "not needed"),
    ],
)
def test_packages(monkeypatch: pytest.MonkeyPatch, requirement: str, state: str, detail: str) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: [requirement])
    name = requirement.split(";")[0].split(">")[0]
    found = check(name, code=1 if state == "problem" else 0)
    assert found["state"] == state
    assert detail in found["detail"]


def test_a_package_that_is_there_but_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise OSError("libGL.so.1: cannot open shared object file")

    monkeypatch.setattr(importlib, "import_module", fail)
    found = next(check for check in doctor_checks.package_checks() if check.name == "numpy")
    assert found.state == "problem"
    assert "libGL.so.1" in found.detail


def installed(folder: Path, name: str, *, needs: str = "") -> Path:
    """A distribution ``name`` in ``folder``, with one module, put there as pip does; returns the module."""
    package, notes = folder / name, folder / f"{name}-1.0.dist-info"
    package.mkdir(parents=True)
    notes.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    requires = f"Requires-Dist: {needs}\n" if needs else ""
    (notes / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}")
    rows = f"{name}/__init__.py,,{(package / '__init__.py').stat().st_size}\n../../bin/{name},,3\n"
    (notes / "RECORD").write_text(f"{rows}{notes.name}/METADATA,,1\n{notes.name}/RECORD,,\n")
    return package / "__init__.py"


def test_packages_that_take_long_to_import_are_looked_at_from_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(metadata, "requires", lambda name: ["lpips", "scikit-learn"])
    module = installed(tmp_path / "site", "lpips", needs="numpy>=1; python_version > '3'")
    assert check("lpips")["state"] == "ok"
    assert check("scikit-learn")["state"] == "ok"
    module.write_text("cut off")
    assert "is not the one that was installed" in check("lpips", code=1)["detail"]
    module.unlink()
    found = check("lpips", code=1)
    assert found["state"] == "problem"
    assert "lpips/__init__.py is missing" in found["detail"]
    assert "--force-reinstall" in found["fix"]


def test_a_package_that_lacks_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(metadata, "requires", lambda name: ["lpips"])
    installed(tmp_path / "site", "lpips", needs="a-package-that-nobody-installed")
    assert "a-package-that-nobody-installed, which it needs" in check("lpips", code=1)["detail"]


def test_torchvision_must_have_been_built_for_this_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: ["torchvision"])
    assert check("torchvision")["state"] == "ok"
    monkeypatch.syspath_prepend(tmp_path / "site")
    module = installed(tmp_path / "site", "torchvision")
    (module.parent / "_C.so").write_bytes(b"built for another torch")
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    assert "cannot be imported" in check("torchvision", code=1)["detail"]


def test_npm_is_a_problem_only_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_checks, "npm_command", lambda: None)
    assert check("npm")["state"] == "note"
    assert npm.npm_command() is not None


def test_a_cache_without_room_or_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))
    assert "still to be fetched" in check("cache", code=1)["detail"]
    (tmp_path / "file").touch()
    monkeypatch.setenv("UNMASK_CACHE", str(tmp_path / "file" / "cache"))
    found = check("cache", code=1)
    assert "cannot be written to" in found["detail"]
    assert "UNMASK_CACHE" in found["fix"]


def test_data_sets_are_found_or_say_how_to_get_them(tmp_path: Path) -> None:
    assert check("lfw")["state"] == "note"
    assert check("lfw")["fix"]
    root = tmp_path / "data"
    from unmask.bench.data.catalog import find_entry

    path = next(source.path for source in find_entry("lfw").sources if source.kind == "local")
    (root / path).parent.mkdir(parents=True)
    if path.endswith(".zip"):
        zipfile.ZipFile(root / path, "w").close()
    else:
        (root / path).mkdir()
    found = check("lfw", "--root", str(root))
    assert found["state"] == "ok"
    assert str(root) in found["detail"]
    assert check("root", "--root", str(tmp_path / "gone"))["state"] == "note"


def test_no_listing_disagrees_with_the_doctor_about_what_is_here(tmp_path: Path) -> None:
    from unmask.bench.data.catalog import find_entry

    path = next(source.path for source in find_entry("lfw").sources if source.kind == "local")
    (tmp_path / "data" / path).parent.mkdir(parents=True)
    (tmp_path / "data" / path).touch()
    CliRunner().invoke(instruments.app, ["fetch", "usual"])
    checks = json.loads(call("--json", "--root", str(tmp_path / "data")).stdout)["checks"]

    data_checks = {check["name"]: check for check in checks if check["section"] == "data sets"}
    rows = json.loads(CliRunner().invoke(data.app, ["list", "--json", "--root", str(tmp_path / "data")]).stdout)
    assert [row["name"] for row in rows if row["found"]] == ["lfw"]
    assert {row["name"] for row in rows} == data_checks.keys()
    for row in rows:
        assert (data_checks[row["name"]]["detail"] == f"found at {row['found']}") is bool(row["found"])

    states = {check["name"]: check for check in checks if check["section"] == "instruments"}
    rows = json.loads(CliRunner().invoke(instruments.app, ["list", "--json"]).stdout)
    assert {row["name"]: row["state"] for row in rows}["usual"] == "cached"
    for row in rows:
        usable = row["state"] in ("cached", "needs no files")
        assert (states[row["name"]]["state"] == "ok") is usable
        assert row["state"] in states[row["name"]]["detail"]


def test_a_data_set_plug_in_that_is_gone_is_a_problem_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = registry.targets
    monkeypatch.setattr(
        registry, "targets", lambda kind: {**ours(kind), **({"gone": "no_such_module:X"} if kind == "dataset" else {})}
    )
    assert "not installed" in check("gone", code=1)["detail"]
    assert check("lfw", code=1)["state"] == "note"
