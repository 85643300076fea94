"""Wrong parameters end in one line that names what is allowed."""

from __future__ import annotations

import pytest

from unmask.bench.core.errors import SpecError
from unmask.bench.core.registry import create_method
from unmask.bench.core.spec import parse_spec


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("blur:sigma=0", "blur: sigma=0 must be a number above 0 and at most 2"),
        ("blur:sigma=nan", "blur: sigma=nan must be"),
        ("blur:sigma=wide", "blur: sigma=wide must be"),
        ("blur:margin=-0.1", "blur: margin=-0.1 must be a number from 0 to 2"),
        ("blur:shape=star", "blur: shape=star must be one of: rectangle, ellipse"),
        ("blackout:margin=true", "blackout: margin=True must be a number from 0 to 2"),
        ("blackout:detector=yunet", "blackout: detector=yunet must be one of: mtcnn, harness"),
        ("pixelate:blocks=2.5", "pixelate: blocks=2.5 must be a whole number from 1 to 256"),
        ("pixelate:blocks=0", "pixelate: blocks=0 must be a whole number from 1 to 256"),
        ("outputs:dir=/no/such/folder", "outputs: there is no folder '/no/such/folder'"),
        ("outputs:dir=2024", "outputs: dir=2024 must be a folder; write outputs:dir=./2024"),
    ],
)
def test_refuses(spec: str, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        create_method(parse_spec(spec))
    assert str(caught.value).startswith(expected)
    assert "\n" not in str(caught.value)
