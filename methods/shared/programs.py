"""Other people's programs: run apart from everything else, watched while they run, and ended with all they started."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, Final

import psutil

MIB: Final = 2**20
PRINTED_BYTES: Final = 16 * MIB
"""What a program may print in one call."""
LOGGED_BYTES: Final = 8192
"""How much of it is handed on, of its beginning and of its end."""
MOST_ENTRIES: Final = 20_000
"""Files and folders that a call may leave, wherever they lie in its folder."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.2
_MOST_ROUNDS: Final = 50
_TASKS_A_PROCESS: Final = 64
"""Threads of a process that are common; far more are stopped."""
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_GET_CHILD_SUBREAPER: Final = 37


@dataclass(frozen=True, slots=True)
class Limits:
    """What a call of a program may take."""

    memory: int
    """MiB, all its processes together; no single one may have more writable memory either (Linux)."""
    processes: int
    """Running at the same time."""
    disk: int
    """MiB of files below its folder."""
    outputs: int
    """Files and folders in its output folder."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call of a program came out."""

    failure: str
    """Why what it wrote does not count; '' = it ended by itself, with exit code 0."""
    printed: bytes
    """The beginning and the end of what it printed, standard output and errors as they came."""
    memory: float
    """The most memory that its processes were seen to have together, MiB."""


def run_program(words: Sequence[str], folder: Path, output: Path, env: Mapping[str, str], limits: Limits) -> Ended:
    """Runs a program to its end, without a shell, in a session of its own.

    ``folder``: all that it may write to; ``output``: the folder in it that is meant for its outputs. It starts in
    ``folder / "work"``, which must be there. Nobody watches the clock here: the caller is ended as a whole where that
    takes too long, and whatever it started with it.
    """
    before = {process.pid for process in _descendants()}
    inputs, tasks = _entries(folder, MOST_ENTRIES), _own_tasks() + _TASKS_A_PROCESS * limits.processes
    with _adopting():
        try:
            process = subprocess.Popen(
                list(words),
                cwd=folder / "work",
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: _limit(limits, tasks),
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            reason = getattr(error, "strerror", None) or "what it was started with cannot be used"
            return Ended(f"the program could not be started: {reason}", b"", 0.0)
        assert process.stdout is not None
        printed = _Printed(process.stdout)
        try:
            watch = _Watch(process, before, (folder, output, inputs), limits, printed)
            failure = watch.until_end()
        finally:
            _end(process, before)
        printed.join(1)
        process.stdout.close()
        return Ended(failure or watch.excess() or _exit_reason(process.returncode), printed.text, watch.peak)


@cache
def offline() -> tuple[str, ...]:
    """The words before a command that start it without any network; () = this system does not allow it.

    Linux with user namespaces: a network namespace of its own, in which nothing but an unused loopback device was
    seen when it was tried out.
    """
    tool = shutil.which("unshare") if sys.platform == "linux" else None
    for mapping in ("--map-current-user", "--map-root-user") if tool else ():
        words = (str(tool), "--user", mapping, "--net", "--")
        with suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run([*words, "cat", "/proc/self/net/dev"], capture_output=True, timeout=10, check=True)
            devices = [line.partition(b":")[0].strip() for line in done.stdout.splitlines() if b":" in line]
            if devices in ([b"lo"], []):
                return words
    return ()


class _Printed(threading.Thread):
    """What a program prints: read until nobody can print any more, its beginning and its end kept."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._stream, self._first, self._last, self.bytes = stream, bytearray(), b"", 0
        self.start()

    @property
    def text(self) -> bytes:
        """What was kept of it."""
        left_out = b"\n[...]\n" if self.bytes > 2 * LOGGED_BYTES else b""
        return bytes(self._first) + left_out + self._last

    def run(self) -> None:
        with suppress(OSError, ValueError):
            while data := os.read(self._stream.fileno(), 65536):
                self.bytes += len(data)
                room = LOGGED_BYTES - len(self._first)
                self._first += data[:room]
                self._last = (self._last + data[room:])[-LOGGED_BYTES:]


class _Watch:
    """Looks now and then at what a program takes."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        before: set[int],
        places: tuple[Path, Path, tuple[int, int]],
        limits: Limits,
        printed: _Printed,
    ) -> None:
        """``before``: processes that were there already; ``places``: the folder, the output folder in it, and the
        entries and bytes that were there already."""
        self._process, self._before, self._limits, self._printed = process, before, limits, printed
        self._folder, self._output, (self._own_entries, self._own_bytes) = places
        self.peak = 0.0
        """MiB."""

    def until_end(self) -> str:
        """Waits; the limit that the program went over, or '' where it ended by itself."""
        pause = _FIRST_PAUSE_S
        while True:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(pause)
                return ""
            if reason := self._taken() or self.excess():
                return reason
            pause = min(pause * 1.3, _LONGEST_PAUSE_S)

    def _taken(self) -> str:
        members = [process for process in _descendants() if process.pid not in self._before]
        total = 0
        for member in members:
            with suppress(psutil.Error):
                total += member.memory_info().rss
        self.peak = max(self.peak, total / MIB)
        if len(members) > self._limits.processes and _alive(members) > self._limits.processes:
            return f"the program had more than {self._limits.processes} processes"
        if total > self._limits.memory * MIB:
            return f"the program took more than {self._limits.memory} MiB of memory"
        return ""

    def excess(self) -> str:
        """The limit that what it printed and wrote goes over; '' = none."""
        if self._printed.bytes > PRINTED_BYTES:
            return f"the program printed more than {PRINTED_BYTES // MIB} MiB"
        if _entries(self._output, self._limits.outputs)[0] > self._limits.outputs:
            return f"the program wrote more than {self._limits.outputs} files into its output folder"
        entries, size = _entries(self._folder, self._own_entries + MOST_ENTRIES)
        if entries - self._own_entries > MOST_ENTRIES:
            return f"the program wrote more than {MOST_ENTRIES} files"
        if size - self._own_bytes > self._limits.disk * MIB:
            return f"the program wrote more than {self._limits.disk} MiB"
        return ""


