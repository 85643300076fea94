"""Outputs are matched to inputs by name: the exact one first, never a guess between two, never one file for two."""

from __future__ import annotations

import unicodedata

import pytest

from unmask.bench.core.names import NameMatcher

ENDINGS = frozenset({".mp4", ".avi", ".jpg"})


def matched(files: list[str], inputs: list[str], prefix: str = "", suffix: str = "") -> dict[str, str]:
    """Input -> its file, or the reason why it has none in brackets."""
    matcher = NameMatcher(files, ENDINGS, "output clip", prefix=prefix, suffix=suffix)
    matcher.expect(inputs)
    answers = {name: matcher.match(name) for name in inputs}
    return {name: file or f"({reason})" for name, (file, reason) in answers.items()}


def test_path_then_another_extension_then_the_bare_name() -> None:
    files = ["a/1.mp4", "b/2.avi", "c/3.mp4", "d/4.avi"]
    inputs = ["a/1.mp4", "b/2.mp4", "3.mp4", "4.mp4", "5.mp4"]
    assert list(matched(files, inputs).values()) == [*files, "(no output clip)"]


def test_a_file_that_two_inputs_would_share_is_an_error_for_both() -> None:
    assert matched(["a.mp4"], ["x/a.mp4", "y/a.mp4"]) == {
        "x/a.mp4": "(the output clip a.mp4 matches y/a.mp4 too)",
        "y/a.mp4": "(the output clip a.mp4 matches x/a.mp4 too)",
    }


def test_an_exact_name_is_its_owners_and_nobody_elses() -> None:
    assert matched(["c.mp4"], ["c.avi", "c.mp4"]) == {
        "c.avi": "(the output clip c.mp4 matches c.mp4 too)",
        "c.mp4": "c.mp4",
    }
    assert matched(["c.jpg"], ["c.avi", "c.mp4"]) == {
        "c.avi": "(the output clip c.jpg matches c.mp4 too)",
        "c.mp4": "(the output clip c.jpg matches c.avi too)",
    }


def test_two_files_for_one_input_are_an_error() -> None:
    assert matched(["p/a.mp4", "q/a.mp4"], ["a.mp4"]) == {"a.mp4": "(2 output clips match: p/a.mp4, q/a.mp4)"}
    assert matched(["a.jpg", "a.avi"], ["a.mp4"]) == {"a.mp4": "(2 output clips match: a.jpg, a.avi)"}


def test_of_equal_bare_names_the_one_with_the_longest_common_end() -> None:
    files = ["results/ann/1.jpg", "results/bob/1.jpg", "others/deep/ann/2.jpg", "others/x/ann/2.jpg"]
    assert matched(files, ["ann/1.jpg", "bob/1.jpg", "x/ann/2.jpg"]) == {
        "ann/1.jpg": "results/ann/1.jpg",
        "bob/1.jpg": "results/bob/1.jpg",
        "x/ann/2.jpg": "others/x/ann/2.jpg",
    }


@pytest.mark.parametrize(("stored", "asked"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_composed_and_decomposed_names_are_one_name(stored: str, asked: str) -> None:
    file, name = (unicodedata.normalize(form, "José/ü.mp4") for form in (stored, asked))
    assert matched([file], [name]) == {name: file}
    both = [unicodedata.normalize(form, "ü.mp4") for form in ("NFC", "NFD")]
    assert matched(both, both) == dict(zip(both, both, strict=True)), "where both are there, each is its own"


def test_capitals_count_only_where_nothing_else_tells() -> None:
    assert matched(["A/1.MP4"], ["a/1.mp4"]) == {"a/1.mp4": "A/1.MP4"}
    assert matched(["a.mp4", "A.mp4"], ["A.mp4", "a.mp4"]) == {"A.mp4": "A.mp4", "a.mp4": "a.mp4"}


def test_prefix_and_suffix_belong_to_the_bare_name() -> None:
    files = ["ann/blurred_1_anonymized.mp4", "ann/1.mp4"]
    assert matched(files, ["ann/1.avi"], "blurred_", "_anonymized") == {"ann/1.avi": "ann/blurred_1_anonymized.mp4"}
    assert matched(["v1.2_anonymized.mp4"], ["v1.2"], suffix="_anonymized") == {"v1.2": "v1.2_anonymized.mp4"}
