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
from unmask.bench.core.spec import Spec
from unmask.bench.run import opened
from unmask.metrics.instruments.facenet import FaceNet
from unmask.metrics.instruments.lpips import LpipsAlex
from unmask.metrics.instruments.yolov3 import YoloV3Tiny

MEASURING = ("instrument", "person_detector", "tracker")
SLOW = ("deep_sort_realtime", "facenet_pytorch", "h5py", "lpips", "pytorch_fid", "torch", "torchvision")
OPENING = f"""
import sys
from unmask.bench.core import registry
from unmask.bench.run import opened
classes = {{(kind, name): cls for kind in {MEASURING!r} for name, cls in registry.available(kind)}}
early = {{name for name in {SLOW!r} if name in sys.modules}}
kind, name = sys.argv[1:]
if kind == "instrument":
    opened.open_instrument(name, "cpu")
elif kind == "person_detector":
    opened.person_detector(name, "cpu")
else:
    opened.tracker(name, "cpu").start()
late = {{name for name in {SLOW!r} if name in sys.modules}}
print(*sorted(early), "|", *sorted(late), "|", *getattr(classes[kind, name], 'imports', ()))
"""


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(
            ("instrument", name)
            for name in ("blazeface", "facenet", "dlib", "face-api", "faceres", "lpips-alex", "inception")
        ),
        ("person_detector", "yolov3-tiny"),
        ("tracker", "deepsort"),
        ("tracker", "sort"),
    ],
)
def test_what_opening_loads_is_what_the_class_names(kind: str, name: str) -> None:
    done = subprocess.run([sys.executable, "-c", OPENING, kind, name], capture_output=True, text=True, check=True)
    early, late, named = (set(part.split()) for part in done.stdout.split("|"))
    assert early == set()
    assert late == named


def test_what_is_named_can_be_imported_in_advance() -> None:
    modules = {module for kind in MEASURING for module in registry.modules(kind)}
    assert modules >= {
        *SLOW,
        "unmask.metrics.instruments.yunet",
        "unmask.metrics.instruments.yolov3",
        "unmask.metrics.instruments.deepsort",
    }


@pytest.mark.parametrize(
    ("cls", "create"),
    [
        (FaceNet, lambda: registry.instrument_card("facenet")),
        (LpipsAlex, lambda: registry.measuring_card("lpips-alex")),
        (YoloV3Tiny, lambda: registry.create_person_detector(Spec("yolov3-tiny", {}, "yolov3-tiny"))),
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
    monkeypatch.setitem(registry.INSTRUMENTS, "yunet", f"{module}:YuNet")  # type: ignore[arg-type]
    registry.targets.cache_clear()
    try:
        with pytest.raises(error, match=r"gone|somebody"):
            registry.instrument_class("yunet")
    finally:
        monkeypatch.undo()
        registry.targets.cache_clear()
