"""Batches of columns become one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from unmask.bench.run.reading.parts import Columns, Part


class Rows(Part):
    """A part that reads columns as they are."""

    def read(self, chunk: Sequence[Any]) -> Columns:
        return chunk[0] if chunk else {"frame": np.zeros(0, np.int64)}


@pytest.mark.parametrize("batches", [1, 63, 64, 65, 300])
def test_all_rows_in_the_order_they_came(batches: int) -> None:
    part = Rows("faces", "key")
    for k in range(batches):
        # Some frames have no face, some two, and names grow longer.
        of_this = np.full(k % 3, k)
        columns = {"frame": of_this, "name": of_this.astype(np.str_), "box": np.full((k % 3, 4), k, np.float32)}
        chunk: Any = [columns]
        part.take(chunk)
    table = part.table()
    expected = [k for k in range(batches) for _ in range(k % 3)]
    assert table["frame"].tolist() == expected
    assert table["name"].tolist() == [str(k) for k in expected]
    assert table["box"].shape == (len(expected), 4)
    assert (table["box"] == np.array(expected, np.float32).reshape(-1, 1)).all()
    assert table["box"].dtype == np.float32


def test_without_a_chunk_there_are_columns_without_rows() -> None:
    table = Rows("faces", "key").table()
    assert [(name, len(rows)) for name, rows in table.items()] == [("frame", 0)]
