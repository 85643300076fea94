"""Calling a contestant: timed, guarded, and its answers checked. Whatever it does becomes a row, never a crash."""

from __future__ import annotations

import math
import os
import re
import sys
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import psutil

from unmask.bench.core.errors import counted, one_line, reason_of, reraise_interrupt
from unmask.bench.core.plugins import method_folders
from unmask.bench.core.types import Box, Image, MethodFailure, Sample
from unmask.bench.run.checks.placement import size_reason
from unmask.bench.run.jobs import opened

Result = tuple[Image | MethodFailure, float]
"""An image or why there is none, and milliseconds (NaN for a failure)."""

TRACE_LENGTH: Final = 20_000
"""Characters of a traceback that are kept."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one call of a method came to: a result for each sample, or one failure of the whole call."""

    results: Sequence[Image | MethodFailure] = ()
    failure: str = ""
    """One line; '' where there are results."""
    ms: float = float("nan")
    """Milliseconds per sample."""
    trace: str = field(default="", repr=False)
    """The traceback of a failure, for the log."""
    final: bool = False
    """Whether a failure is settled for every sample of the batch, so that none is worth trying alone."""
    changed: bool = False
    """Whether the method wrote into the images that it was handed."""


class Callee(Protocol):
    """A loaded method, in this process (`Here`) or in one of its own (`contestant.Contestant`)."""

    time_limit: float
    """Seconds that one image may take; infinite where nobody watches."""

    @property
    def memory(self) -> float:
        """The most memory that the method has taken so far, MiB."""

    def expect(self, ids: Sequence[str]) -> None:
        """Passes the ids of all inputs of a data set on to a method that asks for them."""

    def attempt(self, batch: Sequence[Sample], seed: int) -> Attempt:
        """One call of the method."""

    def note(self, line: str) -> None:
        """Adds a line to the method's log."""


def call_method(callee: Callee, batch: Sequence[Sample], seed: int) -> list[Result]:
    """The batch's results with milliseconds each. A batch that fails is tried one by one, so that only the image
    that is to blame becomes a failure."""
    done = callee.attempt(batch, seed)
    if not done.failure:
        return [(result, float("nan") if isinstance(result, MethodFailure) else done.ms) for result in done.results]
    if len(batch) > 1 and not done.final:
        return [call_method(callee, [sample], seed)[0] for sample in batch]
    return [(MethodFailure(done.failure), float("nan"))] * len(batch)


class Here:
    """A method in this process: for those of our own that only copy."""

    time_limit = float("inf")

    def __init__(self, spec: str, device: str) -> None:
        self._before = peak_memory()
        self._method = opened.method(spec, device)

    @property
    def memory(self) -> float:
        return max(peak_memory() - self._before, 0.0)

    def expect(self, ids: Sequence[str]) -> None:
        expect(self._method, ids)

    def attempt(self, batch: Sequence[Sample], seed: int) -> Attempt:
        return attempt(self._method, batch, seed)

    def note(self, line: str) -> None:
        """Methods of our own keep no log."""


def expect(method: Any, ids: Sequence[str]) -> None:
    """Tells a method which inputs the data set has, if it has an ``expect``."""
    if hasattr(method, "expect"):
        method.expect(list(ids))


def attempt(method: Any, batch: Sequence[Sample], seed: int) -> Attempt:
    """One guarded call of a method in this process."""
    # Methods get copies: one that writes into its input must not change what is scored.
    guarded = [replace(sample, image=sample.image.copy()) for sample in batch]
    start = time.perf_counter()
    try:
        answer = method.anonymize(guarded, seed=seed)
        if not isinstance(answer, Iterable) or (isinstance(answer, np.ndarray) and answer.ndim < 4):
            what = "nothing" if answer is None else one_line(type(answer).__name__)
            return Attempt(failure=f"the method returned {what}; a list is wanted, one image for each of the batch")
        # An iterator may have no end.
        results = list(islice(iter(answer), len(batch) + 1))
        ms = (time.perf_counter() - start) * 1000 / len(batch)
        if len(results) != len(batch):
            images = "more images" if len(results) > len(batch) else counted(len(results), "image")
            return Attempt(failure=f"the method returned {images} for {len(batch)}")
    except BaseException as error:
        reraise_interrupt(error)
        return Attempt(failure=reason_of(error), trace=trace_of(error))
    pairs = zip(results, batch, strict=True)
    outputs = [checked(result, sample.image, sample.boxes or ()) for result, sample in pairs]
    changed = any(not np.array_equal(copy.image, sample.image) for copy, sample in zip(guarded, batch, strict=True))
    return Attempt(outputs, ms=ms, changed=changed)


def checked(result: Any, image: Image, boxes: Sequence[Box] = ()) -> Image | MethodFailure:
    """``result`` as a plain array if it is an image of its input's size, else what is wrong with it. ``image``,
    ``boxes``: the input's (H, W, 3) pixels and faces, which tell how a picture of another size came about."""
    try:
        if isinstance(result, MethodFailure):
            return MethodFailure(one_line(result.reason) or "the method gave no reason")
        if not isinstance(result, np.ndarray):
            return MethodFailure(f"{one_line(type(result).__name__)}, uint8 array wanted")
        plain = np.asarray(result)
        if plain.dtype != np.uint8:
            return MethodFailure(f"{plain.dtype.name} array, uint8 wanted")
        if plain.shape == image.shape:
            return plain
        if plain.ndim == 3 and plain.shape[2] == 3 and 0 not in plain.shape:
            return MethodFailure(size_reason(image, boxes, plain))
        return MethodFailure(f"output has shape {plain.shape}, {image.shape} wanted")
    except BaseException as error:  # an object may refuse even to be looked at
        reraise_interrupt(error)
        return MethodFailure(f"what the method returned cannot be read: {reason_of(error)}")


def trace_of(error: BaseException) -> str:
    """The traceback, bounded, with files as they are called below ``sys.path``, or
    below the folder of a method's file; where the exception's own text cannot
    be made, without it."""
    try:
        text = "".join(traceback.format_exception(error))
    except BaseException as other:
        reraise_interrupt(other)
        text = "".join(traceback.format_tb(error.__traceback__)) + reason_of(error)
    # Where a module lies on this machine can name people; its place below a folder of sys.path says as much.
    folders = {folder for folder in (*sys.path, *method_folders()) if Path(folder).is_absolute()}
    for folder in sorted(folders, key=len, reverse=True):
        text = text.replace(f'File "{folder.rstrip(os.sep)}{os.sep}', 'File "')
    return text[-TRACE_LENGTH:].encode("utf-8", "replace").decode("utf-8")


def short_id(sample: str) -> str:
    """The first digits of an id that is a digest; a name as it is, so that it is still known for one."""
    return sample[:16] if re.fullmatch(r"[0-9a-f]{64}", sample) else sample


def short_ids(batch: Sequence[Sample]) -> str:
    return ", ".join(short_id(sample.id) for sample in batch)


def peak_memory() -> float:
    """The largest resident memory this process has had so far, MiB; NaN where the system does not tell."""
    if psutil.LINUX:
        # Not getrusage: its peak outlives exec, and a fresh process would answer with that of the one which started it.
        peak = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
        return int(peak[1]) / 1024 if peak else math.nan
    if psutil.WINDOWS:
        return float(psutil.Process().memory_info().peak_wset) / 2**20
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if psutil.MACOS else 1024) / 2**20
