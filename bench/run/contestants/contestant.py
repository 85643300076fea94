"""A contestant in a process of its own: it may hang, crash, flood the terminal or leave children behind.

What is lost with its process is the call that it was at; the process starts afresh for the next one.
"""

from __future__ import annotations

import json
import multiprocessing
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from unmask.bench.core.errors import REASON_LENGTH
from unmask.bench.core.types import Image, MethodFailure, Sample
from unmask.bench.run.contestants.calling import Attempt, short_ids
from unmask.bench.run.contestants.method_log import MethodLog
from unmask.bench.run.contestants.serving import descendants, end_family, end_orphans, serve
from unmask.bench.run.jobs.executors import START_METHOD, start_fork_server
from unmask.bench.store.names import hide_paths

T = TypeVar("T")

LOAD_LIMIT_S: Final = 600.0
"""Seconds that a method may take to load."""
MOST_LOSSES: Final = 5
"""After so many calls in a row that cost the process, a method is given no more images in this run."""
LOAD_FAILED: Final = "the method could not be loaded: "
DIED: Final = "the method's process died on this image"
TOO_LONG: Final = "took longer than "
ELSEWHERE: Final = "the method put its output clip outside its own folder"
GIVEN_UP: Final = f"not tried: the method's process was lost {MOST_LOSSES} times in a row; last: "
_MESSAGE_BYTES: Final = 64 * 2**20


class Stopped(Exception):
    """The stage ends early; what the contestant was at means nothing."""


class _LostError(Exception):
    """The process is gone, or its answers cannot be understood."""


_LOST: Final = (_LostError, OSError, ValueError, KeyError, TypeError)


