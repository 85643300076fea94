"""A small U-Net that is trained on background pairs to undo what a method does to faces.

torch is imported where it is needed: cards are read where nothing is restored.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from unmask.bench.core.cards import AttackerCard
from unmask.bench.core.errors import CheckpointError, UnavailableError, UnmaskError
from unmask.bench.core.files import replacing_file
from unmask.bench.core.protocols import Columns
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import Box, Float, Floats32, Image
from unmask.metrics.attackers.restoring.inverses import rounded
from unmask.metrics.attackers.restoring.pairs import (
    FEWEST_PAIRS,
    FEWEST_PEOPLE,
    FacePair,
    Score,
    Scorer,
    released_of,
    split_by_person,
    usable_pairs,
)
from unmask.metrics.attackers.restoring.places import SQUARE, cut, places_of, put_back

if TYPE_CHECKING:
    import torch
    from torch import nn

WIDTHS: Final = (32, 64, 128)
"""Channels at a half, a quarter and an eighth of the size."""
STRUCTURE: Final = 0.2
"""Weight of 1 - SSIM in the loss, beside the mean absolute error of levels in 0..1."""
MOST_JUDGED: Final = 48
"""Faces at most that the best weights are chosen on, and that they are judged on."""
SHARES: Final = (0.8, 0.1, 0.1)
"""Of the people: trained on, chosen, judged."""
FILE: Final = "state.pt"
Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class UNet:
    """See the card. ``device``: ``cpu``, ``cuda``, ``cuda:1``...

    It restores the rectangle that the method changes, or the square about the face where it changes more than that.
    """

    side: int = 96
    """Pixels that the place of a face is scaled to, each way; a multiple of 8."""
    steps: int = 2000
    batch: int = 16
    rate: float = 2e-3
    save_every: int = 100
    """Steps between two saved states, at each of which the weights are tried on the people chosen by."""
    device: str = "cpu"

    @property
    def card(self) -> AttackerCard:
        return AttackerCard(
            name="u-net",
            version="1",
            title="trained restoration",
            knows="photos of background people before and after the method, and the place of the face",
            how=f"A residual U-Net of {'-'.join(map(str, WIDTHS))} channels on faces of {self.side} x {self.side} px, "
            f"trained on eight tenths of the background people for {self.steps} steps of {self.batch} faces with L1 + "
            f"{STRUCTURE:g} (1 - SSIM), Adam from {self.rate:g} down to 0 by half a cosine; no recogniser takes part. "
            f"The weights are those that restore a tenth of the people best, judged on the last tenth as closed-form "
            f"restoration is.",
            source="After McPherson, Shokri, Shmatikov, Defeating Image Obfuscation with Deep Learning, 2016, "
            "arXiv:1609.00408, and the reconstruction attack of Hao et al., Robustness Analysis of Face Obscuration, "
            "FG 2020, arXiv:1905.05243; network: Ronneberger, Fischer, Brox, U-Net, MICCAI 2015.",
            limits=f"Small and trained in minutes on a few hundred faces: what it cannot restore a larger one may. "
            f"Needs {FEWEST_PAIRS} background faces of {FEWEST_PEOPLE} people, hundreds to be any good. Does not find "
            "pixels that were moved far.",
            params={key: value for key, value in asdict(self).items() if key != "device"},
        )

    def fit(
        self,
        pairs: Sequence[FacePair],
        *,
        seed: int,
        folder: Path | None = None,
        stop_at: float | None = None,
        report: Report = lambda line: None,
    ) -> Columns:
        """The weights and what they are worth, see `unet_score`; trained on from the state in ``folder``, if any.

        ``stop_at``: seconds since 1970 at which training stops early, to be resumed by the same call. Raises DataError
        where there are too few pairs, CheckpointError for another training's folder, UnavailableError for a device that
        is not there and UnmaskError where training diverges.
        """
        usable = usable_pairs(pairs)
        trained, chosen, judged = split_by_person(usable, seed, SHARES)
        place = places_of(trained)[0]
        place = SQUARE if np.isnan(place).any() else place
        training = _Training(self, seed, place, trained, chosen[:MOST_JUDGED], folder)
        complete = training.run(stop_at, report)
        state: dict[str, Any] = {
            "place": place,
            "side": np.array(self.side),
            "steps": np.array(training.step),
            "complete": np.array(complete),
        }
        state |= {f"weights/{name}": value.cpu().numpy() for name, value in training.best.items()}
        judgement = Scorer(judged[:MOST_JUDGED]).score(lambda image, box: self.restore(state, image, box))
        return {**state, "score": np.array(list(asdict(judgement).values()), np.float64)}

    def restore(self, state: Columns, image: Image, box: Box) -> Image:
        """See `Restorer`."""
        import torch

        network = build_network().to(self.device).eval()
        start, side = "weights/", int(state["side"])
        weights = {
            key[len(start) :]: torch.from_numpy(np.array(v)) for key, v in state.items() if key.startswith(start)
        }
        network.load_state_dict(weights)

        def edit(region: Image) -> Image:
            with torch.inference_mode():
                inputs = torch.from_numpy(_scaled(region, side)[None]).to(self.device)
                output = network(inputs)[0].cpu().numpy()
            return _drawn(region, output)

        return put_back(np.asarray(state["place"]), image, box, edit)


def unet_score(state: Columns) -> Score:
    """On people that were neither trained on nor chosen by."""
    values = [float(v) for v in state["score"]]
    return Score(int(values[0]), *values[1:])


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


class _Training:
    """One training: its network, the best weights so far, and where it is saved."""

    def __init__(
        self,
        settings: UNet,
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
        sides = [np.stack([_scaled(each[k], self.settings.side) for each in regions if each[0].size]) for k in (0, 1)]
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


def _scaled(region: Image, side: int) -> Floats32:
    """(3, side, side) in 0..1."""
    shrinks = min(region.shape[:2]) >= side
    scaled = cv2.resize(region, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1), dtype=np.float32) / np.float32(255)


def _drawn(region: Image, output: Floats32) -> Image:
    """What the network made of a region, at the region's size."""
    size = (region.shape[1], region.shape[0])
    return rounded(255 * cv2.resize(output.transpose(1, 2, 0), size, interpolation=cv2.INTER_CUBIC))
