"""``unmask recipe``, as a user runs it: environments appear whole or not at all, and errors are one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.support.cli import unmask, unmask_here
from tests.support.shading import NAME, TOOL, write_lock, write_recipe
from unmask.bench.core.files import cache_dir
from unmask.bench.core.recipes import STAMP, read_recipe
from unmask.bench.core.registry import create_method, method_spec
from unmask.bench.core.types import MethodFailure, Sample
from unmask.bench.fetch.recipes import lock_of


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a recipe of one's own, not installed yet. What is fetched already stays in reach."""
    fetched = cache_dir() / "files"
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "files").symlink_to(fetched)
    monkeypatch.setenv("UNMASK_RECIPES", str(tmp_path / "recipes"))
    monkeypatch.setenv("UNMASK_CACHE", str(tmp_path / "cache"))
    return write_recipe(tmp_path / "recipes")


def refusal(*arguments: str) -> str:
    """The one line with which a command ends in exit code 1 or 2."""
    done = unmask_here(*arguments)
    assert done.returncode in (1, 2)
    lines = done.stderr.strip().splitlines()
    assert lines[-1].startswith("unmask: ")
    assert "Traceback" not in done.stderr
    return lines[-1]


def test_it_is_installed_once(recipe: Path) -> None:
    first, stamp = unmask_here("recipe", "install", NAME), read_recipe(NAME).environment / STAMP
    assert first.returncode == 0, first.stderr
    assert "shading: installed" in first.stdout
    assert json.loads(stamp.read_text())["lock"] == read_recipe(NAME).lock_digest
    written = stamp.stat().st_mtime_ns
    assert "shading: is installed" in unmask_here("recipe", "install", NAME).stdout
    assert stamp.stat().st_mtime_ns == written


def test_another_lock_is_installed_anew_beside_it(recipe: Path) -> None:
    unmask_here("recipe", "install", NAME)
    before = read_recipe(NAME).environment
    write_recipe(recipe.parent, tool=TOOL + "# newer\n")
    assert not read_recipe(NAME).is_installed
    assert "shading: installed" in unmask_here("recipe", "install", NAME).stdout
    assert read_recipe(NAME).environment != before
    assert before.is_dir()


def test_what_a_killed_installation_left_is_made_anew(recipe: Path) -> None:
    unmask_here("recipe", "install", NAME)
    environment = read_recipe(NAME).environment
    (environment / STAMP).unlink()
    (environment / "half").touch()
    assert not read_recipe(NAME).is_installed
    assert "shading: installed" in unmask_here("recipe", "install", NAME).stdout
    assert not (environment / "half").exists()


def test_a_file_with_another_hash_is_refused_and_nothing_stays(recipe: Path) -> None:
    write_lock(recipe, "0" * 64)
    assert "pip could not install it" in refusal("recipe", "install", NAME)
    assert not read_recipe(NAME).environment.exists()
    assert not read_recipe(NAME).is_installed


def test_a_package_without_a_hash_is_refused(recipe: Path) -> None:
    (recipe / "lock.txt").write_text(f"--no-index\n--find-links .\n{NAME}==1.0\n")
    assert "pip could not install it" in refusal("recipe", "install", NAME)


def test_another_system_is_told_so(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "recipes are locked for linux-x86_64" in refusal("recipe", "install", NAME)


def test_another_python_is_looked_for(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unmask.bench.fetch.recipes.PYTHON", (3, 99))
    assert "install it, so that PATH has python3.99" in refusal("recipe", "install", NAME)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('version = "1.0"', "", "version: Field required"),
        ("{grey}", "", "run has no {grey}"),
        ('run = "{python}', 'run = "python', "run must begin with {python}"),
        ("high = 255", "high = 50", "a number needs low and high"),
        ('choices = ["plain"', 'choices = ["fancy"', "a text needs choices"),
        ("limits =", "limit =", "limit"),
        ('name = "shading"', 'name = "other"', "they must be the same"),
        ("limits =", "= ", "Invalid"),
    ],
)
def test_a_recipe_that_is_wrong_is_named_with_the_key(old: str, new: str, message: str, recipe: Path) -> None:
    file = recipe / "recipe.toml"
    file.write_text(file.read_text().replace(old, new, 1))
    line = refusal("recipe", "show", NAME)
    assert message in line
    assert str(file) in line


