"""The training's losses, against what they are defined as."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from unmask.bench.core.errors import ConfigError
from unmask.methods.gan.networks.attgan import AttGanDiscriminator
from unmask.methods.gan.training.attgan import AttGanTraining, epoch_score, signed
from unmask.methods.gan.training.compact import Change, changed, drawn_change
from unmask.methods.gan.training.hardware import open_hardware
from unmask.methods.gan.training.losses import ms_ssim_l1_loss, reconstruction_loss
from unmask.methods.gan.training.stargan import label_loss, rate_factor
from unmask.methods.gan.training.wgan import gradient_penalty
from unmask.metrics.instruments.support.ssim import ms_ssim_l1_parts


def pictures(seed: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture with flat, sloping and noisy parts, and another like it; (side, side, 3) in [0, 1]."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 1, side)[:, None, None] * np.ones((side, side, 3)) * rng.random(3)
    x[side // 2 :] += 0.2 * rng.random((side - side // 2, side, 3))
    x[:, : side // 4] = rng.random(3)
    return np.clip(x, 0, 1), np.clip(x + 0.08 * rng.standard_normal(x.shape), 0, 1)


def as_tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]


@pytest.mark.parametrize("side", [64, 128])
@pytest.mark.parametrize(("alpha", "compensation"), [(0.84, 0.2), (0.025, 1.0)])
def test_ms_ssim_l1_is_the_measured_one(side: int, alpha: float, compensation: float) -> None:
    pairs = [pictures(seed, side) for seed in range(3)]
    wanted = np.mean([ms_ssim_l1_parts(x, y).loss(alpha=alpha, compensation=compensation) for x, y in pairs])
    x, y = (torch.cat([as_tensor(pair[k]) for pair in pairs]) for k in range(2))
    assert ms_ssim_l1_loss(x, y, alpha=alpha, compensation=compensation).item() == pytest.approx(wanted, abs=1e-4)
    assert ms_ssim_l1_loss(x, x, alpha=alpha, compensation=compensation).item() == pytest.approx(0, abs=1e-5)


def test_ms_ssim_l1_leads_to_the_picture() -> None:
    """Its slope agrees with differences of the loss, and stepping along it brings the pictures together."""
    x, y = (as_tensor(part) for part in pictures(0, 32))
    made = y.clone().requires_grad_(True)
    loss = ms_ssim_l1_loss(made, x, alpha=0.84, compensation=0.2)
    (slope,) = torch.autograd.grad(loss, made)
    direction = slope / slope.norm()
    ahead, behind = (
        ms_ssim_l1_loss(y + step * direction, x, alpha=0.84, compensation=0.2).item() for step in (0.05, -0.05)
    )
    assert (ahead - behind) / 0.1 == pytest.approx(slope.norm().item(), rel=0.05)
    of_signed = reconstruction_loss("ms_ssim_l1", y * 2 - 1, x * 2 - 1, 0.84, 0.2)
    assert of_signed.item() == pytest.approx(loss.item(), rel=1e-4)


def test_reconstruction_losses_on_known_numbers() -> None:
    made, wanted = torch.full((2, 3, 8, 8), 0.5), torch.zeros(2, 3, 8, 8)
    assert reconstruction_loss("l1", made, wanted, 0.84, 0.2).item() == pytest.approx(0.5)
    assert reconstruction_loss("smooth_l1", made, wanted, 0.84, 0.2).item() == pytest.approx(0.125)
    assert reconstruction_loss("smooth_l1", made * 4, wanted, 0.84, 0.2).item() == pytest.approx(1.5)


def test_penalty_of_a_linear_score_is_known() -> None:
    """score(x) = <w, x> has slope w everywhere: the penalty is (|w| - 1)^2, and its derivative 2 (|w| - 1) w / |w|."""
    rng = torch.Generator().manual_seed(0)
    weight = torch.randn(3 * 4 * 4, generator=rng).requires_grad_(True)
    real, made = (torch.randn(5, 3, 4, 4, generator=rng) for _ in range(2))
    share = torch.rand(5, 1, 1, 1, generator=rng)
    penalty = gradient_penalty(lambda x: x.flatten(1) @ weight, real, made, share)
    norm = weight.detach().norm()
    assert penalty.item() == pytest.approx((norm.item() - 1) ** 2, rel=1e-5)
    (slope,) = torch.autograd.grad(penalty, weight)
    torch.testing.assert_close(slope, 2 * (norm - 1) * weight.detach() / norm)


def test_penalty_is_taken_between_the_images() -> None:
    """score(x) = |x|^2 / 2 has slope x, so the penalty tells where it was taken: image by image, at its own share."""
    real, made = torch.ones(2, 1, 2, 2), torch.full((2, 1, 2, 2), 3.0)
    share = torch.tensor([0.0, 0.5]).reshape(2, 1, 1, 1)
    penalty = gradient_penalty(lambda x: x.square().sum((1, 2, 3)) / 2, real, made, share)
    norms = np.array([1.0 * 2, 2.0 * 2])  # of four equal pixels
    assert penalty.item() == pytest.approx(((norms - 1) ** 2).mean())


def test_penalty_of_a_critic_agrees_with_differences() -> None:
    torch.manual_seed(0)
    critic = AttGanDiscriminator(2, 16, 4, 8, layers=2).double()
    real, made = torch.rand(3, 3, 16, 16), torch.rand(3, 3, 16, 16)
    share = torch.full((3, 1, 1, 1), 0.25)
    penalty = gradient_penalty(lambda x: critic(x.double())[0], real, made, share)
    at = (real + 0.25 * (made - real)).double()
    norms = []
    for k in range(3):
        slope = torch.zeros(at[k].numel(), dtype=torch.float64)
        with torch.no_grad():
            moved = at[k].flatten()[None] + 1e-4 * torch.cat([torch.eye(len(slope)), -torch.eye(len(slope))])
            answers = critic(moved.reshape(-1, 3, 16, 16))[0][:, 0]
        slope = (answers[: len(slope)] - answers[len(slope) :]) / 2e-4
        norms.append(slope.norm().item())
    assert penalty.item() == pytest.approx(np.mean((np.array(norms) - 1) ** 2), rel=1e-3)


def test_a_wasserstein_critic_with_penalty_finds_the_distance() -> None:
    """Two clouds 2 apart in every pixel are |2 (1, ..., 1)| apart; a linear critic under the penalty must say about so
    (a penalty of weight 10 lets the slope exceed 1 by d / 20)."""
    torch.manual_seed(0)
    score = nn.Linear(3 * 2 * 2, 1)
    optimizer = torch.optim.Adam(score.parameters(), 0.05)
    real, made = torch.randn(64, 3, 2, 2) + 1, torch.randn(64, 3, 2, 2) - 1
    distance = (real.mean(0) - made.mean(0)).norm().item()
    for _ in range(300):
        gap = score(real.flatten(1)).mean() - score(made.flatten(1)).mean()
        penalty = gradient_penalty(lambda x: score(x.flatten(1)), real, made, torch.rand(64, 1, 1, 1))
        optimizer.zero_grad()
        (-gap + 10 * penalty).backward()
        optimizer.step()
    assert gap.item() == pytest.approx(distance * (1 + distance / 20), rel=0.02)


def test_how_labels_are_given_and_epochs_scored() -> None:
    settings = AttGanTraining(attributes=("female", "old"))
    assert signed(torch.tensor([[0.0, 1.0]]), settings).tolist() == [[-0.5, 0.5]]
    # thesis 4.6: |g_adv| + 100 g_rec + 10 g_cls, whatever the sign of the first
    for adversarial in (-3.0, 3.0):
        assert epoch_score({"g_adv": adversarial, "g_rec": 0.02, "g_cls": 0.1}, settings) == pytest.approx(6.0)


def test_stargan_counts_every_label() -> None:
    logits, labels = torch.zeros(4, 5), torch.ones(4, 5)
    assert label_loss(logits, labels).item() == pytest.approx(5 * np.log(2), rel=1e-6)
    assert [rate_factor(step, 200) for step in (0, 99, 100, 150, 199)] == pytest.approx([1, 1, 1, 0.5, 0.01])


def test_float16_needs_a_gpu() -> None:
    with pytest.raises(ConfigError, match="bfloat16"):
        open_hardware("cpu", "float16")


def judged(share: float) -> tuple[torch.Tensor, torch.Tensor, Change]:
    """Faces with their masks, what is made of them, and how."""
    rng = np.random.default_rng(0)
    faces = torch.from_numpy(rng.random((6, 4, 128, 128)).astype(np.float32)) * 2 - 1
    change = drawn_change(6, share, 128, rng, torch.device("cpu"))
    return faces, changed(faces, change), change


def test_faces_are_judged_as_they_are_unless_they_are_to_be_changed() -> None:
    faces, outputs, _ = judged(0.0)
    torch.testing.assert_close(outputs, faces, rtol=0, atol=1e-6)


def test_a_face_is_shifted_by_whole_pixels_with_its_mask_and_recoloured_without_it() -> None:
    faces, outputs, change = judged(1.0)
    pixels = (change.shift * 64).round().long().tolist()
    assert len({tuple(shift) for shift in pixels}) > 1
    for face, made, (right, down) in zip(faces, outputs, pixels, strict=True):
        rows, columns = slice(max(down, 0), 128 + min(down, 0)), slice(max(right, 0), 128 + min(right, 0))
        source = slice(max(-down, 0), 128 - max(down, 0)), slice(max(-right, 0), 128 - max(right, 0))
        assert torch.equal(made[3, rows, columns], face[3][source])
        old, new = face[:3][:, *source].flatten(), made[:3, rows, columns].flatten()
        assert float(torch.corrcoef(torch.stack([old, new]))[0, 1]) > 0.9
        assert float((old - new).abs().max()) > 0.01


def test_what_critics_see_leads_back_to_the_face() -> None:
    faces, _, change = judged(1.0)
    faces.requires_grad_(True)
    (slope,) = torch.autograd.grad(changed(faces, change)[:, :3].square().sum(), faces)
    assert bool(slope[:, :3].flatten(1).norm(dim=1).gt(0).all())
