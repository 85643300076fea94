"""Saving and resuming: one file, replaced as a whole, so that a kill at any moment leaves the last complete state."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.files import replacing_file


def save_state(path: Path, step: int, parts: dict[str, Any]) -> None:
    """Writes ``step`` and the state of every module and optimizer of ``parts``."""
    with replacing_file(path) as temp, temp.open("wb") as file:
        torch.save({"step": step, **{name: part.state_dict() for name, part in parts.items()}}, file)
        file.flush()
        os.fsync(file.fileno())


def load_state(path: Path, parts: dict[str, Any], device: torch.device) -> int:
    """Fills ``parts`` and returns the step; 0 where there is no file. Raises CheckpointError for another training's."""
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        return int(state["step"])
    except (RuntimeError, KeyError, ValueError, OSError) as error:
        first = str(error).splitlines()[0]
        raise CheckpointError(f"{path} does not fit this training ({first}); train into another folder") from error


@torch.no_grad()
def update_average(average: nn.Module, current: nn.Module, decay: float) -> None:
    """Moves the running average of the weights a little towards the current ones (Karras et al. 2018)."""
    for old, new in zip(average.parameters(), current.parameters(), strict=True):
        old.lerp_(new, 1 - decay)
