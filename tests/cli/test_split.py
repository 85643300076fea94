"""``unmask split export`` as a person uses it."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags
from PIL import Image as Pillow
from typer.testing import CliRunner, Result

from unmask.bench.cli.split import app
from unmask.bench.core.errors import ConfigError, DataError
from unmask.bench.core.images import decode_image
from unmask.bench.core.split import NAMES, PARTS, SPLIT
from unmask.bench.data import open_dataset
from unmask.bench.run.planning import plan as planning
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.run.planning.plan import make_plan


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNMASK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("UNMASK_DATA", raising=False)


def photos(folder: Path, people: str) -> str:
    """A folder of two photos each; SPEC."""
    folder.mkdir(parents=True)
    lines = ["file,identity"]
    for name in people:
        for k in range(2):
            noise = np.random.default_rng([ord(name), k]).integers(0, 255, (24, 32, 3), dtype=np.uint8)
            tags = Pillow.Exif()
            tags[ExifTags.Base.Artist] = f"person {name}"
            tags[ExifTags.Base.Orientation] = 6 if k else 1
            Pillow.fromarray(noise).save(folder / f"{name}_{k}.jpg", exif=tags)
            lines.append(f"{name}_{k}.jpg,{name}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return f"folder:{folder}"


def export(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def done(*arguments: object) -> str:
    result = export(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def read(out: Path, name: str = SPLIT) -> Any:
    return json.loads((out / name).read_text())


def contents(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def test_all_that_an_audit_needs_is_written_under_names_that_tell_nothing(tmp_path: Path) -> None:
    data, others = photos(tmp_path / "in", "abc"), photos(tmp_path / "others", "xyz")
    out = tmp_path / "split"
    said = done("--dataset", data, "--background", others, "--out", out)
    files = contents(out)
    assert {name.split("/")[0] for name in files} == {*PARTS, SPLIT, NAMES, "README.txt"}
    split, names = read(out), read(out, NAMES)
    assert split["schema"] == "unmask.split/1"
    assert "Not for the anonymizer" in names["note"]
    assert len({file["name"] for file in split["files"]}) == len(split["files"]) == 18
    for part, spec in (("tested", data), ("enrolment", data), ("background", others)):
        dataset = open_dataset(spec)
        listed = [file for file in split["files"] if file["part"] == part]
        assert f"{out / part}: 6 photos" in said
        assert sorted(names["names"][file["name"]] for file in listed) == sorted(ref.id for ref in dataset.refs)
        for file in listed:
            written = files[f"{part}/{file['name']}"]
            original = dataset.store.read(names["names"][file["name"]])
            assert hashlib.sha256(written).hexdigest() == file["sha256"]
            assert hashlib.sha256(original).hexdigest() == file["original_sha256"]
            assert b"person" not in written
            lying = np.asarray(Pillow.open(io.BytesIO(written)))
            np.testing.assert_array_equal(lying, decode_image(original, ""), "upright, whoever reads it")
    assert "in/" not in json.dumps(split)
    orders = [
        [names["names"][file["name"]] for file in split["files"] if file["part"] == part]
        for part in ("tested", "enrolment")
    ]
    assert orders[0] != sorted(orders[0])
    assert orders[0] != orders[1]
    assert {int(path.stat().st_mtime) for part in PARTS for path in (out / part).iterdir()} == {315_532_800}
    assert f"--background {others}" in files["README.txt"].decode()


def test_the_same_options_give_the_same_bytes(tmp_path: Path) -> None:
    data, others = photos(tmp_path / "in", "abc"), photos(tmp_path / "others", "xyz")
    for name in ("one", "two"):
        done("-d", data, "--background", others, "-o", tmp_path / name)
    one, two = (contents(tmp_path / name) for name in ("one", "two"))
    for each in (one, two):
        each.pop("README.txt")  # names the folder
    assert one == two


def test_people_and_photos_are_those_of_a_run_with_the_same_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "QUICK_PHOTOS", 5)
    data, others = photos(tmp_path / "in", "abcdef"), photos(tmp_path / "others", "uvwxyz")
    for audit, limit, counts in (("quick", None, (12, 5)), ("full", None, (12, 12)), ("full", 4, (4, 4))):
        out = tmp_path / f"{audit}{limit}"
        options = ["--limit", limit] if limit else []
        done("-d", data, "--background", others, "--audit", audit, "-o", out, *options)
        config = RunConfig(
            datasets=(data,), methods=("none",), metrics=("audit",), background=(others,), audit=audit, limit=limit
        )
        plan = make_plan(config)
        names, files = read(out, NAMES)["names"], read(out)["files"]
        for part, entry, count in (("tested", plan.datasets[0], counts[0]), ("background", plan.others[0], counts[1])):
            written = {names[file["name"]] for file in files if file["part"] == part}
            assert written == set(entry.samples)
            assert len(written) == count
        assert [source["card"]["fingerprint"] for source in read(out)["sources"]] == [
            entry.card.fingerprint for entry in (*plan.datasets, *plan.others)
        ]


def test_without_other_people_it_says_that_nobody_will_learn(tmp_path: Path) -> None:
    out = tmp_path / "split"
    assert "attackers who learn cannot be tried" in done("-d", photos(tmp_path / "in", "abc"), "-o", out)
    assert not (out / "background").exists()
    text = (out / "README.txt").read_text()
    assert "attackers who learn\ncannot be tried" in text
    assert "background=" not in text


def test_photos_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    data = photos(tmp_path / "in", "abc")
    (tmp_path / "in/broken.jpg").write_bytes(b"\xff\xd8 no picture")
    out = tmp_path / "split"
    assert "not written, since unreadable: 1 photo" in done("-d", data, "-o", out)
    (source,) = read(out)["sources"]
    assert (source["photos"], source["unreadable"]) == (7, 1)
    assert len(read(out)["files"]) == 12


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    data = photos(tmp_path / "in", "abc")
    full = tmp_path / "full"
    full.mkdir()
    (full / "something").touch()

    def refusal(*arguments: object) -> BaseException | None:
        return export(*arguments).exception

    assert "is not an empty folder" in str(refusal("-d", data, "-o", full))
    assert isinstance(refusal("-d", data, "-o", tmp_path / "in/split"), ConfigError)
    shared = photos(tmp_path / "others", "cxyz")
    assert isinstance(refusal("-d", data, "--background", shared, "-o", tmp_path / "a"), DataError)
    one, two = (photos(tmp_path / f"twice{k}/in", "xyz") for k in range(2))
    text = str(refusal("-d", data, "--background", f"p={one}", "--background", f"q={two}", "-o", tmp_path / "b"))
    assert "6 names of photos are in two of the backgrounds" in text
    assert "Invalid value for '--audit'" in export("-d", data, "--audit", "none", "-o", tmp_path / "c").output
    assert not (tmp_path / "a").exists()
