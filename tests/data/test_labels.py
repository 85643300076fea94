"""What a folder's labels say, what of them is not understood, and photos that lie there twice."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from tests.data.test_listing import notes
from tests.data.test_readers import failure, ids, jpeg, labels, opened, put, ref_of
from unmask.bench.core.types import FaceLabel
from unmask.bench.data.dataset import duplicate_groups
from unmask.bench.data.identities import people, person_hash


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNMASK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return tmp_path / "photos"


WRITTEN = {
    "Excel with a line for itself": b"sep=;\r\nfile;identity\r\na.jpg;Ann, Lee\r\n",
    "Excel with that line quoted": b'"sep=,"\r\nfile,identity\r\na.jpg,"Ann, Lee"\r\n',
    "Excel for its own country": b"\xef\xbb\xbffile;identity\r\na.jpg;Ann, Lee\r\n",
    "Excel as Unicode text": "file\tidentity\r\na.jpg\tAnn, Lee\r\n".encode("utf-16"),
    "UTF-16 of the other order": b"\xfe\xff" + "file\tidentity\r\na.jpg\tAnn, Lee\r\n".encode("utf-16-be"),
    "Excel with empty columns and rows": b"file;identity;;\r\na.jpg;Ann, Lee;;\r\n;;;\r\n;;;;;\r\n",
    "empty cells behind the last column": b'file,identity\na.jpg,"Ann, Lee",,\n',
    "pandas with its index": b',file,identity\n0,a.jpg,"Ann, Lee"\n',
    "an old Macintosh": b'file,identity\ra.jpg,"Ann, Lee"\r',
}


class TestOtherPrograms:
    @pytest.mark.parametrize("writer", WRITTEN)
    def test_what_they_write_is_read(self, photos: Path, writer: str) -> None:
        put(photos / "a.jpg")
        (photos / "labels.csv").write_bytes(WRITTEN[writer])
        dataset = opened(f"folder:{photos}")
        assert labels(dataset)["a.jpg"] == (FaceLabel(identity="Ann, Lee"),)
        assert "not read" not in notes(dataset)

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"sep=|\nfile|identity\na.jpg|Ann\n", "states a delimiter that is not read; use commas"),
            ("file,identity\na.jpg,Ann\n".encode("utf-16-le"), "UTF-16 without its mark does; save it as UTF-8"),
            ("file,identity\na.jpg,José\n".encode("cp1252"), "is not UTF-8 text (byte 23); save it as UTF-8"),
            (b"sep=;\n", "the head line is missing"),
            (b"file,identity\na.jpg,Ann,Lee\n", "line 2: 3 values for 2 columns"),
        ],
    )
    def test_what_cannot_be_read_is_said(self, photos: Path, data: bytes, message: str) -> None:
        put(photos / "a.jpg")
        (photos / "labels.csv").write_bytes(data)
        assert message in failure(f"folder:{photos}")


class TestColumns:
    def test_columns_that_are_not_read_are_named_with_what_they_may_mean(self, photos: Path) -> None:
        put(photos / "a.jpg")
        put(photos / "labels.csv", "file,subject,sex,years,camera\na.jpg,Ann,f,30,X100\n")
        dataset = opened(f"folder:{photos}")
        assert labels(dataset)["a.jpg"] == (FaceLabel(),)
        assert "not read: subject, sex, years, camera (columns that are: file, identity, age" in notes(dataset)
        assert "perhaps rename subject to identity, sex to gender, years to age" in notes(dataset)

    def test_a_file_column_of_another_name_is_an_error_that_says_so(self, photos: Path) -> None:
        put(photos / "a.jpg")
        put(photos / "labels.csv", "filename,identity\na.jpg,Ann\n")
        assert "perhaps rename filename to file" in failure(f"folder:{photos}")

    def test_understood_labels_have_no_notes(self, photos: Path) -> None:
        put(photos / "ann/a.jpg")
        put(photos / "bob/b.jpg", jpeg(30))
        put(photos / "labels.csv", "file,identity,age,gender,race,split,x,y\nann/a.jpg,Ann,3,f,x,test,,\n")
        assert opened(f"folder:{photos}").notes == ()

    @pytest.mark.parametrize("name", ["Labels.csv", "LABELS.CSV", "labels.txt", "labels.xlsx"])
    def test_a_file_of_another_name_is_named(self, photos: Path, name: str) -> None:
        put(photos / "a.jpg")
        put(photos / name, "file,identity\na.jpg,Ann\n")
        dataset = opened(f"folder:{photos}")
        assert people(dataset.refs) == {}
        assert f"{name} is not read: labels must be in a CSV file called labels.csv" in dataset.notes


class TestFolders:
    def test_folders_are_nobody_and_that_is_said(self, photos: Path) -> None:
        for k in range(6):
            put(photos / f"person {k // 2}/{k}.jpg", jpeg(20 * k))
        dataset = opened(f"folder:{photos}")
        assert people(dataset.refs) == {}
        assert "nobody is named: the names of the 3 folders are not taken for people" in notes(dataset)

    def test_one_folder_or_none_is_nothing_to_say(self, photos: Path) -> None:
        put(photos / "all/a.jpg")
        assert opened(f"folder:{photos}").notes == ()


class TestNames:
    @pytest.mark.parametrize("form", ["NFC", "NFD"])
    def test_accents_in_either_form_mean_the_same_file(self, photos: Path, form: str) -> None:
        other = "NFD" if form == "NFC" else "NFC"
        on_disk, in_labels = (unicodedata.normalize(f, "Zoë/José.jpg") for f in (form, other))
        put(photos / on_disk)
        put(photos / "b.jpg", jpeg(30))
        put(photos / "labels.csv", f"file,identity\n{in_labels},José\nb.jpg,Bob\n")
        dataset = opened(f"folder:{photos}")
        assert ids(dataset) == {on_disk, "b.jpg"}
        assert labels(dataset)[on_disk][0].identity == "José"
        assert "1 file name otherwise" in notes(dataset)

    def test_blanks_and_capitals(self, photos: Path) -> None:
        put(photos / " a.jpg")
        put(photos / "sub /IMG_1.JPG", jpeg(30))
        put(photos / "labels.csv", "file,identity\n a.jpg,Ann\nsub/img_1.jpg,Bob\n")
        found = labels(opened(f"folder:{photos}"))
        assert {name: label[0].identity for name, label in found.items()} == {" a.jpg": "Ann", "sub /IMG_1.JPG": "Bob"}

    def test_a_name_that_could_mean_two_files_means_none(self, photos: Path) -> None:
        put(photos / "a.jpg")
        put(photos / "A.JPG", jpeg(30))
        put(photos / "b.jpg", jpeg(60))
        put(photos / "labels.csv", "file,identity\na.jpg,Ann\n A.jpg ,Bob\nB.jpg,Cid\nB.JPG,Dan\n")
        found = labels(opened(f"folder:{photos}"))
        assert found["a.jpg"][0].identity == "Ann"
        assert found["A.JPG"][0].identity == "Bob"
        assert found["b.jpg"] == ()
        assert {"B.jpg", "B.JPG"} <= set(found), "labels of files that are not there stay counted rows"

    def test_spellings_of_one_person_are_one_person(self, photos: Path) -> None:
        spellings = ["Person_A", "person a", " PERSON  A ", unicodedata.normalize("NFD", "Zoë"), "zoë", "Bob"]
        for k in range(len(spellings)):
            put(photos / f"{k}.jpg", jpeg(20 * k))
        put(photos / "labels.csv", "file,identity\n" + "".join(f"{k}.jpg,{s}\n" for k, s in enumerate(spellings)))
        dataset = opened(f"folder:{photos}")
        assert sorted(people(dataset.refs).values()) == [1, 2, 3]
        assert "Person_A" in people(dataset.refs)
        assert "writes 2 people in several ways" in notes(dataset)
        assert person_hash("Person_A") == person_hash("person a")


class TestLabelFilesThatAreNone:
    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
    def test_a_pipe(self, photos: Path) -> None:
        put(photos / "a.jpg")
        os.mkfifo(photos / "labels.csv")
        assert "not a regular file" in failure(f"folder:{photos}")

    def test_a_folder_a_device_and_links(self, photos: Path, tmp_path: Path) -> None:
        put(photos / "a.jpg")
        (photos / "labels.csv").mkdir()
        assert "not a regular file" in failure(f"folder:{photos}")
        (photos / "labels.csv").rmdir()
        for target in (Path("/dev/zero"), put(tmp_path / "secret.csv", "file\na.jpg\n"), photos / "gone.csv"):
            (photos / "labels.csv").symlink_to(target)
            assert "cannot be read as labels" in failure(f"folder:{photos}")
            (photos / "labels.csv").unlink()

    def test_an_endless_file(self, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        put(photos / "a.jpg")
        with put(photos / "labels.csv", "file\na.jpg\n").open("r+b") as stream:
            stream.truncate(1 << 40)
        assert "file larger than 256 MiB" in failure(f"folder:{photos}")

    def test_a_file_that_grows_while_it_is_read(self, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        put(photos / "a.jpg")
        put(photos / "labels.csv", "file\na.jpg\n" + "\n" * 1000)
        monkeypatch.setattr("unmask.bench.data.folders.MAX_TEXT_BYTES", 100)
        assert "that cannot be a labels file" in failure(f"folder:{photos}")


class TestDuplicates:
    def test_one_picture_under_two_names(self, photos: Path) -> None:
        rows = []
        for k in range(4):
            for copy, name in (("a", f"P{k}"), ("b", f"P{k}"), ("c", f"Q{k}")):
                put(photos / f"{k}{copy}.jpg", jpeg(20 * k))
                rows.append(f"{k}{copy}.jpg,{name}\n")
        put(photos / "labels.csv", "file,identity\n" + "".join(rows))
        dataset = opened(f"folder:{photos}")
        groups = {frozenset(ref.id for ref in group) for group in duplicate_groups(dataset.refs)}
        assert groups == {frozenset(f"{k}{copy}.jpg" for copy in "abc") for k in range(4)}
        assert "12 files are copies of one another, byte for byte: 4 photos" in notes(dataset)
        assert "4 photos under one name twice" in notes(dataset)
        assert "4 photos under two names" in notes(dataset)

    def test_copies_without_names(self, photos: Path) -> None:
        put(photos / "a.jpg")
        put(photos / "b.jpg")
        put(photos / "c.jpg", jpeg(30))
        assert opened(f"folder:{photos}").notes == ("2 files are copies of one another, byte for byte: 1 photo",)

    def test_a_group_photo_twice_is_not_two_names(self, photos: Path) -> None:
        put(photos / "a.jpg")
        put(photos / "b.jpg")
        lines = "".join(f"{name}.jpg,{who},{x},3\n" for name in "ab" for who, x in (("Ann", 3), ("Bob", 12)))
        put(photos / "labels.csv", "file,identity,x,y\n" + lines)
        assert "under one name" in notes(opened(f"folder:{photos}"))
        assert "two names" not in notes(opened(f"folder:{photos}"))

    def test_unreadable_files_are_no_copies_of_one_another(self, photos: Path, tmp_path: Path) -> None:
        put(photos / "a.jpg")
        for name in ("b.jpg", "c.jpg"):
            (photos / name).symlink_to(tmp_path / "gone.jpg")
        dataset = opened(f"folder:{photos}")
        assert ref_of(dataset, "b.jpg").digest == ref_of(dataset, "c.jpg").digest
        assert duplicate_groups(dataset.refs) == []
