"""datasets.toml and demo.toml: complete, consistent, and clear when they are not."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unmask.bench.core.errors import ConfigError, UnknownNameError
from unmask.bench.core.registry import load
from unmask.bench.data import demo as demo_module
from unmask.bench.data import open_dataset
from unmask.bench.data.catalog import LocalSource, dataset_names, find_entry, parse_catalog
from unmask.bench.data.demo import load_demo

MINIMAL = """
[x]
title = "X"
revision = "1"
licence = "none"
citation = "-"
roles = ["probe"]
layout = "folder"
show_faces = false
how_to_get = "ask"
"""


def test_every_promised_entry_is_there_and_says_what_it_must() -> None:
    catalog = {name: find_entry(name) for name in dataset_names()}
    images = {"demo", "lfw", "utkface", "celeba-identity", "orl", "fairface", "fdf", "folder"}
    clips = {"demo-clips", "pets2009", "surv-fight", "intel-sample-videos", "ucf-crime", "clips", "motchallenge"}
    assert {name for name, entry in catalog.items() if not entry.clips} == images
    assert {name for name, entry in catalog.items() if entry.clips} == clips
    for name, entry in catalog.items():
        assert entry.name == name
        assert entry.from_packages or callable(load("clip_layout" if entry.clips else "layout", entry.layout))
        for text in (entry.title, entry.licence, entry.citation, entry.how_to_get, entry.notes):
            assert text == text.strip() != ""
            assert "\n" not in text
        assert entry.roles
        assert entry.sources or entry.by_path
        if "calibrate" in entry.roles and name != "folder":
            assert entry.splits == "halves"


def test_only_licences_that_allow_it_show_faces() -> None:
    assert {name for name in dataset_names() if find_entry(name).show_faces} == {"fairface"}


def test_paths_of_sources_stay_below_the_root() -> None:
    for entry in map(find_entry, dataset_names()):
        for source in entry.sources:
            if isinstance(source, LocalSource):
                for path in (source.path, source.labels, source.attributes):
                    assert not path.startswith("/")
                    assert ".." not in path.split("/")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[x", "not valid TOML"),
        ("x = 3", r"\[x\]"),
        (MINIMAL.replace("licence", "license"), "licence"),
        (MINIMAL.replace('"probe"', '"test"'), "roles"),
        (MINIMAL.replace('"folder"', '"tape"'), "layout"),
        (MINIMAL + 'default_split = "val"', "default_split"),
        (MINIMAL + 'sources = [{ kind = "ftp" }]', "sources"),
        (MINIMAL + 'sources = [{ kind = "https", urls = [], sha256 = "", path = "x" }]', "urls"),
        (MINIMAL + 'sources = [{ kind = "local", path = "x", sha256 = "abc" }]', "sha256"),
    ],
)
def test_mistakes_are_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        parse_catalog(text, "datasets.toml")
    assert "\n" not in str(caught.value)


def test_a_minimal_entry_is_enough() -> None:
    assert parse_catalog(MINIMAL, "x")["x"].default_split == "all"


def test_unknown_names_suggest_near_ones() -> None:
    with pytest.raises(UnknownNameError, match="celeba-identity"):
        find_entry("celeba")


def test_the_catalogue_needs_no_network_and_no_torch() -> None:
    code = (
        "import socket, sys\n"
        "socket.socket.connect = lambda *a: sys.exit('network')\n"
        "import unmask.bench.data.catalog as c, bench.data\n"
        "assert c.dataset_names()\n"
        "assert not {'torch', 'cv2', 'onnxruntime', 'unearth'} & set(sys.modules), 'heavy import'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class TestDemo:
    def test_numbers(self) -> None:
        demo = load_demo()
        counts = find_entry("demo").sources[0].counts
        assert len(demo.photos) == counts.images
        seen = Counter(name for photo in demo.photos for name in {person.identity for person in photo.people})
        assert len(seen) == counts.people
        assert sum(count >= 2 for count in seen.values()) >= 8
        assert 50 <= sum(photo.faces for photo in demo.photos) <= 80

    def test_photos_are_pinned_once_and_labelled_unambiguously(self) -> None:
        demo = load_demo()
        files = {file.key: file for file in demo.pinned}
        assert len({photo.id for photo in demo.photos}) == len(demo.photos)
        assert len({photo.sha256 for photo in demo.photos}) == len(demo.photos)
        assert {photo.package for photo in demo.photos} == set(demo.packages)
        for photo in demo.photos:
            file = files[photo.id]
            assert file.member.endswith(f"/{photo.file}")
            assert len(photo.people) <= photo.faces
            if photo.faces > 1:
                assert all(person.at is not None for person in photo.people), photo.id
            assert all(person.identity for person in photo.people)
            assert all(person.age is None or 0 <= person.age <= 130 for person in photo.people)
        listed = tomllib.loads(Path(str(demo_module.__file__)).with_name("demo.toml").read_text("utf-8"))["photos"]
        assert {key for photo in listed for person in photo.get("people", ()) for key in person} <= {
            *("identity", "age", "gender", "at")
        }

    def test_nobody_is_calibrated_on(self) -> None:
        """People with a public name here who are in LFW, under LFW's spelling."""
        everybody = {person.identity for photo in load_demo().photos for person in photo.people}
        spelled = {
            "tom-hanks": "Tom_Hanks",
            "george-clooney": "George_Clooney",
            "nicolas-cage": "Nicolas_Cage",
            "joe-biden": "Joseph_Biden",
            "the-queen": "Queen_Elizabeth_II",
            "terminator": "Arnold_Schwarzenegger",
        }
        assert set(spelled) <= everybody
        assert set(spelled.values()) == set(find_entry("lfw").probe_people)

    def test_the_quick_ones_show_many_people_and_some_of_them_twice(self) -> None:
        quick = [photo for photo in load_demo().photos if photo.quick]
        seen = Counter(person.identity for photo in quick for person in photo.people)
        assert len(quick) <= 14
        assert len(seen) >= 12
        assert sum(count >= 2 for count in seen.values()) >= 4

    @pytest.mark.weights
    def test_the_judge_finds_every_face_and_every_label_its_face(self, open_instrument: Callable[[str], Any]) -> None:
        demo = load_demo()
        if not demo.is_here:
            pytest.skip("the demo photos are not fetched; run: unmask data fetch demo")
        judge = open_instrument("yunet")
        dataset = open_dataset("demo")
        photos = {photo.id: photo for photo in demo.photos}
        for ref in dataset.refs:
            photo = photos[ref.id]
            assert ref.labels == photo.people
            found = judge.detect([dataset.read(ref)])[0]
            assert len(found) == photo.faces, ref.id
            for label in ref.labels:
                if label.at is not None:
                    x, y = label.at
                    inside = [
                        face
                        for face in found
                        if face.box.x <= x <= face.box.x + face.box.w and face.box.y <= y <= face.box.y + face.box.h
                    ]
                    assert len(inside) == 1, (ref.id, label.identity)


def test_the_lists_lie_where_a_wheel_takes_them_from() -> None:
    top = Path(__file__).resolve().parents[2]
    assert (top / "datasets.toml").is_file()
    assert (top / "bench/data/demo.toml").is_file()
