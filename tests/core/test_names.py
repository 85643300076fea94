"""Outputs are matched to inputs by name: the exact one first, never a guess between two, never one file for two."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest

from unmask.bench.core.errors import SpecError
from unmask.bench.core.names import NameMatcher, OutputPattern, output_pattern, without_affixes

ENDINGS = frozenset({".mp4", ".avi", ".jpg"})


def matched(
    files: list[str], inputs: list[str], prefix: str = "", suffix: str = "", pattern: str = ""
) -> dict[str, str]:
    """Input -> its file, or the reason why it has none in brackets."""
    wanted = output_pattern({"pattern": pattern}, ENDINGS)
    matcher = NameMatcher(files, ENDINGS, "output clip", prefix=prefix, suffix=suffix, pattern=wanted)
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
    assert matched(["p/a.mp4", "q/a.mp4"], ["a.mp4"]) == {"a.mp4": "(2 output clips match a.mp4: p/a.mp4, q/a.mp4)"}
    assert matched(["a.jpg", "a.avi"], ["a.mp4"]) == {"a.mp4": "(2 output clips match a.mp4: a.jpg, a.avi)"}


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


@pytest.mark.parametrize(
    ("pattern", "file", "others"),
    [
        ("{stem}_anon.{ext}", "1_anon.jpg", ["1_anon.avi", "1_anonymized.jpg", "ann/2004/1_anon.jpg"]),
        ("{stem}_anon.mp4", "1_anon.mp4", ["1_anon.jpg", "1_Anon.mp4", "1_anon.mp4.mp4"]),
        ("{folder}/{stem}_anon.{ext}", "ann/2004/1_anon.jpg", ["1_anon.jpg", "bob/2004/1_anon.jpg"]),
        ("{folder}/{stem}/face_{n}.avi", "ann/2004/1/face_017.avi", ["ann/2004/1/face_.avi", "ann/2004/1/face_a.avi"]),
        ("out/{folder}/{stem}/{stem}.{ext}", "out/ann/2004/1/1.jpg", ["ann/2004/1/1.jpg", "out/ann/2004/1/2.jpg"]),
        ("{n}-{stem}.{ext}", "0003-1.jpg", ["-1.jpg", "3-01.jpg"]),
    ],
)
def test_a_pattern_says_the_whole_path(pattern: str, file: str, others: list[str]) -> None:
    name = "ann/2004/1.jpg"
    assert matched([*others, file], [name], pattern=pattern) == {name: file}
    assert matched(others, [name], pattern=pattern) == {name: "(no output clip)"}


def test_a_folder_vanishes_for_inputs_in_none() -> None:
    files, pattern = ["new/1.jpg", "new/ann/1.jpg"], "new/{folder}/{stem}.{ext}"
    assert matched(files, ["1.jpg", "ann/1.jpg"], pattern=pattern) == dict(
        zip(["1.jpg", "ann/1.jpg"], files, strict=True)
    )


def test_several_outputs_of_one_input_are_named_and_none_is_taken() -> None:
    files = ["1/face_0.jpg", "1/face_1.jpg", "2/face_0.jpg", *(f"3/face_{n}.jpg" for n in range(5))]
    assert matched(files, ["1.jpg", "2.jpg", "3.jpg", "4.jpg"], pattern="{stem}/face_{n}.jpg") == {
        "1.jpg": "(2 output clips match 1.jpg: 1/face_0.jpg, 1/face_1.jpg)",
        "2.jpg": "2/face_0.jpg",
        "3.jpg": "(5 output clips match 3.jpg: 3/face_0.jpg, 3/face_1.jpg, 3/face_2.jpg and 2 more)",
        "4.jpg": "(no output clip)",
    }


def test_an_output_that_two_inputs_would_share_is_an_error_for_both_by_a_pattern_too() -> None:
    shared = {
        "ann/1.jpg": "(its output clip 1_x.mp4 is also that of bob/1.jpg)",
        "bob/1.jpg": "(its output clip 1_x.mp4 is also that of ann/1.jpg)",
    }
    assert matched(["1_x.mp4"], list(shared), pattern="{stem}_x.mp4") == shared
    # The ending of the output says nothing of that of the input.
    answers = matched(["1_x.mp4"], ["1.mp4", "1.jpg"], pattern="{stem}_x.mp4")
    assert all("is also that of" in answer for answer in answers.values())
    # But here it does.
    files = {"1.mp4": "1_x.mp4", "1.jpg": "1_x.jpg"}
    assert matched(list(files.values()), list(files), pattern="{stem}_x.{ext}") == files


def test_dots_capitals_and_accents_in_a_pattern() -> None:
    assert matched(["v1.jpg_x.mp4"], ["v1.jpg.avi"], pattern="{stem}_x.mp4") == {"v1.jpg.avi": "v1.jpg_x.mp4"}
    assert matched(["IMG_x.MP4"], ["img.mp4"], pattern="{stem}_x.{ext}") == {"img.mp4": "IMG_x.MP4"}
    assert matched(["img_X.mp4"], ["img.mp4"], pattern="{stem}_x.{ext}") == {"img.mp4": "(no output clip)"}
    file, name = nfd("Jos\u00e9/\u00fc_\u00e9.mp4"), nfc("Jos\u00e9/\u00fc.mp4")
    assert matched([file], [name], pattern=nfc("{folder}/{stem}_\u00e9.mp4")) == {name: file}


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("{folder}/out.jpg", "without {stem}"),
        ("{stem}", "it must end in .{ext} or in an ending that is read, not none"),
        ("{stem}.gif", "not .gif"),
        ("{stem}.{ext}.jpg", ".{ext} must be its end"),
        ("{stem}_{file}.jpg", "{file} is none of {folder}, {stem}, {ext}, {n}"),
        ("{stem.jpg", "a brace that stands alone"),
        ("{}.jpg", "{} is none of"),
        ("x{folder}/{stem}.jpg", "{folder} must be a whole part of the path"),
        ("{stem}/{folder}", "cannot be the name of the file"),
        ("{stem}{n}.jpg", "between {stem} and {n}"),
        ("{n}2{stem}.jpg", "between {stem} and {n}"),
        ("/out/{stem}.jpg", "a path below dir"),
        ("../{stem}.jpg", "a path below dir"),
        ("a//{stem}.jpg", "a path below dir"),
        ("out\\{stem}.jpg", "a path below dir"),
        (".out/{stem}.jpg", "begin with a dot"),
    ],
)
def test_a_mistake_in_a_pattern_is_one_line(pattern: str, fault: str) -> None:
    with pytest.raises(SpecError) as error:
        OutputPattern(pattern, ENDINGS)
    assert str(error.value).startswith(f"outputs: pattern={pattern}: ")
    assert fault in str(error.value)
    assert str(error.value).endswith("write e.g. pattern={folder}/{stem}_anonymized.{ext}")
    assert "\n" not in str(error.value)


def test_a_pattern_takes_the_place_of_prefix_and_suffix() -> None:
    with pytest.raises(SpecError, match="leave prefix and suffix out"):
        output_pattern({"pattern": "{stem}_x.jpg", "suffix": "_x"}, ENDINGS)