def _entries(folder: Path, most: int) -> tuple[int, int]:
    """How many files and folders lie below a folder, and their bytes; counting ends beyond ``most`` of them."""
    entries = size = 0
    for here, folders, files in os.walk(folder):
        entries += len(folders) + len(files)
        for name in files[: most + 1]:
            with suppress(OSError):
                size += os.lstat(Path(here, name)).st_size
        if entries > most:
            break
    return entries, size


def _own_tasks() -> int:
    """Processes and threads of this user."""
    tasks = 0
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            tasks += process.num_threads() if process.uids().real == os.getuid() else 0
    return tasks


def _limit(limits: Limits, tasks: int) -> None:
    """In the new process, before it becomes the program. ``tasks``: processes and threads that its user may have then,
    a brake for programs that start others faster than anybody can look; root is not bound by it."""
    import resource  # not on Windows

    bounds = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, limits.disk * MIB)]
    bounds.append((resource.RLIMIT_NPROC, tasks))
    if sys.platform == "linux":  # private writable memory there; address space would refuse what is only reserved
        bounds.append((resource.RLIMIT_DATA, limits.memory * MIB))
    for what, bound in bounds:
        _, hard = resource.getrlimit(what)
        bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(what, (bound, bound))


def _exit_reason(code: int | None) -> str:
    if code == 0:
        return ""
    if code is not None and code > 0:
        return f"the program ended with exit code {code}"
    if code == -signal.SIGXFSZ:
        return "the program wrote a file larger than it may write in all"
    return f"the program was ended by signal {-(code or 0)}"


def _end(process: subprocess.Popen[bytes], before: set[int]) -> None:
    """Kills the program's group and whatever else it has started."""
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    for _ in range(_MOST_ROUNDS):
        left = [each for each in _descendants() if each.pid not in before and each.pid != process.pid]
        for each in left:
            with suppress(psutil.Error):
                each.kill()
        if not left:
            break
        psutil.wait_procs(left, 1)
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)


def _alive(processes: Sequence[psutil.Process]) -> int:
    """How many have not ended yet; those that have may still be listed."""
    alive = 0
    for process in processes:
        with suppress(psutil.Error):
            alive += process.status() != psutil.STATUS_ZOMBIE
    return alive


def _descendants() -> list[psutil.Process]:
    with suppress(psutil.Error):
        return list(psutil.Process().children(recursive=True))
    return []


@contextmanager
def _adopting() -> Iterator[None]:
    """What loses its parent below this process becomes its child (Linux), so that it is found and ended."""
    libc: Any = ctypes.CDLL(None) if sys.platform == "linux" else None
    was = ctypes.c_int(0)
    if libc is not None:
        libc.prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(was))
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        if libc is not None:
            libc.prctl(_PR_SET_CHILD_SUBREAPER, was.value)
