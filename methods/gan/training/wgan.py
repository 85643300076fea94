"""What the published networks' trainings share: settings, a Wasserstein critic with penalty, the files they leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from unmask.methods.gan.training.faces import Faces, first_faces, on
from unmask.methods.gan.training.hardware import Hardware, Stepper, frozen
from unmask.methods.gan.training.losses import weighted
from unmask.methods.gan.training.settings import CommonSettings, Count, Positive, Seed, Share, Weight, Width
from unmask.methods.shared.settings import Within


@dataclass(frozen=True, slots=True, kw_only=True)
class WganSettings(CommonSettings):
    """Settings that the published networks have in common."""

    attributes: Annotated[tuple[str, ...], Within(1, 100)]
    """Columns of the data's labels, in the order of the network's input."""
    width: Width = 64
    """Channels of the generator's first layer."""
    critic_width: Width = 64
    lambda_rec: Weight
    lambda_cls: Weight
    """Of the generator's classification loss."""
    lambda_gp: Weight = 10.0
    batch: Count
    rate: Positive
    """Adam's, for both networks."""
    betas: tuple[Share, Share] = (0.5, 0.999)
    mirror: bool
    """Whether half of the faces are mirrored."""
    seed: Seed = 0
    save_every: Count
    """Steps between two saved states, each with a row of losses."""


class WganTrainer:
    """A generator and its critic; see `methods.gan.training.loop.Trainer`."""

    columns = ("g_adv", "g_cls", "g_rec", "d_adv", "d_gp", "d_cls")
    label_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    """Of the critic's (B, A) logits against the labels, a scalar."""

    def __init__(
        self,
        settings: WganSettings,
        networks: Callable[[], tuple[nn.Module, nn.Module]],
        critic_cls: float,
        held_out: Faces,
        hardware: Hardware,
    ) -> None:
        """``networks`` makes generator and critic; ``critic_cls``: weight of the critic's classification loss."""
        self.hardware, self.sample_batch = hardware, first_faces(held_out)
        torch.manual_seed(settings.seed)
        self.generator, self.critic = (network.to(hardware.device) for network in networks())
        self._attributes = settings.attributes
        self._weights = {
            "g_adv": 1.0,
            "g_cls": settings.lambda_cls,
            "g_rec": settings.lambda_rec,
            "d_adv": 1.0,
            "d_gp": settings.lambda_gp,
            "d_cls": critic_cls,
        }
        self._steppers = [
            Stepper(network.parameters(), settings.rate, settings.betas, hardware)
            for network in (self.generator, self.critic)
        ]
        # The published trainers' names, so that their checkpoints and ours are read alike.
        names = ("G", "D", "optim_G", "optim_D")
        self.parts = dict(zip(names, (self.generator, self.critic, *self._steppers), strict=True))
        self._generator_losses = hardware.compiled(self.generator_losses)
        self._critic_losses = hardware.compiled(self.critic_losses)

    def repainted(self, photo: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S): what the generator makes of ``photo`` for 0/1 ``labels`` (B, A)."""
        raise NotImplementedError

    def generator_losses(self, photo: torch.Tensor, own: torch.Tensor, other: torch.Tensor) -> dict[str, torch.Tensor]:
        """``own``, ``other``: (B, A) labels of the photo's person and of somebody else."""
        raise NotImplementedError

    def critic_losses(
        self, photo: torch.Tensor, own: torch.Tensor, other: torch.Tensor
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """All but the gradient penalty, and the faces that the generator makes of ``photo``."""
        with torch.no_grad():
            fake = self.repainted(photo, other)
        real_score, real_logits = self.critic(photo)
        fake_score, _ = self.critic(fake)
        adversarial = fake_score.float().mean() - real_score.float().mean()
        return {"d_adv": adversarial, "d_cls": self.label_loss(real_logits, own)}, fake

    def step_critic(
        self, photo: torch.Tensor, own: torch.Tensor, other: torch.Tensor, rng: np.random.Generator, factor: float
    ) -> dict[str, torch.Tensor]:
        """One update of the critic at ``factor`` times the base rate; its losses."""
        with self.hardware.autocast():
            losses, fake = self._critic_losses(photo, own, other)
        between = on(photo.device, rng.random((len(photo), 1, 1, 1), np.float32))
        losses["d_gp"] = gradient_penalty(lambda x: self.critic(x)[0], photo, fake, between)
        self._steppers[1].step(weighted(losses, self._weights), factor)
        return losses

    def step_generator(
        self, photo: torch.Tensor, own: torch.Tensor, other: torch.Tensor, factor: float
    ) -> dict[str, torch.Tensor]:
        """One update of the generator at ``factor`` times the base rate; its losses."""
        with frozen(self.critic), self.hardware.autocast():
            losses = self._generator_losses(photo, own, other)
        self._steppers[0].step(weighted(losses, self._weights), factor)
        return losses

    def save(self, path: Path) -> None:
        """Writes the generator under its published names, float32."""
        tensors = {key: value.detach().cpu().contiguous() for key, value in self.generator.state_dict().items()}
        # One entry only: safetensors writes several in an order of its own, and equal weights must give equal bytes.
        save_file(tensors, path, {"attributes": ";".join(self._attributes)})


def gradient_penalty(
    score: Callable[[torch.Tensor], torch.Tensor], real: torch.Tensor, fake: torch.Tensor, share: torch.Tensor
) -> torch.Tensor:
    """mean over images of (||d score / d x||_2 - 1)^2 at x = real + share (fake - real) (Gulrajani et al. 2017, eq. 3).

    ``score`` maps (N, C, H, W) to answers whose sum per image is differentiated; ``share`` (N, 1, 1, 1) in [0, 1].
    In float32 whatever autocast says: the gradient of a gradient has no digits to lose, and needs no loss scaling.
    """
    with torch.autocast(real.device.type, enabled=False):
        real, fake = real.detach().float(), fake.detach().float()
        between = (real + share * (fake - real)).requires_grad_(True)
        (slope,) = torch.autograd.grad(score(between).sum(), between, create_graph=True)
        penalty: torch.Tensor = (torch.linalg.vector_norm(slope.flatten(1), dim=1) - 1).square().mean()
        return penalty
