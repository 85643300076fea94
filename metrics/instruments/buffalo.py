"""insightface's buffalo_l (ArcFace, ResNet-50): a large recogniser, for those who have its file."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

import numpy as np
import onnx

from unmask.bench.core.cards import OWN_WEIGHTS, InstrumentCard
from unmask.bench.core.errors import CheckpointError, UnavailableError
from unmask.bench.core.files import remembered_sha256
from unmask.metrics.instruments.support.embedding import LookEmbedder
from unmask.metrics.instruments.support.onnx_session import free_batch, on_planes, open_session, read_model

SIZE: Final = 112
VARIABLE: Final = "UNMASK_BUFFALO_L"
"""Environment variable with the path of ``w600k_r50.onnx``."""
_FILE: Final = "w600k_r50.onnx"


class BuffaloL(LookEmbedder):
    """{"embedding": (N, 512)}; used only where the command names it."""

    card = InstrumentCard(
        name="buffalo_l",
        version="1",
        role="recogniser",
        description="ArcFace ResNet-50 of insightface's buffalo_l, 512 numbers a face, on the aligned 112-pixel face.",
        licence="non-commercial research only (model); insightface's code is MIT",
        source="Deng et al.: ArcFace, CVPR 2019; trained on WebFace600K (Zhu et al., CVPR 2021); insightface model zoo",
        params={"crop": "aligned", "size": SIZE},
        limits="The file is the user's own: no checksum pins it. A plan records its sha256, so a run resumes only with "
        "the same file, and a threshold holds only for the file that it was measured with. "
        "Expected to be the strongest recogniser here, but not measured by us. Not for commercial use.",
        default=False,
        looks=True,
    )
    dimension, batch = 512, 8

    @classmethod
    def settled_card(cls) -> InstrumentCard:
        """The card with the sha256 of the user's file. Raises `UnavailableError` without one."""
        path = find_weights()
        return replace(cls.card, params={**cls.card.params, OWN_WEIGHTS: remembered_sha256(path)})

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """Looks for the file itself (`find_weights`); ``files`` is empty. Raises `UnavailableError` without one, and
        `CheckpointError` for another network."""
        weights = find_weights()
        model = read_model(weights)
        stored = {tensor.name for tensor in model.graph.initializer}
        inputs = [value for value in model.graph.input if value.name not in stored]
        shapes = [_shape(value)[1:] for value in (*inputs, *model.graph.output)]
        if shapes != [(3, SIZE, SIZE), (cls.dimension,)]:
            raise CheckpointError(f"{weights} is not buffalo_l's recogniser: it maps {shapes}, not 3x112x112 to 512")
        free_batch(model)
        session = open_session(model, device, cls.card.name)
        return cls(on_planes(session, lambda values: (values - np.float32(127.5)) / np.float32(127.5)))


def find_weights() -> Path:
    """The path of ``w600k_r50.onnx``: where `VARIABLE` points, else in insightface's own folder of models.

    If neither has it and the package insightface is installed, that package downloads it (it needs the
    network, and goes where insightface keeps its models). Raises `UnavailableError` that says what to do.
    """
    named = os.environ.get(VARIABLE)
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise UnavailableError(f"{VARIABLE} points at {named}, which is not a file; set it to your copy of {_FILE}")
        return path
    path = Path.home() / ".insightface" / "models" / "buffalo_l" / _FILE
    if not path.is_file():
        _download()
    if not path.is_file():
        raise UnavailableError(
            f"buffalo_l needs {_FILE}: set {VARIABLE} to its path, put it at {path}, or, when online, "
            "pip install 'unmask[insightface]'"
        )
    return path


def _download() -> None:
    try:
        utils = importlib.import_module("insightface.utils")
    except ImportError:
        return
    try:
        # It prints to standard output, where the command may print JSON.
        with contextlib.redirect_stdout(sys.stderr):
            utils.ensure_available("models", "buffalo_l")
    except Exception as error:  # whatever insightface's downloader raises: no network, a full disk, a damaged archive
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UnavailableError(
            f"insightface could not download buffalo_l ({reason}); set {VARIABLE} to the path of {_FILE}"
        ) from error


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    return tuple(dimension.dim_value for dimension in value.type.tensor_type.shape.dim)
