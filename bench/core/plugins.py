"""Other people's plug-ins: found by entry points, and kept from taking anything else down when they are broken."""

from __future__ import annotations

import inspect
import json
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib.metadata import distributions, entry_points
from pkgutil import resolve_name
from typing import Any, Final

from unmask.bench.core.cards import AttackerCard, InstrumentCard, MethodCard, MetricCard, Scalar
from unmask.bench.core.errors import BrokenPluginError, UnavailableError, UnmaskError, one_line, reason_of

TIME_LIMIT_S: Final = 120.0
"""Seconds that a plug-in may take to be imported, and to be constructed, before anything runs."""
_CARDS: Any = {"attacker": AttackerCard, "method": MethodCard, "instrument": InstrumentCard, "metric": MetricCard}


class _TooLong(BaseException):
    """No `Exception`: a plug-in that tries again whatever happens would never end."""


def plugin_targets(group: str) -> dict[str, str]:
    """Name -> ``module:attribute`` of every entry point of a group, sorted by name."""
    try:
        points = list(entry_points(group=group))
    except Exception:  # one distribution's file is damaged, and the others are read with it
        points = []
        for distribution in distributions():
            with suppress(Exception):
                points += [point for point in distribution.entry_points if point.group == group]
    return {point.name: point.value for point in sorted(points, key=lambda point: point.name)}


def _guarded(kind: str, name: str, call: Callable[[], Any]) -> Any:
    """``call``, which runs a plug-in's code. Raises `UnavailableError` where a package is missing, `BrokenPluginError`
    for whatever else goes wrong in it, sys.exit too."""
    what = f"{kind.replace('_', ' ')} {name!r} (a plug-in)"
    try:
        with _limited():
            return call()
    except _TooLong:
        raise BrokenPluginError(f"{what} cannot be used: it took longer than {TIME_LIMIT_S:g} s to be made") from None
    except (KeyboardInterrupt, UnmaskError):
        raise
    except ImportError as error:
        raise UnavailableError(f"{what} needs a package that is not installed: {one_line(error)}") from error
    except BaseException as error:
        raise BrokenPluginError(f"{what} cannot be used: {reason_of(error)}") from error


@contextmanager
def _limited() -> Iterator[None]:
    """Interrupts what takes longer than `TIME_LIMIT_S`: Python code, and whatever a signal interrupts (sleep, sockets).

    Only where it would stop the command, in its main thread: methods at work have limits of their own. Not on Windows,
    and not inside compiled code that waits for nothing.
    """
    ours = multiprocessing.parent_process() is None and threading.current_thread() is threading.main_thread()
    if not ours or not hasattr(signal, "setitimer") or signal.getitimer(signal.ITIMER_REAL)[0]:
        yield
        return

    def interrupt(*_: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, interrupt)
    # Again every second: the first may be swallowed.
    signal.setitimer(signal.ITIMER_REAL, TIME_LIMIT_S, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def load_plugin(kind: str, name: str, place: str) -> Any:
    """What stands at ``module:attribute``, a class as a rule. Raises `UnavailableError`."""

    def load() -> Any:
        target = resolve_name(place)
        if kind != "dataset":
            inspect.signature(target)
        card = getattr(target, "card", None)
        if kind == "instrument" and card is not None and not isinstance(card, property):
            _check_card(kind, card)
        return target

    return _guarded(kind, name, load)


def create_plugin(kind: str, name: str, cls: Callable[..., Any], params: Mapping[str, Scalar] | None = None) -> Any:
    """An instance whose card can be written into a plan. Raises `UnavailableError`, or the plug-in's `SpecError`."""

    def create() -> Any:
        plugin = cls(**(params or {}))
        if kind == "metric":
            _ = tuple(plugin.needs)
        for card in plugin.cards if kind == "metric" else (plugin.card,):
            _check_card(kind, card)
        return plugin

    return _guarded(kind, name, create)


def _check_card(kind: str, card: Any) -> None:
    """Raises `TypeError` where a plug-in's card is none, or holds what a plan cannot."""
    if not isinstance(card, _CARDS[kind]):
        raise TypeError(f"its card is no {_CARDS[kind].__name__}")
    json.dumps(asdict(card))
