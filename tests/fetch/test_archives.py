"""Archives made to do harm are refused in one line, and ordinary ones are read."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from unmask.bench.core.errors import DataError
from unmask.bench.fetch.archives import copy_members, members, safe_extract


def make_zip(path: Path, files: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def make_tar(path: Path, entries: list[tarfile.TarInfo], data: bytes = b"x") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for entry in entries:
            if entry.isreg():
                entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data) if entry.isreg() else None)
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def everything_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize("ending", ["zip", "tar.gz"])
def test_extracts_ordinary_archives(tmp_path: Path, ending: str) -> None:
    archive = tmp_path / f"a.{ending}"
    if ending == "zip":
        make_zip(archive, {"top/": b"", "top/a.txt": b"x", "top/deep/b.txt": b"x"})
    else:
        make_tar(archive, [entry("top", tarfile.DIRTYPE), entry("./top/a.txt"), entry("top/deep/b.txt")])
    written = safe_extract(archive, tmp_path / "out")
    assert [path.read_bytes() for path in written] == [b"x", b"x"]
    assert everything_below(tmp_path / "out") == {"top/a.txt", "top/deep/b.txt"}
    assert [member.kind for member in members(archive)] == ["folder", "file", "file"]


@pytest.mark.parametrize(
    "name",
    ["/etc/evil", "../evil", "a/../../evil", "a/../evil", "C:/evil", "..\\evil", "a\\..\\..\\evil", "good/stream:evil"],
)
@pytest.mark.parametrize("maker", ["zip", "tar"])
def test_refuses_paths_that_leave_the_folder(tmp_path: Path, name: str, maker: str) -> None:
    if maker == "zip":
        archive = make_zip(tmp_path / "a.zip", {name: b"evil"})
    else:
        archive = make_tar(tmp_path / "a.tar.gz", [entry(name)])
    with pytest.raises(DataError, match="unsafe path") as caught:
        safe_extract(archive, tmp_path / "deep" / "out")
    assert "\n" not in str(caught.value)
    assert everything_below(tmp_path) == {archive.name}


@pytest.mark.parametrize(
    "bad",
    [
        entry("link", tarfile.SYMTYPE, "/etc/passwd"),
        entry("link", tarfile.SYMTYPE, "harmless"),
        entry("link", tarfile.LNKTYPE, "a.txt"),
        entry("device", tarfile.CHRTYPE),
        entry("device", tarfile.BLKTYPE),
        entry("pipe", tarfile.FIFOTYPE),
        entry("sparse", tarfile.GNUTYPE_SPARSE),
    ],
    ids=lambda info: f"{info.name}-{info.type.decode()}",
)
def test_refuses_links_and_devices_in_tars(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", [entry("a.txt"), bad])
    with pytest.raises(DataError):
        safe_extract(archive, tmp_path / "out")
    assert everything_below(tmp_path / "out") == {"a.txt"}
    with pytest.raises(DataError):
        copy_members(archive, {bad.name: (tmp_path / "copy", 100)}, below_top=False)


def test_refuses_a_write_through_a_link_in_the_same_archive(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", [entry("door", tarfile.SYMTYPE, ".."), entry("door/evil")])
    with pytest.raises(DataError):
        safe_extract(archive, tmp_path / "out")
    assert everything_below(tmp_path) == {"a.tar.gz"}


def test_refuses_a_write_through_a_link_that_lay_there_before(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "door").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="outside"):
        safe_extract(make_zip(tmp_path / "a.zip", {"door/evil": b"x"}), tmp_path / "out")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_refuses_symlinks_in_zips(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="link"):
        safe_extract(tmp_path / "a.zip", tmp_path / "out")
    assert everything_below(tmp_path / "out") == set()


def test_refuses_names_that_differ_only_in_case(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="same name"):
        safe_extract(make_zip(tmp_path / "a.zip", {"Face.png": b"1", "face.PNG": b"2"}), tmp_path / "out")


def test_never_overwrites_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").write_bytes(b"mine")
    with pytest.raises(DataError, match="already there"):
        safe_extract(make_zip(tmp_path / "a.zip", {"a.txt": b"theirs"}), tmp_path / "out")
    assert (tmp_path / "out" / "a.txt").read_bytes() == b"mine"


def zip_bomb(path: Path) -> Path:
    return make_zip(path / "a.zip", {"zeros": bytes(5_000_000)})


def tar_bomb(path: Path) -> Path:
    return make_tar(path / "a.tar.gz", [entry("zeros")], data=bytes(5_000_000))


def lying_zip(path: Path) -> Path:
    """A zip whose header claims a tiny size for a member that unpacks to five megabytes."""
    archive = zip_bomb(path)
    claimed, real = (10).to_bytes(4, "little"), (5_000_000).to_bytes(4, "little")
    archive.write_bytes(archive.read_bytes().replace(real, claimed))
    return archive


@pytest.mark.parametrize("bomb", [zip_bomb, tar_bomb, lying_zip])
def test_bounds_what_unpacks(tmp_path: Path, bomb: Callable[[Path], Path]) -> None:
    archive = bomb(tmp_path)
    with pytest.raises(DataError):
        safe_extract(archive, tmp_path / "out", max_bytes=1_000_000)
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) <= 1_000_000
    with pytest.raises(DataError):
        copy_members(archive, {"zeros": (tmp_path / "copy", 1_000_000)}, below_top=False)


def test_the_bound_is_on_all_members_together(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {f"{n}": bytes(400) for n in range(3)})
    assert len(safe_extract(archive, tmp_path / "enough", max_bytes=1200)) == 3
    with pytest.raises(DataError, match="larger than"):
        safe_extract(archive, tmp_path / "out", max_bytes=1199)


def test_bounds_the_number_of_files(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {f"{n}": b"" for n in range(11)})
    with pytest.raises(DataError, match="more than 10 entries"):
        safe_extract(archive, tmp_path / "out", max_files=10)


@pytest.mark.parametrize("damage", ["text", "empty", "cut zip", "cut tar", "wrong crc"])
def test_damaged_archives_are_one_line(tmp_path: Path, damage: str) -> None:
    archive = tmp_path / "a.bin"
    noise = bytes(range(256)) * 40
    if damage == "text":
        archive.write_text("<html>not found</html>")
    elif damage == "empty":
        archive.write_bytes(b"")
    elif damage == "cut zip":
        archive.write_bytes(make_zip(tmp_path / "a.zip", {"a": noise}).read_bytes()[:-30])
    elif damage == "cut tar":
        archive.write_bytes(make_tar(tmp_path / "a.tar.gz", [entry("a")], data=noise).read_bytes()[:-40])
    else:
        data = make_zip(tmp_path / "a.zip", {"a": noise}, compression=zipfile.ZIP_STORED).read_bytes()
        archive.write_bytes(data.replace(noise[:64], noise[1:65], 1))
    with pytest.raises(DataError, match=r"a\.bin") as caught:
        safe_extract(archive, tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_an_encrypted_zip_is_one_line(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a": b"secret"})
    data = bytearray(archive.read_bytes())
    data[6] |= 1  # the "encrypted" flag, in the local header and in the central directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(DataError, match="password"):
        copy_members(archive, {"a": (tmp_path / "copy", 100)}, below_top=False)


def test_copies_members_below_the_top_folder(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tgz", [entry("package/models/a.bin"), entry("package/b.bin")], data=b"weights")
    targets = {"models/a.bin": (tmp_path / "one", 7), "b.bin": (tmp_path / "two", 7)}
    copy_members(archive, targets, below_top=True)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() == b"weights"
    with pytest.raises(DataError, match="no member"):
        copy_members(archive, {"a.bin": (tmp_path / "x", 7)}, below_top=True)
    with pytest.raises(DataError, match="larger than 6"):
        copy_members(archive, {"b.bin": (tmp_path / "x", 6)}, below_top=True)
