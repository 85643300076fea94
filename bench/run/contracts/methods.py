"""The contract of a method, checked on a few drawn faces, in a process of its own as in runs."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from unmask.bench.core import registry
from unmask.bench.core.errors import SpecError, UsageError, counted, one_line
from unmask.bench.core.plugins import source_of
from unmask.bench.core.spec import Spec, file_target, without_folder, without_seeds
from unmask.bench.core.types import Image, MethodFailure, Sample
from unmask.bench.run.contestants.contestant import LOAD_FAILED
from unmask.bench.run.contestants.method_log import LOG_BYTES
from unmask.bench.run.contracts import drawn
from unmask.bench.run.contracts.cards import check_card
from unmask.bench.run.contracts.holding import FEWEST_CALLS, grows, held_over_calls
from unmask.bench.run.contracts.looks import is_swapped, unchanged_faces, wrong_range
from unmask.bench.run.contracts.rules import METHOD
from unmask.bench.run.contracts.sessions import OutOfTimeError, Session, difference, outputs_of, rule_of
from unmask.bench.run.contracts.verdicts import Ledger, Report

ROUNDING: Final = 2
"""Levels of 255 by which a network may round otherwise in another batch."""
MEMORY_S: Final = 15.0
"""Seconds that the calls may take in which memory is looked at."""
RESERVED_S: Final = 5.0
"""Seconds that are kept for the second process."""
SEED: Final = 5
Results = list[Image | MethodFailure]


def check_method(text: str, *, device: str = "cpu", limit: float = 55.0, time_limit: float = 10.0) -> Report:
    """The verdicts on the method of a SPEC. ``limit``: seconds that the check may take; what is left then is not
    checked. ``time_limit``: seconds that the method may take for a photo.

    Raises `SpecError` and `UnknownNameError` for a SPEC that names no method, `UsageError` for stored outputs.
    """
    spec, _ = without_seeds(registry.method_spec(text))
    _check_usage(spec)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="unmask-check-") as folder:
        check = _Check(spec, device, Path(folder), start + limit, time_limit)
        otherwise = check.run()
        verdicts = check.ledger.verdicts(otherwise)
    return Report(without_folder(spec.name), "method", verdicts, time.monotonic() - start, check.facts)


def _check_usage(spec: Spec) -> None:
    """Raises `UsageError` for what is wrong with the command rather than with a method. Runs nobody else's code."""
    if file_target(spec.name) is not None:
        source_of(spec.name)
    elif spec.name in registry.TABLES["method"]:
        if getattr(registry.method_class(spec.name), "needs_names", False):
            raise UsageError(f"{spec.name!r} only hands out what was made elsewhere; there is no method to check")
        registry.create_method(spec)
    elif spec.name not in registry.names("method"):
        registry.load("method", spec.name)


