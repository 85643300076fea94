"""The process of one contestant: it loads the method and answers calls until nobody asks any more. And how it is ended.

Nothing of the harness's own runs in it, so that a method may change its process as it likes: the working folder, the
environment, signals, open files. Requests and answers are JSON and raw pixels, never pickles.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil

from unmask.bench.core.errors import reason_of
from unmask.bench.core.types import Box, MethodFailure, Sample
from unmask.bench.run.contestants.calling import Attempt, attempt, expect, peak_memory, trace_of
from unmask.bench.run.jobs import opened
from unmask.bench.run.jobs.executors import end_with_parent, limit_threads

TOKEN: Final = "UNMASK_CONTESTANT"
"""Environment variable by which the programs that a method starts can be found again."""
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_MOST_ROUNDS: Final = 50
_HIGH_DESCRIPTOR: Final = 500
"""Where the connection is moved: code that closes "all" descriptors often ends at 256."""


def serve(
    connection: Connection,
    output: Connection,
    spec: str,
    device: str,
    code: str,
    threads: int,
    token: str,
    scratch: str,
) -> None:
    """Loads the method and says so, then answers until the other end is closed. ``scratch``: the folder for its
    temporary files, removed when it has ended however that came."""
    _keep_apart(connection, output, scratch)
    connection = _settle_in(connection, output, threads, token)
    tempfile.tempdir = os.environ["TMPDIR"] = scratch
    before = peak_memory()
    method: Any = _tried(connection, partial(opened.method, spec, device, code))
    while method is not None:
        try:
            request = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        if request["do"] == "expect":
            _tried(connection, partial(expect, method, request["ids"]))
        elif request["do"] == "clip":
            _clip(connection, method, request, before)
        else:
            done = attempt(method, [_sample(connection, entry) for entry in request["samples"]], request["seed"])
            _answer(connection, done, max(peak_memory() - before, 0.0) + float(getattr(method, "memory_mib", 0.0)))


def _clip(connection: Connection, method: Any, request: dict[str, Any], before: float) -> None:
    """Has a method make a clip of a clip."""
    try:
        made = method.anonymize_clip(Path(request["path"]), seed=request["seed"])
        memory = max(peak_memory() - before, 0.0) + float(getattr(method, "memory_mib", 0.0))
        failure = made.reason if isinstance(made, MethodFailure) else ""
        _send(connection, {"failure": failure, "trace": "", "path": "" if failure else str(made), "memory": memory})
    except BaseException as error:
        _send(connection, {"failure": reason_of(error), "trace": trace_of(error)})


def _tried(connection: Connection, call: Callable[[], Any]) -> Any:
    """What ``call`` returns, and says whether it failed; ``None`` where it did."""
    try:
        result = call()
        _send(connection, {"failure": ""})
        return result
    except BaseException as error:
        _send(connection, {"failure": reason_of(error), "trace": trace_of(error)})
        return None


def _sample(connection: Connection, entry: dict[str, Any]) -> Sample:
    image = np.frombuffer(connection.recv_bytes(), np.uint8).reshape(entry["shape"])
    boxes = None if entry["boxes"] is None else tuple(Box(*box) for box in entry["boxes"])
    landmarks = tuple(np.array(points, np.float32) for points in entry["landmarks"])
    return Sample(entry["id"], image, boxes, entry["draw"], entry["sequence"], landmarks)


def _answer(connection: Connection, done: Attempt, memory: float) -> None:
    reasons = [result.reason if isinstance(result, MethodFailure) else None for result in done.results]
    answer = {"failure": done.failure, "trace": done.trace, "ms": done.ms, "changed": done.changed, "reasons": reasons}
    resident = psutil.Process().memory_info().rss / 2**20
    _send(connection, {**answer, "memory": memory, "resident": resident})
    for result in done.results:
        if not isinstance(result, MethodFailure):
            connection.send_bytes(np.ascontiguousarray(result).reshape(-1).data)


def _send(connection: Connection, message: dict[str, Any]) -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    connection.send_bytes(json.dumps(message).encode())


def _keep_apart(connection: Connection, output: Connection, scratch: str) -> None:
    """Goes on in a child of this process, which itself outlives the method and then ends all that it has left, also
    what has a session of its own and no parent any more. Where the system cannot do that, nothing happens."""
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        return
    with suppress(OSError):
        os.setsid()
    libc = ctypes.CDLL(None)
    # Orphans below this process become its children, wherever they hide.
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1) != 0:
        return
    child = os.fork()
    if child == 0:
        return
    connection.close()
    output.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = 1
    try:
        code = _wait_for(child)
    finally:
        _end_children()
        shutil.rmtree(scratch, ignore_errors=True)  # the run itself may be gone
        # The run sees how the method's process ended.
        if code < 0:
            with suppress(OSError):  # of SIGKILL
                signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
        os._exit(abs(code))


def _wait_for(child: int) -> int:
    """The exit code of the method's process (below 0: minus the signal); 1 where the run is gone before it ends."""
    parent = parent_process()
    ended = os.pidfd_open(child)
    if ended not in wait([ended, *([parent.sentinel] if parent is not None else [])]):
        return 1
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _end_children() -> None:
    """Kills all descendants of this process, those too that are started meanwhile."""
    for _ in range(_MOST_ROUNDS):
        left = psutil.Process().children(recursive=True)
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        _, alive = psutil.wait_procs(left, 1)
        if not left and not alive:
            return


def _settle_in(connection: Connection, output: Connection, threads: int, token: str) -> Connection:
    """Makes this process one that can be ended with all it starts, and whose output goes to the log."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_threads(threads)
    os.environ[TOKEN] = token
    if hasattr(os, "setsid"):
        with suppress(OSError):
            os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    end_with_parent(lambda: end_group(os.getpid()))
    for descriptor in (1, 2):
        os.dup2(output.fileno(), descriptor)
    output.close()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return _moved(connection)


def _moved(connection: Connection) -> Connection:
    try:
        import fcntl  # not on Windows

        high = fcntl.fcntl(connection.fileno(), fcntl.F_DUPFD_CLOEXEC, _HIGH_DESCRIPTOR)
    except (ImportError, OSError):
        return connection
    connection.close()
    return Connection(high)


def end_group(process: int) -> None:
    """Kills a process and the group that it leads or, where it is gone already, has led."""
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process, signal.SIGKILL)
    with suppress(OSError):
        os.kill(process, getattr(signal, "SIGKILL", signal.SIGTERM))


def descendants(process: int) -> list[psutil.Process]:
    """What a process has started, and what that has; none where the process is gone."""
    try:
        return list(psutil.Process(process).children(recursive=True))
    except psutil.Error:
        return []


def end_family(process: int, known: Sequence[psutil.Process] = ()) -> None:
    """Kills a process, its group and its descendants, those that left the group too."""
    family = [*known, *descendants(process)]
    end_group(process)
    for member in family:
        with suppress(psutil.Error):
            member.kill()


def end_orphans(token: str) -> None:
    """Kills programs that carry the token of a process which died before its descendants could be listed."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get(TOKEN) == token:
                process.kill()
