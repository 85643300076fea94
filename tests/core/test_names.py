"""Outputs are matched to inputs by name: the exact one first, never a guess between two, never one file for two."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest

from unmask.bench.core.names import NameMatcher, without_affixes

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
        "x/a.mp4": "(its output clip a.mp4 is also that of y/a.mp4)",
        "y/a.mp4": "(its output clip a.mp4 is also that of x/a.mp4)",
    }


def test_an_exact_name_is_its_owners_and_nobody_elses() -> None:
    assert matched(["c.mp4"], ["c.avi", "c.mp4"]) == {
        "c.avi": "(its output clip c.mp4 is also that of c.mp4)",
        "c.mp4": "c.mp4",
    }
    assert matched(["c.jpg"], ["c.avi", "c.mp4"]) == {
        "c.avi": "(its output clip c.jpg is also that of c.mp4)",
        "c.mp4": "(its output clip c.jpg is also that of c.avi)",
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


def nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def nfd(name: str) -> str:
    return unicodedata.normalize("NFD", name)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        # The folder with the input's capitals, then one with other capitals, then none.
        (["Ann/1.jpg", "ann/1.jpg", "bob/1.jpg"], "ann/1.jpg"),
        (["Ann/1.jpg", "bob/1.jpg"], "Ann/1.jpg"),
        (["ANN/1.jpg", "Ann/1.jpg"], ""),
        (["out/X/ANN/1.jpg", "out/ann/1.jpg"], "out/X/ANN/1.jpg"),
        # The bare name has the input's capitals: those of its folder do not matter.
        (["ANN/1.jpg", "1.JPG"], "ANN/1.jpg"),
    ],
)
def test_ties_are_decided_by_folders_regardless_of_capitals_then_with_them(files: list[str], expected: str) -> None:
    for order in (files, files[::-1]):
        answer = matched(order, ["x/ann/1.jpg"])["x/ann/1.jpg"]
        assert answer == expected or (not expected and answer.startswith("(2 output clips match"))


def test_a_file_belongs_to_the_input_whose_folders_it_shares() -> None:
    assert matched(["results/ann/1.mp4"], ["bob/1.avi", "x/ann/1.avi"]) == {
        "bob/1.avi": "(its output clip results/ann/1.mp4 is also that of x/ann/1.avi)",
        "x/ann/1.avi": "results/ann/1.mp4",
    }
    assert matched(["results/ann/1.mp4"], ["p/ann/1.avi", "q/ann/1.avi"]) == {
        "p/ann/1.avi": "(its output clip results/ann/1.mp4 is also that of q/ann/1.avi)",
        "q/ann/1.avi": "(its output clip results/ann/1.mp4 is also that of p/ann/1.avi)",
    }


@pytest.mark.parametrize("form", [nfc, nfd])
def test_forms_of_accents_count_only_where_nothing_else_tells(form: Callable[[str], str]) -> None:
    other = nfd if form is nfc else nfc
    name, file = form("Jos\u00e9.jpg"), other("Jos\u00e9.jpg")
    assert matched([file, "JOS\u00c9.jpg"], [name]) == {name: file}, "before capitals"
    assert matched([file], [name, file]) == {file: file, name: f"(its output clip {file} is also that of {file})"}
    assert matched([name, f"deep/{file}"], [f"x/{name}"]) == {f"x/{name}": name}
    assert matched([f"x/{file}", name], [f"x/{name}"]) == {f"x/{name}": f"x/{file}"}, "the path comes first"


@pytest.mark.parametrize(
    ("file", "name"), [("STRASSE.mp4", "stra\u00dfe.mp4"), ("\u01f0.mp4", "J\u030c.mp4"), ("\u0390.mp4", "\u1fd3.mp4")]
)
def test_capitals_that_change_the_letters_of_a_name(file: str, name: str) -> None:
    assert matched([file], [name]) == {name: file}
    assert matched([name], [file]) == {file: name}


def test_affixes_count_in_any_form_of_accents_and_with_their_capitals() -> None:
    files = [nfd("masqu\u00e9-a.jpg"), "Masqu\u00e9-b.jpg", "masqu\u00e9-.jpg", "c.jpg"]
    answers = matched(files, ["a.jpg", "b.jpg", "c.jpg"], prefix=nfc("masqu\u00e9-"))
    assert answers == {"a.jpg": files[0], "b.jpg": "(no output clip)", "c.jpg": "(no output clip)"}
    matcher = NameMatcher(["x/a_new.jpg", "a.jpg"], ENDINGS, suffix="_new")
    assert matcher.names == {"x/a_new.jpg": "x/a.jpg"}
    assert matcher.others == ["a.jpg"]


def test_affixes_do_not_overlap_and_leave_a_name() -> None:
    assert without_affixes("aba", "ab", "ba") is None
    assert without_affixes("abba", "ab", "ba") is None
    assert without_affixes("ab-ba", "ab", "ba") == "-"
    assert without_affixes("", "", "") == ""


def test_what_fits_best_is_told_also_where_another_input_has_it() -> None:
    matcher = NameMatcher(["ann/1.mp4"], ENDINGS)
    matcher.expect(["ann/1.mp4", "bob/1.mp4"])
    assert matcher.match("bob/1.mp4")[0] == ""
    assert matcher.candidates("bob/1.mp4") == ["ann/1.mp4"]
    assert not matcher.candidates("bob/2.mp4")