class _Check:
    """One check: two processes of the method, one after the other."""

    def __init__(self, spec: Spec, device: str, folder: Path, until: float, time_limit: float) -> None:
        self._spec, self._device, self._folder, self._until, self._limit = spec, device, folder, until, time_limit
        self.ledger = Ledger(METHOD)
        self.facts: dict[str, float | None] = {"ms_per_face": None, "mib": None}
        self._detector, self._by_chance = "none", True
        self._photos = drawn.faces()
        self._one_by_one: Results = []
        self._has_images = False

    def run(self) -> str:
        """Tries all rules; returns why those that it came to no verdict on were not checked."""
        session = self._open("first")
        try:
            if not session.load():
                if (reason := session.failure.removeprefix(LOAD_FAILED)).startswith(f"method {self._spec.name!r} "):
                    raise SpecError(reason)
                self.ledger.break_("loads", self._text(session, session.failure.removeprefix(LOAD_FAILED)))
                return "it cannot be loaded"
            self.ledger.keep("loads")
            self._detector, self._by_chance = check_card(self.ledger, self._spec)
            session.printed()
            if not self._try_photos(session):
                return "it gives no images of ordinary photos"
            self._look_at(self._together)
            if not self._one_by_one:
                return "it cannot do a single photo, which most rules are checked with"
            self._try_order_and_batch(session)
            self._try_others(session)
            self._try_memory(session)
        except OutOfTimeError as error:
            if error.in_call:
                self.ledger.leave("time", str(error))
            return str(error)
        finally:
            self._finish(session)
        try:
            return self._try_again()
        except OutOfTimeError as error:
            return str(error)

    def _open(self, name: str) -> Session:
        log = self._folder / f"{name}.txt"
        return Session(self._spec.text, self._device, log, until=self._until, time_limit=self._limit)

    def _finish(self, session: Session) -> None:
        """What can be said however far the check came."""
        printed = session.printed() if session.failure == "" else ""
        session.close()
        if printed:
            lines = printed.splitlines()
            most = f"{LOG_BYTES / 1e6:g} MB or more" if session.is_log_full else counted(len(lines), "line")
            self.ledger.break_("quiet", f"it printed {most} while it worked: {one_line(lines[0])[:80]}")
        if session.has_changed_inputs:
            self.ledger.break_("inputs", "it wrote into the images that it was handed")
        if self._has_images:
            self.ledger.keep("process", "time", "answers", "count", "shape", "dtype", "quiet", "inputs")

    def _handed(self, photo: drawn.Drawn) -> Sample:
        """The sample as runs hand it over: with the harness's boxes only where the card asks for them."""
        return photo.sample if self._detector == "harness" else replace(photo.sample, boxes=None)

    def _text(self, session: Session, reason: str) -> str:
        return f"{reason} ({session.where})" if session.where else reason

    def _call(self, session: Session, batch: Sequence[Sample], what: str, rule: str = "") -> Results | None:
        """The results of one call; what is wrong with them goes to ``rule``, or else to the rule it is about."""
        done = session.attempt(batch, SEED)
        results = outputs_of(done)
        reasons = [done.failure] if results is None else [r.reason for r in results if isinstance(r, MethodFailure)]
        for reason in reasons:
            self._blame(session, reason, what, rule or "answers")
        return results

    def _blame(self, session: Session, reason: str, what: str, rule: str) -> None:
        """Breaks the rule that a failure is about, or else ``rule``."""
        about = rule_of(reason)
        self.ledger.break_(rule if about == "answers" else about, f"{what}: {self._text(session, reason)}")

    def _try_photos(self, session: Session) -> bool:
        """All photos at once and each alone; whether there are images to look at."""
        self._samples = [self._handed(photo) for photo in self._photos]
        # The first call is no more than this: it shows soonest what hangs, and has what is only made once.
        done = session.attempt(self._samples[:1], SEED)
        if rule_of(done.failure) != "time":
            done = session.attempt(self._samples, SEED)
        if rule_of(done.failure) == "time":
            self.ledger.break_("time", f"an ordinary photo: it {done.failure}")
            return False
        if rule_of(done.failure) == "count":
            self.ledger.break_("count", f"three photos at once: {done.failure}")
        together = outputs_of(done)
        where = self._text(session, done.failure)
        for sample in self._samples:
            alone = session.attempt([sample], SEED)
            if alone.failure:
                rule = "batch-of-one" if together is not None else "answers"
                self._blame(session, alone.failure, "a single photo", rule)
                break
            self._one_by_one += alone.results
        complete = len(self._one_by_one) == len(self._samples)
        if together is None and complete:
            self.ledger.break_("batch", f"three photos at once fail, each alone does not: {where}")
        if complete and not self.ledger.is_broken("answers"):
            self.ledger.keep("batch-of-one")
        self._together = together if together is not None else self._one_by_one
        self._was_together = together is not None
        self._ms = done.ms
        if together is not None:
            self.facts["ms_per_face"] = None if math.isnan(done.ms) else round(done.ms, 1)
        if not complete:
            self._one_by_one = []
        for reason in dict.fromkeys(r.reason for r in self._together if isinstance(r, MethodFailure)):
            self.ledger.break_(rule_of(reason), f"an ordinary photo: {reason}")
        self._has_images = any(not isinstance(result, MethodFailure) for result in self._together)
        return self._has_images

    def _look_at(self, results: Results) -> None:
        """What the images of ordinary photos show."""
        outputs = [(p, r) for p, r in zip(self._photos, results, strict=False) if not isinstance(r, MethodFailure)]
        for _, output in outputs:
            if scale := wrong_range(output):
                self.ledger.break_("value-range", f"its values are those of {scale}, made uint8")
        self.ledger.keep("value-range")
        swapped = sum(is_swapped(photo.sample.image, output, photo.faces) for photo, output in outputs)
        if swapped * 2 > len(outputs):
            self.ledger.break_(
                "channels", f"red and blue are swapped (BGR for RGB) in {swapped} of {len(outputs)} images"
            )
        self.ledger.keep("channels")
        same = sum(unchanged_faces(photo.sample.image, output, photo.faces) for photo, output in outputs)
        if same:
            self.ledger.break_("changes-faces", f"{same} of {counted(len(outputs), 'face')} came back pixel for pixel")
        self.ledger.keep("changes-faces")

    def _try_order_and_batch(self, session: Session) -> None:
        first = self._together
        if self._was_together:
            again = self._call(session, self._samples, "the same photos a second time")
            unlike = difference(first, again) if again is not None else ""
            if unlike:
                self.ledger.break_("determinism", f"the same photos with the same seed, given again: {unlike}")
            backwards = self._call(session, self._samples[::-1], "the same photos in another order", "order")
            unlike = difference(first, backwards[::-1]) if backwards is not None else ""
            if unlike and not self.ledger.is_broken("determinism"):
                self.ledger.break_("order", f"the same photos in another order: {unlike}")
            unlike = difference(first, self._one_by_one, ROUNDING)
            if unlike and not self.ledger.is_broken("determinism"):
                self.ledger.break_("batch", f"each photo alone, not together: {unlike}")
        else:
            again = [r for sample in self._samples for r in self._call(session, [sample], "a photo once more") or []]
            unlike = difference(first, again) if len(again) == len(first) else ""
            if unlike:
                self.ledger.break_("determinism", f"the same photos with the same seed, given again: {unlike}")
        if self.ledger.is_broken("determinism"):
            for rule in ("order", "batch", "draw", "clips"):
                self.ledger.leave(rule, "it cannot be told while the same call gives other images (determinism)")
        elif self._was_together:
            self.ledger.keep("order", "batch")

    def _try_others(self, session: Session) -> None:
        """Photos that are not ordinary, and ordinary ones under other names."""
        wall = self._call(session, [self._handed(drawn.no_face())], "a photo without a face", "no-face")
        if wall is not None and not isinstance(wall[0], MethodFailure):
            self.ledger.keep("no-face")
        crowd = drawn.many_faces()
        crowded = self._call(session, [self._handed(crowd)], "a photo of six faces", "many-faces")
        if crowded is not None and not isinstance(crowded[0], MethodFailure):
            left = unchanged_faces(crowd.sample.image, crowded[0], crowd.faces)
            if self.ledger.is_broken("changes-faces"):
                self.ledger.leave("many-faces", "it cannot be told while single faces come back as they were")
            elif left:
                text = f"{left} of {len(crowd.faces)} faces of one photo came back as they were"
                self.ledger.break_("many-faces", text)
            self.ledger.keep("many-faces")
        for odd in drawn.odd_sizes():
            done = session.attempt([self._handed(odd)], SEED)
            reason = done.failure or next((r.reason for r in done.results if isinstance(r, MethodFailure)), "")
            if done.failure or (rule_of(reason) != "answers"):
                self.ledger.break_("any-size", f"a photo of {odd.sample.id.removeprefix('size-')} pixels: {reason}")
        self.ledger.keep("any-size")
        if self.ledger.is_broken("determinism"):
            return
        sample, before = self._samples[0], self._one_by_one[:1]
        renamed = self._call(session, [replace(sample, id="another", draw=sample.draw)], "a photo under another id")
        if renamed is not None:
            # A program cannot be told by whom it should draw.
            by_sample = getattr(registry.method_class(self._spec.name), "draws_by_sample", True)
            if by_sample and (unlike := difference(before, renamed)):
                self.ledger.break_("draw", f"the same photo with the same draw under another id: {unlike}")
            self.ledger.keep("draw")
        for frame in (1, 0, 1):
            self._call(session, [replace(self._samples[frame], sequence="clip")], "a frame of a clip", "clips")
        after = self._call(session, [sample], "a photo after the frames of a clip", "clips")
        if after is not None:
            if unlike := difference(before, after):
                self.ledger.break_("clips", f"a photo after the frames of a clip: {unlike}")
            self.ledger.keep("clips")

    def _try_memory(self, session: Session) -> None:
        until = min(self._until - RESERVED_S, time.monotonic() + MEMORY_S)
        held = held_over_calls(session, self._handed(drawn.many_faces(2)), SEED, until)
        self.facts["mib"] = round(session.memory, 1)
        if len(held) <= FEWEST_CALLS:
            self.ledger.leave("memory", f"only {len(held)} calls fitted into the time (--limit gives it more)")
        elif grows(held):
            text = f"it held {held[-1] - held[0]:.0f} MiB more after {len(held) - 1} further calls with one photo"
            self.ledger.break_("memory", text)
        self.ledger.keep("memory")

    def _try_again(self) -> str:
        """The same photos in another process, after others."""
        otherwise = "it gives no images of ordinary photos"
        if self.ledger.is_broken("determinism", "time", "process") or not self._one_by_one:
            return otherwise
        session = self._open("second")
        try:
            batch = self._samples if self._was_together else self._samples[:1]
            other_seed = session.attempt(batch[::-1], SEED + 4)
            again = self._call(session, batch, "the same photos in another process", "determinism")
        finally:
            session.close()
        if again is not None:
            if unlike := difference(self._together[: len(batch)], again):
                self.ledger.break_("determinism", f"the same photos with the same seed in another process: {unlike}")
            unlike = "" if self._by_chance or other_seed.failure else difference(again, other_seed.results[::-1])
            if unlike:
                self.ledger.break_("determinism", f"it says by_chance = False; with another seed: {unlike}")
            self.ledger.keep("determinism")
        return otherwise
