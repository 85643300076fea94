"""Other people's plug-ins: found by entry points or read from a file, and kept from taking anything else down when they
are broken."""

from __future__ import annotations

import hashlib
import inspect
import json
import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib.metadata import distributions, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType
from typing import Any, Final

from unmask.bench.core.cards import AttackerCard, InstrumentCard, MethodCard, MetricCard, Scalar
from unmask.bench.core.errors import BrokenPluginError, SpecError, UnavailableError, UnmaskError, one_line, reason_of
from unmask.bench.core.spec import file_target, without_folder

TIME_LIMIT_S: Final = 120.0
"""Seconds that a plug-in may take to be imported, and to be constructed, before anything runs."""
FILE_MODULES: Final = "unmask_file_"
"""How the modules are called, in ``sys.modules`` alone, that files of users are read into."""
_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "method": ("load", "anonymize"),
    "metric": ("ask",),
    "instrument": ("open",),
    "attacker": ("fit", "read"),
}
"""What a class in a file must have to be one."""
_CONTROL: Final = "none"
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
    for whatever else goes wrong in it, sys.exit too; of a file that the command line names `SpecError` for both."""
    in_file = file_target(name) is not None
    what = f"{kind.replace('_', ' ')} {without_folder(name)!r}{'' if in_file else ' (a plug-in)'}"
    broken, unavailable = (SpecError, SpecError) if in_file else (BrokenPluginError, UnavailableError)
    try:
        with _limited():
            return call()
    except _TooLong:
        raise broken(f"{what} cannot be used: it took longer than {TIME_LIMIT_S:g} s to be made") from None
    except (KeyboardInterrupt, UnmaskError):
        raise
    except ImportError as error:
        if in_file and not isinstance(error, ModuleNotFoundError):
            raise SpecError(f"{what} cannot be used: {reason_of(error)}") from error
        raise unavailable(f"{what} needs a package that is not installed: {one_line(error)}") from error
    except BaseException as error:
        raise broken(f"{what} cannot be used: {reason_of(error)}") from error


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


def load_method_file(name: str) -> Any:
    """The class of a method that a name such as ``path/to/my.py:MyMethod`` leads to. The file is read and run once as
    long as its content stays the same; its folder does not come onto the import path. Raises `SpecError`."""
    return load_file("method", name)


def load_file(kind: str, name: str) -> Any:
    """As `load_method_file`, the class of any kind that `unmask check` can be asked about."""
    path, attribute = _target(name)
    source = source_of(name)
    members = _MEMBERS[kind]

    def lacking_of(cls: type) -> list[str]:
        if kind == "instrument" and callable(getattr(cls, "load", None)):
            return []  # a person detector or a tracker, which takes parameters
        return [need for need in members if not callable(getattr(cls, need, None))]

    def fits(value: Any) -> bool:
        return isinstance(value, type) and not lacking_of(value)

    def load() -> Any:
        module = _module_of(path, source)
        fitting = [key for key, value in vars(module).items() if fits(value) and value.__module__ == module.__name__]
        there = f"it has: {', '.join(fitting)}" if fitting else f"it has no class with {' and '.join(members)} either"
        if not attribute:
            example = f"{path.name}:{fitting[0]}" if fitting else "my.py:MyMethod"
            raise SpecError(f"{path.name} needs the name of a class behind it, such as {example}; {there}")
        target = getattr(module, attribute, None)
        if not isinstance(target, type):
            raise SpecError(f"{path.name} has no class {attribute!r}; {there}")
        lacking = lacking_of(target)
        if lacking:
            raise SpecError(f"{path.name}:{attribute} is no {kind}: it has no {' and no '.join(lacking)}; {there}")
        inspect.signature(target)
        return target

    return _guarded(kind, name, load)


def source_of(name: str) -> bytes:
    """What stands in the file of a name such as ``path/to/my.py:MyMethod``. Raises `SpecError`."""
    path, _ = _target(name)
    try:
        return path.read_bytes()
    except OSError as error:
        raise SpecError(
            f"{path} cannot be read: {error.strerror}; a method in a file is path/to/my.py:MyMethod"
        ) from error


def method_folders() -> set[str]:
    """Where the files lie that methods of this process were loaded from."""
    files = [module.__file__ for name, module in list(sys.modules.items()) if name.startswith(FILE_MODULES)]
    return {str(Path(file).parent) for file in files if file is not None}


def _target(name: str) -> tuple[Path, str]:
    target = file_target(name)
    if target is None:
        raise SpecError(f"{name!r} names no Python file; write path/to/my.py:MyMethod")
    return target[0].expanduser(), target[1]


def _module_of(path: Path, source: bytes) -> ModuleType:
    """``source`` run as a module of its own, once a process. Nothing is written beside the file: Python would take what
    it has compiled there for a file that was edited within the same second."""
    where = str(path.absolute())
    name = FILE_MODULES + hashlib.sha256(where.encode("utf-8", "surrogateescape") + b"\0" + source).hexdigest()[:16]
    if name not in sys.modules:
        plan = spec_from_file_location(name, where)
        assert plan is not None  # it ends in .py
        module = module_from_spec(plan)
        sys.modules[name] = module
        try:
            exec(compile(source, where, "exec", dont_inherit=True), vars(module))
        except BaseException as error:
            del sys.modules[name]
            first = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
            if first and (path.with_name(first).is_dir() or path.with_name(f"{first}.py").is_file()):
                raise SpecError(
                    f"{path.name} imports {first!r}, which lies beside it and is not installed: install it, or have "
                    f"{path.name} put its folder onto sys.path"
                ) from error
            raise
    return sys.modules[name]


def create_plugin(kind: str, name: str, cls: Callable[..., Any], params: Mapping[str, Scalar] | None = None) -> Any:
    """An instance whose card can be written into a plan. Raises `UnavailableError`, or the plug-in's `SpecError`."""

    def create() -> Any:
        plugin = cls(**(params or {}))
        if kind == "metric":
            _ = tuple(plugin.needs)
        for card in plugin.cards if kind == "metric" else (getattr(plugin, "card", None),):
            _check_card(kind, card)
        if kind == "method" and plugin.card.name == _CONTROL:
            raise ValueError(f"its card is called {_CONTROL!r}, as the control is; call it otherwise")
        return plugin

    return _guarded(kind, name, create)


def _check_card(kind: str, card: Any) -> None:
    """Raises `TypeError` where a plug-in's card is none, or holds what a plan cannot."""
    if card is None:
        raise TypeError(f"it has no card; give it one, an unmask.{_CARDS[kind].__name__}")
    if not isinstance(card, _CARDS[kind]):
        raise TypeError(f"its card is no {_CARDS[kind].__name__}")
    json.dumps(asdict(card))
