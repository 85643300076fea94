"""Instruments that a test can have fetched without a network: their files lie in a folder of packages."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path
from typing import ClassVar

import pytest

from unmask.bench.core import registry
from unmask.bench.core.cards import InstrumentCard, PackageFile, Role

WEIGHTS = b"weights" * 1000
LABELS = b"labels"


def _file(key: str, member: str, data: bytes) -> PackageFile:
    digest = hashlib.sha256(data).hexdigest()
    return PackageFile(key, "pypi-wheel", "fake-faces", "1.0", f"fake_faces/{member}", digest, len(data))


def _card(name: str, role: Role, files: tuple[PackageFile, ...], *, default: bool) -> InstrumentCard:
    return InstrumentCard(name, "1", role, f"What {name} is [v2]", "MIT", "made up", files, default=default)


class Usual:
    """Used by default, two files."""

    files = (_file("weights", "net.onnx", WEIGHTS), _file("labels", "labels.txt", LABELS))
    card: ClassVar = _card("usual", "recogniser", files, default=True)


class Rare:
    """Only on request."""

    card: ClassVar = _card("rare", "detector", (_file("labels", "labels.txt", LABELS),), default=False)


class Plain:
    """Has no files."""

    card: ClassVar = _card("plain", "pair", (), default=True)


def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Makes these the only registered instruments, with an empty cache and a folder as the only package source."""
    here = "tests.cli.fake_instruments"
    table = {
        "usual": f"{here}:Usual",
        "rare": f"{here}:Rare",
        "plain": f"{here}:Plain",
        "absent": "a_package_that_nobody_installed.faces:Net",
    }
    real = registry.targets
    monkeypatch.setattr(registry, "targets", lambda kind: table if kind == "instrument" else real(kind))
    folder = tmp_path / "packages"
    folder.mkdir()
    with zipfile.ZipFile(folder / "fake_faces-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("fake_faces/net.onnx", WEIGHTS)
        archive.writestr("fake_faces/labels.txt", LABELS)
    for name in list(os.environ):
        if name.upper().startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("UNMASK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "250")
