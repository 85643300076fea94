"""Every name of a plug-in -> ``"module:attribute"``, loaded only when used: one table for all kinds.

Other distributions add theirs through the entry point groups ``unmask.methods``, ``unmask.instruments``,
``unmask.metrics``, ``unmask.attackers``, ``unmask.layouts``, ``unmask.clip_layouts``, ``unmask.datasets`` and
``unmask.executors``; a name of ours cannot be taken over. A method may also be a class in a file
(``path/to/my.py:MyMethod``). The former groups ``unmask.person_detectors`` and ``unmask.trackers`` still count as
instruments.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pkgutil import resolve_name
from typing import Any, Final, cast

from unmask.bench.core.built_in import TABLES as TABLES
from unmask.bench.core.cards import InstrumentCard, Role
from unmask.bench.core.errors import SpecError, UnavailableError, UnknownNameError
from unmask.bench.core.plugins import create_plugin, load_method_file, load_plugin, plugin_targets
from unmask.bench.core.protocols import Attacker, Instrument, Method
from unmask.bench.core.spec import Spec, bare_name, file_target, parse_spec
from unmask.bench.core.values import CLIPS, Metric

_WORDS: Final[Mapping[str, str]] = {"people": "person detector"}
_FORMER_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {"instrument": ("unmask.person_detectors", "unmask.trackers")}


@cache
def targets(kind: str) -> Mapping[str, str]:
    """All names of a kind (a key of `TABLES`), ours first, then entry points."""
    groups = (f"unmask.{kind}s", *_FORMER_GROUPS.get(kind, ()))
    others = {name: target for group in reversed(groups) for name, target in plugin_targets(group).items()}
    return {**TABLES[kind], **{name: target for name, target in others.items() if name not in TABLES[kind]}}


def names(kind: str) -> tuple[str, ...]:
    return tuple(targets(kind))


def modules(instruments: Collection[str]) -> tuple[str, ...]:
    """The modules that hold those of the named instruments that are our own, and those that these import once they are
    opened."""
    ours = [cls for name, cls in available("instrument") if name in instruments and name in TABLES["instrument"]]
    return tuple(dict.fromkeys(module for cls in ours for module in (cls.__module__, *getattr(cls, "imports", ()))))


def load(kind: str, name: str) -> Any:
    """What is registered under a name: a class, or the function that reads a layout; a method's name may also lead to
    the class in a file.

    Raises `UnknownNameError`, and `UnavailableError` where a plug-in is broken or a package is missing; of a file
    `SpecError` for all of these.
    """
    table = targets(kind)
    if name not in table:
        if kind == "method" and file_target(name) is not None:
            return load_method_file(name)
        raise UnknownNameError(kind.replace("_", " "), name, table)
    if name not in TABLES[kind]:
        return load_plugin(kind, name, table[name])
    try:
        cls = resolve_name(table[name])
        for module in getattr(cls, "imports", ()):
            if find_spec(module) is None:
                raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    except ImportError as error:
        # A missing optional dependency is the user's to mend; a missing module of ours is a bug.
        if error.name is not None and error.name.split(".")[0] == "unmask":
            raise
        raise UnavailableError(f"{kind} {name!r} needs a package that is not installed: {error}") from error
    return cls


def available(kind: str) -> Iterator[tuple[str, Any]]:
    """Every registered class of a kind that can be loaded, by name."""
    for name in names(kind):
        with suppress(UnavailableError):
            yield name, load(kind, name)


def unavailable_plugins() -> Iterator[str]:
    """One line for each metric or instrument of somebody else that a run cannot use, and therefore leaves out."""
    for kind in ("metric", "instrument"):
        for name in (name for name in names(kind) if name not in TABLES[kind]):
            try:
                _ = create_metric(name) if kind == "metric" else load(kind, name)
            except UnavailableError as error:
                yield str(error)
    for name in plugin_targets("unmask.video_metrics"):
        yield (
            f"metric {name!r} (a plug-in) cannot be used: it must take an unmask.Evidence, name {CLIPS!r} among its "
            "needs and be registered in the group unmask.metrics, as all metrics are"
        )


def method_spec(text: str) -> Spec:
    """A method's SPEC. A bare value (``outputs:/photos``) is the one parameter that the class cannot do without.

    Raises `SpecError`, and of a SPEC with a bare value what `load` raises.
    """
    name = bare_name(text)
    if not name:
        return parse_spec(text)
    required = _required(inspect.signature(load("method", name)).parameters)
    if len(required) != 1:
        raise SpecError(f"cannot read {text!r}; method {name!r} takes no bare value: write {name}:param=value")
    return parse_spec(text, positional=required[0])


def dataset_spec(text: str) -> Spec:
    """A data set's SPEC; a bare value (``folder:/photos``) is its path. Raises `SpecError`."""
    return parse_spec(text, positional="path")


