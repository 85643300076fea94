"""One guarded call of a method: what it may return, what becomes of the rest, and that nothing else is harmed."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pytest

from tests.support import fakes
from unmask.bench.core.types import Image, MethodFailure, Sample
from unmask.bench.run.contestants.calling import (
    TRACE_LENGTH,
    Attempt,
    Here,
    attempt,
    call_method,
    checked,
    expect,
    peak_memory,
    trace_of,
)

SHAPE = (6, 8, 3)

LARGE = 300
"""MiB; well above what the child takes."""

CHILD = f"""
import numpy as np
from unmask.bench.run.contestants.calling import peak_memory
before = peak_memory()
large = np.ones({LARGE} << 20, np.uint8)
with_it = peak_memory()
del large
print(before, with_it, peak_memory())
"""


def sample(level: int = 0) -> Sample:
    return Sample(str(level), np.full(SHAPE, level, np.uint8))


class Method:
    """Answers a batch by a function of it."""

    def __init__(self, answer: Callable[[Sequence[Sample]], Any]) -> None:
        self._answer = answer

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Any:
        return self._answer(batch)


def tried(answer: Callable[[Sequence[Sample]], Any], *samples: Sample) -> Attempt:
    return attempt(Method(answer), samples or [sample()], 0)


def raising(error: BaseException) -> Callable[[Sequence[Sample]], Any]:
    def answer(batch: Sequence[Sample]) -> Any:
        raise error

    return answer


def test_results_come_in_order_with_the_time_of_each() -> None:
    done = tried(lambda batch: [s.image + 1 for s in batch], sample(3), sample(7))
    assert [int(np.asarray(result)[0, 0, 0]) for result in done.results] == [4, 8]
    assert done.failure == done.trace == ""
    assert 0 <= done.ms < 1000


def test_a_method_that_writes_into_its_input_changes_a_copy() -> None:
    original = sample(9)

    def answer(batch: Sequence[Sample]) -> list[Image]:
        batch[0].image[:] = 0
        return [batch[0].image]

    done = tried(answer, original)
    assert np.asarray(done.results[0]).max() == 0
    assert original.image.min() == 9


@pytest.mark.parametrize(
    ("results", "failure"),
    [
        (lambda images: [], "the method returned 0 images for 2"),
        (lambda images: images[:1], "the method returned 1 image for 2"),
        (lambda images: [*images, images[0]], "the method returned more images for 2"),
        (lambda images: itertools.repeat(images[0]), "the method returned more images for 2"),
        (lambda images: None, "the method returned nothing; a list is wanted, one image for each of the batch"),
    ],
    ids=["none", "one", "three", "endless", "nothing"],
)
def test_another_number_of_images_is_a_failure_of_the_call(
    results: Callable[[list[Image]], Iterable[Image]], failure: str
) -> None:
    done = tried(lambda batch: results([s.image for s in batch]), sample(), sample(1))
    assert done.failure == failure
    assert math.isnan(done.ms)
    assert not done.results


def test_as_many_results_out_of_an_iterator_are_taken() -> None:
    assert tried(lambda batch: (s.image for s in batch), sample(1)).failure == ""


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (ValueError("no\nface"), "ValueError: no face"),
        (MemoryError(), "MemoryError"),
        (SystemExit(3), "sys.exit(3) was called"),
        (RuntimeError("x" * 1000), "RuntimeError: xxx"),
    ],
    ids=["two lines", "no text", "exit", "long"],
)
def test_an_exception_is_one_line_and_its_traceback_is_kept_for_the_log(error: BaseException, failure: str) -> None:
    done = tried(raising(error))
    assert done.failure.startswith(failure)
    assert len(done.failure.splitlines()) == 1
    assert len(done.failure) <= 300
    assert "in answer" in done.trace


def test_ctrl_c_is_the_user_s() -> None:
    with pytest.raises(KeyboardInterrupt):
        tried(raising(KeyboardInterrupt()))


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_a_traceback_is_bounded_and_there_even_if_the_exception_has_no_text() -> None:
    long, mute = tried(raising(ValueError("y" * 3 * TRACE_LENGTH))), tried(raising(Unprintable()))
    assert len(long.trace) == TRACE_LENGTH
    assert "in answer" in mute.trace
    assert mute.failure.startswith("Unprintable")
    assert trace_of(ValueError("\udcff")).endswith("?\n")


class Stubborn(np.ndarray):  # type: ignore[type-arg]
    """A subclass that keeps its own ideas of equality out of what is stored."""


class Trap:
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise OSError("do not look")


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (MethodFailure("no face\nfound"), "no face found"),
        (MethodFailure("  "), "the method gave no reason"),
        (None, "NoneType, uint8 array wanted"),
        ([[0]], "list, uint8 array wanted"),
        (np.zeros(SHAPE, np.float32), "float32 array, uint8 wanted"),
        (np.zeros(SHAPE[:2], np.uint8), "output has shape (6, 8), (6, 8, 3) wanted"),
        (np.zeros((6, 8, 4), np.uint8), "output has shape (6, 8, 4), (6, 8, 3) wanted"),
        (np.zeros((0, 8, 3), np.uint8), "output has shape (0, 8, 3), (6, 8, 3) wanted"),
        (np.zeros((6, 7, 3), np.uint8), "output is 7x6, the input is 8x6"),
    ],
)
def test_what_is_no_picture_of_the_input_s_size_is_a_failure(result: Any, reason: str) -> None:
    failure = checked(result, sample().image)
    assert isinstance(failure, MethodFailure)
    assert failure.reason.startswith(reason)
    assert len(failure.reason.splitlines()) == 1


def test_what_cannot_even_be_looked_at_is_a_failure() -> None:
    failure = checked(Trap(), sample().image)
    assert failure == MethodFailure("what the method returned cannot be read: OSError: do not look")


def test_a_picture_is_taken_as_a_plain_array() -> None:
    result = checked(np.zeros(SHAPE, np.uint8).view(Stubborn), sample().image)
    assert type(result) is np.ndarray


def test_one_bad_result_does_not_spoil_the_others_of_its_call() -> None:
    done = tried(lambda batch: [batch[0].image, "?", MethodFailure("too dark")], sample(1), sample(2), sample(3))
    assert done.failure == ""
    assert [getattr(result, "reason", "") for result in done.results] == ["", "str, uint8 array wanted", "too dark"]


class Scripted:
    """A callee that fails on batches with a dark sample; ``final`` as its attempts say."""

    time_limit, memory = math.inf, 0.0

    def __init__(self, final: bool = False) -> None:
        self.batches: list[list[str]] = []
        self._final = final

    def expect(self, ids: Sequence[str]) -> None: ...

    def note(self, line: str) -> None: ...

    def attempt(self, batch: Sequence[Sample], seed: int) -> Attempt:
        self.batches.append([s.id for s in batch])
        if any(s.id == "0" for s in batch):
            return Attempt(failure="too dark", final=self._final)
        return Attempt([MethodFailure("odd") if s.id == "5" else s.image for s in batch], ms=2.5)


def ends(callee: Scripted, *levels: int) -> list[tuple[str, float]]:
    results = call_method(callee, [sample(level) for level in levels], 0)
    return [(getattr(result, "reason", ""), ms) for result, ms in results]


def test_a_batch_that_fails_is_tried_one_by_one_and_costs_one_sample() -> None:
    callee = Scripted()
    (first, dark, last) = ends(callee, 3, 0, 4)
    assert (first, last) == (("", 2.5), ("", 2.5))
    assert dark[0] == "too dark"
    assert math.isnan(dark[1])
    assert callee.batches == [["3", "0", "4"], ["3"], ["0"], ["4"]]


def test_a_failure_that_is_settled_is_not_tried_again() -> None:
    callee = Scripted(final=True)
    assert [reason for reason, _ in ends(callee, 3, 0, 4)] == ["too dark"] * 3
    assert callee.batches == [["3", "0", "4"]]


def test_a_single_sample_is_tried_once() -> None:
    callee = Scripted()
    assert [reason for reason, _ in ends(callee, 0)] == ["too dark"]
    assert callee.batches == [["0"]]


def test_a_sample_that_failed_has_no_time() -> None:
    (odd, whole) = ends(Scripted(), 5, 6)
    assert odd[0] == "odd"
    assert math.isnan(odd[1])
    assert whole == ("", 2.5)


def test_only_methods_that_ask_for_the_inputs_are_told_them() -> None:
    expect(Method(lambda batch: []), ["a"])
    expect(fakes.ByName(), ("a", "b"))
    assert fakes.ByName.expected.pop() == ["a", "b"]


def test_a_method_in_this_process(painted_world: pytest.MonkeyPatch) -> None:
    here = Here("by-name:how=nothing", "cpu")
    here.expect(["a"])
    assert fakes.ByName.expected == [["a"]]
    done = here.attempt([sample(8)], 0)
    np.testing.assert_array_equal(np.asarray(done.results[0]), sample(8).image)
    assert here.memory >= 0
    assert math.isinf(here.time_limit)
    here.note("nothing is kept")


def test_peak_counts_what_this_process_had_and_nothing_else() -> None:
    held = np.ones(4 * LARGE << 20, np.uint8)  # by the parent, when the child starts: nothing of the child's
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    before, with_it, after = map(float, done.stdout.split())
    assert peak_memory() > held.nbytes / 2**20
    assert before < 2 * LARGE
    assert 0.95 * LARGE < with_it - before < 1.1 * LARGE
    assert abs(after - with_it) < 1  # the kernel counts pages lazily
