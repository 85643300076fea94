"""FaceNet's last block, trained on what is stored of the blocks before it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from facenet_pytorch.models.inception_resnet_v1 import InceptionResnetV1
from numpy.typing import NDArray
from torch import nn

from unmask.bench.core.errors import UnavailableError
from unmask.metrics.attackers.fine_tuned import embed, fine_tune
from unmask.metrics.instruments.recognisers import standardised
from unmask.metrics.instruments.support.keras_inception_resnet import body_of

PHOTOS = 3


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """As `load_keras` builds it, with weights drawn at random."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        module = InceptionResnetV1()
        module.last_linear = nn.Linear(module.last_linear.in_features, 128, bias=False)
        module.last_bn = nn.BatchNorm1d(128, eps=1e-3)
    return module.eval().requires_grad_(False)


def last_weights(network: nn.Module) -> dict[str, NDArray[np.float32]]:
    names = {"block8": "0", "last_linear": "3", "last_bn": "4"}
    return {
        f"{names[part]}.{name}": values.numpy()
        for part in names
        for name, values in network.get_submodule(part).named_parameters()
    }


def test_stored_activations_and_the_last_block_give_what_the_whole_network_does(network: nn.Module) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (3, 160, 160, 3), dtype=np.uint8)
    planes = torch.from_numpy(standardised(crops).transpose(0, 3, 1, 2).copy())
    with torch.inference_mode():
        whole = network(planes).numpy()
        stored = body_of(network)(planes).numpy().astype(np.float16)
    assert stored.shape == (3, 1792, 3, 3)
    np.testing.assert_allclose(embed(network, last_weights(network), stored), whole, atol=2e-3)


def faces(people: int, seed: int) -> tuple[NDArray[np.float16], NDArray[np.str_], NDArray[np.int64]]:
    """Who somebody is shows in all channels, under a stronger change along a few directions, the same for everybody;
    one position each, to be fast."""
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(9).normal(0, 1, (6, 1792))
    code = np.repeat(rng.normal(0, 1, (people, 1792)), PHOTOS, axis=0)
    rows = 3 + code + 0.3 * rng.normal(0, 1, code.shape) + 2 * rng.normal(0, 1, (len(code), 6)) @ directions
    names = np.array([f"p{k // PHOTOS}" for k in range(len(rows))])
    return np.maximum(rows, 0).astype(np.float16)[:, :, None, None], names, np.arange(len(rows))


def named(rows: NDArray[np.float32]) -> float:
    """How often somebody's second photo is nearest to their first."""
    score = rows[1::PHOTOS] @ rows[::PHOTOS].T
    return float(np.mean(score.argmax(axis=1) == np.arange(len(score))))


@pytest.mark.slow
def test_it_learns_what_names_others_and_nothing_from_wrong_names(network: nn.Module) -> None:
    before = {name: values.clone() for name, values in network.state_dict().items()}
    rows, names, photo = faces(60, 1)
    tested = faces(60, 2)[0]
    plain = named(embed(network, last_weights(network), tested))
    state = fine_tune(network, rows, names, photo, seed=0, steps=100)
    assert named(embed(network, state, tested)) > plain + 0.2
    wrong = np.random.default_rng(0).permutation(names)
    assert named(embed(network, fine_tune(network, rows, wrong, photo, seed=0, steps=100), tested)) < plain + 0.1
    assert all(torch.equal(values, before[name]) for name, values in network.state_dict().items())
    rows[4] = np.nan
    one, same = (fine_tune(network, rows, names, photo, seed=0, steps=50) for _ in range(2))
    np.testing.assert_equal(one, same)
    assert all(np.isfinite(values).all() for values in one.values())


def test_faces_that_could_not_be_cut_stay_unread_and_too_few_are_refused(network: nn.Module) -> None:
    rows, names, photo = faces(12, 1)
    rows[4] = np.nan
    read = embed(network, last_weights(network), rows)
    np.testing.assert_array_equal(np.isnan(read).any(axis=1), np.arange(len(rows)) == 4)
    np.testing.assert_allclose(np.linalg.norm(np.delete(read, 4, axis=0), axis=1), 1, atol=1e-5)
    with pytest.raises(UnavailableError, match=r"'fine-tuned' needs .* there are 0 faces of 0 people"):
        fine_tune(network, rows, names, photo // PHOTOS, seed=0, steps=50)
    with pytest.raises(UnavailableError, match="'fine-tuned' has learned nothing"):
        embed(network, {}, rows)
