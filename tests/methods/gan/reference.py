"""The published generators written down a second time: arithmetic over a state dict, no modules."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch.nn import functional as F

State = Mapping[str, torch.Tensor]


def equal_conv(state: State, key: str, x: torch.Tensor, gain: float) -> torch.Tensor:
    weight = state[f"{key}.weight"]
    scaled = weight * (gain / math.sqrt(weight[0].numel()))
    return F.conv2d(x, scaled, state[f"{key}.bias"], padding=(weight.shape[-1] - 1) // 2)


def act(x: torch.Tensor) -> torch.Tensor:
    x = torch.where(x > 0, x, 0.2 * x)
    return x / torch.sqrt((x * x).mean(1, keepdim=True) + 1e-7)


def block(state: State, key: str, x: torch.Tensor, gain: float) -> torch.Tensor:
    for i in (0, 3):
        x = act(equal_conv(state, f"{key}.layers.{i}", x, gain))
    return x


def twice(x: torch.Tensor) -> torch.Tensor:
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def msg(state: State, condition: torch.Tensor, mask: torch.Tensor, pose: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    x = act(equal_conv(state, "from_rgb.0", torch.cat([condition, mask, 1 - mask], 1), 1))
    skips = {}
    for side in (128, 64, 32, 16, 8, 4):
        skips[side] = x = block(state, f"encoder.basic_block{side}", x, 1)
        x = F.avg_pool2d(x, 2) if side > 4 else x
    hidden = 2 * pose - 1
    for i in (1, 3):
        weight, bias = (state[f"decoder.pose_fcnn.pose_preprocessor.{i}.{part}"] for part in ("weight", "bias"))
        hidden = F.leaky_relu(hidden @ (weight / math.sqrt(weight.shape[1])).T + bias, 0.2)
    x = torch.cat([x, z, hidden.view(-1, 16, 4, 4)], 1)
    total = x.new_zeros(len(x), 3, 128, 128)
    for side in (4, 8, 16, 32, 64, 128):
        if side > 4:
            x = torch.cat([twice(x), skips[side]], 1)
            x = act(equal_conv(state, f"decoder.skip_connection{side}.conv.layers.0", x, 1))
        x = block(state, f"decoder.basic_block{side}", x, 1)
        rgb = equal_conv(state, f"rgb_convolutions.{side}", x, 1)
        total += F.interpolate(rgb, size=(128, 128), mode="nearest") / 6
    return condition * mask + (1 - mask) * total


def v1(state: State, condition: torch.Tensor, pose: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """Without the pasting."""
    gain = 2**0.5

    def maps(side: int) -> torch.Tensor:
        drawn = pose.new_zeros(len(pose), pose.shape[1] // 2, side, side)
        for n, points in enumerate(pose.view(len(pose), -1, 2).tolist()):
            for k, (px, py) in enumerate(points):
                if 0 <= px < 1 and 0 <= py < 1:
                    drawn[n, k, int(py * side), int(px * side)] = 1
        return drawn

    x = act(equal_conv(state, "encoder.from_rgb.conv.0", condition, gain))
    skips = {}
    for i in (5, 4, 3, 2, 1, 0):
        skips[i] = x = block(state, f"encoder.basic_block{i}", x, gain)
        x = F.avg_pool2d(x, 2) if i else x
    x = act(equal_conv(state, "decoder.conv1x1.conv.0", torch.cat([x, maps(4), z], 1), gain))
    for i in range(6):
        if i:
            x = torch.cat([twice(x), skips[i], maps(4 * 2**i)], 1)
            x = act(equal_conv(state, f"decoder.skip_connection{i}.conv.layers.0", x, gain))
        x = block(state, f"decoder.basic_block{i}", x, gain)
    return equal_conv(state, "to_rgb", x, gain)


def attgan(state: State, image: torch.Tensor, labels: torch.Tensor, *, inject: int, batch_norm: bool) -> torch.Tensor:
    """One shortcut, evaluation mode."""

    def normed(key: str, x: torch.Tensor) -> torch.Tensor:
        weight, bias = (state[f"{key}.{part}"].view(1, -1, 1, 1) for part in ("weight", "bias"))
        if batch_norm:
            mean, var = (state[f"{key}.running_{part}"].view(1, -1, 1, 1) for part in ("mean", "var"))
        else:
            mean, var = x.mean((2, 3), keepdim=True), x.var((2, 3), keepdim=True, correction=0)
        return (x - mean) / torch.sqrt(var + 1e-5) * weight + bias

    def tiled(x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, labels.view(*labels.shape, 1, 1).repeat(1, 1, *x.shape[2:])], 1)

    encoded = []
    x = image
    for i in range(5):
        x = F.conv2d(x, state[f"enc_layers.{i}.layers.0.weight"], stride=2, padding=1)
        x = F.leaky_relu(normed(f"enc_layers.{i}.layers.1", x), 0.01)
        encoded.append(x)
    x = tiled(x)
    for i in range(4):
        x = F.conv_transpose2d(x, state[f"dec_layers.{i}.layers.0.weight"], stride=2, padding=1)
        x = torch.relu(normed(f"dec_layers.{i}.layers.1", x))
        if i == 0:
            x = torch.cat([x, encoded[3]], 1)
        if i < inject:
            x = tiled(x)
    weight, bias = (state[f"dec_layers.4.layers.0.{part}"] for part in ("weight", "bias"))
    return torch.tanh(F.conv_transpose2d(x, weight, bias, stride=2, padding=1))


def stargan(state: State, image: torch.Tensor, labels: torch.Tensor, blocks: int) -> torch.Tensor:
    def normed(key: str, x: torch.Tensor) -> torch.Tensor:
        mean, var = x.mean((2, 3), keepdim=True), x.var((2, 3), keepdim=True, correction=0)
        weight, bias = (state[f"{key}.{part}"].view(1, -1, 1, 1) for part in ("weight", "bias"))
        return (x - mean) / torch.sqrt(var + 1e-5) * weight + bias

    x = torch.cat([image, labels.view(*labels.shape, 1, 1).repeat(1, 1, *image.shape[2:])], 1)
    x = torch.relu(normed("main.1", F.conv2d(x, state["main.0.weight"], padding=3)))
    for i in (3, 6):
        x = torch.relu(normed(f"main.{i + 1}", F.conv2d(x, state[f"main.{i}.weight"], stride=2, padding=1)))
    for i in range(9, 9 + blocks):
        y = torch.relu(normed(f"main.{i}.main.1", F.conv2d(x, state[f"main.{i}.main.0.weight"], padding=1)))
        x = x + normed(f"main.{i}.main.4", F.conv2d(y, state[f"main.{i}.main.3.weight"], padding=1))
    for i in (9 + blocks, 12 + blocks):
        x = torch.relu(normed(f"main.{i + 1}", F.conv_transpose2d(x, state[f"main.{i}.weight"], stride=2, padding=1)))
    return torch.tanh(F.conv2d(x, state[f"main.{15 + blocks}.weight"], padding=3))
