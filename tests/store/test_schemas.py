"""The shipped JSON schemas are those of the models, and unknown versions are refused."""

from __future__ import annotations

import json
import random
from pathlib import Path

import jsonschema
import pytest

from tests.support.cards import dataset_card, instrument_card, method_card
from tests.support.sealing import seal_run
from unmask.bench.core.errors import StoreError
from unmask.bench.store.documents import SHIPPED, schema_text, shipped_schema
from unmask.bench.store.results import ESTIMATES_SCHEMA, Estimates
from unmask.bench.store.run_folder import RunFolder

ROW = {
    "dataset": "demo",
    "method": "blur",
    "metric": "ssim",
    "instrument": "standard",
    "region": "face",
    "group": "all",
    "value": 0.5,
    "low": 0.4,
    "high": 0.6,
    "n": 10,
    "unscored": 0,
}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_schema_is_current(name: str) -> None:
    assert json.loads(schema_text(SHIPPED[name])) == shipped_schema(name), "run python -m unmask.bench.store.documents"


def test_results_validate_and_wrong_ones_do_not() -> None:
    schema = shipped_schema("estimates.schema.json")
    good = Estimates.model_validate({"schema": "unmask.estimates/3", "run": "0" * 16, "estimates": [ROW]})
    jsonschema.validate(good.model_dump(mode="json", by_alias=True), schema)
    bad = good.model_dump(mode="json", by_alias=True)
    bad["estimates"][0]["region"] = "nose"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(bad, schema)


PLAN = {
    "datasets": [{"label": "d", "spec": "folder", "card": dataset_card(), "samples": ["1"]}],
    "methods": [{"label": "none", "spec": "none", "card": method_card()}],
    "releases": [],
    "detector": instrument_card(),
    "instruments": [],
    "metrics": [],
    "operating_points": {"fmr": 0.001},
    "settings": {"seed": 0},
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    (tmp_path / "estimates.json").write_text(json.dumps({"run": "", "estimates": [ROW]}))
    seal_run(tmp_path)
    RunFolder.open(tmp_path)
    return tmp_path


def said(run: Path) -> str:
    with pytest.raises(StoreError) as caught:
        RunFolder.open(run)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("version", [1, 2, 9])
def test_another_version_is_refused_with_what_to_do(run: Path, version: int) -> None:
    path = run / "estimates.json"
    path.write_text(json.dumps({"schema": f"unmask.estimates/{version}", "run": "x", "estimates": []}))
    message = said(run)
    assert (
        f"not written by this version of unmask (unmask.estimates/{version}; this one reads {ESTIMATES_SCHEMA})"
        in message
    )
    assert message.endswith(f"run `unmask score {run}`")
    (run / "plan.json").write_text(json.dumps({"schema": f"unmask.plan/{version}"}))
    message = said(run)
    assert f"plan.json was not written by this version of unmask (unmask.plan/{version}" in message
    assert message.endswith("run the same command again with another --out")


@pytest.mark.parametrize("name", ["plan.json", "estimates.json"])
def test_whatever_happens_to_a_file_is_told_with_its_path(run: Path, name: str) -> None:
    path = run / name
    whole = path.read_bytes()
    rng = random.Random(0)
    for cut in (0, 1, 2, len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:cut])
        assert str(path) in said(run)
    for _ in range(150):
        at = rng.randrange(len(whole))
        flipped = bytearray(whole)
        flipped[at] ^= rng.randrange(1, 256)
        path.write_bytes(flipped)
        if json_or_none(bytes(flipped)) != json.loads(whole):
            assert str(run) in said(run)
    for other in (b"[]", b"null", b"{}", b"[" * 100_000, b"\xff\xfe", b'{"a": 1}'):
        path.write_bytes(other)
        assert str(path) in said(run)
    path.unlink()
    path.mkdir()
    assert str(path) in said(run)


def json_or_none(content: bytes) -> object:
    try:
        return json.loads(content)
    except ValueError:
        return None


@pytest.mark.parametrize("name", ["provenance.json", "calibration/operating_points.json"])
def test_other_json_of_a_run_is_told_too(run: Path, name: str) -> None:
    path = run / name
    path.parent.mkdir(exist_ok=True)
    for content in (b"{", b"[]", b"\xff", b"[" * 100_000):
        path.write_bytes(content)
        folder = RunFolder(run)
        with pytest.raises(StoreError, match=path.name):
            _ = folder.provenance if name == "provenance.json" else folder.operating_points
