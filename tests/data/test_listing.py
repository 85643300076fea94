"""What a folder of photos holds beside usable photos: nothing is dropped without a word."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.data.test_readers import failure, ids, jpeg, opened, put, refusal, zipped
from unmask.bench.core.errors import ConfigError, DataError, SpecError, UnknownNameError
from unmask.bench.data import Dataset, open_dataset
from unmask.bench.data.opening import refuse_nested


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNMASK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("UNMASK_DATA", raising=False)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return tmp_path / "photos"


def notes(dataset: Dataset) -> str:
    return " | ".join(dataset.notes)


def plan_of_ours(folder: Path, name: str = "plan.json", schema: str = "unmask.plan/2") -> None:
    put(folder / name, json.dumps({"schema": schema, "run": "0" * 16}, indent=1))


def test_phone_and_camera_files_are_rows_with_a_reason(photos: Path) -> None:
    put(photos / "a.jpg")
    for name in ("b.HEIC", "c.avif", "d.jxl", "e.NEF", "f.dng"):
        put(photos / name, name.encode() * 20)
    put(photos / "jxl.jxl", b"\xff\x0a" + bytes(50))
    dataset = opened(f"folder:{photos}")
    assert ids(dataset) == {"a.jpg", "b.HEIC", "c.avif", "d.jxl", "e.NEF", "f.dng", "jxl.jxl"}
    assert "raw file" in refusal(dataset, "e.NEF")
    assert "JPEG XL" in refusal(dataset, "jxl.jxl")
    assert dataset.notes == ()


def test_other_files_are_counted_by_their_endings(photos: Path) -> None:
    put(photos / "a.jpg")
    for name in ("x.vob", "y.VOB", "z.txt", "README", "Anna.Schmidt"):
        put(photos / name, "text")
    put(photos / ".secret.jpg")
    put(photos / ".DS_Store", "x")
    put(photos / "._a.jpg", "x")
    put(photos / "labels.csv", "file,age\na.jpg,3\n")
    dataset = opened(f"folder:{photos}")
    assert dataset.notes == (
        "5 files were passed over, which cannot be read as images: 2 .vob, 2 without an ending, 1 .txt",
        "1 hidden file or folder was passed over",
    )
    assert "schmidt" not in notes(dataset).lower()


def test_a_clean_folder_has_no_notes(photos: Path) -> None:
    put(photos / "deep/a.jpg")
    put(photos / "Thumbs.db", "x")
    assert opened(f"folder:{photos}").notes == ()


def test_a_zip_says_what_it_passed_over(tmp_path: Path) -> None:
    members = {"A/A_0001.jpg": jpeg(), "A/clip.mp4": b"x", "__MACOSX/A/._A.jpg": b"x"}
    zipped(tmp_path / "lfw_deepfunneled/lfw_250px.zip", members)
    assert "1 .mp4" in notes(opened("lfw:split=all", tmp_path))


class TestLinks:
    def test_a_linked_folder_is_a_row_and_a_note(self, photos: Path, tmp_path: Path) -> None:
        put(photos / "person_a/1.jpg")
        put(tmp_path / "elsewhere/1.jpg")
        (photos / "person_c").symlink_to(tmp_path / "elsewhere")
        dataset = opened(f"folder:{photos}")
        assert ids(dataset) == {"person_a/1.jpg", "person_c"}
        assert refusal(dataset, "person_c") == "a linked folder, which is not followed; it leads outside the folder"
        assert "1 linked folder was not followed" in notes(dataset)
        assert "cp -RL" in notes(dataset)

    def test_a_linked_folder_whose_files_are_listed_anyway_is_no_row(self, photos: Path) -> None:
        put(photos / "person_a/1.jpg")
        (photos / "alias").symlink_to(photos / "person_a")
        (photos / "loop").symlink_to(photos)
        dataset = opened(f"folder:{photos}")
        assert ids(dataset) == {"person_a/1.jpg"}
        assert "2 linked folders were passed over" in notes(dataset)

    def test_a_link_into_a_hidden_folder_is_a_row(self, photos: Path) -> None:
        put(photos / "a.jpg")
        put(photos / ".store/b.jpg")
        (photos / "b").symlink_to(photos / ".store")
        dataset = opened(f"folder:{photos}")
        assert ids(dataset) == {"a.jpg", "b"}
        assert "not followed" in refusal(dataset, "b")

    def test_nothing_but_links_to_elsewhere_stops_with_what_to_do(self, photos: Path, tmp_path: Path) -> None:
        photos.mkdir()
        for k in range(4):
            (photos / f"{k}.jpg").symlink_to(put(tmp_path / f"blobs/{k}"))
        said = failure(f"folder:{photos}")
        assert "none of the 4 photos" in said
        assert "a link that leads outside the folder; copy them with cp -rL" in said

    def test_one_readable_photo_is_enough(self, photos: Path, tmp_path: Path) -> None:
        put(photos / "a.jpg")
        (photos / "b.jpg").symlink_to(put(tmp_path / "blob"))
        assert ids(opened(f"folder:{photos}")) == {"a.jpg", "b.jpg"}

    def test_the_folder_itself_may_be_a_link(self, photos: Path, tmp_path: Path) -> None:
        put(photos / "a.jpg")
        (tmp_path / "alias").symlink_to(photos)
        dataset = opened(f"folder:{tmp_path / 'alias'}")
        assert dataset.read(dataset.refs[0]).shape == (20, 20, 3)


class TestRunFolders:
    @pytest.mark.parametrize(
        ("name", "schema"),
        [
            ("plan.json", "unmask.plan/1"),
            ("estimates.json", "unmask.estimates/2"),
            ("video-plan.json", "unmask.video-plan/1"),
        ],
    )
    def test_photos_below_a_run_are_none(self, photos: Path, name: str, schema: str) -> None:
        put(photos / "a.jpg")
        plan_of_ours(photos / "runs/run", name, schema)
        put(photos / "runs/run/outputs/photos/blur/0/0.png")
        dataset = opened(f"folder:{photos}")
        assert ids(dataset) == {"a.jpg"}
        assert "1 folder holds a run of unmask and was passed over" in dataset.notes

    def test_a_plan_of_something_else_hides_nothing(self, photos: Path) -> None:
        put(photos / "trip/plan.json", '{"schema": "holiday/1", "days": 3}')
        put(photos / "trip/a.jpg")
        (photos / "other").mkdir()
        os.mkfifo(photos / "other/plan.json")
        put(photos / "other/b.jpg")
        assert ids(opened(f"folder:{photos}")) == {"trip/a.jpg", "other/b.jpg"}

    def test_a_run_is_no_data_set_but_a_folder_in_it_may_be(self, photos: Path) -> None:
        plan_of_ours(photos)
        put(photos / "outputs/photos/blur/0/0.png")
        assert "holds a run of unmask" in failure(f"folder:{photos}")
        assert ids(opened(f"folder:{photos / 'outputs'}")) == {"photos/blur/0/0.png"}


def test_excluded_folders_are_left_out_and_named(photos: Path) -> None:
    put(photos / "a.jpg")
    put(photos / "anonymized/a.jpg", jpeg(30))
    whole = open_dataset(f"folder:{photos}")
    left = open_dataset(f"folder:{photos}", exclude=[photos / "anonymized", photos / "nowhere"])
    assert ids(whole) == {"a.jpg", "anonymized/a.jpg"}
    assert ids(left) == {"a.jpg"}
    assert left.notes == ("1 folder holds the outputs of a method and was left out",)
    assert left.card.fingerprint != whole.card.fingerprint
    (photos / "alias").symlink_to(photos / "anonymized")
    with_alias = open_dataset(f"folder:{photos}", exclude=[photos / "anonymized"])
    assert "alias" in ids(with_alias), "a link to what was left out is no second name of something listed"


def test_outputs_beside_their_inputs_are_no_photos(photos: Path) -> None:
    beside = ["a_anonymized.jpg", "b-ANON.PNG", "blurred_a.jpg", "sub/a_defaced.jpg"]
    others = ["a.jpg", "b.jpg", "c_anonymized.jpg", "sub/a.jpg", "anon.jpg", "d.jpg", "d_anonymized.jpg"]
    for k, name in enumerate([*beside, *others]):
        put(photos / name, jpeg(20 * k))
    put(photos / "labels.csv", "file,identity\nd_anonymized.jpg,Ann\n")
    dataset = opened(f"folder:{photos}")
    assert ids(dataset) == set(others), "without its original, or with labels, such a file is a photo"
    assert "4 files left out: called as the anonymized version of another file beside it" in dataset.notes
    assert dataset.ignored == 5


def test_notes_are_one_line_each_whatever_a_folder_is_called(photos: Path) -> None:
    put(photos / "a.jpg")
    plan_of_ours(photos / "new\nline \x1b[31m")
    put(photos / "labels.csv", "file,\x1b[31mred\na.jpg,x\n")
    for note in opened(f"folder:{photos}").notes:
        assert note.isprintable()


def test_empty_folders_say_what_they_hold(photos: Path) -> None:
    put(photos / "clip.mp4", "x")
    put(photos / ".hidden.jpg")
    with pytest.raises(DataError, match=r"holds no images \(1 file was passed over.*1 \.mp4; 1 hidden file"):
        open_dataset(f"folder:{photos}")


class TestPlaces:
    def test_a_bare_path_is_told_what_to_write(self, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        put(photos / "a.jpg")
        monkeypatch.chdir(photos.parent)
        for spec in ("photos", "./photos", str(photos), "mine=photos"):
            for clips in (False, True, None):
                with pytest.raises(SpecError, match="is a folder: for its photos write folder:"):
                    open_dataset(spec, clips=clips)
        put(photos.parent / "photos.zip", "x")
        said = {
            "photos/a.jpg": "'photos/a.jpg' is not a folder; name the folder that holds the file, 'photos'",
            "photos.zip": "'photos.zip' is not a folder but an archive; unpack it",
            "./gone": "there is no './gone'; write folder:PATH",
            "gone/photos": "there is no 'gone/photos'; write folder:PATH",
        }
        for spec, message in said.items():
            with pytest.raises(SpecError, match=f"^{re.escape(message)}"):
                open_dataset(spec)
        for spec, message in {
            "folder:photos/a.jpg": "holds the file, 'photos'",
            "folder:photos.zip": "unpack it",
        }.items():
            with pytest.raises(DataError, match=message):
                open_dataset(spec)
        with pytest.raises(UnknownNameError, match="for a folder of photos write folder:PATH"):
            open_dataset("photosx")

    def test_a_path_may_begin_with_a_tilde(self, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        put(photos / "a.jpg")
        monkeypatch.setenv("HOME", str(photos.parent))
        for spec in ("folder:~/photos", "folder:path=~/photos,show_faces=true"):
            assert ids(opened(spec)) == {"a.jpg"}

    def test_a_run_and_a_data_set_may_not_lie_in_one_another(
        self, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(photos / "a.jpg")
        put(tmp_path / "orl_root/att_faces/s1/1.pgm", jpeg(form="PPM"))
        monkeypatch.chdir(photos)
        (tmp_path / "alias").symlink_to(photos)
        inside = [
            ("folder:.", Path("runs/run")),
            (f"folder:{photos}", photos),
            ("clips:.", Path("runs/video")),
            (f"folder:{photos}", tmp_path / "alias/run"),
            ("orl", tmp_path / "orl_root/att_faces/run"),
        ]
        for spec, out in inside:
            with pytest.raises(ConfigError, match=r"lies inside the folder of .*choose a folder outside"):
                refuse_nested(out, [spec], tmp_path / "orl_root")
        with pytest.raises(ConfigError, match="lies inside --out"):
            refuse_nested(tmp_path, ["demo", f"folder:{photos}"])
        refuse_nested(tmp_path / "run", ["demo", f"folder:{photos}", "clips:."])
