"""Which faces a method's page lists: the matched first, then the nearest, each with its distances."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.reports.pages import read_page
from tests.reports.synthetic import RECOGNISERS, make_run
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.tables import read_columns, write_table
from unmask.bench.store.view import RunView
from unmask.reports.build import build_report
from unmask.reports.worst_cases import worst_cases

METHOD = "pixelate-blocks8"


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return make_run(tmp_path / "run")


def change(folder: RunFolder, matched: dict[int, float], others: float) -> None:
    """Lets the first recogniser match the given faces at the given distances, and nobody match anything else."""
    path = folder.faces_path("demo", METHOD).local
    table = pq.read_table(path)
    for k, name in enumerate(RECOGNISERS):
        distance = [matched.get(i, others - i / 1000) if k == 0 else others for i in range(table.num_rows)]
        kept = [float(d > 0.58) for d in distance]
        for metric, values in (("deid_rate@1e-3", kept), ("own_distance", distance)):
            column = f"{metric}|{name}|face"
            table = table.set_column(table.column_names.index(column), column, pa.array(values))
    write_table(path, read_columns(table), "")


def test_the_matched_come_first_and_the_nearest_of_them_before_all(folder: RunFolder) -> None:
    change(folder, {3: 0.5, 7: 0.2}, others=0.9)
    cases = worst_cases(RunView(folder), "demo", METHOD)
    ids = folder.faces("demo", METHOD).column("face").to_pylist()
    assert [f.face for f in cases.near[:2]] == [ids[7], ids[3]]
    assert [f.matched for f in cases.near[:3]] == [1, 1, 0]
    assert cases.near[0].attempts[:2] == [(True, "0.200"), (False, "0.900")]
    assert cases.recognised == 2
    assert cases.recognisers[0] == (RECOGNISERS[0], "0.580")


def test_where_nobody_is_matched_the_nearest_are_told(folder: RunFolder, tmp_path: Path) -> None:
    change(folder, {}, others=0.9)
    cases = worst_cases(RunView(folder), "demo", METHOD)
    ids = folder.faces("demo", METHOD).column("face").to_pylist()
    assert cases.recognised == 0
    assert cases.near[0].face == ids[-1]
    build_report([folder], tmp_path / "report")
    page = read_page(tmp_path / "report" / "methods" / f"{METHOD}.html").text
    assert "No face is still matched to its own original by any recogniser" in page
    assert cases.near[0].attempts[0][1] in page


def test_a_run_without_distances_still_tells_who_is_matched(folder: RunFolder) -> None:
    path = folder.faces_path("demo", METHOD).local
    table = pq.read_table(path)
    kept = [c for c in table.column_names if not c.startswith("own_distance|")]
    write_table(path, read_columns(table.select(kept)), "")
    cases = worst_cases(RunView(folder), "demo", METHOD)
    assert cases.near
    assert {distance for face in cases.near for _, distance in face.attempts} == {""}
    assert all(face.matched for face in cases.near)
