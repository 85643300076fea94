"""The one training loop: batches, rows of losses, sample grids, saved states, resuming, divergence, the time to stop.

What a step of a network does stands in `attgan`, `stargan`, `dcgan`, `inpainting`, `editing`, `stochastic` and
`classifier`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import torch
from torch import nn
from torchvision.utils import save_image

from unmask.bench.core.errors import CheckpointError, UnmaskError
from unmask.bench.core.files import replacing_file
from unmask.methods.gan.training.faces import Batch, Faces, training_batches
from unmask.methods.gan.training.outputs import LOSSES, STATE, TrainingFolder, TrainingProgress, trim_rows, write_row

SAVE_SECONDS: Final = 60.0
"""A state is saved at least so often, so that a kill costs no more."""
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Course:
    """How far a training goes, and in which steps."""

    steps: int
    """Batches in all."""
    batch: int
    """Faces of a batch."""
    save_every: int
    """Steps between two rows of losses, each with a grid and a saved state."""
    seed: int
    mirror: bool = True
    """Whether half of the faces are mirrored."""
    patience: int | None = None
    """Epochs without a better one after which training stops."""
    score: Callable[[Mapping[str, float]], float] | None = None
    """Of an epoch's mean losses: the lowest is the best, and its network the result; None = the last state is."""
    surroundings: float = 0.0
    """Share of the faces that are continued beyond the edge of their photo."""


class Trainer(Protocol):
    """One network's training: what a step does, and what is kept of it."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all losses, in the order of the table."""

    @property
    def parts(self) -> Mapping[str, Any]:
        """Networks and optimizers under the names of the saved state."""

    @property
    def course(self) -> Course: ...

    def step(self, step: int, batch: Batch, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Changes the networks by one batch; the losses that were taken, scalars by column."""

    def samples(self) -> list[torch.Tensor]:
        """Rows of the sample grid: (N, 3, S, S) in [-1, 1] each; none = no grid."""

    def save(self, path: Path) -> None:
        """Writes the trained network to ``path``."""


def train(
    trainer: Trainer,
    faces: Faces,
    folder: TrainingFolder,
    report: Report,
    stop_at: float | None = None,
    facts: Mapping[str, Any] | None = None,
) -> bool:
    """Trains from the state in ``folder``, if any, to the end of the course; False where ``stop_at`` came first.

    ``stop_at``: seconds since 1970. ``facts`` go into the card of the trained network. Raises UnmaskError where a loss
    or a weight is no finite number: the last good state and network are kept.
    """
    course, progress = trainer.course, TrainingProgress()
    per_epoch = max(len(faces) // course.batch, 1)
    parts = {**trainer.parts, "progress": progress}
    step = saved = load_state(folder.path / STATE, parts, faces.images.device)
    trim_rows(folder.path / LOSSES, step)
    counted = time.monotonic()
    for batch in training_batches(faces, course.batch, course.seed, step, course.mirror, course.surroundings):
        complete = step >= course.steps or progress.stalled(course.patience)
        if complete or (stop_at is not None and time.time() >= stop_at):
            break
        torch.manual_seed(course.seed * 1_000_003 + step)  # for dropout, so that a resumed run drops the same
        progress.add(trainer.step(step, batch, np.random.default_rng((course.seed, step, 3))))
        step += 1
        epoch_ends = course.score is not None and step % per_epoch == 0
        row_is_due = step % course.save_every == 0 or step == course.steps or epoch_ends
        if not row_is_due and time.monotonic() - counted < SAVE_SECONDS:
            continue
        check_finite(progress, parts, step)
        counted = progress.count_time(counted)
        if row_is_due:
            row = write_row(folder.path / LOSSES, trainer.columns, step, progress.take_row())
            _save_grid(folder.path / "grid.png", trainer.samples())
            if course.score is None or (epoch_ends and progress.finish_epoch(course.score(progress.epoch.values()))):
                # Before the state that counts it: a kill between the two repeats steps, and loses no weights.
                folder.publish(trainer.save, _card(progress, step, per_epoch, facts))
            best = f"best epoch {progress.best} of {len(progress.scores)}: " if progress.scores else ""
            report(f"step {step}/{course.steps} {progress.seconds / step:.2f} s/step {best}{row}")
        save_state(folder.path / STATE, step, parts)
        saved = step
    if step > saved:
        check_finite(progress, parts, step)
        progress.count_time(counted)
        _save_grid(folder.path / "grid.png", trainer.samples())
        if course.score is None:
            folder.publish(trainer.save, _card(progress, step, per_epoch, facts))
        save_state(folder.path / STATE, step, parts)
    if complete:
        folder.finish(_card(progress, step, per_epoch, facts))
    else:
        report(f"stopped in time at step {step}/{course.steps}; the same command resumes the training")
    return complete


def check_finite(progress: TrainingProgress, parts: Mapping[str, Any], step: int) -> None:
    """Raises UnmaskError where a loss or a weight is no finite number: such a state must not replace a good one."""
    faults = [name for name, value in progress.row.values().items() if not np.isfinite(value)]
    for name, part in parts.items():
        if isinstance(part, nn.Module):
            values = [value for value in part.state_dict().values() if value.is_floating_point()]
            if values and not bool(torch.stack([value.isfinite().all() for value in values]).all()):
                faults.append(f"a weight of {name}")
    if faults:
        raise UnmaskError(
            f"training has diverged: {', '.join(faults)} is no number at step {step}; "
            "the last saved state is kept; start again with a lower rate or precision = 'float32'"
        )


def save_state(path: Path, step: int, parts: Mapping[str, Any]) -> None:
    """Writes ``step`` and the state of every part into one file, replaced as a whole: a kill at any moment leaves the
    last complete state."""
    with replacing_file(path) as temp, temp.open("wb") as file:
        torch.save({"step": step, **{name: part.state_dict() for name, part in parts.items()}}, file)
        file.flush()
        os.fsync(file.fileno())


def load_state(path: Path, parts: Mapping[str, Any], device: torch.device) -> int:
    """Fills ``parts`` and returns the step; 0 where there is no file. Raises CheckpointError for another training's."""
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        return int(state["step"])
    except (RuntimeError, KeyError, ValueError, TypeError, OSError) as error:
        first = str(error).splitlines()[0]
        raise CheckpointError(f"{path} does not fit this training ({first}); train into another folder") from error


def _save_grid(path: Path, rows: Sequence[torch.Tensor]) -> None:
    """Each row of faces below the other; no file where there are none."""
    if rows:
        pictures = torch.cat(list(rows)).float()
        with replacing_file(path) as temp:
            save_image(pictures, temp, "png", nrow=len(rows[0]), padding=0, normalize=True, value_range=(-1, 1))


def _card(progress: TrainingProgress, step: int, per_epoch: int, facts: Mapping[str, Any] | None) -> dict[str, Any]:
    scores = {"best_epoch": progress.best, "epoch_scores": progress.scores} if progress.scores else {}
    return {
        "steps": step,
        "epochs": round(step / per_epoch, 2),
        "seconds": round(progress.seconds, 1),
        **scores,
        **(facts or {}),
    }
