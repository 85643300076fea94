"""Published files load strictly and are recognised; files that do not fit say what is wrong."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tests.methods.gan import published
from tests.methods.gan.published import state_dict
from unmask.bench.core.errors import CheckpointError
from unmask.methods.gan.checkpoints import loading
from unmask.methods.gan.checkpoints.loading import Architecture, identify, inspect_checkpoint, load_generator
from unmask.methods.gan.checkpoints.reading import open_checkpoint
from unmask.methods.gan.networks.stargan import StarGanConfig, StarGanGenerator


def plain(state: Any) -> Any:
    return state


PUBLISHED: dict[str, tuple[published.Table, Callable[[Any], Any], str, dict[str, Any]]] = {
    "attgan": (
        published.attgan(5),
        lambda state: {"G": state},
        "attgan",
        {
            "n_attrs": 5,
            "shortcut_layers": 1,
            "inject_layers": 0,
            "enc_norm": "batch",
            "dec_norm": "batch",
            "enc_dim": 64,
        },
    ),
    "dcgan": (published.dcgan(), plain, "dcgan", {"latent": 100, "width": 64}),
    "stargan": (published.stargan(5), plain, "stargan", {"c_dim": 5, "conv_dim": 64, "repeat_num": 6}),
    "deepprivacy msg": (
        published.deepprivacy_msg(),
        lambda state: {"running_average_generator": state, "G": {}, "global_step": 20_000_000},
        "deepprivacy-msg",
        {"width": 512, "pose_size": 14, "residual": False},
    ),
    "deepprivacy msg, older": (
        published.deepprivacy_msg_older(),
        lambda state: {
            "running_average_generator": {"transition_step": 5, "transition_value": 1.0, "parameters": state},
            "optimizer": {"state": {}, "param_groups": []},
        },
        "deepprivacy-msg",
        {"width": 512, "pose_size": 14, "residual": False},
    ),
    "deepprivacy v1": (
        published.deepprivacy_v1(),
        lambda state: {"running_average_generator": state},
        "deepprivacy-v1",
        {"landmarks": 7, "width": 512},
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_files_load_strictly(name: str, tmp_path: Path) -> None:
    table, wrap, architecture, settings = PUBLISHED[name]
    path = tmp_path / "200000-G.ckpt"
    torch.save(wrap(OrderedDict(state_dict(table))), path)
    loaded = load_generator(path)
    assert loaded.identified.architecture.name == architecture
    assert loaded.identified.settings.items() >= settings.items()
    state = loaded.module.state_dict()
    assert all(tensor.dtype in (torch.float32, torch.int64) for tensor in state.values())
    assert not loaded.module.training
    weights = [tensor for tensor in state.values() if tensor.ndim > 1]
    assert all(tensor.flatten()[0] == torch.tensor(0.01).half().float() for tensor in weights)


@pytest.mark.parametrize(
    ("table", "settings"),
    [
        (published.attgan(13, inject=1), {"n_attrs": 13, "inject_layers": 1, "shortcut_layers": 1}),
        (published.attgan(6, batch_norm=False), {"n_attrs": 6, "enc_norm": "instance", "dec_norm": "instance"}),
        (published.stargan(12), {"c_dim": 12}),
    ],
)
def test_settings_are_read_off_the_shapes(table: published.Table, settings: Mapping[str, Any]) -> None:
    found = identify({key: torch.empty(shape, device="meta") for key, shape in table.items()})
    assert found.settings.items() >= settings.items()


def small(seed: int = 0) -> StarGanGenerator:
    torch.manual_seed(seed)
    return StarGanGenerator(StarGanConfig(3, 4, 1)).eval()


def save_zip(state: Any, path: Path) -> None:
    torch.save(state, path)


def save_legacy(state: Any, path: Path) -> None:
    torch.save(state, path, _use_new_zipfile_serialization=False)


def save_safetensors(state: Any, path: Path) -> None:
    save_file(dict(state), path, metadata={"made": "here"})


SAVERS = {"torch zip": save_zip, "torch before 1.6": save_legacy, "safetensors": save_safetensors}


@pytest.mark.parametrize("file_format", SAVERS)
@torch.no_grad()
def test_a_network_comes_back_as_it_was_saved(file_format: str, tmp_path: Path) -> None:
    module, path = small(), tmp_path / "G.ckpt"
    SAVERS[file_format](module.state_dict(), path)
    loaded = load_generator(path)
    assert loaded.checkpoint.format == file_format
    image, labels = torch.rand(2, 3, 32, 32), torch.tensor([[0.0, 1, 0], [1, 0, 1]])
    assert torch.equal(loaded.module(image, labels), module(image, labels))


@pytest.mark.parametrize(
    ("wrap", "wrapping", "beside"),
    [
        (lambda state: {f"module.{key}": tensor for key, tensor in state.items()}, (), ()),
        (
            lambda state: {
                "G": state,
                "D": {"conv1.weight": torch.ones(1)},
                "optim_G": {
                    "state": {0: {"step": 5, "exp_avg": torch.ones(3)}},
                    "param_groups": [{"betas": (0.5, 0.999)}],
                },
                "optim_D": {},
            },
            ("G",),
            ("D", "optim_G", "optim_D"),
        ),
        (
            lambda state: {"G": {}, "running_average_generator": {"parameters": state, "transition_step": 3}},
            ("running_average_generator", "parameters"),
            ("G", "transition_step"),
        ),
    ],
)
@pytest.mark.parametrize("file_format", ["torch zip", "torch before 1.6"])
def test_wrappings_are_taken_off(
    file_format: str, wrap: Callable[[Any], Any], wrapping: Any, beside: Any, tmp_path: Path
) -> None:
    path = tmp_path / "weights.149.pth"
    SAVERS[file_format](wrap(small().state_dict()), path)
    opened = open_checkpoint(path)
    assert (opened.wrapping, opened.beside) == (wrapping, beside)
    assert opened.tensors.keys() == small().state_dict().keys()
    load_generator(path)


def test_norms_saved_before_torch_counted_batches_still_fit(tmp_path: Path) -> None:
    path = tmp_path / "G.ckpt"
    state = {key: tensor for key, tensor in small().state_dict().items() if not key.endswith("num_batches_tracked")}
    torch.save(state, path)
    assert load_generator(path).identified.architecture.name == "stargan"


def test_a_loaded_network_does_not_change_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "G.ckpt"
    torch.save(small().state_dict(), path)
    module = load_generator(path).module
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    content = bytearray(path.read_bytes())
    with path.open("r+b") as stream:
        stream.write(bytes(len(content)))
    assert all(torch.equal(before[key], tensor) for key, tensor in module.state_dict().items())


def refusal(state: Any, tmp_path: Path) -> str:
    path = tmp_path / "G.ckpt"
    torch.save(state, path)
    with pytest.raises(CheckpointError) as caught:
        load_generator(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("G.ckpt")
    return message


def test_wrong_names_are_named(tmp_path: Path) -> None:
    state = dict(small().state_dict())
    for i in range(5):
        state[f"extra{i}"] = torch.ones(1)
    del state["main.4.bias"]
    message = refusal(state, tmp_path)
    assert "StarGAN v1 generator (c_dim=3, conv_dim=4, repeat_num=1)" in message
    assert "missing main.4.bias" in message
    assert "unexpected extra0, extra1, extra2 and 2 more" in message


def test_wrong_shapes_and_types_are_named(tmp_path: Path) -> None:
    state = dict(small().state_dict())
    state["main.3.weight"] = torch.ones(8, 4, 3, 3)
    state["main.1.bias"] = torch.ones(4, dtype=torch.int64)
    message = refusal(state, tmp_path)
    assert "wrong shape main.3.weight (8, 4, 3, 3), not (8, 4, 4, 4)" in message
    assert "wrong type main.1.bias" in message


@pytest.mark.parametrize(
    "table", [published.attgan(5), published.stargan(5), published.dcgan(), published.deepprivacy_msg()]
)
def test_known_names_with_absurd_shapes_are_refused(table: published.Table, tmp_path: Path) -> None:
    assert "does not fit" in refusal({key: torch.ones(()) for key in table}, tmp_path)
    absurd = {key: torch.ones((2**20,) + (1,) * (len(shape) - 1)) for key, shape in list(table.items())[:3]}
    assert refusal(absurd | {key: torch.ones(1) for key in list(table)[3:]}, tmp_path)


def test_bad_numbers_and_other_networks_are_refused(tmp_path: Path) -> None:
    state = small().state_dict()
    state["main.3.weight"][0, 0, 0, 0] = float("nan")
    assert "main.3.weight has NaN or infinite weights" in refusal(state, tmp_path)
    message = refusal({"layer1.0.conv.weight": torch.ones(3), "fc.bias": torch.ones(2)}, tmp_path)
    assert "not a network that is known here (layer1.0.conv.weight, fc.bias)" in message
    assert "AttGAN generator" in message
    assert "a DCGAN discriminator" in refusal(state_dict(published.dcgan_discriminator(8)), tmp_path)
    critic = refusal(state_dict(published.stargan_discriminator(2)), tmp_path)
    assert "is a StarGAN v1 discriminator; give the file of its generator" in critic
    assert "is an AttGAN discriminator" in refusal(state_dict(published.attgan_discriminator(9)), tmp_path)


def test_a_file_cannot_make_a_terminal_do_things(tmp_path: Path) -> None:
    message = refusal(dict(small().state_dict()) | {"\x1b[2J\nboo": torch.ones(1)}, tmp_path)
    assert "\x1b" not in message


@dataclass(frozen=True, slots=True)
class LineConfig:
    size: int

    @classmethod
    def from_shapes(cls, shapes: Mapping[str, tuple[int, ...]]) -> Self | None:
        return cls(shapes["weight"][0]) if set(shapes) == {"weight", "bias"} else None


def test_an_architecture_can_be_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compact = Architecture(
        name="compact",
        title="compact line",
        config=LineConfig,
        build=lambda config: nn.Linear(config.size, config.size),
        methods=lambda config: ("line",),
    )
    monkeypatch.setattr(loading, "ARCHITECTURES", [compact, *loading.ARCHITECTURES])
    path = tmp_path / "line.safetensors"
    half = {key: tensor.half() for key, tensor in nn.Linear(3, 3).state_dict().items()}
    save_file(half, path, metadata={"licence": "MIT"})
    report = inspect_checkpoint(path)
    assert (report.architecture, report.settings, report.methods) == ("compact", {"size": 3}, ("line",))
    assert report.stored_as == ("float16",)
    assert report.metadata["licence"] == "MIT"


@pytest.mark.parametrize(
    "place", ["checkpoint/../setting.txt", "checkpoint/setting.txt", "checkpoint/weights.149.json"]
)
def test_training_settings_beside_it_are_told(place: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint" / "weights.149.pth"
    path.parent.mkdir()
    torch.save({"G": small().state_dict()}, path)
    (tmp_path / place).write_text(json.dumps({"attrs": ["Male", "Young", "Bald"], "lr": 0.0002}))
    report = inspect_checkpoint(path)
    assert report.training_file == Path(place).name
    assert report.training["attrs"] == ["Male", "Young", "Bald"]
    (tmp_path / place).write_text("not JSON")
    assert inspect_checkpoint(path).training_file == ""


def test_the_report_counts_parameters_and_names_methods(tmp_path: Path) -> None:
    path = tmp_path / "G.ckpt"
    module = small()
    torch.save(module.state_dict(), path)
    report = inspect_checkpoint(path)
    assert report.parameters == sum(parameter.numel() for parameter in module.parameters())
    assert report.methods == ("dp-stargan", "stargan", "chen")
    assert report.size == path.stat().st_size
