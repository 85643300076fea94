"""Data sets in each layout, hostile folders, labels good and bad: through `open_dataset` alone."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from unmask.bench.core.errors import DataError, ImageError, SpecError, UnknownNameError
from unmask.bench.core.types import FaceLabel, SampleRef
from unmask.bench.data import Dataset, open_dataset
from unmask.bench.data.identities import identity_half, people
from unmask.bench.data.opening import other_half


def jpeg(shade: int = 100, form: str = "JPEG", size: int = 20) -> bytes:
    sink = io.BytesIO()
    Pillow.new("L" if form == "PPM" else "RGB", (size, size), shade if form == "PPM" else (shade,) * 3).save(sink, form)
    return sink.getvalue()


def put(path: Path, data: bytes | str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = jpeg() if data is None else data
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def opened(spec: str, root: Path | None = None) -> Dataset:
    dataset = open_dataset(spec, root=root)
    assert len({ref.id for ref in dataset.refs}) == len(dataset.refs)
    return dataset


def ids(dataset: Dataset) -> set[str]:
    return {ref.id for ref in dataset.refs}


def labels(dataset: Dataset) -> dict[str, tuple[FaceLabel, ...]]:
    return {ref.id: ref.labels for ref in dataset.refs}


def ref_of(dataset: Dataset, name: str) -> SampleRef:
    return next(ref for ref in dataset.refs if ref.id == name)


def refusal(dataset: Dataset, name: str) -> str:
    with pytest.raises(ImageError) as caught:
        dataset.read(ref_of(dataset, name))
    return caught.value.reason


def failure(spec: str, root: Path | None = None) -> str:
    with pytest.raises(DataError) as caught:
        open_dataset(spec, root=root)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNMASK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("UNMASK_DATA", raising=False)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return tmp_path / "photos"


class TestFolder:
    def test_every_image_below_it_and_nothing_else(self, photos: Path) -> None:
        for name in ("a.jpg", "deep/er/b.PNG", "c.JPEG", "d.webp", "e.bmp", "f.TIF", "g.gif", "h.pgm"):
            put(photos / name)
        put(photos / "noextension")
        put(photos / "lies.dat", jpeg(form="PNG"))
        for name in ("README.md", "SOURCE", ".hidden.jpg", ".git/x.jpg", "__MACOSX/._a.jpg", "clip.mp4", "empty"):
            put(photos / name, "" if name == "empty" else "text")
        dataset = opened(f"folder:{photos}")
        images = {"a.jpg", "deep/er/b.PNG", "c.JPEG", "d.webp", "e.bmp", "f.TIF", "g.gif", "h.pgm"}
        assert ids(dataset) == images | {"noextension", "lies.dat"}
        # The two hidden folders count as one each.
        assert dataset.ignored == 7
        assert dataset.read(dataset.refs[0]).shape == (20, 20, 3)
        assert dataset.card.show_faces is False

    def test_broken_images_are_samples_with_a_reason(self, photos: Path) -> None:
        put(photos / "good.jpg")
        put(photos / "empty.jpg", b"")
        put(photos / "text.png", "hello")
        put(photos / "half.jpg", jpeg(size=200)[:700])
        (photos / "folder.jpg").mkdir()
        dataset = opened(f"folder:{photos}")
        assert ids(dataset) == {"good.jpg", "empty.jpg", "text.png", "half.jpg"}
        assert refusal(dataset, "empty.jpg") == "empty file"
        assert "not an image" in refusal(dataset, "text.png")
        assert "truncated" in refusal(dataset, "half.jpg")

    @pytest.mark.parametrize(
        "name",
        [
            "with space.jpg",
            "日本語 ünï.jpg",
            "quote'\".jpg",
            "new\nline.jpg",
            "tab\t.jpg",
            "-rf.jpg",
            "--help.jpg",
            "<img src=x onerror=alert(1)>.jpg",
            "%2e%2e%2f.jpg",
            "a,b;c=d.jpg",
            "$(touch x).jpg",
            "x" * 240 + ".jpg",
            "e\u0301.jpg",
            "\u202egpj.exe.jpg",
            "C:back\\slash.jpg",
        ],
    )
    def test_odd_names_survive(self, photos: Path, name: str) -> None:
        put(photos / "sub" / name)
        dataset = opened(f"folder:{photos}")
        assert [ref.id for ref in dataset.refs] == [f"sub/{name}"]
        assert dataset.read(dataset.refs[0]).shape == (20, 20, 3)

    def test_names_that_are_not_utf8_become_the_same_text_everywhere(self, photos: Path) -> None:
        photos.mkdir()
        try:
            Path(os.fsdecode(os.fsencode(photos) + b"/caf\xe9.jpg")).write_bytes(jpeg())
        except OSError:
            pytest.skip("this file system takes UTF-8 names only")
        put(photos / "caf\\xe9.jpg", jpeg(50))
        dataset = opened(f"folder:{photos}")
        assert ids(dataset) == {"caf\\xe9.jpg", "caf\\xe9.jpg~"}
        for ref in dataset.refs:
            ref.id.encode("utf-8")
            dataset.read(ref)

    def test_links_out_of_the_folder_are_refused(self, photos: Path, tmp_path: Path) -> None:
        secret = put(tmp_path / "secret.jpg")
        put(photos / "real.jpg")
        (photos / "out.jpg").symlink_to(secret)
        (photos / "inside.jpg").symlink_to(photos / "real.jpg")
        (photos / "nowhere.jpg").symlink_to(tmp_path / "missing.jpg")
        (photos / "loop.jpg").symlink_to(photos / "loop.jpg")
        (photos / "out").symlink_to(tmp_path, target_is_directory=True)
        (photos / "sniffed").symlink_to(secret)
        dataset = opened(f"folder:{photos}")
        assert ids(dataset) == {"real.jpg", "out.jpg", "inside.jpg", "nowhere.jpg", "loop.jpg", "out"}
        assert "outside" in refusal(dataset, "out.jpg")
        assert "linked folder, which is not followed" in refusal(dataset, "out")
        assert refusal(dataset, "nowhere.jpg")
        assert refusal(dataset, "loop.jpg")
        assert dataset.read(ref_of(dataset, "inside.jpg")).shape == (20, 20, 3)
        assert "sha256" not in ref_of(dataset, "out.jpg").digest

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
    def test_a_fifo_does_not_block(self, photos: Path) -> None:
        put(photos / "a.jpg")
        os.mkfifo(photos / "pipe.jpg")
        os.mkfifo(photos / "pipe")
        dataset = opened(f"folder:{photos}")
        assert ids(dataset) == {"a.jpg", "pipe.jpg"}
        assert "regular" in refusal(dataset, "pipe.jpg")

    def test_an_unreadable_file_is_a_row(self, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        locked = put(photos / "locked.jpg")
        put(photos / "open.jpg")
        locked.chmod(0)
        # Root may read everything: let the operating system say no.
        real_open, real_read = Path.open, Path.read_bytes

        def allowed(path: Path) -> Path:
            if path.name == "locked.jpg":
                raise PermissionError(13, "Permission denied", str(path))
            return path

        monkeypatch.setattr(Path, "open", lambda self, *a, **k: real_open(allowed(self), *a, **k))
        monkeypatch.setattr(Path, "read_bytes", lambda self: real_read(allowed(self)))
        dataset = opened(f"folder:{photos}")
        assert "Permission denied" in refusal(dataset, "locked.jpg")
        assert dataset.read(ref_of(dataset, "open.jpg")).shape == (20, 20, 3)

    def test_a_file_that_vanishes_is_a_row(self, photos: Path) -> None:
        gone = put(photos / "gone.jpg")
        dataset = opened(f"folder:{photos}")
        gone.unlink()
        assert "cannot be read" in refusal(dataset, "gone.jpg")

    def test_folders_that_cannot_be_used(self, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "does not exist" in failure(f"folder:{photos}")
        file = put(tmp_path / "file.jpg")
        assert "is not a folder" in failure(f"folder:{file}")
        photos.mkdir()
        assert "holds no images" in failure(f"folder:{photos}")
        put(photos / "notes.txt", "x")
        assert "1 .txt" in failure(f"folder:{photos}")
        failure(f"folder:{tmp_path}/bad\nname")

        def denied(path: object) -> None:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(os, "scandir", denied)
        assert "permissions" in failure(f"folder:{photos}")

    def test_a_subfolder_that_cannot_be_listed_stops_the_run(
        self, photos: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(photos / "a.jpg")
        put(photos / "closed" / "b.jpg")
        real = os.scandir

        def some_denied(path: str | Path = ".") -> object:
            if str(path).endswith("closed"):
                raise PermissionError(13, "Permission denied", str(path))
            return real(path)

        monkeypatch.setattr(os, "scandir", some_denied)
        assert "closed" in failure(f"folder:{photos}")

    def test_specs(self, photos: Path) -> None:
        put(photos / "a.jpg")
        assert opened(f"folder:path={photos},show_faces=true").card.show_faces is True
        assert opened(f"mine=folder:{photos}").card.name == "folder"
        for bad in ("folder", f"folder:path={photos},x=1", f"folder:path={photos},split=probe", "folder:show_faces=1"):
            with pytest.raises(SpecError):
                open_dataset(bad)
        with pytest.raises(UnknownNameError, match="did you mean lfw"):
            open_dataset("lwf")

    def test_many_files_are_hashed_once(self, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for k in range(201):
            put(photos / f"{k}.jpg", jpeg(k))
        first = opened(f"folder:{photos}").card.fingerprint
        monkeypatch.setattr("unmask.bench.core.files.sha256_of", lambda path: pytest.fail(f"{path} was hashed again"))
        assert opened(f"folder:{photos}").card.fingerprint == first
        monkeypatch.undo()
        put(photos / "7.jpg", jpeg(250))
        assert opened(f"folder:{photos}").card.fingerprint != first

    def test_remembered_hashes_name_no_file_and_those_of_earlier_versions_go(self, photos: Path) -> None:
        for k in range(201):
            put(photos / f"Ann Smith {k}.jpg", jpeg(k))
        opened(f"folder:{photos}")
        (memory,) = (photos.parent / "cache/digests").iterdir()
        text = memory.read_text("ascii")
        assert len(json.loads(text)) == 201
        for part in ("Ann", ".jpg", photos.name, "/"):
            assert part not in text + memory.name
        memory.write_text(json.dumps({repr(str(photos / "Ann Smith 1.jpg")): [1, 2, "0" * 64]}))
        put(photos / "b.jpg")
        (photos / "Ann Smith 1.jpg").unlink()
        opened(f"folder:{photos}")
        assert "Ann" not in memory.read_text("ascii")


class TestLabels:
    def test_columns_in_any_order_case_and_encoding(self, photos: Path) -> None:
        put(photos / "a.jpg")
        put(photos / "sub/b.jpg")
        put(photos / "c.jpg")
        text = "Age;FILE ;Extra;Gender; identity;race\n31;a.jpg;?;F;Ann;Black\n;sub/b.jpg;;male;007;\n\n"
        put(photos / "labels.csv", b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
        found = labels(opened(f"folder:{photos}"))
        assert found["a.jpg"] == (FaceLabel(identity="Ann", age=31.0, gender="female", race="Black"),)
        assert found["sub/b.jpg"] == (FaceLabel(identity="007", gender="male"),)
        assert found["c.jpg"] == ()

    def test_several_faces_in_one_photo(self, photos: Path) -> None:
        put(photos / "a.jpg")
        put(photos / "labels.csv", "file,identity,x,y\na.jpg,Ann,3,4.5\na.jpg,Bob,9,9\n")
        assert labels(opened(f"folder:{photos}"))["a.jpg"] == (
            FaceLabel(identity="Ann", at=(3.0, 4.5)),
            FaceLabel(identity="Bob", at=(9.0, 9.0)),
        )

    def test_a_labelled_file_that_is_missing_is_a_row(self, photos: Path) -> None:
        put(photos / "a.jpg")
        put(photos / "labels.csv", "file,identity\na.jpg,Ann\nb.jpg,Bob\n")
        dataset = opened(f"folder:{photos}")
        assert ids(dataset) == {"a.jpg", "b.jpg"}
        assert "no such file" in refusal(dataset, "b.jpg")

    def test_labels_of_something_else(self, photos: Path) -> None:
        put(photos / "a.jpg")
        put(photos / "labels.csv", "file\nx.jpg\ny.jpg\n")
        assert "names none of the images" in failure(f"folder:{photos}")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "empty"),
            ("  \n \n", "empty"),
            ("name,age\na.jpg,3\n", "no column 'file'"),
            ("file,age,Age\na.jpg,3,4\n", "age twice"),
            ("file,x\na.jpg,3\n", "x and y come together"),
            ("file,age\na.jpg,old\n", "line 2: age 'old'"),
            ("file,age\na.jpg,20\n\na.jpg,-1\n", "line 4: age '-1'"),
            ("file,age\na.jpg,nan\n", "line 2: age"),
            ("file,age\na.jpg,1e9\n", "line 2: age"),
            ("file,gender\na.jpg,x\n", "line 2: gender 'x'"),
            ("file,identity\na.jpg,Ann\na.jpg,Bob\n", "line 3: 'a.jpg' is also on line 2"),
            ("file,x,y\na.jpg,1,\n", "line 2: x"),
            ("file,x,y\na.jpg,inf,1\n", "line 2: x"),
            ("file,age\na.jpg,3,4,5\n", "line 2: 4 values for 2 columns"),
            ("file\n../../etc/passwd\n", "line 2: '../../etc/passwd' must be a path below"),
            ("file\n/etc/passwd\n", "must be a path below"),
            ("file,identity\n,Ann\n", "line 2: the column 'file' is empty"),
            (f"file,identity\na.jpg,{'A' * 201}\n", "longer than 200"),
            ('file,identity\na.jpg,"A\nnn"\n', "control characters"),
            ('file,identity\na.jpg,"Ann\n', "not readable as CSV"),
        ],
    )
    def test_values_that_make_no_sense(self, photos: Path, text: str, said: str) -> None:
        put(photos / "a.jpg")
        put(photos / "labels.csv", text)
        assert said in failure(f"folder:{photos}")

    def test_other_encodings(self, photos: Path) -> None:
        put(photos / "a.jpg")
        put(photos / "labels.csv", "file,identity\na.jpg,Müller\n".encode("latin-1"))
        assert "UTF-8" in failure(f"folder:{photos}")
        put(photos / "labels.csv", b"file,identity\na.jpg,A\0nn\n")
        failure(f"folder:{photos}")


class TestLayouts:
    def test_lfw_official_and_zip_agree_on_people_and_halves(self, tmp_path: Path) -> None:
        names = [f"P_{p}/P_{p}_{k:04d}.jpg" for p in range(30) for k in range(1, 3)]
        for name in names:
            put(tmp_path / "official/lfw-deepfunneled" / name)
        zipped(tmp_path / "zip/lfw_deepfunneled/lfw_250px.zip", {name: jpeg() for name in names})
        rows = "".join(f"{name},{name.split('/')[0]}\n" for name in names)
        put(tmp_path / "zip/lfw_deepfunneled/identities.csv", "file,identity\n" + rows)
        halves = {}
        for kind in ("official", "zip"):
            both = [opened(f"lfw:split={split}", tmp_path / kind) for split in ("calibrate", "probe")]
            people_of = [set(people(dataset.refs)) for dataset in both]
            assert people_of[0] & people_of[1] == set()
            assert people_of[0] | people_of[1] == {f"P_{p}" for p in range(30)}
            assert all(people_of)
            halves[kind] = [[ref.id for ref in dataset.refs] for dataset in both]
            assert [ref.id for ref in opened("lfw", tmp_path / kind).refs] == halves[kind][1]
        assert halves["official"] == halves["zip"]
        # The data set's own folder works as a root, too.
        assert ids(opened("lfw", tmp_path / "official/lfw-deepfunneled")) == set(halves["zip"][1])
        assert ids(opened("lfw", tmp_path / "zip/lfw_deepfunneled")) == set(halves["zip"][1])

    def test_people_of_the_demo_are_never_calibrated_on(self) -> None:
        assert identity_half("Tom_Hanks", frozenset({"Tom_Hanks"})) == "probe"
        halves = {identity_half(f"person {k}") for k in range(20)}
        assert halves == {"calibrate", "probe"}

    def test_utkface_from_file_names(self, tmp_path: Path) -> None:
        for k in range(40):
            put(tmp_path / f"UTKFace/{k}_1_2_2016{k:02d}.jpg.chip.jpg")
        put(tmp_path / "UTKFace/39_1_20170116174525125.jpg.chip.jpg")
        put(tmp_path / "UTKFace/26_0_4_2017.jpg")
        everything = opened("utkface:split=all", tmp_path)
        found = labels(everything)
        assert found["7_1_2_201607.jpg.chip.jpg"] == (FaceLabel(age=7.0, gender="female", race="Asian"),)
        assert found["26_0_4_2017.jpg"] == (FaceLabel(age=26.0, gender="male", race="Other"),)
        assert found["39_1_20170116174525125.jpg.chip.jpg"] == ()
        parts = [ids(opened(f"utkface:split={split}", tmp_path)) for split in ("train", "val", "test")]
        assert sum(len(part) for part in parts) == len(everything.refs)
        assert set().union(*parts) == ids(everything)

    def test_utkface_zip_follows_its_labels(self, tmp_path: Path) -> None:
        zipped(tmp_path / "utkface/utkface_200px.zip", {"1_0_0_1.jpg": jpeg(), "2_1_1_2.jpg": jpeg()})
        put(
            tmp_path / "utkface/labels.csv",
            "file,age,gender,race,split\n1_0_0_1.jpg,1,M,White,test\n2_1_1_2.jpg,2,F,Black,train\n",
        )
        assert labels(opened("utkface", tmp_path)) == {
            "1_0_0_1.jpg": (FaceLabel(age=1.0, gender="male", race="White"),)
        }
        assert ids(opened("utkface:split=train", tmp_path)) == {"2_1_1_2.jpg"}
        assert "nothing in its split 'val'" in failure("utkface:split=val", tmp_path)

    def test_celeba_official(self, tmp_path: Path) -> None:
        names = [f"{k:06d}.jpg" for k in range(1, 5)]
        for name in names:
            put(tmp_path / "celeba/img_align_celeba/img_align_celeba" / name)
        put(tmp_path / "celeba/identity_CelebA.txt", "".join(f"{n} {k // 2}\n" for k, n in enumerate(names)))
        head = "4\nYoung Male Smiling \n"
        attributes = head + "".join(f"{n}  1 {'-1' if k % 2 else ' 1'} -1\n" for k, n in enumerate(names))
        put(tmp_path / "celeba/list_attr_celeba.txt", attributes)
        found = labels(opened("celeba-identity:split=all", tmp_path))
        assert found["img_align_celeba/000001.jpg"] == (FaceLabel(identity="0", gender="male"),)
        assert found["img_align_celeba/000004.jpg"] == (FaceLabel(identity="1", gender="female"),)
        put(tmp_path / "celeba/list_attr_celeba.txt", attributes.replace("-1\n", "\n", 1))
        assert "line 3" in failure("celeba-identity", tmp_path)
        (tmp_path / "celeba/identity_CelebA.txt").unlink()
        assert "the identities" in failure("celeba-identity", tmp_path)

    def test_celeba_zip(self, tmp_path: Path) -> None:
        zipped(tmp_path / "celeba_identity/celeba_178x218.zip", {"1_1.jpg": jpeg(), "2_2.jpg": jpeg()})
        put(tmp_path / "celeba_identity/attributes.csv", "file,identity,Male,Young\n1_1.jpg,1,0,1\n2_2.jpg,2,1,1\n")
        found = labels(opened("celeba-identity:split=all", tmp_path))
        assert found["1_1.jpg"] == (FaceLabel(identity="1", gender="female"),)
        assert found["2_2.jpg"] == (FaceLabel(identity="2", gender="male"),)
        put(tmp_path / "celeba_identity/attributes.csv", "file,identity,Male\n1_1.jpg,1,0\n2_2.jpg,,1\n")
        assert "line 3" in failure("celeba-identity", tmp_path)

    def test_orl(self, tmp_path: Path) -> None:
        for person in (1, 2, 3):
            put(tmp_path / f"att_faces/s{person}/1.pgm", jpeg(form="PPM"))
        put(tmp_path / "att_faces/README", "text")
        dataset = opened("orl:split=all", tmp_path)
        assert labels(dataset)["s2/1.pgm"] == (FaceLabel(identity="s2"),)
        assert dataset.read(dataset.refs[0]).shape == (20, 20, 3)

    def test_fairface(self, tmp_path: Path) -> None:
        for name in ("train/1.jpg", "val/1.jpg", "val/2.jpg"):
            put(tmp_path / "fairface" / name)
        head = "file,age,gender,race,service_test\n"
        put(tmp_path / "fairface/fairface_label_train.csv", head + "train/1.jpg,0-2,Male,East Asian,True\n")
        val = head + "val/1.jpg,20-29,Female,Black,False\nval/2.jpg,more than 70,Male,White,True\n"
        put(tmp_path / "fairface/fairface_label_val.csv", val)
        dataset = opened("fairface", tmp_path)
        assert dataset.card.show_faces is True
        assert labels(dataset) == {
            "val/1.jpg": (FaceLabel(age=24.5, gender="female", race="Black"),),
            "val/2.jpg": (FaceLabel(age=75.0, gender="male", race="White"),),
        }
        assert len(opened("fairface:split=all", tmp_path).refs) == 3
        put(tmp_path / "fairface/fairface_label_val.csv", val.replace("20-29", "young"))
        assert "line 2: age 'young'" in failure("fairface", tmp_path)

    def test_fdf_reads_landmarks_and_never_unpickles(self, tmp_path: Path) -> None:
        class Trap:
            def __reduce__(self) -> tuple[object, tuple[str]]:
                return os.mkdir, (str(tmp_path / "sprung"),)

        for name in ("64/0.png", "128/0.png", "128/1.png", "128/2.png"):
            put(tmp_path / "fdf/val/images" / name, jpeg(form="PNG"))
        put(tmp_path / "fdf/val/bounding_box/128.torch", pickle.dumps(Trap()))
        points = np.full((2, 7, 2), 0.5)
        points[1, 0] = (37.0, 40.0)  # pixels: another unit than the documented 0..1
        np.save(tmp_path / "fdf/val/landmarks.npy", points)
        found = labels(opened("fdf", tmp_path))
        assert found == {
            "val/images/128/0.png": (FaceLabel(at=(64.0, 64.0)),),
            "val/images/128/1.png": (),
            "val/images/128/2.png": (),
        }
        np.save(tmp_path / "fdf/val/landmarks.npy", np.array([Trap()], object), allow_pickle=True)
        assert "not a plain numpy array" in failure("fdf", tmp_path)
        assert not (tmp_path / "sprung").exists()

    def test_zips_with_bad_members(self, tmp_path: Path) -> None:
        path = zipped(
            tmp_path / "lfw_deepfunneled/lfw_250px.zip",
            {"A/A_0001.jpg": jpeg(1), "A/A_0002.jpg": jpeg(2), "A/notes.txt": b"x", "__MACOSX/A/._A.jpg": b"x"},
        )
        data = bytearray(path.read_bytes())
        at = data.find(jpeg(2))
        data[at + 30] ^= 0xFF
        path.write_bytes(bytes(data))
        dataset = opened("lfw:split=all", tmp_path)
        assert ids(dataset) == {"A/A_0001.jpg", "A/A_0002.jpg"}
        assert dataset.ignored == 2
        assert refusal(dataset, "A/A_0002.jpg") == "damaged in the archive"
        path.write_bytes(bytes(data[: len(data) // 2]))
        assert "cannot be read as a zip" in failure("lfw", tmp_path)


class TestFinding:
    def test_not_here_says_where_it_looked_and_how_to_get_it(self, tmp_path: Path) -> None:
        text = failure("utkface", tmp_path)
        assert str(tmp_path) in text
        assert "UTKFace page" in text
        assert "neither --root nor UNMASK_DATA" in failure("lfw")

    def test_several_roots_and_the_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "one").mkdir()
        put(tmp_path / "two/att_faces/s1/1.pgm", jpeg(form="PPM"))
        roots = f"{tmp_path / 'one'}{os.pathsep}{tmp_path / 'two'}"
        assert ids(opened("orl:split=all", Path(roots))) == {"s1/1.pgm"}
        monkeypatch.setenv("UNMASK_DATA", roots)
        assert ids(opened("orl:split=all")) == {"s1/1.pgm"}
        monkeypatch.setenv("UNMASK_DATA", str(tmp_path / "three"))
        assert "UNMASK_DATA" in failure("orl")

    def test_wrong_parameters(self, tmp_path: Path) -> None:
        for spec in ("lfw:split=train", "lfw:probe", "lfw:size=3", "demo:split=probe", "fairface:split=calibrate"):
            with pytest.raises(SpecError, match="split"):
                open_dataset(spec, root=tmp_path)


class TestOrder:
    def test_people_stay_together_and_the_order_is_fixed(self, photos: Path) -> None:
        rows = []
        for k in range(60):
            put(photos / f"{k:02d}.jpg", jpeg(k))
            rows.append(f"{k:02d}.jpg,person {k % 15}\n")
        put(photos / "unknown.jpg")
        put(photos / "labels.csv", "file,identity\n" + "".join(rows))
        refs = opened(f"folder:{photos}").refs
        owners = [ref.labels[0].identity if ref.labels else None for ref in refs]
        changes = sum(a != b for a, b in pairwise(owners))
        assert changes == 15
        assert owners != sorted(owners, key=str)
        for owner in set(owners):
            mine = [ref.id for ref in refs if (ref.labels[0].identity if ref.labels else None) == owner]
            assert mine == sorted(mine)
        assert opened(f"folder:{photos}").refs == refs

    def test_the_fingerprint_follows_content_names_and_labels(self, photos: Path) -> None:
        put(photos / "a.jpg", jpeg(1))
        put(photos / "b.jpg", jpeg(2))
        seen = {opened(f"folder:{photos}").card.fingerprint}

        def now_differs() -> None:
            fingerprint = opened(f"folder:{photos}").card.fingerprint
            assert fingerprint not in seen
            seen.add(fingerprint)

        put(photos / "b.jpg", jpeg(3))
        now_differs()
        (photos / "b.jpg").rename(photos / "c.jpg")
        now_differs()
        put(photos / "labels.csv", "file,age\na.jpg,3\n")
        now_differs()
        put(photos / "labels.csv", "file,age\na.jpg,4\n")
        now_differs()

    def test_the_fingerprint_does_not_depend_on_where_it_lies(self, tmp_path: Path) -> None:
        for name in ("one", "two"):
            put(tmp_path / name / "a.jpg")
        assert len({opened(f"folder:{tmp_path / name}").card.fingerprint for name in ("one", "two")}) == 1


@pytest.mark.data
class TestRealCopies:
    @pytest.mark.parametrize(
        ("name", "images", "persons"),
        [("utkface", 14_910, 0), ("lfw", 5_109, 1_416), ("celeba-identity", 7_000, 1_400), ("orl", 400, 40)],
    )
    def test_counts(self, shared_data: Path, name: str, images: int, persons: int) -> None:
        dataset = opened(f"{name}:split=all", shared_data)
        assert len(dataset.refs) == images
        assert len(people(dataset.refs)) == persons
        for ref in dataset.refs[:: images // 7]:
            image = dataset.read(ref)
            assert image.dtype == np.uint8
            assert image.shape[2] == 3
        if name != "orl":
            parts = {"utkface": ("train", "val", "test")}.get(name, ("calibrate", "probe"))
            assert sum(len(opened(f"{name}:split={part}", shared_data).refs) for part in parts) == images

    @pytest.mark.parametrize("name", ["lfw", "celeba-identity", "orl"])
    def test_halves_share_nobody(self, shared_data: Path, name: str) -> None:
        calibrate, probe = (set(people(opened(f"{name}:split={s}", shared_data).refs)) for s in ("calibrate", "probe"))
        assert calibrate & probe == set()
        assert min(len(calibrate), len(probe)) > 0.4 * len(calibrate | probe)

    def test_lfw_probe_is_large_enough(self, shared_data: Path) -> None:
        refs = opened("lfw", shared_data).refs
        counts = people(refs)
        assert sum(count for count in counts.values() if count >= 2) >= 1_000
        assert {"Tom_Hanks", "George_Clooney", "Queen_Elizabeth_II"} <= set(counts)

    def test_utkface_labels(self, shared_data: Path) -> None:
        known = [ref.labels[0] for ref in opened("utkface", shared_data).refs]
        assert {label.race for label in known} == {"White", "Black", "Asian", "Indian", "Other"}
        assert {label.gender for label in known} == {"female", "male"}
        assert all(label.age is not None for label in known)


def test_so_many_photos_of_each_person_are_taken_and_all_without_a_name(tmp_path: Path) -> None:
    for name in "abcdef":
        put(tmp_path / f"{name}.jpg", jpeg(ord(name)))
    put(tmp_path / "labels.csv", "file,identity\na.jpg,x\nb.jpg,x\nc.jpg,y\nd.jpg,x\n")
    everything, some = (opened(f"folder:path={tmp_path}{more}") for more in ("", ",each=2"))
    assert [ref.id for ref in some.refs] == [ref.id for ref in everything.refs if ref.id != "d.jpg"]
    assert some.card.fingerprint != everything.card.fingerprint
    assert "at most 2 photos of a person" in some.card.revision
    assert other_half("lfw:each=2") == "lfw:each=2,split=calibrate"
    for wrong in ("0", "true", "two"):
        with pytest.raises(SpecError, match="write folder:each=2"):
            opened(f"folder:path={tmp_path},each={wrong}")
