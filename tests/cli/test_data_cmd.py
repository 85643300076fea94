"""``unmask data`` as a person or a script uses it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner, Result

from tests.data.clips_made import make_clip, pictures
from unmask.bench.cli.data import app
from unmask.bench.core.errors import DataError, UnknownNameError, UsageError
from unmask.bench.data import upkeep
from unmask.bench.data.catalog import DatasetEntry, HttpsSource, find_entry
from unmask.bench.data.opening import find_copy
from unmask.bench.fetch import https


def jpeg(shade: int = 90) -> bytes:
    sink = io.BytesIO()
    Pillow.new("RGB", (32, 32), (shade, shade, shade)).save(sink, "JPEG")
    return sink.getvalue()


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNMASK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("UNMASK_DATA", raising=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tiny ORL with four people of two photos each, and a note."""
    for person in range(1, 5):
        folder = tmp_path / f"root/att_faces/s{person}"
        folder.mkdir(parents=True)
        for k in (1, 2):
            Pillow.new("L", (32, 32), person * k).save(folder / f"{k}.pgm")
    (tmp_path / "root/att_faces/README").write_text("x")
    return tmp_path / "root"


def call(*arguments: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


def call_json(*arguments: str | Path, code: int = 0) -> Any:
    return json.loads(call(*arguments, "--json", code=code).stdout)


def error(kind: type[Exception], *arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert isinstance(result.exception, kind), result.output
    return str(result.exception)


def test_list_says_where_each_is_or_how_to_get_it(root: Path) -> None:
    out = call("list", "--root", root).stdout
    assert f"orl: {root / 'att_faces'}" in out
    assert "utkface: ask for UTKFace.tar.gz" in out
    rows = {row["name"]: row for row in call_json("list", "--root", root)}
    assert rows["orl"]["found"] == str(root / "att_faces")
    assert rows["lfw"]["found"] is None
    assert rows["lfw"]["roles"] == ["probe", "calibrate"]
    assert rows["fairface"]["show_faces"] is True


def test_a_root_that_does_not_exist_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error(UsageError, "list", "--root", tmp_path / "nowhere")
    monkeypatch.setenv("UNMASK_DATA", str(tmp_path / "nowhere"))
    assert "UNMASK_DATA" in error(DataError, "list")


def test_show_counts_every_split(root: Path) -> None:
    out = call("show", "orl", "--root", root).stdout
    assert "Samaria" in out
    assert "1 other files passed over" in " ".join(out.replace("│", " ").split())
    shown = call_json("show", "orl:split=all", "--root", root)
    assert shown["splits"]["all"] == {"photos": 8, "people": 4, "people with two or more photos": 4}
    halves = [shown["splits"].get(name, {"photos": 0})["photos"] for name in ("calibrate", "probe")]
    assert sum(halves) == 8
    assert len(shown["card"]["fingerprint"]) == 64


def test_show_of_what_is_not_here_says_how_to_get_it() -> None:
    out = call("show", "fdf").stdout
    assert "how to get it" in out
    assert call_json("show", "fdf")["found"] is None


def test_show_folder(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/[red]a.jpg").write_bytes(jpeg())
    assert call_json("show", f"folder:{tmp_path / 'photos'}")["splits"]["all"]["photos"] == 1
    assert "does not exist" in error(DataError, "show", f"folder:{tmp_path / 'none'}")


def test_verify_tells_a_copy_that_is_not_complete(root: Path) -> None:
    result = call("verify", "orl", "--root", root, code=1)
    assert "wrong      photos: 8 instead of 400" in result.stdout
    assert "wrong      people: 4 instead of 40" in result.stdout
    found = call_json("verify", "orl", "--root", root, "--decode", code=1)
    assert found["ok"] is False
    assert {check["what"]: check["state"] for check in found["checks"]}["decoding"] == "ok"
    (root / "att_faces/s1/1.pgm").write_bytes(b"P5 32 32 255\nshort")
    found = call_json("verify", "orl", "--root", root, "--decode", code=1)
    broken = next(check for check in found["checks"] if check["what"] == "decoding")
    assert broken["state"] == "wrong"
    assert "s1/1.pgm" in broken["detail"]


def test_verify_compares_hashes(tmp_path: Path) -> None:
    folder = tmp_path / "lfw_deepfunneled"
    folder.mkdir()
    with zipfile.ZipFile(folder / "lfw_250px.zip", "w") as archive:
        archive.writestr("A/A_0001.jpg", jpeg())
    found = call_json("verify", "lfw", "--root", tmp_path, code=1)
    first = found["checks"][0]
    assert first["what"] == "sha256 of lfw_250px.zip"
    assert first["state"] == "wrong"


def test_verify_of_what_is_not_here() -> None:
    assert "How to get it" in error(DataError, "verify", "utkface")
    assert "unmask data fetch demo" in call("verify", "demo", code=1).stdout
    error(UnknownNameError, "verify", "lwf")


def test_fetch_by_hand_only() -> None:
    assert "UTKFace page" in error(DataError, "fetch", "utkface")


def test_fetch_finds_what_is_here(root: Path) -> None:
    assert str(root / "att_faces") in call("fetch", "orl", "--root", root).stdout


class TestFetchOverHttps:
    """An archive is downloaded (here: laid down by a stand-in), unpacked safely, and used from then on."""

    @staticmethod
    def entry(data: bytes) -> DatasetEntry:
        source = HttpsSource(
            kind="https",
            urls=("https://data.example/lfw-funneled.tgz",),
            sha256=hashlib.sha256(data).hexdigest(),
            path="lfw_funneled",
        )
        return find_entry("lfw").model_copy(update={"sources": (source,)})

    @staticmethod
    def archive(names: Sequence[str]) -> bytes:
        sink = io.BytesIO()
        with tarfile.open(fileobj=sink, mode="w:gz") as tar:
            for name in names:
                info = tarfile.TarInfo(name)
                info.size = len(jpeg())
                tar.addfile(info, io.BytesIO(jpeg()))
        return sink.getvalue()

    @pytest.fixture
    def served(self, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
        box: list[bytes] = []

        def download(urls: object, sha256: str, size: object, dest: Path, **_: object) -> Path:
            dest.parent.mkdir(parents=True, exist_ok=True)
            dest.write_bytes(box[-1])
            assert hashlib.sha256(box[-1]).hexdigest() == sha256
            return dest

        monkeypatch.setattr(https, "download", download)
        return box

    def test_it_is_there_afterwards(self, served: list[bytes], tmp_path: Path) -> None:
        served.append(self.archive(["lfw_funneled/A/A_0001.jpg", "lfw_funneled/B/B_0001.jpg"]))
        entry = self.entry(served[0])
        where = upkeep.fetch_dataset(entry)
        assert where == str(tmp_path / "cache/datasets/lfw/lfw_funneled")
        assert find_copy(entry)[0].path == Path(where)
        served.clear()
        assert upkeep.fetch_dataset(entry) == where
        assert not list(tmp_path.glob("cache/files/*/*"))

    @pytest.mark.parametrize("name", ["../evil.jpg", "/evil.jpg", "lfw_funneled/../../evil.jpg"])
    def test_it_cannot_write_elsewhere(self, served: list[bytes], tmp_path: Path, name: str) -> None:
        served.append(self.archive(["lfw_funneled/A/A_0001.jpg", name]))
        with pytest.raises(DataError):
            upkeep.fetch_dataset(self.entry(served[0]))
        assert not list(tmp_path.rglob("evil.jpg"))
        assert not (tmp_path / "cache/datasets/lfw").exists()

    def test_another_layout_is_refused(self, served: list[bytes], tmp_path: Path) -> None:
        served.append(self.archive(["other/A/A_0001.jpg"]))
        with pytest.raises(DataError, match="layout"):
            upkeep.fetch_dataset(self.entry(served[0]))
        assert not (tmp_path / "cache/datasets/lfw").exists()


class TestClips:
    @pytest.fixture
    def clips(self, tmp_path: Path) -> Path:
        root = tmp_path / "root"
        for name in ("fight/fi001.mp4", "noFight/nofi001.mp4"):
            (root / "surv_fight" / name).parent.mkdir(parents=True)
            make_clip(root / "surv_fight" / name, pictures(3))
        return root

    def test_show_counts_clips_and_groups(self, clips: Path) -> None:
        shown = call_json("show", "surv-fight", "--root", clips)
        assert shown["splits"] == {"all": {"clips": 2, "of fight": 1, "of noFight": 1}}
        assert "2 clips" in call("show", f"clips:{clips}").stdout
        assert "how to get it" in call("show", "pets2009").stdout

    def test_list_has_them(self, clips: Path) -> None:
        rows = {row["name"]: row for row in call_json("list", "--root", clips)}
        assert rows["surv-fight"]["found"] == str(clips / "surv_fight")
        assert rows["pets2009"]["found"] is None

    def test_verify_counts_and_decodes(self, clips: Path) -> None:
        found = call_json("verify", "surv-fight", "--root", clips, "--decode", code=1)
        assert {check["what"]: check["state"] for check in found["checks"]} == {"clips": "wrong", "decoding": "ok"}
        (clips / "surv_fight/fight/fi001.mp4").write_bytes(b"")
        found = call_json("verify", "surv-fight", "--root", clips, "--decode", code=1)
        assert "empty file" in next(check for check in found["checks"] if check["what"] == "decoding")["detail"]

    def test_the_demo_that_is_not_fetched(self) -> None:
        assert "unmask data fetch demo-clips" in call("verify", "demo-clips", code=1).stdout
