"""Calling a contestant: timed, guarded, and its answers checked. Whatever it does becomes a row, never a crash."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bench.core.types import Box, Image, MethodFailure, Sample
from bench.run.placement import size_reason


def call_method(method: Any, batch: Sequence[Sample], seed: int) -> list[tuple[Image | MethodFailure, float]]:
    """The batch's results with milliseconds each. A batch that fails is tried one by one, so that only the image
    that is to blame becomes a failure."""
    # Methods get copies: one that writes into its input must not change what is scored.
    guarded = [replace(sample, image=sample.image.copy()) for sample in batch]
    start = time.perf_counter()
    try:
        results = list(method.anonymize(guarded, seed=seed))
        if len(results) != len(batch):
            raise ValueError(f"the method returned {len(results)} images for {len(batch)}")
    except Exception as error:  # a contestant may fail in any way; each becomes a counted row
        if len(batch) > 1:
            return [call_method(method, [sample], seed)[0] for sample in batch]
        return [(MethodFailure(_one_line(error)), float("nan"))]
    ms = (time.perf_counter() - start) * 1000 / len(batch)
    return [
        (checked(result, sample.image, sample.boxes or ()), ms) for result, sample in zip(results, batch, strict=True)
    ]


def checked(result: Any, image: Image, boxes: Sequence[Box] = ()) -> Image | MethodFailure:
    """``result`` if it is an image of its input's size, else what is wrong with it. ``image``, ``boxes``: the input's."""
    if isinstance(result, MethodFailure):
        return result
    if not isinstance(result, np.ndarray) or result.dtype != np.uint8:
        kind = f"{result.dtype} array" if isinstance(result, np.ndarray) else type(result).__name__
        return MethodFailure(f"the method returned a {kind} instead of a uint8 image")
    shape = image.shape
    if result.ndim != 3 or result.shape[2] != 3 or 0 in result.shape:
        return MethodFailure(f"the output has shape {result.shape}, the input {shape}")
    if result.shape != shape:
        return MethodFailure(size_reason(image, boxes, result))
    return result


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300] if text else type(error).__name__
