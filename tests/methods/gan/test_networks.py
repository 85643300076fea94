"""The published networks: sizes, arithmetic against a second implementation, and what DeepPrivacy cannot see."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from tests.methods.gan import published, reference
from unmask.methods.gan.networks.attgan import (
    AttGanConfig,
    AttGanDiscriminator,
    AttGanGenerator,
)
from unmask.methods.gan.networks.dcgan import DcganConfig, DcganDiscriminator, DcganGenerator
from unmask.methods.gan.networks.deepprivacy import LATENT, MsgConfig, MsgGenerator, V1Config, V1Generator
from unmask.methods.gan.networks.stargan import (
    StarGanConfig,
    StarGanDiscriminator,
    StarGanGenerator,
)

BUILDERS: dict[str, tuple[Callable[[], nn.Module], published.Table]] = {
    "attgan 5": (lambda: AttGanGenerator(AttGanConfig(5)), published.attgan(5)),
    "attgan 13, injected": (lambda: AttGanGenerator(AttGanConfig(inject_layers=1)), published.attgan(13, inject=1)),
    "attgan 6, instance norm": (
        lambda: AttGanGenerator(AttGanConfig(6, enc_norm="instance", dec_norm="instance")),
        published.attgan(6, batch_norm=False),
    ),
    "attgan discriminator": (
        lambda: AttGanDiscriminator(5, 128, 64, 1024, 5),
        published.attgan_discriminator(5),
    ),
    "stargan": (lambda: StarGanGenerator(StarGanConfig()), published.stargan(5)),
    "stargan discriminator": (
        lambda: StarGanDiscriminator(5, 128, 64, 6),
        published.stargan_discriminator(5),
    ),
    "dcgan": (lambda: DcganGenerator(DcganConfig()), published.dcgan()),
    "dcgan discriminator": (lambda: DcganDiscriminator(64), published.dcgan_discriminator()),
    "deepprivacy msg": (lambda: MsgGenerator(MsgConfig()), published.deepprivacy_msg()),
    "deepprivacy v1": (lambda: V1Generator(V1Config()), published.deepprivacy_v1()),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_names_and_shapes_are_the_published_ones(name: str) -> None:
    build, table = BUILDERS[name]
    with torch.device("meta"):
        state = build().state_dict()
    assert {key: tuple(tensor.shape) for key, tensor in state.items()} == table


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("attgan 5", 43_221_635),  # the default, inject_layers=0
        ("stargan", 8_430_528),
        ("deepprivacy msg", 47_387_586),  # published as 47.39 M
        ("deepprivacy v1", 46_924_931),  # published as 46.92 M
    ],
)
def test_parameter_counts(name: str, parameters: int) -> None:
    with torch.device("meta"):
        module = BUILDERS[name][0]()
    assert sum(parameter.numel() for parameter in module.parameters()) == parameters


def settled(module: nn.Module, seed: int = 0) -> nn.Module:
    """Random weights everywhere, running statistics too, so that nothing is 0 or 1 by chance; float64."""
    generator = torch.Generator().manual_seed(seed)
    for key, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * (0.3 if tensor.ndim == 4 else 1))
            if key.endswith("running_var"):
                tensor.copy_(tensor.abs() + 0.5)
    return module.double().eval()


def faces(count: int, side: int = 128) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1


@pytest.mark.parametrize("inject", [0, 1, 3])
@pytest.mark.parametrize("norm", ["batch", "instance"])
@torch.no_grad()
def test_attgan_computes_what_the_published_one_does(inject: int, norm: str) -> None:
    config = AttGanConfig(5, 1, inject, norm, norm, enc_dim=4, dec_dim=4)  # type: ignore[arg-type]
    module = settled(AttGanGenerator(config))
    labels = torch.tensor([[0.5, -0.5, 1.0, -0.5, -0.5], [-0.5, 0.5, -0.5, -0.5, 0.5]], dtype=torch.float64)
    ours = module(faces(2), labels)
    theirs = reference.attgan(module.state_dict(), faces(2), labels, inject=inject, batch_norm=norm == "batch")
    torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=0)
    assert ours.shape == (2, 3, 128, 128)
    assert ours.abs().max() <= 1


@torch.no_grad()
def test_attgan_with_instance_norm_treats_each_face_alone() -> None:
    module = settled(AttGanGenerator(AttGanConfig(5, 1, 1, "instance", "instance", enc_dim=4, dec_dim=4)))
    labels = torch.full((2, 5), 0.5, dtype=torch.float64)
    torch.testing.assert_close(module(faces(2), labels)[:1], module(faces(2)[:1], labels[:1]), atol=1e-9, rtol=0)


@torch.no_grad()
def test_discriminators_take_other_sizes_and_any_number_of_attributes() -> None:
    real, classes = AttGanDiscriminator(9, 64, 8, 16, 5)(faces(2, 64).float())
    assert (real.shape, classes.shape) == ((2, 1), (2, 9))
    real, classes = StarGanDiscriminator(9, 64, 4, 4)(faces(2, 64).float())
    assert (real.shape, classes.shape) == ((2, 1, 4, 4), (2, 9))


@torch.no_grad()
def test_stargan_computes_what_the_published_one_does_in_either_mode() -> None:
    module = settled(StarGanGenerator(StarGanConfig(5, 8, 2)))
    labels = torch.tensor([[0.0, 1, 0, 0, 1], [1, 0, 0, 0, 0]], dtype=torch.float64)
    ours = module(faces(2), labels)
    torch.testing.assert_close(ours, reference.stargan(module.state_dict(), faces(2), labels, 2), atol=1e-9, rtol=0)
    assert ours.abs().max() <= 1
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    assert torch.equal(module.train()(faces(2), labels), ours)
    assert all(torch.equal(before[key], tensor) for key, tensor in module.state_dict().items())


def erased(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(keep, landmarks): a box in the middle; one landmark outside the crop."""
    keep = torch.ones(count, 1, 128, 128, dtype=torch.float64)
    keep[:, :, 30:100, 40:90] = 0
    landmarks = torch.rand(count, 14, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    landmarks[0, 3] = 1.2
    return keep, landmarks


SMALL: dict[str, Callable[[], nn.Module]] = {
    "msg": lambda: MsgGenerator(MsgConfig(width=16)),
    "msg residual": lambda: MsgGenerator(MsgConfig(width=16, residual=True)),
    "v1": lambda: V1Generator(V1Config(width=16)),
}


@torch.no_grad()
def test_deepprivacy_msg_computes_what_the_published_one_does() -> None:
    module = settled(SMALL["msg"]())
    keep, landmarks = erased(2)
    latent = torch.randn(2, *LATENT, generator=torch.Generator().manual_seed(3)).double()
    theirs = reference.msg(module.state_dict(), faces(2) * keep, keep, landmarks, latent)
    torch.testing.assert_close(module(faces(2), keep, landmarks, latent), theirs, atol=1e-9, rtol=0)


@torch.no_grad()
def test_deepprivacy_v1_computes_what_the_published_one_does() -> None:
    module = settled(SMALL["v1"]())
    keep, landmarks = erased(2)
    latent = torch.randn(2, *LATENT, generator=torch.Generator().manual_seed(3)).double()
    invented = reference.v1(module.state_dict(), faces(2) * keep, landmarks, latent)
    theirs = faces(2) * keep + invented * (1 - keep)
    torch.testing.assert_close(module(faces(2), keep, landmarks, latent), theirs, atol=1e-9, rtol=0)


@pytest.mark.parametrize("name", SMALL)
@torch.no_grad()
def test_deepprivacy_cannot_see_the_face(name: str) -> None:
    module = settled(SMALL[name]())
    keep, landmarks = erased(1)
    photo = faces(1)
    other = torch.where(keep == 1, photo, -photo)
    assert not torch.equal(photo, other)
    out = module(photo, keep, landmarks)
    assert torch.equal(out, module(other, keep, landmarks))
    outside = keep.expand_as(out) == 1
    assert torch.equal(out[outside], photo[outside])
    # ... and it does look at the surroundings and at the landmarks.
    assert not torch.equal(out[~outside], module(torch.where(keep == 1, -photo, photo), keep, landmarks)[~outside])
    assert not torch.equal(out[~outside], module(photo, keep, landmarks.flip(1))[~outside])


@pytest.mark.parametrize("name", SMALL)
@torch.no_grad()
def test_deepprivacy_without_noise_is_deterministic(name: str) -> None:
    module = settled(SMALL[name]())
    keep, landmarks = erased(1)
    zeros = torch.zeros(1, *LATENT)
    out = module(faces(1), keep, landmarks)
    assert torch.equal(out, module(faces(1), keep, landmarks, zeros))
    noise = torch.randn(1, *LATENT, generator=torch.Generator().manual_seed(5))
    assert not torch.equal(out, module(faces(1), keep, landmarks, noise))
