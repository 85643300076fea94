"""What several tests of training need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from unmask.bench.core.registry import instrument_class
from unmask.bench.fetch.packages import fetch_all
from unmask.methods.gan.training import packing
from unmask.methods.gan.training.perceptual import Features


@pytest.fixture
def random_features(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packs get random weights of LPIPS instead of those that would be fetched."""
    torch.manual_seed(0)
    features = Features(("alex-half", "vgg-half"))
    monkeypatch.setattr(packing, "perceptual_features", lambda files, views: features)


@pytest.fixture
def perceptual(open_instrument: Callable[[str], Any]) -> Any:
    """The files of the instrument that compact networks are trained with."""
    open_instrument("lpips-alex")
    return {"lpips-alex": fetch_all(instrument_class("lpips-alex").card.files)}
