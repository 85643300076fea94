"""UCF-Crime in made-up copies: names, lists, the thesis's selection."""

from __future__ import annotations

from pathlib import Path

import pytest

from unmask.bench.core.errors import DataError, SpecError
from unmask.bench.data import Dataset, open_dataset
from unmask.bench.data.readers import ucf_crime
from unmask.bench.data.readers.ucf_crime import clip_id


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNMASK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A copy as the archives unpack: classes in parts, the second half beside them, and the lists."""
    base = tmp_path / "Anomaly-Detection-Dataset"
    for name in (
        "Anomaly-Videos-Part-1/Abuse/Abuse001_x264.mp4",
        "Anomaly-Videos-Part-1/Abuse/Abuse028_x264.mp4",
        "Anomaly-Videos-Part-1/Assault/Assault010_x264.mp4",
        "Testing_Normal_Videos_Anomaly/Normal_Videos_003_x264.mp4",
        "Training-Normal-Videos-Part-1/Normal_Videos001_x264.mp4",
        "Training-Normal-Videos-Part-1/Normal_Videos308_3_x264.mp4",
        "Normal_Videos_for_Event_Recognition/Normal_Videos_003_x264.mp4",
        "elsewhere/holiday.mp4",
        "readme.txt",
    ):
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text(name)
    (base / "Anomaly_Train.txt").write_text(
        "Abuse/Abuse001_x264.mp4\nTraining_Normal_Videos_Anomaly/Normal_Videos001_x264.mp4\n\n"
    )
    (base / "Anomaly_Test.txt").write_text(
        "Abuse/Abuse028_x264.mp4\nTesting_Normal_Videos_Anomaly/Normal_Videos_003_x264.mp4\n"
    )
    (base / "Temporal_Anomaly_Annotation.txt").write_text(
        "Abuse028_x264.mp4  Abuse  165  240  -1  -1  \n"
        "Assault010_x264.mp4  Assault  11330  11680  12260  12930  \n"
        "Normal_Videos_003_x264.mp4  Normal  -1  -1  -1  -1  \n"
    )
    return base


def opened(base: Path, split: str = "all") -> Dataset:
    return open_dataset(f"ucf-crime:split={split}", clips=True, root=base.parent)


def failure(base: Path, split: str) -> str:
    with pytest.raises(DataError) as caught:
        opened(base, split)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_ids_are_the_lists_own_wherever_clips_lie(base: Path) -> None:
    clips = opened(base)
    assert [(ref.id, ref.group) for ref in clips.refs] == [
        ("Abuse/Abuse001_x264.mp4", "anomaly"),
        ("Abuse/Abuse028_x264.mp4", "anomaly"),
        ("Assault/Assault010_x264.mp4", "anomaly"),
        ("Testing_Normal_Videos_Anomaly/Normal_Videos_003_x264.mp4", "normal"),
        ("Training_Normal_Videos_Anomaly/Normal_Videos001_x264.mp4", "normal"),
        ("Training_Normal_Videos_Anomaly/Normal_Videos308_3_x264.mp4", "normal"),
    ]
    assert clips.ignored == 6  # the repeated clip, the foreign one, the texts
    assert clips.path(clips.refs[0]).is_file()


@pytest.mark.parametrize(
    ("split", "names"),
    [("train", ["Abuse001", "Normal_Videos001"]), ("test", ["Abuse028", "Normal_Videos_003"])],
)
def test_splits_by_the_lists(base: Path, split: str, names: list[str]) -> None:
    clips = opened(base, split)
    assert [Path(ref.id).name.removesuffix("_x264.mp4") for ref in clips.refs] == names
    assert clips.card.revision == f"2018, split {split}"


def test_without_the_list_the_annotation_names_the_test_clips(base: Path) -> None:
    (base / "Anomaly_Test.txt").unlink()
    assert len(opened(base, "test").refs) == 3
    (base / "Temporal_Anomaly_Annotation.txt").write_text("Abuse028_x264.mp4  Abuse  165  240  -1  -1\nholiday 1 2\n")
    assert "line 2" in failure(base, "test")
    (base / "Temporal_Anomaly_Annotation.txt").unlink()
    assert "Anomaly_Test.txt' is missing" in failure(base, "test")
    (base / "Anomaly_Train.txt").unlink()
    assert "Anomaly_Train.txt' is missing" in failure(base, "train")


def test_selected_clips_that_are_missing(base: Path) -> None:
    with (base / "Anomaly_Test.txt").open("a") as file:
        file.write("Arson/Arson009_x264.mp4\n")
    said = failure(base, "test")
    assert "1 of the 3 clips" in said
    assert "Arson/Arson009_x264.mp4" in said
    assert "split=all" in said
    assert "of the 70 clips of ucf-crime:split=thesis" in failure(base, "thesis")


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("Anomaly_Test.txt", "Abuse/Abuse028_x264.mp4\n../../etc/passwd\n", "line 2"),
        ("Anomaly_Test.txt", "\n", "names no clip"),
    ],
)
def test_lists_that_make_no_sense(base: Path, file: str, text: str, said: str) -> None:
    (base / file).write_text(text)
    assert said in failure(base, "test")


def test_a_split_that_is_none(base: Path) -> None:
    with pytest.raises(SpecError, match="train, test, thesis"):
        opened(base, "val")


class TestThesis:
    def test_the_selection(self, base: Path) -> None:
        for name in ucf_crime.THESIS_CLIPS:
            path = base / "all" / Path(name).name
            path.parent.mkdir(exist_ok=True)
            path.write_text(name)
        clips = opened(base, "thesis")
        assert [sum(ref.group == group for ref in clips.refs) for group in ("normal", "anomaly")] == [50, 20]
        assert {ref.id for ref in clips.refs} == set(ucf_crime.THESIS_CLIPS)
        assert clips.notes == ucf_crime.THESIS_NOTES
        assert any("not named" in note for note in clips.notes)
        assert open_dataset("ucf-crime", clips=True, root=base.parent).split == "thesis"

    def test_the_names_printed_are_the_ends_of_fifty(self) -> None:
        """What the deduction of the thirty between rests on."""
        every = sorted(ucf_crime.NORMAL_PRINTED + ucf_crime.NORMAL_BETWEEN)
        assert len(set(every)) == 50
        assert (*every[:10], *every[-10:]) == ucf_crime.NORMAL_PRINTED
        assert all(clip_id(Path(name).name) == name for name in ucf_crime.THESIS_CLIPS)

    def test_rows_of_the_tables(self) -> None:
        names = set(ucf_crime.THESIS_CLIPS)
        for row in ("Abuse/Abuse001", "Abuse/Abuse010", "Assault/Assault004", "Assault/Assault013"):
            assert f"{row}_x264.mp4" in names
        for number in ("003", "365", "452"):
            assert f"Testing_Normal_Videos_Anomaly/Normal_Videos_{number}_x264.mp4" in names
