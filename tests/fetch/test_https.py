"""Downloads against a server on this machine that misbehaves in the ways real ones do."""

from __future__ import annotations

import hashlib
import multiprocessing
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fetch.file_server import FileServer, serving
from unmask.bench.core.errors import ChecksumError, FetchError
from unmask.bench.fetch.https import download

BODY = random.Random(7).randbytes(700_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
AT_ONCE = (0.0, 0.0)
"""Try three times without a pause."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNMASK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as state:
        state.files["/f"] = BODY
        yield state


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


@pytest.mark.parametrize("size", [len(BODY), None])
def test_downloads_and_verifies(server: FileServer, tmp_path: Path, size: int | None) -> None:
    seen: list[tuple[str, int, int | None]] = []
    dest = tmp_path / "sub" / "f.bin"
    found = download([server.base + "/f"], SHA256, size, dest, progress=lambda *step: seen.append(step))
    assert found == dest
    assert dest.read_bytes() == BODY
    assert seen[-1] == ("f.bin", len(BODY), len(BODY))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    download([server.base + "/f"], SHA256, size, dest)
    assert len(server.requests) == 1


def test_continues_a_broken_download(server: FileServer, tmp_path: Path) -> None:
    server.etags["/f"] = '"one"'
    server.cut_after = [300_000, 200_000]
    download([server.base + "/f"], SHA256, len(BODY), tmp_path / "f", pauses=AT_ONCE)
    assert (tmp_path / "f").read_bytes() == BODY
    asked = [headers.get("Range") for _, headers in server.requests]
    assert asked == [None, "bytes=300000-", "bytes=500000-"]
    assert server.requests[1][1]["If-Range"] == '"one"'
    assert left_behind(tmp_path) == ["f"]


def test_a_later_call_continues_too_even_from_another_mirror(server: FileServer, tmp_path: Path) -> None:
    server.cut_after = [300_000]
    with pytest.raises(FetchError, match="closed after 300000 of 700000 bytes"):
        download([server.base + "/f"], SHA256, len(BODY), tmp_path / "f", pauses=())
    assert not (tmp_path / "f").exists()
    server.files["/mirror"] = BODY
    download([server.base + "/gone", server.base + "/mirror"], SHA256, len(BODY), tmp_path / "f", pauses=())
    assert (tmp_path / "f").read_bytes() == BODY
    assert server.requests[-1][1]["Range"] == "bytes=300000-"


def test_starts_again_when_the_server_ignores_ranges(server: FileServer, tmp_path: Path) -> None:
    server.ranges = False
    server.cut_after = [300_000]
    download([server.base + "/f"], SHA256, len(BODY), tmp_path / "f", pauses=AT_ONCE)
    assert (tmp_path / "f").read_bytes() == BODY


def test_starts_again_when_the_file_changed_meanwhile(server: FileServer, tmp_path: Path) -> None:
    server.files["/f"] = bytes(len(BODY))
    server.cut_after = [300_000]
    with pytest.raises(FetchError):
        download([server.base + "/f"], SHA256, len(BODY), tmp_path / "f", pauses=())
    server.files["/f"] = BODY
    download([server.base + "/f"], SHA256, len(BODY), tmp_path / "f", pauses=())
    assert (tmp_path / "f").read_bytes() == BODY


def test_starts_again_when_the_file_became_shorter(server: FileServer, tmp_path: Path) -> None:
    server.cut_after = [500_000]
    short = BODY[:1000]
    digest = hashlib.sha256(short).hexdigest()
    with pytest.raises(FetchError):
        download([server.base + "/f"], digest, None, tmp_path / "f", pauses=())
    server.files["/f"] = short
    download([server.base + "/f"], digest, None, tmp_path / "f", pauses=AT_ONCE)
    assert (tmp_path / "f").read_bytes() == short


def test_wrong_bytes_never_appear(server: FileServer, tmp_path: Path) -> None:
    server.files["/f"] = bytes(len(BODY))
    with pytest.raises(ChecksumError, match=SHA256):
        download([server.base + "/f"], SHA256, len(BODY), tmp_path / "f", pauses=AT_ONCE)
    assert left_behind(tmp_path) == []


def test_a_wrong_mirror_is_passed_over(server: FileServer, tmp_path: Path) -> None:
    server.files["/bad"] = bytes(len(BODY))
    urls = [server.base + path for path in ("/bad", "/gone", "/f")]
    assert download(urls, SHA256, len(BODY), tmp_path / "f").read_bytes() == BODY
    assert server.paths == ["/bad", "/gone", "/f"]


def test_a_stale_file_at_the_destination_is_replaced(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    assert download([server.base + "/f"], SHA256, len(BODY), tmp_path / "f").read_bytes() == BODY


def test_busy_servers_are_asked_again_and_missing_files_are_not(server: FileServer, tmp_path: Path) -> None:
    server.statuses = [503, 429]
    download([server.base + "/f"], SHA256, len(BODY), tmp_path / "f", pauses=AT_ONCE)
    assert len(server.requests) == 3
    with pytest.raises(FetchError, match=r"answered 404.*by hand"):
        download([server.base + "/gone"], SHA256, len(BODY), tmp_path / "g", pauses=AT_ONCE)
    assert server.paths.count("/gone") == 1


@pytest.mark.parametrize("size", [len(BODY) - 1, len(BODY) + 1, 10])
def test_a_file_of_another_size_is_refused(server: FileServer, tmp_path: Path, size: int) -> None:
    with pytest.raises(FetchError, match="another one"):
        download([server.base + "/f"], SHA256, size, tmp_path / "f", pauses=AT_ONCE)
    assert sum((tmp_path / name).stat().st_size for name in left_behind(tmp_path)) == 0


@pytest.mark.parametrize(
    "url", ["http://example.org/f", "ftp://example.org/f", "file:///etc/passwd", "f", "http://127.0.0.1.example.org/f"]
)
def test_only_https_is_used(tmp_path: Path, url: str) -> None:
    with pytest.raises(FetchError, match="only https"):
        download([url], SHA256, None, tmp_path / "f")


@pytest.mark.parametrize("target", ["http://example.org/f", "file:///etc/passwd", "ftp://example.org/f"])
def test_redirects_to_anything_else_are_refused(server: FileServer, tmp_path: Path, target: str) -> None:
    server.redirects["/moved"] = target
    with pytest.raises(FetchError, match=r"only https|not allowed"):
        download([server.base + "/moved"], SHA256, None, tmp_path / "f", pauses=AT_ONCE)
    assert len(server.requests) == 1


def test_redirects_within_this_machine_keep_the_range(server: FileServer, tmp_path: Path) -> None:
    server.redirects["/moved"] = server.base + "/f"
    server.cut_after = [300_000]
    download([server.base + "/moved"], SHA256, len(BODY), tmp_path / "f", pauses=AT_ONCE)
    assert (tmp_path / "f").read_bytes() == BODY
    assert server.requests[-1][1]["Range"] == "bytes=300000-"


def test_an_unreachable_server_is_one_line_without_credentials(tmp_path: Path) -> None:
    with serving() as server:
        address = server.base.replace("//", "//user:secret@")
    with pytest.raises(FetchError, match=r"127\.0\.0\.1.*Put the file at") as caught:
        download([address + "/f"], SHA256, None, tmp_path / "f", pauses=(0.0,))
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def _download_in_child(url: str, dest: Path) -> None:
    download([url], SHA256, len(BODY), dest)


def test_two_processes_download_once(server: FileServer, tmp_path: Path) -> None:
    dest = tmp_path / "f"
    children = multiprocessing.get_context("spawn")
    started = [children.Process(target=_download_in_child, args=(server.base + "/f", dest)) for _ in range(3)]
    for child in started:
        child.start()
    for child in started:
        child.join(60)
    assert [child.exitcode for child in started] == [0, 0, 0]
    assert dest.read_bytes() == BODY
    assert server.paths == ["/f"]
    assert left_behind(tmp_path) == ["f"]
