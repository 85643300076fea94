"""unmask: how well does a face anonymizer protect people, and what does it cost in usefulness?

The names in ``__all__`` are the public interface: what plug-ins are made of. They come from `unmask.bench.core` and are
imported when they are first used, so that ``import unmask`` loads nothing heavy. All other names may change.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unmask.bench.core.cards import AttackerCard, InstrumentCard, MethodCard, MetricCard, PackageFile
    from unmask.bench.core.errors import CheckpointError, UnavailableError, UnmaskError
    from unmask.bench.core.evidence import Evidence
    from unmask.bench.core.protocols import (
        Attacker,
        Background,
        Detector,
        FaceInstrument,
        ImageInstrument,
        Method,
        PairInstrument,
        Recogniser,
        Restorer,
    )
    from unmask.bench.core.seeds import sample_rng
    from unmask.bench.core.types import Box, Detection, FacePair, FaceView, Image, MethodFailure, RegionPair, Sample
    from unmask.bench.core.values import Finding, Metric, SetStatistic, UnitValues

__version__ = "0.1.0"

__all__ = [
    "Attacker",
    "AttackerCard",
    "Background",
    "Box",
    "CheckpointError",
    "Detection",
    "Detector",
    "Evidence",
    "FaceInstrument",
    "FacePair",
    "FaceView",
    "Finding",
    "Image",
    "ImageInstrument",
    "InstrumentCard",
    "Method",
    "MethodCard",
    "MethodFailure",
    "Metric",
    "MetricCard",
    "PackageFile",
    "PairInstrument",
    "Recogniser",
    "RegionPair",
    "Restorer",
    "Sample",
    "SetStatistic",
    "UnavailableError",
    "UnitValues",
    "UnmaskError",
    "sample_rng",
]

_MODULES = ("cards", "errors", "evidence", "protocols", "seeds", "types", "values")

# In a checkout the four packages lie beside this folder, which links to them. Where links could not be made, as on
# Windows, they are found here.
if not (Path(__file__).parent / "bench" / "__init__.py").is_file():
    __path__.append(str(Path(__file__).resolve().parents[1]))


def __getattr__(name: str) -> object:
    if name in __all__:
        for module in (import_module(f"unmask.bench.core.{part}") for part in _MODULES):
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module 'unmask' has no attribute {name!r}")