def test_a_recipe_without_a_lock_is_named(recipe: Path) -> None:
    (recipe / "lock.txt").unlink()
    assert "lock.txt: No such file" in refusal("recipe", "show", NAME)


def test_lists_say_what_is_there(recipe: Path) -> None:
    listed = {entry["recipe"]: entry for entry in json.loads(unmask_here("recipe", "list", "--json").stdout)}
    assert {"deface", "opencv-haar", NAME} <= set(listed)
    assert listed[NAME]["installed"] == "no"
    shown = unmask_here("recipe", "show", NAME).stdout
    assert "grey=100: the grey (0 to 255)" in shown
    assert "look=plain: nothing (plain, odd)" in shown
    assert refusal("recipe", "show", "shadin").endswith("did you mean shading?")
    assert "name, network=auto, ..." in unmask_here("list", "methods").stdout
    assert refusal("run", "--dataset", "demo", "--method", f"recipe:{NAME}").endswith("unmask recipe install shading")


def test_a_run_takes_a_recipe_and_counts_its_failures(recipe: Path, tmp_path: Path) -> None:
    from skimage import data

    unmask_here("recipe", "install", NAME)
    (tmp_path / "photos").mkdir()
    Pillow.fromarray(data.astronaut()[:300, 60:360]).save(tmp_path / "photos" / "ann.png")
    few = ("--instrument", "sface", "--metric", "outcome", "--workers", "1", "--no-report")
    methods = ("--method", "grey=recipe:shading", "--method", "fails=recipe:name=shading,grey=13")
    done = unmask(  # methods are made in processes that have the environment of the first one
        "run", "--dataset", f"folder:{tmp_path / 'photos'}", *methods, *few, "--out", str(tmp_path / "run")
    )
    assert done.returncode == 3, done.stderr  # one of them gave nothing
    rows = json.loads((tmp_path / "run" / "estimates.json").read_text())["estimates"]
    value = {(row["method"], row["metric"]): row["value"] for row in rows if row["group"] == "all"}
    assert value["grey", "outcome_destroyed"] == 1.0
    assert value["fails", "outcome_error"] == 1.0


@pytest.mark.parametrize("url", ["https://x.example/a-1.0.tar.gz", "https://x.example/a-1.0.zip"])
def test_locks_hold_wheels_only(url: str) -> None:
    package = {"download_info": {"url": url, "archive_info": {"hashes": {"sha256": "0"}}}}
    with pytest.raises(Exception, match="has no wheel"):
        lock_of({"install": [{**package, "metadata": {"name": "a", "version": "1.0"}}]})


def test_a_lock_has_a_line_a_package() -> None:
    packages = [
        {
            "download_info": {"url": f"https://x.example/{name}.whl", "archive_info": {"hashes": {"sha256": "0" * 64}}},
            "metadata": {"name": name, "version": "1.0"},
        }
        for name in ("Pillow_Heif", "Av")
    ]
    assert lock_of({"install": packages}) == "".join(
        f"{name}==1.0 --hash=sha256:{'0' * 64}\n" for name in ("av", "pillow-heif")
    )


@pytest.mark.network
def test_deface_is_installed_and_covers_a_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from skimage import data

    monkeypatch.setenv("UNMASK_CACHE", str(tmp_path))
    done = unmask_here("recipe", "install", "deface")
    assert done.returncode == 0, done.stderr
    photo = np.ascontiguousarray(data.astronaut()[:300, 60:360])
    (output,) = create_method(method_spec("recipe:deface")).anonymize([Sample("astronaut.png", photo)], seed=0)
    assert not isinstance(output, MethodFailure)
    changed = (np.abs(output.astype(int) - photo) > 8).any(axis=2)
    assert changed[60:180, 110:220].mean() > 0.5  # the face
    assert changed[:40, :60].mean() == 0
