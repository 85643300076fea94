"""Instruments and methods, opened once per process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, cast

from unmask.bench.core import registry
from unmask.bench.core.errors import UnavailableError, one_line
from unmask.bench.core.protocols import Detector, FaceInstrument, ImageInstrument, Method, PairInstrument, Recogniser
from unmask.bench.core.spec import parse_spec
from unmask.bench.core.video import PersonDetector, Tracker
from unmask.bench.fetch.packages import fetch_all


@contextmanager
def _importing(name: str) -> Iterator[None]:
    """Opening an instrument imports the packages that its network needs. Raises `UnavailableError` where one fails."""
    try:
        yield
    except ImportError as error:
        raise UnavailableError(
            f"{name} needs a package that cannot be imported: {one_line(error)}; see unmask doctor"
        ) from error


@lru_cache(maxsize=32)
def open_instrument(spec: str, device: str) -> Any:
    """The instrument of a SPEC, its files fetched and its network loaded; see the typed functions below."""
    instrument = registry.create_instrument(parse_spec(spec))
    files = fetch_all(instrument.card.files)
    with _importing(spec):
        if isinstance(instrument, type):
            return instrument.open(files, device)  # type: ignore[attr-defined]
        instrument.load(files, device)
    return instrument


def detector(name: str, device: str) -> Detector:
    return cast(Detector, open_instrument(name, device))


def face_instrument(name: str, device: str) -> FaceInstrument:
    return cast(FaceInstrument, open_instrument(name, device))


def recogniser(name: str, device: str) -> Recogniser:
    return cast(Recogniser, open_instrument(name, device))


def image_instrument(name: str, device: str) -> ImageInstrument:
    return cast(ImageInstrument, open_instrument(name, device))


def pair_instrument(name: str, device: str) -> PairInstrument:
    return cast(PairInstrument, open_instrument(name, device))


def person_detector(spec: str, device: str) -> PersonDetector:
    return cast(PersonDetector, open_instrument(spec, device))


def tracker(spec: str, device: str) -> Tracker:
    return cast(Tracker, open_instrument(spec, device))


@lru_cache(maxsize=4)
def method(spec: str, device: str) -> Method:
    """The method of a plan's SPEC, loaded."""
    instance = registry.create_method(registry.method_spec(spec))
    instance.load(fetch_all(instance.card.files), device)
    return instance
