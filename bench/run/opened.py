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
from unmask.bench.data.packages import fetch_all


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
def open_instrument(name: str, device: str) -> Any:
    """Any instrument, its files fetched; see the typed functions below."""
    cls = registry.instrument_class(name)
    files = fetch_all(cls.card.files)
    with _importing(name):
        return cls.open(files, device)


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


@lru_cache(maxsize=4)
def method(spec: str, device: str) -> Method:
    """The method of a plan's SPEC, loaded."""
    made = registry.create_method(parse_spec(spec, positional="dir"))
    made.load(fetch_all(made.card.files), device)
    return made


@lru_cache(maxsize=4)
def person_detector(spec: str, device: str) -> PersonDetector:
    """The person detector of a plan's SPEC, loaded."""
    made = registry.create_person_detector(parse_spec(spec))
    files = fetch_all(made.card.files)
    with _importing(spec):
        made.load(files, device)
    return made


@lru_cache(maxsize=8)
def tracker(spec: str, device: str) -> Tracker:
    """The tracker of a plan's SPEC, loaded."""
    made = registry.create_tracker(parse_spec(spec))
    files = fetch_all(made.card.files)
    with _importing(spec):
        made.load(files, device)
    return made
