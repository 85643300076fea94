"""Recipes as methods: what a SPEC may say, what the tool makes of pictures, and what tells two methods apart."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.shading import NAME, TOOL, write_recipe
from unmask.bench.core.errors import SpecError, UnavailableError, UnknownNameError
from unmask.bench.core.protocols import Method
from unmask.bench.core.recipes import read_recipe, recipe_folders
from unmask.bench.core.registry import create_method, method_spec
from unmask.bench.core.types import MethodFailure, Sample
from unmask.bench.fetch.recipes import install
from unmask.bench.run.planning.plan import planned_methods, without_paths

SCRIPTS = Path(__file__).parents[2] / "bench" / "recipes"
PINNED = re.compile(r"[a-z0-9-]+==[0-9a-z.]+ --hash=sha256:[0-9a-f]{64}")


def make(text: str) -> Method:
    return create_method(method_spec(text))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an installed recipe, and its cache."""
    folder = tmp_path_factory.mktemp("recipes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNMASK_RECIPES", str(folder))
        patch.setenv("UNMASK_CACHE", str(folder / "cache"))
        write_recipe(folder)
        assert install(read_recipe(NAME))
    return folder


@pytest.fixture
def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNMASK_RECIPES", str(folder))
    monkeypatch.setenv("UNMASK_CACHE", str(folder / "cache"))
    return folder


@pytest.fixture
def samples() -> list[Sample]:
    sizes = ((40, 50), (33, 70), (64, 64))
    return [Sample(f"{k}.jpg", np.full((*size, 3), 9 * k, np.uint8)) for k, size in enumerate(sizes)]


@pytest.mark.parametrize(("text", "grey"), [("recipe:shading", 100), ("recipe:name=shading,grey=7", 7)])
def test_a_tool_answers_every_picture(text: str, grey: int, installed: Path, samples: list[Sample]) -> None:
    outputs = make(text).anonymize(samples, seed=0)
    for output, sample in zip(outputs, samples, strict=True):
        assert not isinstance(output, MethodFailure)
        assert output.shape == sample.image.shape
        assert (output == grey).all()


def test_a_tool_that_fails_gives_counted_failures(installed: Path, samples: list[Sample]) -> None:
    (output,) = make("recipe:name=shading,grey=13").anonymize(samples[:1], seed=0)
    assert output == MethodFailure("the program ended with exit code 13")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recipe:name=shading,gray=7", "recipe 'shading' has no parameter 'gray'; it takes: grey, look"),
        ("recipe:name=shading,grey=256", "grey=256 must be a whole number from 0 to 255"),
        ("recipe:name=shading,grey=0.5", "grey=0.5 must be a whole number"),
        ("recipe:name=shading,grey=true", "grey=True must be a whole number"),
        ("recipe:name=shading,look=fine", "look=fine must be one of: plain, odd"),
        ("recipe:name=shading,network=maybe", "network=maybe must be one of"),
        ("recipe:shading,grey=7", "write name=, as in recipe:name=shading,parameter=value"),
        ("recipe", "needs name"),
    ],
)
def test_what_a_tool_does_not_take_is_refused(text: str, message: str, installed: Path) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        make(text)


def test_a_name_nobody_has_is_answered_with_those_there_are(installed: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean shading"):
        make("recipe:shadin")


def test_what_is_not_installed_says_the_command(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNMASK_CACHE", str(tmp_path))
    with pytest.raises(UnavailableError, match="unmask recipe install shading"):
        make("recipe:shading")


def test_another_lock_is_another_method_that_must_be_installed_anew(
    installed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = make("recipe:shading").card
    write_recipe(tmp_path, tool=TOOL + "# newer\n")
    monkeypatch.setenv("UNMASK_RECIPES", str(tmp_path))
    with pytest.raises(UnavailableError, match="not installed"):
        make("recipe:shading")
    install(read_recipe(NAME))
    after = make("recipe:shading").card
    assert before.params["lock"] != after.params["lock"]
    assert before.params["recipe"] != after.params["recipe"]


def test_another_command_is_another_method(installed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = make("recipe:shading").card
    file = write_recipe(tmp_path) / "recipe.toml"
    (file.with_name("lock.txt")).write_bytes((installed / NAME / "lock.txt").read_bytes())
    file.write_text(file.read_text().replace('suffix = "_grey"', 'suffix = "_gray"'))
    monkeypatch.setenv("UNMASK_RECIPES", str(tmp_path))
    after = make("recipe:shading").card
    assert before.params["lock"] == after.params["lock"]
    assert before.params["recipe"] != after.params["recipe"]


def test_plans_say_the_tool_and_its_values_and_no_folder(installed: Path) -> None:
    (_, method) = map(without_paths, planned_methods(["recipe:name=shading,grey=7"]))
    assert method.card.params["package_version"] == "1.0"
    assert (method.card.params["grey"], method.card.params["look"]) == (7, "plain")
    assert str(installed) not in method.model_dump_json()


@pytest.mark.parametrize("name", [path.parent.name for path in SCRIPTS.glob("*/recipe.toml")])
def test_a_shipped_recipe_is_whole(name: str) -> None:
    recipe = read_recipe(name)
    lines = [line for line in (recipe.folder / "lock.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(PINNED.fullmatch(line) for line in lines)
    package = re.sub(r"[-_.]+", "-", recipe.package).lower()
    assert any(line.startswith(f"{package}=={recipe.version} ") for line in lines)
    if recipe.script:
        compile(recipe.script_path.read_text(), recipe.script, "exec")
    command = recipe.command({key: each.default for key, each in recipe.parameters.items()})
    assert set(re.findall(r"\{(\w+)\}", command)) == {"input", "output"}


def test_no_folder_of_ones_own_takes_over_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_recipe(tmp_path)
    (tmp_path / NAME).rename(tmp_path / "deface")
    monkeypatch.setenv("UNMASK_RECIPES", str(tmp_path))
    assert recipe_folders()["deface"].samefile(SCRIPTS / "deface")


@pytest.mark.parametrize(
    ("code", "released"),
    [
        ("for p in files: (p.parent / ('new_' + p.name)).write_text('covered')", {"new_a.png", "new_b.png"}),
        ("for p in files: p.write_text('covered in place')", set()),
        ("pathlib.Path('out').mkdir(); pathlib.Path('out/a.png').write_text('covered')", {"a.png"}),
    ],
)
def test_of_a_copy_only_what_the_tool_made_is_released(code: str, released: set[str], tmp_path: Path) -> None:
    source, target, work = (tmp_path / name for name in ("source", "target", "work"))
    for each in (source, target, work):
        each.mkdir()
    for name in ("a.png", "b.png"):
        (source / name).write_text("the original")
    tool = f"import pathlib; files = sorted(pathlib.Path('pictures').iterdir())\n{code}\nraise SystemExit(4)"
    words = [sys.executable, str(SCRIPTS / "in_a_copy.py"), str(source), str(target), sys.executable, "-c", tool]
    done = subprocess.run(words, cwd=work, check=False)
    assert done.returncode == 4
    assert {path.name for path in target.iterdir()} == released
    assert all(path.read_text() == "covered" for path in target.iterdir())
    assert {path.read_text() for path in source.iterdir()} == {"the original"}
