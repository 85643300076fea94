"""The contracts of metrics, instruments and attackers, each checked in a process of its own."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any, Final

from unmask.bench.core import registry
from unmask.bench.core.errors import SpecError, reason_of
from unmask.bench.core.plugins import create_plugin, load_file, source_of
from unmask.bench.core.spec import Spec, file_target, parse_spec, without_folder
from unmask.bench.run.contestants.serving import end_family
from unmask.bench.run.contracts import attackers, instruments, metrics
from unmask.bench.run.contracts.rules import ATTACKER, INSTRUMENT, METRIC, Rules
from unmask.bench.run.contracts.verdicts import Ledger, Report, Verdict
from unmask.bench.run.jobs.executors import START_METHOD, start_fork_server

CONTRACTS: Final[Mapping[str, Rules]] = {"attacker": ATTACKER, "instrument": INSTRUMENT, "metric": METRIC}
_CHECKS: Final[Mapping[str, Callable[[Ledger, Callable[[], Any], str], None]]] = {
    "attacker": attackers.check,
    "instrument": instruments.check,
    "metric": metrics.check,
}
_MESSAGE_BYTES: Final = 2**20


class _SentLedger(Ledger):
    """Sends each verdict as soon as there is one: what comes after may hang."""

    def __init__(self, rules: Rules, connection: Connection) -> None:
        super().__init__(rules)
        self._connection = connection

    def record(self, verdict: Verdict) -> None:
        super().record(verdict)
        self._connection.send_bytes(json.dumps(asdict(verdict)).encode())


def check_plugin(kind: str, text: str, *, device: str = "cpu", limit: float = 55.0) -> Report:
    """The verdicts on a ``metric``, ``instrument`` or ``attacker``, by its SPEC or in a file. ``limit``: seconds.

    Raises `SpecError` and `UnknownNameError` for a SPEC that names none.
    """
    spec = parse_spec(text)
    _check_usage(kind, spec)
    start = time.monotonic()
    ledger = Ledger(CONTRACTS[kind])
    context: Any = multiprocessing.get_context(START_METHOD)
    start_fork_server()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, kind, spec.text, device))
    process.start()
    theirs.close()
    try:
        is_complete = _follow(ours, ledger, start + limit)
    finally:
        end_family(process.pid)
        process.join(5)
    if is_complete is None:
        ledger.break_("time", f"it took longer than {limit:g} s")
    elif not is_complete:
        code = process.exitcode
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
        ledger.break_("process", f"its process {how}")
    elif not ledger.is_broken("loads"):
        ledger.keep("loads", "process", "time")
    ending = "it cannot be loaded" if ledger.is_broken("loads") else "what comes before it failed"
    verdicts = ledger.verdicts(ending)
    return Report(without_folder(spec.name), kind, verdicts, time.monotonic() - start)


def _check_usage(kind: str, spec: Spec) -> None:
    if kind == "metric" and spec.params:
        raise SpecError(f"metrics take no parameters; write {without_folder(spec.name)}")
    if file_target(spec.name) is not None:
        source_of(spec.name)
    elif spec.name in registry.TABLES[kind]:
        _ = _created(kind, spec)
    elif spec.name not in registry.names(kind):
        registry.load(kind, spec.name)


def _created(kind: str, spec: Spec) -> Any:
    """A new instance; of an instrument without parameters its class."""
    if file_target(spec.name) is not None:
        cls = load_file(kind, spec.name)
        opens = kind == "instrument" and callable(getattr(cls, "open", None))
        return cls if opens and not spec.params else create_plugin(kind, spec.name, cls, spec.params)
    if kind == "metric":
        return registry.create_metric(spec.name)
    return registry.create_attacker(spec) if kind == "attacker" else registry.create_instrument(spec)


def _follow(connection: Connection, ledger: Ledger, until: float) -> bool | None:
    """Takes over what the process says; True where it came to its end, ``None`` where that took too long."""
    while connection.poll(max(until - time.monotonic(), 0)):
        try:
            message = json.loads(connection.recv_bytes(_MESSAGE_BYTES))
        except (EOFError, OSError, ValueError):
            return False
        if message is None:
            return True
        ledger.record(Verdict(**message))
    return None


def _work(connection: Connection, kind: str, text: str, device: str) -> None:
    """Runs in the process of the plug-in, whose output goes nowhere."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    with suppress(OSError, AttributeError):
        os.setsid()
    ledger = _SentLedger(CONTRACTS[kind], connection)
    spec = parse_spec(text)
    try:
        _ = _created(kind, spec)
        _CHECKS[kind](ledger, lambda: _created(kind, spec), device)
    except BaseException as error:
        ledger.break_("loads", reason_of(error))
    connection.send_bytes(b"null")
