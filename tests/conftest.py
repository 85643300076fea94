"""Fixtures that all tests may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.fetched import files_of
from unmask.bench.core.protocols import Method
from unmask.bench.core.registry import instrument_class
from unmask.bench.core.types import Image

# Before torch is loaded: threads that spin while they wait slow a busy machine down many times over.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

REPO = Path(__file__).resolve().parents[1]


def _shared_data() -> Path:
    return Path(os.environ.get("UNMASK_SHARED_DATA") or REPO.parent / "shared" / "data")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked ``data`` are skipped where the development data is not."""
    if not _shared_data().is_dir():
        for item in items:
            if item.get_closest_marker("data"):
                item.add_marker(pytest.mark.skip(reason="the development data is not on this machine"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of development data sets."""
    path = _shared_data()
    if not path.is_dir():
        pytest.skip("the development data is not on this machine")
    return path


@cache
def _opened(name: str) -> Any:
    cls = instrument_class(name)
    return cls.open(files_of(cls.card), "cpu")


@pytest.fixture(scope="session")
def load_method() -> Callable[[Method], Method]:
    """Loads a method on the CPU; skips (in `make test`: fails) where files that its card names are not fetched."""

    def load(method: Method) -> Method:
        method.load(files_of(method.card), "cpu")
        return method

    return load


@pytest.fixture(scope="session")
def open_instrument() -> Callable[[str], Any]:
    """Opens an instrument on the CPU; skips (in `make test`: fails) where its files are not fetched."""
    return _opened


@pytest.fixture(scope="session")
def astronaut() -> Image:
    """Eileen Collins, 512 x 512, RGB, out of scikit-image (public domain, NASA)."""
    from skimage import data

    return np.asarray(data.astronaut(), np.uint8)
