"""Fixtures of the harness's tests."""

from __future__ import annotations

import pytest

from tests.support import fakes


@pytest.fixture
def painted_world(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The registry of `tests.support.fakes`, for one test."""
    fakes.install(monkeypatch)
    return monkeypatch
