"""SPECs as users type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmask.bench.core.errors import SpecError
from unmask.bench.core.spec import parse_spec


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


@pytest.mark.parametrize("text", ["", ":", "blur:", "blur:sigma", "blur:sigma=", "blur:a=1,a=2", "../x=blur", "1blur"])
def test_mistakes(text: str) -> None:
    with pytest.raises(SpecError):
        parse_spec(text)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.integers() | st.booleans(), max_size=4))
def test_the_written_out_form_reads_back(params: dict[str, int]) -> None:
    spec = parse_spec("m")
    written = type(spec)("m", dict(params), "m").text
    assert parse_spec(written).params == params
