"""Configs: the shipped ones read, mistakes said in one line, the command line's changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from unmask.bench.core.errors import ConfigError, UnknownNameError, UsageError
from unmask.bench.core.training import open_training
from unmask.methods.gan.networks.stargan import StarGanConfig, StarGanGenerator
from unmask.methods.gan.training.attgan import AttGanTraining
from unmask.methods.gan.training.jobs import Job
from unmask.methods.gan.training.settings import shipped_names

NETWORKS = {
    "dp-att": "attgan",
    "dp-att-s": "attgan",
    "dp-att-compact": "attgan",
    "dp-att-s-compact": "attgan",
    "dp-att-s-l1-compact": "attgan",
    "stargan": "stargan",
    "stargan-compact": "stargan",
    "deepprivacy-compact": "deepprivacy",
    "croft-compact": "attgan",
    "dcgan": "dcgan",
    "dcgan-compact": "dcgan",
}


def opened(network: str, config: str, *changes: str) -> Job:
    job = open_training(network, config, changes)
    assert isinstance(job, Job)
    return job


def test_every_shipped_config_reads() -> None:
    assert shipped_names() == sorted(NETWORKS)
    for name, network in NETWORKS.items():
        job = opened(network, name)
        assert job.name == name
        assert job.instruments == (() if job.kind == "published" else ("lpips-alex", "lpips-vgg"))


def test_the_thesis_settings() -> None:
    """3.1.2 and 4.6."""
    plain, skin = opened("attgan", "dp-att").settings, opened("attgan", "dp-att-s").settings
    assert isinstance(plain, AttGanTraining)
    for settings in (plain, skin):
        assert (settings.reconstruction, settings.alpha, settings.compensation) == ("ms_ssim_l1", 0.84, 0.2)
        assert (settings.lambda_rec, settings.lambda_cls, settings.patience) == (100, 10, 20)
    assert (plain.norm, plain.n_d, len(plain.attributes)) == ("batch", 5, 5)
    assert (skin.norm, skin.n_d, skin.attributes[1]) == ("instance", 1, "dark_skin")
    stargan = opened("stargan", "stargan").settings
    assert (stargan.lambda_cls, stargan.lambda_rec, stargan.lambda_gp, stargan.n_critic) == (1, 10, 10, 5)
    generator = StarGanGenerator(StarGanConfig(5, stargan.width, stargan.blocks))
    assert sum(weights.numel() for weights in generator.parameters()) == 8_430_528


def test_changes_from_the_command_line(tmp_path: Path) -> None:
    settings = opened("attgan", "dp-att", "epochs=3", "norm=instance", "betas=[0.1, 0.9]").settings
    assert (settings.epochs, settings.norm, settings.betas) == (3, "instance", (0.1, 0.9))
    compact = opened("attgan", "dp-att-compact", "editing.steps=7", "inpainter=mine.safetensors").settings
    assert (compact.editing.steps, compact.editing.batch, compact.inpainter) == (7, 64, "mine.safetensors")


@pytest.mark.parametrize(
    ("network", "text", "says"),
    [
        ("attgan", 'attributes = ["female"]\nbacth = 3', "unknown key 'bacth'"),
        ("attgan", "batch = 3", "attributes is missing"),
        ("attgan", 'attributes = ["female"]\nbatch = "3"', "batch=3 must be a whole number of at least 1"),
        ("attgan", 'attributes = ["female"]\nbatch = 0', "batch=0 must be a whole number of at least 1"),
        ("attgan", 'attributes = ["female"]\nrate = nan', "a: "),
        ("attgan", 'attributes = ["female"]\nreconstruction = "l3"', "reconstruction=l3 must be one of: l1, "),
        ("attgan", 'attributes = ["female"]\nprecision = "float8"', "precision=float8 must be one of: auto, "),
        ("attgan", 'attributes = ["female"]\nseed = 2020-01-01', "a: "),
        ("attgan", 'kind = "compact"\n[editing]\nstep = 4', "editing: unknown key 'step'"),
        ("attgan", 'kind = "compact"\n[editing]\nsteps = 0', "steps=0 must be a whole number of at least 1"),
        ("attgan", 'kind = "compact"\nediting = 3', "editing must be a table"),
        ("attgan", 'kind = "compact"\n[editing]\ntones = [[1, 2]]', r"tones\[0\] must be a list of 3"),
        (
            "attgan",
            'kind = "compact"\n[editing]\ntones = [[1, 2, 256]]',
            r"tones\[0\]\[2\]=256 must be a whole number from 0 to 255",
        ),
        ("attgan", "attributes = []", "attributes must be a list of a length from 1 to 100"),
        ("attgan", 'attributes = ["female"]\nmirror = 1', "mirror=1 must be true or false"),
        ("attgan", 'attributes = ["female"]\nbetas = [0.5, 1]', r"betas\[1\]=1 must be a number above 0 and below 1"),
        ("stargan", 'attributes = ["female"]\nwidth = 513', "width=513 must be a whole number from 1 to 512"),
        ("attgan", "attributes = [", "not TOML"),
        ("stargan", 'network = "attgan"', "unmask train attgan"),
        ("stargan", 'kind = "stochastic"', "none of published, compact"),
        ("deepprivacy", 'kind = "published"', "none of compact"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, network: str, text: str, says: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says) as error:
        open_training(network, str(path))
    assert "\n" not in str(error.value)


def test_names_that_are_none() -> None:
    with pytest.raises(UnknownNameError, match="did you mean dp-att"):
        open_training("attgan", "dp-at")
    with pytest.raises(UsageError, match="cannot be read"):
        open_training("attgan", "gone.toml")
    for line in ("epochs", "=3", "a b=3"):
        with pytest.raises(ConfigError, match="--set"):
            open_training("attgan", "dp-att", [line])