class Contestant:
    """One method, see `bench.run.contestants.calling.Callee`. Used by one thread; `stop` may be called by another."""

    def __init__(
        self,
        spec: str,
        device: str,
        log: Path,
        *,
        threads: int = 1,
        time_limit: float,
        load_limit: float = LOAD_LIMIT_S,
        hidden: Callable[[str], str] = hide_paths,
        code: str = "",
    ) -> None:
        """``spec``: the method's; ``log``: where its output and tracebacks are added; ``threads``: how many it may
        use; the limits in seconds; ``hidden``: takes names and paths out of what goes to the log; ``code``: as for
        `bench.run.jobs.opened.method`."""
        self.time_limit = time_limit
        self.failure = ""
        """Why no image is tried any more; '' = the method works, as far as is known."""
        self._spec, self._device, self._threads, self._load_limit = spec, device, threads, load_limit
        self._code = code
        self._log = MethodLog(log, hidden)
        self._process: Any = None
        self._connection: Connection | None = None
        self._token = secrets.token_hex(16)
        self._scratch = ""
        self.memory = 0.0
        self.resident = 0.0
        """MiB that the method's process held after its last call."""
        self._expected: list[str] | None = None
        self._answered = self._losses = 0
        self._expired = False
        self._stopping = threading.Event()

    def note(self, line: str) -> None:
        self._log.write(f"{line}\n")

    def expect(self, ids: Sequence[str]) -> None:
        self._expected = list(ids)
        if self._connection is not None:
            self._inform()

    def load(self) -> bool:
        """Starts the process where there is none; whether the method could be loaded, else ``failure`` says why."""
        return self._running()

    def attempt(self, batch: Sequence[Sample], seed: int) -> Attempt:
        """One call, in at most ``time_limit`` seconds an image. A process that dies on a single image after it had
        answered for others gets that image again, in a fresh process: it may have died of the others."""
        if not self._running():
            return Attempt(failure=self.failure, final=True)
        fresh = self._answered == 0
        limit = self.time_limit * len(batch)
        try:
            done = self._call(batch, seed, limit)
        except _LOST as error:
            expired, how = self._expired, self._end()
            self._raise_if_stopping()
            if len(batch) == 1 and not expired and not fresh:
                return self.attempt(batch, seed)
            reason = f"{TOO_LONG}{limit:g} s" if expired else DIED
            # The loss of a whole batch is not counted: its images are tried alone.
            self._losses += len(batch) == 1
            if self._losses >= MOST_LOSSES:
                self.failure = f"{GIVEN_UP}{reason}"[:REASON_LENGTH]
            self.note(f"{short_ids(batch)}: {reason} ({how or error})")
            return Attempt(failure=reason)
        self._answered += 1
        self._losses = 0
        if done.trace:
            self.note(f"{short_ids(batch)}:\n{done.trace}")
        return done

    def clip(self, path: Path, frames: int, seed: int) -> Path | MethodFailure:
        """The file that the method makes of a clip of so many ``frames``; it stays until the process ends."""
        if not self._running():
            return MethodFailure(self.failure)

        def call() -> dict[str, Any]:
            self._send({"do": "clip", "path": str(path), "seed": seed})
            return self._receive()

        try:
            answer = self._within(self.time_limit * frames, call)
            if answer["failure"]:
                self.note(str(answer["trace"]))
                return MethodFailure(str(answer["failure"])[:REASON_LENGTH])
            self.memory = max(self.memory, float(answer["memory"]))
            made = Path(str(answer["path"]))
            return made if made.resolve().is_relative_to(Path(self._scratch).resolve()) else MethodFailure(ELSEWHERE)
        except _LOST as error:
            expired, how = self._expired, self._end()
            self._raise_if_stopping()
            reason = f"a frame on average {TOO_LONG}{self.time_limit:g} s" if expired else DIED
            self.note(f"{reason} ({how or error})")
            return MethodFailure(reason)

    def close(self) -> None:
        """Ends the process with everything that the method has started."""
        self._end()
        self._log.close()

    def stop(self) -> None:
        """Ends the process from another thread; what it was at raises `Stopped` there."""
        self._stopping.set()
        self._kill()

    def _raise_if_stopping(self) -> None:
        if self._stopping.is_set():
            raise Stopped

    def _running(self) -> bool:
        """Starts the process where there is none; False where the method is given no more images."""
        self._raise_if_stopping()
        if self.failure:
            return False
        if self._process is not None:
            return True
        try:
            self._start()
            if self._expected is not None:
                self._inform()
        except _LOST as error:
            expired, how = self._expired, self._end()
            self._raise_if_stopping()
            reason = f"{TOO_LONG}{self._load_limit:g} s" if expired else how or str(error)
            self.failure = f"{LOAD_FAILED}{reason}"
        if self.failure:
            self._end()
            self.note(self.failure)
        return not self.failure

    def _start(self) -> None:
        context: Any = multiprocessing.get_context(START_METHOD)
        start_fork_server()
        ours, theirs = context.Pipe()
        output, their_output = context.Pipe(duplex=False)
        self._scratch = tempfile.mkdtemp(prefix="unmask-method-")
        settings = (self._threads, self._token, self._scratch)
        arguments = (theirs, their_output, self._spec, self._device, self._code, *settings)
        self._process = context.Process(target=serve, args=arguments)
        self._process.start()
        theirs.close()
        their_output.close()
        self._log.follow(output)
        self._connection, self._answered = ours, 0
        self._settle(self._receive)

    def _inform(self) -> None:
        def call() -> dict[str, Any]:
            self._send({"do": "expect", "ids": self._expected})
            return self._receive()

        self._settle(call)

    def _settle(self, call: Callable[[], dict[str, Any]]) -> None:
        answer = self._within(self._load_limit, call)
        if answer["failure"]:
            self.note(str(answer["trace"]))
            self.failure = f"{LOAD_FAILED}{answer['failure']}"[:REASON_LENGTH]

    def _call(self, batch: Sequence[Sample], seed: int, limit: float) -> Attempt:
        def call() -> Attempt:
            boxes = [sample.boxes and [(b.x, b.y, b.w, b.h) for b in sample.boxes] for sample in batch]
            entries = [
                {"id": s.id, "shape": s.image.shape, "draw": s.draw, "sequence": s.sequence, "boxes": b}
                | {"landmarks": [np.asarray(points).tolist() for points in s.landmarks]}
                for s, b in zip(batch, boxes, strict=True)
            ]
            self._send({"do": "anonymize", "seed": seed, "samples": entries})
            for sample in batch:
                self._pipe.send_bytes(np.ascontiguousarray(sample.image).reshape(-1).data)
            answer = self._receive()
            self.memory, self.resident = max(self.memory, float(answer["memory"])), float(answer["resident"])
            results: list[Image | MethodFailure] = []
            for reason, sample in zip(answer["reasons"], batch if answer["reasons"] else (), strict=True):
                if reason is not None:
                    results.append(MethodFailure(str(reason)))
                    continue
                data = self._bytes(sample.image.nbytes)
                results.append(np.frombuffer(data, np.uint8).reshape(sample.image.shape))
            changed = bool(answer["changed"])
            return Attempt(results, str(answer["failure"]), float(answer["ms"]), str(answer["trace"]), changed=changed)

        return self._within(limit, call)

    @property
    def _pipe(self) -> Connection:
        if self._connection is None:
            raise _LostError("no process")
        return self._connection

    def _send(self, message: dict[str, Any]) -> None:
        self._pipe.send_bytes(json.dumps(message).encode())

    def _receive(self) -> dict[str, Any]:
        answer = json.loads(self._bytes(_MESSAGE_BYTES))
        if not isinstance(answer, dict):
            raise _LostError("no answer")
        return answer

    def _bytes(self, most: int) -> bytes:
        """The next message. Whether the process lives is asked of itself: children may hold its end of the pipe."""
        ready = wait([self._pipe, self._process.sentinel])
        if self._pipe not in ready:
            raise _LostError("the process ended")
        try:
            return self._pipe.recv_bytes(most)
        except EOFError as error:
            raise _LostError("the connection was closed") from error

    def _within(self, limit: float, call: Callable[[], T]) -> T:
        """``call``, with the process killed where it takes longer: whatever it waits for then ends."""
        self._expired = False
        timer = threading.Timer(limit, self._expire)
        timer.daemon = True
        timer.start()
        try:
            return call()
        finally:
            timer.cancel()

    def _expire(self) -> None:
        self._expired = True
        self._kill()

    def _kill(self) -> None:
        process = self._process
        if process is not None and process.pid is not None:
            end_family(process.pid)

    def _end(self) -> str:
        """Ends the process, gently where it waits for work, and all that it left; says how it ended."""
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if connection is not None:
            connection.close()
        if process is None:
            return ""
        family = descendants(process.pid)
        process.join(0 if self._expired or self._stopping.is_set() else 2)
        code = process.exitcode
        end_family(process.pid, family)
        end_orphans(self._token)
        process.join(5)
        shutil.rmtree(self._scratch, ignore_errors=True)
        if code is None or code == 0:
            return ""
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
