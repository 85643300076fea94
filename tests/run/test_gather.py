"""Batches of columns become one table."""

from __future__ import annotations

import numpy as np
import pytest

from unmask.bench.run.jobs.items import Gather


@pytest.mark.parametrize("batches", [1, 63, 64, 65, 300])
def test_all_rows_in_the_order_they_came(batches: int) -> None:
    gathered = Gather()
    for k in range(batches):
        # Some frames have no face, some two, and names grow longer.
        of_this = np.full(k % 3, k)
        columns = {"frame": of_this, "name": of_this.astype(np.str_), "box": np.full((k % 3, 4), k, np.float32)}
        gathered.add(columns)
    table = gathered.table()
    expected = [k for k in range(batches) for _ in range(k % 3)]
    assert table["frame"].tolist() == expected
    assert table["name"].tolist() == [str(k) for k in expected]
    assert table["box"].shape == (len(expected), 4)
    assert (table["box"] == np.array(expected, np.float32).reshape(-1, 1)).all()
    assert table["box"].dtype == np.float32


def test_nothing_gathered_is_a_table_without_columns() -> None:
    assert Gather().table() == {}
