"""What attackers have learned, written down and read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unmask.bench.core.errors import StoreError
from unmask.bench.store.fits import fits_key, fits_stamp, read_fits, write_fits

MAP = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_fits_come_back_with_their_key_their_arrays_and_their_problems(tmp_path: Path) -> None:
    path = tmp_path / "ridge@sface.safetensors"
    write_fits(
        path, {"all": {"map": MAP, "steps": np.array([3])}, "share/0.25": "too few people", "fold/0": {}}, "key 1"
    )
    assert fits_key(path) == "key 1"
    fits = read_fits(path)
    np.testing.assert_equal(
        fits, {"all": {"map": MAP, "steps": np.array([3])}, "fold/0": {}, "share/0.25": "too few people"}
    )
    before = fits_stamp(path)
    write_fits(path, {"all": {"map": MAP + 1}}, "key 1")
    assert fits_stamp(path) != before


def test_a_file_that_is_damaged_or_missing_has_no_key_and_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    assert fits_key(path) is None
    with pytest.raises(StoreError, match="run the same `unmask run` again"):
        fits_stamp(path)
    write_fits(path, {"all": {"map": MAP}}, "k")
    path.write_bytes(path.read_bytes()[:-5])
    assert fits_key(path) is None
    with pytest.raises(StoreError, match="run the same `unmask run` again"):
        read_fits(path)
    path.write_bytes(b"")
    assert fits_key(path) is None
