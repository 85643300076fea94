"""The shipped JSON schemas are those of the models, and unknown versions are refused."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from bench.core.errors import StoreError
from bench.store.json_schema import SHIPPED, schema_text, shipped_schema
from bench.store.run_folder import RunFolder
from bench.store.schemas import Estimates

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
    assert json.loads(schema_text(SHIPPED[name])) == shipped_schema(name), "run python -m bench.store.json_schema"


def test_results_validate_and_wrong_ones_do_not() -> None:
    schema = shipped_schema("estimates.schema.json")
    good = Estimates.model_validate({"schema": "unmask.estimates/2", "run": "0" * 16, "estimates": [ROW]})
    jsonschema.validate(good.model_dump(mode="json", by_alias=True), schema)
    bad = good.model_dump(mode="json", by_alias=True)
    bad["estimates"][0]["region"] = "nose"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(bad, schema)


def test_a_later_version_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps({"schema": "unmask.plan/9"}))
    (tmp_path / "estimates.json").write_text("{}")
    with pytest.raises(StoreError, match="not written by this version") as caught:
        _ = RunFolder.open(tmp_path).plan
    assert "\n" not in str(caught.value)
