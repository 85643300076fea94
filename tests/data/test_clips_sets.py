"""Sets of clips through `open_dataset`: folders in each layout, hostile ones too, and the sets that we have."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.data.clips_made import make_clip, pictures
from unmask.bench.core.errors import DataError, SpecError, UnknownNameError, VideoError
from unmask.bench.data import Dataset, open_dataset
from unmask.bench.data.catalog import find_entry
from unmask.bench.data.demo import load_demo
from unmask.bench.data.media import VideoReader
from unmask.bench.data.upkeep import verify_dataset


@pytest.fixture(autouse=True)
def _own_cache(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.node.get_closest_marker("weights"):
        monkeypatch.setenv("UNMASK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("UNMASK_DATA", raising=False)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "made.mp4", pictures(3))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "clips").mkdir()
    return tmp_path / "clips"


def ids(clips: Dataset) -> list[str]:
    return [ref.id for ref in clips.refs]


def put(clip: Path, *targets: Path) -> None:
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(clip, target)


def failure(spec: str, root: Path | None = None) -> str:
    with pytest.raises(DataError) as caught:
        open_dataset(spec, clips=True, root=root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestAnyFolder:
    def test_deep_in_natural_order_with_the_rest_counted(self, folder: Path, clip: Path) -> None:
        put(clip, *(folder / name for name in ("b/clip10.MP4", "b/clip2.mp4", "a.avi", ".hidden.mp4", ".git/x.mp4")))
        (folder / "notes.txt").write_text("x")
        for name in ("broken.mov", "disc.VOB", "flash.f4v"):
            (folder / name).write_bytes(b"")
        clips = open_dataset(f"clips:{folder}", clips=True)
        assert ids(clips) == ["a.avi", "b/clip2.mp4", "b/clip10.MP4", "broken.mov", "disc.VOB", "flash.f4v"]
        assert clips.ignored == 3
        assert clips.path(clips.refs[1]) == folder / "b/clip2.mp4"
        assert clips.truths.get(clips.refs[0].id) is None

    def test_outputs_inside_the_folder_are_left_out_and_said(self, folder: Path, clip: Path) -> None:
        put(clip, folder / "a.mp4", folder / "done/a.mp4")
        clips = open_dataset(f"clips:{folder}", clips=True, exclude=[folder / "done"])
        assert ids(clips) == ["a.mp4"]
        assert clips.notes == ("1 folder holds the outputs of a method and was left out",)

    def test_broken_files_stay_and_say_why_when_read(self, folder: Path) -> None:
        (folder / "a.mp4").write_bytes(b"")
        clips = open_dataset(f"clips:{folder}", clips=True)
        with pytest.raises(VideoError, match="empty file"):
            VideoReader(clips.path(clips.refs[0]))

    def test_odd_names(self, folder: Path, clip: Path) -> None:
        names = ["ü漢字🎥.mp4", "a b.mp4", "new\nline.mp4", os.fsdecode(b"caf\xe9.mp4"), "a:b.mp4"]
        put(clip, *(folder / name for name in names))
        clips = open_dataset(f"clips:{folder}", clips=True)
        assert "caf\\xe9.mp4" in ids(clips)
        for ref in clips.refs:
            assert len(list(VideoReader(clips.path(ref)))) == 3
            ref.id.encode()

    def test_links_that_lead_out_are_rows_not_clips(self, folder: Path, clip: Path) -> None:
        (folder / "out.mp4").symlink_to(clip)
        (folder / "nowhere.mp4").symlink_to(folder / "gone.mp4")
        put(clip, folder / "in.mp4")
        (folder / "alias.mp4").symlink_to(folder / "in.mp4")
        (folder / "linked").symlink_to(clip.parent)
        (folder / "disc.ifo").write_bytes(b"x")
        clips = open_dataset(f"clips:{folder}", clips=True)
        assert ids(clips) == ["alias.mp4", "in.mp4", "linked", "nowhere.mp4", "out.mp4"]
        assert clips.notes[0] == "1 file was passed over, which cannot be read as clips: 1 .ifo"
        assert clips.notes[1].startswith("1 linked folder was not followed")
        states = {ref.id: ref.digest.split(":")[0] for ref in clips.refs}
        unusable = dict.fromkeys(("linked", "nowhere.mp4", "out.mp4"), "none")
        assert states == {"alias.mp4": "sha256", "in.mp4": "sha256", **unusable}
        for k in (2, 4):
            with pytest.raises(VideoError, match="leads outside"):
                clips.path(clips.refs[k])

    def test_what_is_no_folder_of_clips(self, folder: Path, clip: Path) -> None:
        assert "holds no clips" in failure(f"clips:{folder}")
        (folder / "photo.jpg").write_bytes(b"x")
        assert "1 file was passed over, which cannot be read as clips: 1 .jpg" in failure(f"clips:{folder}")
        assert "does not exist" in failure(f"clips:{folder / 'gone'}")
        assert "is not a folder" in failure(f"clips:{clip}")
        for spec in ("clips", "clips:split=all"):
            with pytest.raises(SpecError, match="clips:PATH"):
                open_dataset(spec, clips=True)
        with pytest.raises(SpecError, match="takes: split"):
            open_dataset(f"clips:path={folder},colour=red", clips=True)

    def test_faces_are_shown_only_where_the_user_says_so(self, folder: Path, clip: Path) -> None:
        put(clip, folder / "a.mp4")
        assert not open_dataset(f"clips:{folder}", clips=True).card.show_faces
        assert open_dataset(f"clips:path={folder},show_faces=true", clips=True).card.show_faces

    def test_the_fingerprint_is_of_the_data_not_the_place(self, folder: Path, clip: Path, tmp_path: Path) -> None:
        put(clip, folder / "a.mp4", folder / "b.mp4", tmp_path / "other/a.mp4", tmp_path / "other/b.mp4")
        first = open_dataset(f"clips:{folder}", clips=True).card.fingerprint
        assert open_dataset(f"clips:{tmp_path / 'other'}", clips=True).card.fingerprint == first
        make_clip(tmp_path / "other/b.mp4", pictures(4))
        assert open_dataset(f"clips:{tmp_path / 'other'}", clips=True).card.fingerprint != first


class TestImagesAndClipsAreToldApart:
    def test_each_sends_to_the_other(self, folder: Path) -> None:
        assert "unmask run" in failure("lfw")
        assert "unmask run" in failure(f"folder:{folder}")
        for name in ("pets2009", f"clips:{folder}", "demo-clips"):
            with pytest.raises(DataError, match="is a set of clips; use: unmask video"):
                open_dataset(name)
        with pytest.raises(UnknownNameError, match="pets2009"):
            open_dataset("pets2008", clips=True)

    def test_what_is_not_here_says_how_to_get_it(self, folder: Path) -> None:
        assert "How to get it" in failure("pets2009", folder)


class TestPets2009:
    @pytest.fixture
    def root(self, tmp_path: Path, clip: Path) -> Path:
        put(clip, tmp_path / "root/pets2009_s2l1/vtest.avi")
        (tmp_path / "root/pets2009_s2l1/gt.txt").write_text("1,9,499.2,157.69,31.03,75.17,1,1,1.0\n")
        return tmp_path / "root"

    def test_clip_and_truth(self, root: Path) -> None:
        clips = open_dataset("pets2009", clips=True, root=root)
        truth = clips.truths.get(clips.refs[0].id)
        assert truth is not None
        assert (truth.frame.tolist(), truth.track.tolist()) == ([0], [9])

    def test_without_truth_or_with_a_bad_line(self, root: Path) -> None:
        (root / "pets2009_s2l1/gt.txt").write_text("1,9,1,2,3,4,1,1,1\n2,9,1,2,3,x,1,1,1\n")
        assert "line 2" in failure("pets2009", root)
        (root / "pets2009_s2l1/gt.txt").unlink()
        assert "gt.txt' is missing" in failure("pets2009", root)

    def test_the_truth_is_part_of_the_fingerprint(self, root: Path) -> None:
        before = open_dataset("pets2009", clips=True, root=root).card.fingerprint
        (root / "pets2009_s2l1/gt.txt").write_text("1,9,499.2,157.69,31.03,75.18,1,1,1.0\n")
        assert open_dataset("pets2009", clips=True, root=root).card.fingerprint != before

    @pytest.mark.data
    def test_the_copy_we_have(self, shared_data: Path) -> None:
        clips = open_dataset("pets2009", clips=True, root=shared_data)
        truth = clips.truths.get(clips.refs[0].id)
        assert truth is not None
        assert (len(truth), truth.people, int(truth.frame.max())) == (4650, 19, 794)
        lines = (shared_data / "pets2009_s2l1/gt.txt").read_text().splitlines()
        for line, frame, track, box in zip(lines, truth.frame, truth.track, truth.box, strict=False):
            cells = [float(cell) for cell in line.split(",")]
            assert (frame, track) == (cells[0] - 1, cells[1])
            assert box == pytest.approx(cells[2:6], abs=1e-3)
        assert {c.state for c in verify_dataset(find_entry("pets2009"), root=shared_data)} == {"ok"}


class TestFights:
    @pytest.fixture
    def root(self, tmp_path: Path, clip: Path) -> Path:
        base = tmp_path / "root/surv_fight"
        put(clip, base / "fight/fi002.mp4", base / "noFight/nofi001.mp4")
        (base / "labels.csv").write_text(
            "file,label,frames\nfight/fi002.mp4,fight,3\nnoFight/nofi001.mp4,noFight,3\nfight/fi010.mp4,fight,3\n"
        )
        return tmp_path / "root"

    def test_groups_and_files_that_are_not_there(self, root: Path) -> None:
        clips = open_dataset("surv-fight", clips=True, root=root)
        assert [(ref.id, ref.group) for ref in clips.refs] == [
            ("fight/fi002.mp4", "fight"),
            ("fight/fi010.mp4", "fight"),
            ("noFight/nofi001.mp4", "noFight"),
        ]
        with pytest.raises(VideoError, match="no such file"):
            clips.path(clips.refs[1])
        assert clips.refs[1].digest.startswith("none:")

    def test_without_labels_the_folders_say_it(self, root: Path) -> None:
        (root / "surv_fight/labels.csv").unlink()
        assert [ref.group for ref in open_dataset("surv-fight", clips=True, root=root).refs] == ["fight", "noFight"]

    @pytest.mark.parametrize(
        "row", ["fight/fi002.mp4,brawl,1", "../x.mp4,fight,1", "fight/fi002.mp4,fight,1", ",fight,1"]
    )
    def test_labels_that_make_no_sense(self, root: Path, row: str) -> None:
        with (root / "surv_fight/labels.csv").open("a") as file:
            file.write(row + "\n")
        assert "line 5" in failure("surv-fight", root)

    @pytest.mark.data
    def test_the_copy_we_have(self, shared_data: Path) -> None:
        clips = open_dataset("surv-fight", clips=True, root=shared_data)
        assert [sum(ref.group == g for ref in clips.refs) for g in ("fight", "noFight")] == [38, 38]
        assert {c.state for c in verify_dataset(find_entry("surv-fight"), root=shared_data)} == {"ok"}


@pytest.mark.data
def test_intel_sample_videos(shared_data: Path) -> None:
    clips = open_dataset("intel-sample-videos", clips=True, root=shared_data)
    assert [ref.id.rpartition(".")[2] for ref in clips.refs] == ["gif", "gif", "gif", "mp4", "gif"]
    checks = list(verify_dataset(find_entry("intel-sample-videos"), root=shared_data, decode=True))
    assert {check.state for check in checks} == {"ok"}


class TestMotChallenge:
    @pytest.fixture
    def root(self, tmp_path: Path, clip: Path) -> Path:
        root = tmp_path / "MOT"
        for name, truth in (
            ("train/MOT-02", "1,1,5,6,7,8,1,1,1\n1,2,5,6,7,8,0,1,1\n2,3,5,6,7,8,1,3,1\n"),
            ("test/T-1", ""),
        ):
            (root / name / "img1").mkdir(parents=True)
            for k, image in enumerate(pictures(4), start=1):
                Pillow.fromarray(image).save(root / name / f"img1/{k:06d}.png")
            (root / name / "seqinfo.ini").write_text("[Sequence]\nframeRate=30\nseqLength=4\n")
            if truth:
                (root / name / "gt").mkdir()
                (root / name / "gt/gt.txt").write_text(truth)
        put(clip, root / "train/film/film.mp4")
        (root / "train/film/gt.txt").write_text("3,1,5,6,7,8,1,-1,-1,-1\n")
        return root

    def test_sequences_of_images_and_videos(self, root: Path) -> None:
        clips = open_dataset(f"motchallenge:{root}", clips=True)
        assert ids(clips) == ["test/T-1", "train/MOT-02", "train/film/film.mp4"]
        truths = [clips.truths.get(ref.id) for ref in clips.refs]
        assert truths[0] is None
        assert [len(truth) for truth in truths if truth is not None] == [1, 1]
        assert clips.notes == (
            "1 of 3 sequences have no gt.txt.",
            "2 files are copies of one another, byte for byte: 1 clip",
        )
        reader = VideoReader(clips.path(clips.refs[1]))
        assert all(map(np.array_equal, (frame.image for frame in reader), pictures(4)))
        assert reader.info.rate == 30

    def test_one_sequence_by_itself(self, root: Path) -> None:
        assert ids(open_dataset(f"motchallenge:{root / 'train/MOT-02'}", clips=True)) == ["MOT-02"]

    def test_each_image_counts_in_the_fingerprint(self, root: Path) -> None:
        before = open_dataset(f"motchallenge:{root}", clips=True).refs[1].digest
        Pillow.new("RGB", (64, 48)).save(root / "train/MOT-02/img1/000002.png")
        assert open_dataset(f"motchallenge:{root}", clips=True).refs[1].digest != before

    def test_a_sequence_that_cannot_be_read_stays(self, root: Path) -> None:
        (root / "train/MOT-02/img1/000002.png").unlink()
        ref = open_dataset(f"motchallenge:{root}", clips=True).refs[1]
        assert ref.digest == "none:image 2 is missing"

    @pytest.mark.parametrize("first", [0, 301])
    def test_images_that_are_not_numbered_from_1(self, root: Path, first: int) -> None:
        place = root / "train/MOT-02/img1"
        for image in sorted(place.iterdir(), reverse=first > 1):
            image.rename(place / f"{int(image.stem) + first - 1:06d}.png")
        said = f"gt.txt, line 1: frame 1 may be image 1 or image {first}"
        assert said in failure(f"motchallenge:{root}")
        (root / "train/MOT-02/gt/gt.txt").unlink()
        assert len(ids(open_dataset(f"motchallenge:{root}", clips=True))) == 3, (
            "without annotation numbers do not matter"
        )

    def test_frames_beyond_the_last_image(self, root: Path) -> None:
        (root / "train/MOT-02/gt/gt.txt").write_text("1,1,5,6,7,8,1,1,1\n5,1,5,6,7,8,1,1,1\n")
        assert "gt.txt, line 2: frame 5 of a clip of 4 images" in failure(f"motchallenge:{root}")

    def test_what_is_none(self, root: Path, clip: Path, folder: Path) -> None:
        assert "holds no sequence" in failure(f"motchallenge:{folder}")
        put(clip, root / "train/film/second.mp4")
        assert "2 videos and one gt.txt" in failure(f"motchallenge:{root}")


class TestDemoClips:
    def test_pinned_once(self) -> None:
        demo = load_demo(clips=True)
        assert {clip.package for clip in demo.clips} == set(demo.packages)
        assert len({clip.sha256 for clip in demo.clips}) == len(demo.clips)
        assert sum(clip.frames for clip in demo.clips) < 400

    @pytest.mark.weights
    def test_they_are_what_the_list_says(self) -> None:
        demo = load_demo(clips=True)
        if not demo.is_here:
            pytest.skip("the demo clips are not fetched; run: unmask data fetch demo-clips")
        clips = open_dataset("demo-clips", clips=True)
        assert not clips.card.show_faces
        counts = {ref.id: len(list(VideoReader(clips.path(ref)))) for ref in clips.refs}
        assert counts == {clip.id: clip.frames for clip in demo.clips}