def method_class(name: str) -> type[Method]:
    """The class of a method; its signature tells the parameters."""
    return cast(type[Method], load("method", name))


def create_method(spec: Spec) -> Method:
    """The method of a SPEC, constructed but not loaded. Raises `SpecError` for parameters it does not take."""
    return cast(Method, _create("method", spec))


def create_instrument(spec: Spec, role: Role | None = None) -> Any:
    """The instrument of a SPEC, not opened: an object of a class that takes parameters (`PersonDetector`, `Tracker`),
    or else the class itself. All have a ``card``.

    Raises `SpecError` for parameters that it does not take, and where it has another role than ``role``.
    """
    if role is not None and spec.name not in targets("instrument"):
        raise UnknownNameError(_WORDS.get(role, role), spec.name, [name for name, _ in instrument_cards(role)])
    instrument = _create("instrument", spec)
    if role is not None and instrument.card.role != role:
        raise SpecError(f"{spec.name!r} is no {_WORDS.get(role, role)}; its role is: {instrument.card.role}")
    return instrument


def _create(kind: str, spec: Spec) -> Any:
    cls = load(kind, spec.name)
    fixed = kind == "instrument" and isinstance(getattr(cls, "card", None), InstrumentCard)
    accepted = {} if fixed else inspect.signature(cls).parameters
    any_name = any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values())
    for key in spec.params:
        if key not in accepted and not any_name:
            takes = ", ".join(accepted) or "none"
            raise SpecError(f"{kind} {spec.name!r} has no parameter {key!r}; it takes: {takes}")
    required = [key for key in _required(accepted) if key not in spec.params]
    if required:
        raise SpecError(f"{kind} {spec.name!r} needs {', '.join(required)}; write {spec.name}:{required[0]}=...")
    if fixed:
        return cls
    return cls(**spec.params) if spec.name in TABLES[kind] else create_plugin(kind, spec.name, cls, spec.params)


def _required(accepted: Mapping[str, inspect.Parameter]) -> list[str]:
    """Parameters that have no default."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [key for key, each in accepted.items() if each.default is each.empty and each.kind not in kinds]


def instrument_class(name: str) -> type[Instrument]:
    """The class of an instrument; without parameters, its ``card`` can be read without opening it."""
    return cast(type[Instrument], load("instrument", name))


def instrument_card(name: str) -> InstrumentCard:
    """An instrument's card as a run records it: where the weights are the user's own, with their sha256. Raises
    `UnavailableError` where such weights are missing."""
    settle: Callable[[], InstrumentCard] | None = getattr(instrument_class(name), "settled_card", None)
    return unsettled_card(name) if settle is None else settle()


def unsettled_card(name: str) -> InstrumentCard:
    """An instrument's card as it is without parameters and without the user's own files.

    Raises `UnavailableError` where it needs a package or has no card without such files, and `UnknownNameError`.
    """
    try:
        return cast(InstrumentCard, create_instrument(Spec(name, {}, name)).card)
    except SpecError as error:
        raise UnavailableError(str(error)) from error


def instrument_cards(*roles: Role) -> Iterator[tuple[str, InstrumentCard]]:
    """Name and `unsettled_card` of every instrument that has one and is of one of the roles (none = of any)."""
    for name in names("instrument"):
        with suppress(UnavailableError):
            card = unsettled_card(name)
            if not roles or card.role in roles:
                yield name, card


def create_attacker(spec: Spec) -> Attacker:
    return cast(Attacker, _create("attacker", spec))


def create_metric(name: str) -> Metric:
    cls = load("metric", name)
    return cast(Metric, cls() if name in TABLES["metric"] else create_plugin("metric", name, cls))


def is_usual(metric: Metric) -> bool:
    """Whether a run asks a metric without being told to: not where its class says ``default = False``."""
    return bool(getattr(metric, "default", True))


def all_metrics(*, clips: bool | None = None) -> Iterator[tuple[str, Metric]]:
    """Every registered metric that can be loaded, by name. ``clips``: True = those that only clips can answer, False =
    the others."""
    for name in names("metric"):
        with suppress(UnavailableError):
            metric = create_metric(name)
            if clips is None or clips == (CLIPS in metric.needs):
                yield name, metric


def check_device(device: str) -> None:
    """Raises `UnavailableError` where ``device`` (``cpu``, ``cuda``, ``cuda:1``) is none of this machine's."""
    resolve_name("unmask.metrics.instruments.support.onnx_session:check_device")(device)
