"""`unmask data build` from photos to files, with a detector and estimators that a test controls."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.study.training_set.fakes import INSTRUMENTS, FakeAttributes, FakeFaces
from unmask.bench.core import registry, training
from unmask.bench.core.errors import ConfigError, DataError, PlanMismatchError, SpecError, StoreError, UsageError
from unmask.bench.core.settings import validated
from unmask.bench.data import open_dataset
from unmask.bench.study.training_set import BuildSettings, Source, build, parse_source
from unmask.methods.gan.training.sets import read_training_set

FEMALE, MALE = 200, 20


class Silent:
    """Counts jobs; stops the build after some."""

    def __init__(self, stop_after: int = 10**9) -> None:
        self.labelled = self.skipped = 0
        self._stop_after, self._stage = stop_after, ""

    def start(self, stage: str, jobs: int) -> None:
        self._stage = stage

    def partly(self, units: int) -> None:
        """Not shown."""

    def done(self, job: str, *, skipped: bool, units: int = 1) -> None:
        if self._stage == "label":
            self.skipped += skipped
            self.labelled += not skipped
            if self.labelled >= self._stop_after:
                raise KeyboardInterrupt

    def end(self) -> None: ...


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    real = registry.targets
    monkeypatch.setattr(registry, "targets", lambda k: {**real(k), **(INSTRUMENTS if k == "instrument" else {})})
    monkeypatch.setattr(training, "training_faces", FakeFaces)


def write(folder: Path, photos: dict[str, tuple[int, int, int]]) -> Path:
    """Photo name -> (faces, age, blue)."""
    folder.mkdir(parents=True)
    for name, (faces, age, blue) in photos.items():
        Pillow.new("RGB", (32, 32), (faces * 50, min(age * 2, 255), blue)).save(folder / name)
    return folder


def people(count: int, age: int, blue: int, prefix: str) -> dict[str, tuple[int, int, int]]:
    return {f"{prefix}{number}.png": (1, age, blue) for number in range(count)}


def settings(*sources: tuple[Any, Path], **options: Any) -> BuildSettings:
    made = tuple(Source(part, f"folder:{path}") for part, path in sources)
    return BuildSettings(sources=made, estimator="fake-attributes", skin_estimator="fake-skin", **options)


def run(wanted: BuildSettings, out: Path, progress: Silent | None = None) -> dict[str, Any]:
    return build(wanted, out, root=None, workers=1, progress=progress or Silent())


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def contents(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_faces_are_labelled_cut_and_written(tmp_path: Path) -> None:
    photos = write(tmp_path / "in", {"a b.png": (1, 25, FEMALE), "c.png": (1, 45, MALE)})
    (photos / "labels.csv").write_text("file,identity,age,gender,race\na b.png,Ann,31,f,Indian\n")
    run(settings(("train", photos)), tmp_path / "out")
    shards = [tmp_path / "out/train/faces-000.npz"]
    faces = read_training_set(shards, shards, 0.5, ("female", "0-19", "20-29", "30-39", "40+")).faces
    assert faces.images.shape == (2, 128, 128, 3)
    assert faces.boxes.shape == (2, 4)
    lines = {line["sample"]: line for line in rows(tmp_path / "out/train/labels.csv")}
    ann = lines["a b.png"]
    assert (ann["identity"], ann["age"], ann["gender"], ann["race"]) == ("Ann", "31", "female", "Indian")
    assert (ann["label_age"], ann["label_gender"], ann["age_group"]) == ("25.00", "female", "20-29")
    with np.load(tmp_path / "out/train/faces-000.npz", allow_pickle=False) as shard:
        assert shard["attributes"].tolist() == ["female", "0-19", "20-29", "30-39", "40+"]
        by_id = dict(zip(shard["ids"].tolist(), faces.labels.tolist(), strict=True))
        picture = shard["images"][shard["ids"].tolist().index("a b.png")]
    assert by_id == {"a b.png": [1, 0, 1, 0, 0], "c.png": [0, 0, 0, 0, 1]}
    png = tmp_path / "out/train" / ann["file"]
    np.testing.assert_array_equal(np.asarray(Pillow.open(png)), picture)
    assert ann["sha256"] == hashlib.sha256(png.read_bytes()).hexdigest()
    attributes = (tmp_path / "out/train/list_attr.txt").read_text().splitlines()
    assert attributes[:2] == ["2", "female 0-19 20-29 30-39 40+"]
    assert f"{Path(ann['file']).name} 1 -1 1 -1 -1" in attributes


def test_what_is_dropped_is_counted_with_its_reason(tmp_path: Path) -> None:
    given = {"none.png": (0, 25, FEMALE), "crowd.png": (2, 25, FEMALE), "ageless.png": (1, 200, FEMALE)}
    photos = write(tmp_path / "in", {"ok.png": (1, 25, FEMALE), **given})
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff but no more")
    made = run(settings(("train", photos)), tmp_path / "out")
    (count,) = made["counts"]
    assert count["photos"] == 5
    assert count["faces"] == 1
    assert count["dropped"] == {
        "age or gender not estimated": 1,
        "cannot be decoded": 1,
        "no face found": 1,
        "several faces": 1,
    }
    assert sum(count["dropped"].values()) + count["faces"] == count["photos"]


def test_ages_between_the_groups_and_labels_of_the_data_set(tmp_path: Path) -> None:
    photos = write(tmp_path / "in", {"a.png": (1, 60, MALE), "b.png": (1, 60, MALE), "c.png": (1, 60, MALE)})
    (photos / "labels.csv").write_text("file,age,gender\na.png,25,f\nb.png,15,m\n")
    wanted = settings(("train", photos), labels="dataset", age_groups=("20-29", "40+"))
    made = run(wanted, tmp_path / "out")
    assert made["counts"][0]["dropped"] == {
        "in none of the age groups": 1,
        "the data set gives no age or no gender": 1,
    }
    (line,) = rows(tmp_path / "out/train/labels.csv")
    assert (line["label_age"], line["label_gender"], line["age_group"]) == ("25.00", "female", "20-29")
    assert made["plan"]["instruments"] == []


def test_limits_for_each_age_group_and_gender(tmp_path: Path) -> None:
    given = {**people(9, 25, FEMALE, "f"), **people(2, 25, MALE, "m"), **people(5, 50, MALE, "o")}
    photos = write(tmp_path / "in", given)
    test = write(tmp_path / "test", given)
    wanted = settings(("train", photos), ("test", test), balance=3, test_per_cell=4)
    made = run(wanted, tmp_path / "out")
    groups = made["faces"]["train"][""]
    assert groups["20-29"] == {"female": 3, "male": 2}
    assert groups["40+"] == {"female": 0, "male": 3}
    assert made["faces"]["test"][""]["20-29"] == {"female": 4, "male": 2}
    assert made["counts"][0]["over_the_limit"] == 8
    markdown = (tmp_path / "out/card.md").read_text()
    assert "| Age group | Female | Male | Summary |" in markdown
    assert "| 20-29 | 3 | 2 | 5 |" in markdown
    assert "| All | 3 | 5 | 8 |" in markdown
    chosen = {line["sample"] for line in rows(tmp_path / "out/train/labels.csv")}
    run(wanted.model_copy(update={"seed": 1}), tmp_path / "other")
    assert {line["sample"] for line in rows(tmp_path / "other/train/labels.csv")} != chosen


def test_the_test_set_is_photos_that_open_as_a_data_set_with_targets(tmp_path: Path) -> None:
    photos = write(tmp_path / "in", {"sub-a.png": (1, 25, FEMALE), "b.png": (1, 45, MALE)})
    (photos / "labels.csv").write_text("file,age,gender\nsub-a.png,33,m\n")
    run(settings(("test", photos)), tmp_path / "out")
    opened = open_dataset(f"folder:{tmp_path / 'out/test'}")
    assert len(opened.refs) == 2
    said = {ref.labels[0].age for ref in opened.refs if ref.labels}
    assert 33.0 in said
    originals = {hashlib.sha256(path.read_bytes()).hexdigest() for path in photos.glob("*.png")}
    assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "out/test/photos").iterdir()} == (
        originals
    )
    targets = (tmp_path / "out/test/targets.txt").read_text().splitlines()
    assert targets[:2] == ["2", "female 0-19 20-29 30-39 40+"]


def test_a_probability_of_one_half_is_female_in_tables_and_labels_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = {"age": np.float32([25]), "p_female": np.float32([0.5])}
    monkeypatch.setattr(FakeAttributes, "read", lambda _, faces: half)
    card = run(settings(("train", write(tmp_path / "in", people(1, 25, MALE, "m")))), tmp_path / "out")
    assert card["faces"]["train"][""]["20-29"] == {"female": 1, "male": 0}
    (line,) = rows(tmp_path / "out/train/labels.csv")
    assert (line["label_gender"], line["is_female"]) == ("female", "1")


def test_every_face_appears_in_each_tone(tmp_path: Path) -> None:
    photos = write(tmp_path / "in", {"a.png": (1, 25, FEMALE), "b.png": (1, 45, MALE), "no.png": (1, 5, MALE)})
    test = write(tmp_path / "t", {"c.png": (1, 45, MALE)})
    made = run(settings(("train", photos), ("test", test), tones=("dark", "light")), tmp_path / "out")
    with np.load(tmp_path / "out/train/faces-000.npz", allow_pickle=False) as shard:
        assert shard["attributes"].tolist() == ["female", "dark_skin", "0-19", "20-29", "30-39", "40+"]
        dark = shard["labels"][:, 1] == 1
        assert dark.sum() == 2
        assert len(dark) == 4
        assert (shard["images"][dark] == [111, 55, 55]).all()
        assert (shard["images"][~dark] == [150, 150, 150]).all()
        assert (shard["rgb"][dark] == [111, 55, 55]).all()
    # Not estimated in either tone: dropped once for each.
    assert made["counts"][0]["dropped"] == {"recolouring failed: skin not estimated": 2}
    dark_targets = (tmp_path / "out/test/targets-dark.txt").read_text().splitlines()
    light_targets = (tmp_path / "out/test/targets-light.txt").read_text().splitlines()
    assert dark_targets[1] == light_targets[1] == "female dark_skin 0-19 20-29 30-39 40+"
    assert dark_targets[2].split()[1:] == ["-1", "1", "-1", "-1", "-1", "1"]
    assert light_targets[2].split()[1:] == ["-1", "-1", "-1", "-1", "-1", "1"]
    assert "train, dark skin" in (tmp_path / "out/card.md").read_text()


def test_a_face_that_recolouring_hides_is_dropped(tmp_path: Path) -> None:
    photos = write(tmp_path / "in", {"a.png": (1, 25, FEMALE)})
    made = run(settings(("train", photos), tones=("light", "5-5-5")), tmp_path / "out")
    assert made["counts"][0]["dropped"] == {"recolouring failed: no face found any more": 1}
    assert made["counts"][0]["faces"] == 1


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Enough photos for four pieces of work."""
    return write(tmp_path / "in", {**people(150, 25, FEMALE, "f"), **people(100, 50, MALE, "m")})


