"""The network of trained restoration, and its training.

torch is imported where it is needed: cards are read where nothing is restored.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import cv2
import numpy as np

from unmask.bench.core.cards import AttackerCard
from unmask.bench.core.errors import CheckpointError, UnavailableError, UnmaskError
from unmask.bench.core.files import replacing_file
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import FacePair, Float, Floats32, Image
from unmask.metrics.attackers.restoring.pairs import released_of
from unmask.metrics.attackers.restoring.places import cut

if TYPE_CHECKING:
    import torch
    from torch import nn

WIDTHS: Final = (32, 64, 128)
"""Channels at a half, a quarter and an eighth of the size."""
STRUCTURE: Final = 0.2
"""Weight of 1 - SSIM in the loss, beside the mean absolute error of levels in 0..1."""
FILE: Final = "state.pt"
Report = Callable[[str], None]


class Course(Protocol):
    """How far a training goes, and in which steps: see `metrics.attackers.restoring.unet.UNet`."""

    @property
    def side(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def rate(self) -> float: ...
    @property
    def save_every(self) -> int: ...
    @property
    def device(self) -> str: ...
    @property
    def card(self) -> AttackerCard: ...


def build_network() -> nn.Module:
    """(N, 3, H, W) in 0..1, sides multiples of 8 -> the same, not clipped. Half a million weights.

    Before it is trained it changes nothing.
    """
    import torch
    from torch import nn

    def block(inputs: int, outputs: int) -> nn.Module:
        convolutions = [nn.Conv2d(n, outputs, 3, padding=1, padding_mode="replicate") for n in (inputs, outputs)]
        return nn.Sequential(convolutions[0], nn.SiLU(), convolutions[1], nn.SiLU())

    class Restoring(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            fine, middle, coarse = WIDTHS
            self.down = nn.ModuleList([block(12, fine), block(fine, middle), block(middle, coarse)])
            self.up = nn.ModuleList([block(coarse + middle, middle), block(middle + fine, fine)])
            self.last = nn.Conv2d(fine, 12, 3, padding=1, padding_mode="replicate")
            for weight in self.last.parameters():
                nn.init.zeros_(weight)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            x = nn.functional.pixel_unshuffle(image - 0.5, 2)
            seen = []
            for k, step in enumerate(self.down):
                x = step(nn.functional.avg_pool2d(x, 2) if k else x)
                seen.append(x)
            for step, before in zip(self.up, seen[-2::-1], strict=True):
                x = step(torch.cat([nn.functional.interpolate(x, scale_factor=2, mode="nearest"), before], 1))
            return image + nn.functional.pixel_shuffle(self.last(x), 2)

    return Restoring()


class Training:
    """One training: its network, the best weights so far, and where it is saved."""

    def __init__(
        self,
        settings: Course,
        seed: int,
        place: Float,
        trained: Sequence[FacePair],
        chosen: Sequence[FacePair],
        folder: Path | None,
    ) -> None:
        import torch

        try:
            self.device = torch.device(settings.device)
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            raise UnavailableError(f"no device {settings.device!r} to train on here; use cpu") from error
        self.settings, self.seed = settings, seed
        self.faces, self.truth = self._tensors(place, trained)
        self.chosen = self._tensors(place, chosen)
        torch.manual_seed(derive_seed(seed, "restoring", "weights"))
        self.network = build_network().to(self.device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), settings.rate)
        self.step, self.lowest = 0, float("inf")
        self.best: Mapping[str, torch.Tensor] = {}
        self.path = None if folder is None else folder / FILE
        self.print = hashlib.sha256(
            b"".join(t.cpu().numpy().tobytes() for t in (self.faces, self.truth))
            + repr((place.tolist(), seed, sorted(settings.card.params.items()))).encode()
        ).hexdigest()
        self._resume()

    def run(self, stop_at: float | None, report: Report) -> bool:
        """Whether it came to the end of its steps."""
        import torch

        began = time.monotonic()
        if not self.best:
            self._keep_if_best()
        while self.step < self.settings.steps and (stop_at is None or time.time() < stop_at):
            rows = np.random.default_rng((self.seed, self.step)).integers(0, len(self.faces), self.settings.batch)
            batch = torch.from_numpy(rows).to(self.device)
            for group in self.optimizer.param_groups:
                group["lr"] = self.settings.rate * (1 + math.cos(math.pi * self.step / self.settings.steps)) / 2
            value = loss(self.network(self.faces[batch]), self.truth[batch])
            self.optimizer.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            self.step += 1
            if not bool(torch.isfinite(value)):
                raise UnmaskError(f"restoration: training diverged at step {self.step}; use a lower rate")
            if self.step % self.settings.save_every == 0:
                self._keep_if_best()
                self._save()
                seconds = (time.monotonic() - began) / self.step
                report(
                    f"step {self.step}/{self.settings.steps} {seconds:.2f} s/step loss {value.item():.4f}, "
                    f"of others {self.lowest:.4f}"
                )
        self._keep_if_best()
        self._save()
        return self.step >= self.settings.steps

    def _tensors(self, place: Float, pairs: Sequence[FacePair]) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, 3, side, side) in 0..1 of releases and originals, of the faces that the place has pixels of."""
        import torch

        regions = [(cut(place, released_of(p), p.box), cut(place, p.original, p.box)) for p in pairs]
        sides = [np.stack([scaled(each[k], self.settings.side) for each in regions if each[0].size]) for k in (0, 1)]
        return torch.from_numpy(sides[0]).to(self.device), torch.from_numpy(sides[1]).to(self.device)

    def _keep_if_best(self) -> None:
        import torch

        with torch.inference_mode():
            faces, truth = self.chosen
            value = float(loss(self.network(faces), truth))
        if value < self.lowest:
            self.lowest = value
            self.best = {name: weight.detach().clone() for name, weight in self.network.state_dict().items()}

    def _save(self) -> None:
        import torch

        if self.path is not None:
            state = {
                "print": self.print,
                "step": self.step,
                "lowest": self.lowest,
                "best": dict(self.best),
                "network": self.network.state_dict(),
                "optimizer": self.optimizer.state_dict(),
            }
            with replacing_file(self.path) as temp, temp.open("wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())

    def _resume(self) -> None:
        import torch

        if self.path is None or not self.path.exists():
            return
        try:
            state = torch.load(self.path, map_location=self.device, weights_only=True)
            if state["print"] != self.print:
                raise ValueError("other faces, seed or settings")
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.best, self.step, self.lowest = state["best"], int(state["step"]), float(state["lowest"])
        except Exception as error:
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise CheckpointError(f"{self.path} is not of this training ({first}); use another folder") from error


def loss(restored: torch.Tensor, originals: torch.Tensor) -> torch.Tensor:
    """L1 + `STRUCTURE` (1 - SSIM) of (N, 3, H, W) in 0..1, a scalar; SSIM under windows of 7 x 7 equal weights."""
    from torch.nn import functional

    means = [functional.avg_pool2d(x, 7, 1) for x in (restored, originals)]
    squares = [functional.avg_pool2d(x * y, 7, 1) for x, y in ((restored, restored), (originals, originals))]
    products = functional.avg_pool2d(restored * originals, 7, 1) - means[0] * means[1]
    variances = [square - mean * mean for square, mean in zip(squares, means, strict=True)]
    c1, c2 = 0.01**2, 0.03**2
    ssim = (2 * means[0] * means[1] + c1) * (2 * products + c2)
    ssim = ssim / ((means[0] ** 2 + means[1] ** 2 + c1) * (variances[0] + variances[1] + c2))
    return (restored - originals).abs().mean() + STRUCTURE * (1 - ssim.mean())


def scaled(region: Image, side: int) -> Floats32:
    """(3, side, side) in 0..1."""
    shrinks = min(region.shape[:2]) >= side
    sized = cv2.resize(region, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return np.ascontiguousarray(sized.transpose(2, 0, 1), dtype=np.float32) / np.float32(255)
