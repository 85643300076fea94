"""SPECs as users type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmask.bench.core.cards import Scalar
from unmask.bench.core.errors import SpecError, UnknownNameError
from unmask.bench.core.registry import dataset_spec, method_spec
from unmask.bench.core.spec import Spec, file_target, parse_spec, without_folder


def test_forms() -> None:
    assert parse_spec("blur").params == {}
    spec = parse_spec("soft=blur:sigma=0.1,shape=ellipse,own=true,n=3")
    assert (spec.label, spec.name) == ("soft", "blur")
    assert spec.params == {"sigma": 0.1, "shape": "ellipse", "own": True, "n": 3}
    assert parse_spec("folder:/a b/c", positional="path").params == {"path": "/a b/c"}
    assert parse_spec("outputs:dir=/x/y", positional="dir").params == {"dir": "/x/y"}


def test_labels_are_safe_as_folder_names() -> None:
    label = parse_spec("outputs:dir=../../etc/pass wd").label
    assert "/" not in label
    assert " " not in label


@pytest.mark.parametrize(
    ("text", "name", "params", "label"),
    [
        ("my.py:Mine", "my.py:Mine", {}, "my-Mine"),
        ("my.py", "my.py", {}, "my"),
        ("my.py:sigma=0.1", "my.py", {"sigma": 0.1}, "my-sigma0.1"),
        ("mine=a b/my.py:Mine:n=1,to=x", "a b/my.py:Mine", {"n": 1, "to": "x"}, "mine"),
        ("m=/a:b/x=1/my.py:M:net=/x/y.py", "/a:b/x=1/my.py:M", {"net": "/x/y.py"}, "m"),
        ("./a=b/my.py:M", "./a=b/my.py:M", {}, "my-M"),
        ("~/ann/my.py:M:/photos", "~/ann/my.py:M", {"dir": "/photos"}, "my-M-dirphotos"),
    ],
)
def test_a_class_in_a_file(text: str, name: str, params: dict[str, Scalar], label: str) -> None:
    spec = parse_spec(text, positional="dir")
    assert (spec.name, spec.params, spec.label) == (name, params, label)
    assert file_target(name) is not None
    assert "/" not in without_folder(name)
    written = parse_spec(spec.text)
    assert (written.name, written.params) == (name, params)


def test_a_value_that_names_a_file_is_no_class_in_it() -> None:
    for text in ("outputs:/x/my.py", "outputs:dir=/x/my.py:Mine", 'x=outputs:dir="my.py"'):
        assert parse_spec(text, positional="dir").name == "outputs"
    assert file_target("blur") is None
    assert without_folder("blur") == "blur"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "my.py:",
        "my.py:Mine:",
        "my.py:Mine:sigma",
        "blur:",
        "blur:sigma",
        "blur:sigma=",
        "blur:a=1,a=2",
        "../x=blur",
        "1blur",
        "blur:a=1,",
        "blur:,",
        'm:d="a',
        'm:d="a"b',
        'm:d="a",',
        r'm:d="C:\x"',
        "m:a=1,,b=2",
        "m:1=2",
    ],
)
def test_mistakes(text: str) -> None:
    with pytest.raises(SpecError):
        parse_spec(text)


VALUES = st.integers() | st.booleans() | st.floats(allow_nan=False) | st.text()


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), VALUES, max_size=4))
def test_the_written_out_form_reads_back(params: dict[str, Scalar]) -> None:
    written = Spec("m", params).text
    read = parse_spec(f"mine={written}").params
    assert read == params
    assert {name: type(value) for name, value in read.items()} == {name: type(params[name]) for name in read}
    assert len(written.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ('m:dir="a,b"', {"dir": "a,b"}),
        ('m:dir="a,b",suffix=_x', {"dir": "a,b", "suffix": "_x"}),
        ('m:dir = "a,b" , n = 3', {"dir": "a,b", "n": 3}),
        ('m:dir="5"', {"dir": "5"}),
        ('m:dir="true",own=true', {"dir": "true", "own": True}),
        ('m:dir=""', {"dir": ""}),
        ('m:dir=" a "', {"dir": " a "}),
        (r'm:dir="say \"hi\", C:\\x"', {"dir": r'say "hi", C:\x'}),
        ('m:dir="a=b:c,d=e"', {"dir": "a=b:c,d=e"}),
        ('m:dir=a"b', {"dir": 'a"b'}),
        ("m:dir=a=b", {"dir": "a=b"}),
    ],
)
def test_quotes_keep_what_would_end_a_value(text: str, params: dict[str, Scalar]) -> None:
    assert parse_spec(text).params == params
    assert parse_spec(Spec("m", params).text).params == params


def test_a_bare_value_is_what_the_class_cannot_do_without() -> None:
    assert method_spec("x=outputs:/a,b=c").params == {"dir": "/a,b=c"}
    assert method_spec('outputs:"/a,b",suffix=_x').params == {"dir": "/a,b", "suffix": "_x"}
    assert method_spec(method_spec("outputs:/a,b").text) == method_spec("outputs:/a,b")
    assert dataset_spec('folder:"x=y"').params == {"path": "x=y"}
    assert dataset_spec("folder:/a,b").label == "folder-patha-b"
    with pytest.raises(SpecError, match=r"takes no bare value: write blur:param=value"):
        method_spec("blur:5")
    with pytest.raises(UnknownNameError):
        method_spec("nosuch:/a")