def test_a_stopped_build_goes_on_and_gives_the_same_bytes(tmp_path: Path, many: Path) -> None:
    wanted = settings(("train", many), balance=20)
    run(wanted, tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        run(wanted, tmp_path / "stopped", Silent(stop_after=2))
    assert not (tmp_path / "stopped/card.json").exists()
    resumed = Silent()
    run(wanted, tmp_path / "stopped", resumed)
    assert (resumed.skipped, resumed.labelled) == (2, 2)
    assert contents(tmp_path / "straight") == contents(tmp_path / "stopped")
    again = Silent()
    run(wanted, tmp_path / "stopped", again)
    assert again.labelled == 0


def test_other_settings_do_not_mix(tmp_path: Path) -> None:
    photos = write(tmp_path / "in", {"a.png": (1, 25, FEMALE)})
    run(settings(("train", photos)), tmp_path / "out")
    with pytest.raises(PlanMismatchError, match=r"settings\.seed: 0 before, 1 now"):
        run(settings(("train", photos), seed=1), tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("x")
    with pytest.raises(ConfigError, match="not empty"):
        run(settings(("train", photos)), tmp_path / "mine")
    Pillow.new("RGB", (32, 32), (50, 60, 60)).save(photos / "new.png")
    from unmask.bench.study.training_set.labelling import open_source

    open_source.cache_clear()
    with pytest.raises(PlanMismatchError, match="sources"):
        run(settings(("train", photos)), tmp_path / "out")


@pytest.mark.parametrize("name", ["plan.json", "card.json"])
@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_damaged_set_says_what_to_do(tmp_path: Path, name: str, text: str) -> None:
    wanted = settings(("train", write(tmp_path / "in", people(1, 25, FEMALE, "f"))))
    run(wanted, tmp_path / "out")
    (tmp_path / "out" / name).write_text(text)
    with pytest.raises(StoreError, match=f"{name} .*; delete its folder and build again"):
        run(wanted, tmp_path / "out")


def test_no_path_of_this_machine_is_in_the_set(tmp_path: Path) -> None:
    photos = write(tmp_path / "in", {"a.png": (1, 25, FEMALE)})
    run(settings(("train", photos)), tmp_path / "out")
    for name in ("card.json", "card.md", "plan.json", "train/labels.csv"):
        assert str(tmp_path) not in (tmp_path / "out" / name).read_text()
    card = json.loads((tmp_path / "out/card.json").read_text())
    shard = tmp_path / "out/train/faces-000.npz"
    assert card["files"] == {"train/faces-000.npz": hashlib.sha256(shard.read_bytes()).hexdigest()}


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    photos = write(tmp_path / "in", {"a.png": (2, 25, FEMALE)})
    with pytest.raises(DataError, match=r"no photo is left.*several faces"):
        run(settings(("train", photos)), tmp_path / "out")


@pytest.mark.parametrize(
    ("text", "part", "spec"),
    [
        ("utkface:split=train", "train", "utkface:split=train"),
        ("utkface:split=test", "test", "utkface:split=test"),
        ("train=fairface:split=val", "train", "fairface:split=val"),
        ("celeba-identity", "train", "celeba-identity"),
        ("test=folder:/photos, mine", "test", "folder:/photos, mine"),
    ],
)
def test_sources_say_their_part(text: str, part: str, spec: str) -> None:
    assert parse_source(text) == Source(part, spec)  # type: ignore[arg-type]


def test_wrong_sources_and_groups_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must be train, val, test"):
        parse_source("probe=utkface")
    photos = write(tmp_path / "in", {"a.png": (1, 25, FEMALE)})
    with pytest.raises(UsageError, match="given twice"):
        run(settings(("train", photos), ("train", photos)), tmp_path / "out")
    with pytest.raises(SpecError, match="tone=green"):
        run(settings(("train", photos), tones=("green",)), tmp_path / "out")
    for groups in ((), ("old",), ("20-10",), ("0-19", "15-20"), ("40+", "50+"), ("90-105",), ("020-29",)):
        with pytest.raises(ConfigError, match="--age-groups"):
            validated(BuildSettings, {"sources": (f"folder:{photos}",), "age_groups": groups})


def test_the_command(tmp_path: Path) -> None:
    """Its options reach the build; what is wrong comes back as an error."""
    from typer.testing import CliRunner

    from unmask.bench.cli.data import app

    photos = write(tmp_path / "in", {"a.png": (1, 25, FEMALE), "b.png": (1, 45, MALE)})

    def call(*arguments: str, kind: str = "diverse-faces") -> Any:
        base = ("build", kind, "--from", f"folder:{photos}", "--estimator", "fake-attributes")
        return CliRunner().invoke(app, [*base, *arguments])

    result = call("--out", str(tmp_path / "out"), "--age-groups", "0-29,30+", "--no-images")
    assert result.exit_code == 0, result.output
    assert "| 0-29 | 1 | 0 | 1 |" in result.output
    assert not (tmp_path / "out/train/images").exists()
    assert isinstance(call("--out", str(tmp_path / "x"), "--labels", "guess").exception, UsageError)
    toned = call("--out", str(tmp_path / "toned"), "--tone", "light", "--passes", "2", kind="diverse-faces-skin")
    assert isinstance(toned.exception, DataError)  # of flat colours the real estimator of skin says nothing
    options = json.loads((tmp_path / "toned/plan.json").read_text())["settings"]
    assert (options["tones"], options["passes"], options["recolour"]) == (["light"], 2, "skin")
    assert options["age_groups"] == ["0-19", "20-29", "30-39", "40+"]
    wrong = call("--out", str(tmp_path / "x"), "--recolour", "hair", kind="diverse-faces-skin")
    assert isinstance(wrong.exception, UsageError)
