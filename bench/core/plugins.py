"""Other people's plug-ins: found by entry points, and kept from taking anything else down when they are broken."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import EntryPoint, distributions, entry_points
from typing import Any, TypeVar

from unmask.bench.core.cards import InstrumentCard, MethodCard, MetricCard, Scalar
from unmask.bench.core.errors import BrokenPluginError, UnavailableError, UnmaskError, one_line, reason_of

T = TypeVar("T")


def plugin_targets(group: str) -> dict[str, str]:
    """Name -> ``module:Class`` of every entry point of a group, sorted by name."""
    return {point.name: point.value for point in sorted(_points(group), key=lambda point: point.name)}


def _points(group: str) -> Iterator[EntryPoint]:
    try:
        yield from entry_points(group=group)
    except Exception:  # one distribution's file is damaged, and the others are read with it
        for distribution in distributions():
            try:
                yield from [point for point in distribution.entry_points if point.group == group]
            except Exception:
                continue


def _guarded(what: str, call: Callable[[], T]) -> T:
    """``call``, which runs a plug-in's code. Raises `UnavailableError` where a package is missing, `BrokenPluginError`
    for whatever else goes wrong in it, sys.exit too."""
    try:
        return call()
    except (KeyboardInterrupt, UnmaskError):
        raise
    except ImportError as error:
        raise UnavailableError(f"{what} needs a package that is not installed: {one_line(error)}") from error
    except BaseException as error:
        raise BrokenPluginError(f"{what} cannot be used: {reason_of(error)}") from error


def load_plugin(kind: str, name: str, target: str) -> Any:
    """The class at ``module:Class``. Raises `UnavailableError`."""

    def load() -> Any:
        module, _, attribute = target.partition(":")
        cls = getattr(importlib.import_module(module), attribute)
        inspect.signature(cls)
        if kind == "instrument":
            _check_card(kind, cls.card)
        return cls

    return _guarded(_called(kind, name), load)


def create_plugin(kind: str, name: str, cls: Callable[..., Any], params: Mapping[str, Scalar] | None = None) -> Any:
    """An instance whose card can be written into a plan. Raises `UnavailableError`, or the plug-in's `SpecError`."""

    def create() -> Any:
        made = cls(**(params or {}))
        for card in made.cards if kind == "metric" else (made.card,) if kind == "method" else ():
            _check_card(kind, card)
        return made

    return _guarded(_called(kind, name), create)


def _called(kind: str, name: str) -> str:
    return f"{kind.replace('_', ' ')} {name!r} (a plug-in)"


def _check_card(kind: str, card: Any) -> None:
    """Raises `TypeError` where a plug-in's card is none, or holds what a plan cannot."""
    wanted = {"method": MethodCard, "instrument": InstrumentCard, "metric": MetricCard}.get(kind)
    if wanted is not None and not isinstance(card, wanted):
        raise TypeError(f"its card is no {wanted.__name__}")
    if wanted is not None:
        json.dumps(asdict(card))
