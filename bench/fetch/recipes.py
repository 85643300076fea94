"""Installs recipes: for each an environment of its own in the cache folder, made by pip from the recipe's lock.

``python -m unmask.bench.fetch.recipes lock REQUIREMENT ...`` prints a lock for a new recipe.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from unmask.bench.core.errors import FetchError, UnavailableError
from unmask.bench.core.files import canonical_json
from unmask.bench.core.recipes import PLATFORM, PYTHON, STAMP, Recipe
from unmask.bench.fetch import cache

_PIP: Final = ("-m", "pip", "--disable-pip-version-check", "--no-input")
_CLEARED: Final = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIREMENT")
"""Variables that would lead pip away from the environment."""


def install(recipe: Recipe) -> bool:
    """Makes the environment of a recipe where it is not there yet; whether there was anything to do.

    Its folder is named by the lock's digest and is complete once its stamp is there, which is written last: what a
    killed process left is removed and made anew. Raises `UnavailableError` where the lock is made for another system
    or there is no Python for it, and `FetchError` where pip fails.
    """
    python = _python()
    # With a pip that is here already, the environment needs none.
    own = find_spec("pip") is None
    bare = () if own else ("--without-pip",)
    pip = (str(recipe.python), *_PIP) if own else (sys.executable, *_PIP, "--python", str(recipe.python))
    with cache.lock(f"recipe {recipe.name}"):
        if recipe.is_installed:
            return False
        folder = recipe.environment
        _remove(recipe)
        try:
            _call([python, "-m", "venv", *bare, str(folder)], f"recipe {recipe.name}: no environment could be made")
            lock = ("--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", "lock.txt")
            _call([*pip, "install", "--quiet", *lock], f"recipe {recipe.name}: pip could not install it", recipe.folder)
        except BaseException:
            _remove(recipe)
            raise
        stamp = {"name": recipe.name, "version": recipe.version, "lock": recipe.lock_digest}
        with cache.publishing(folder / STAMP) as temp:
            temp.write_text(canonical_json(stamp) + "\n", "utf-8")
        return True


def lock_of(report: Mapping[str, object]) -> str:
    """A lock made of what ``pip install --dry-run --report`` says: one package with its version and hash a line.
    Raises `FetchError` for a package of which there is no wheel."""
    lines = []
    packages = report["install"]
    assert isinstance(packages, list)
    for package in packages:
        file, name = package["download_info"], package["metadata"]["name"]
        if not file["url"].endswith(".whl"):
            raise FetchError(f"{name} has no wheel; a lock holds wheels only")
        plain = re.sub(r"[-_.]+", "-", name).lower()
        lines.append(f"{plain}=={package['metadata']['version']} --hash=sha256:{_sha256(file)}\n")
    return "".join(sorted(lines))


def _sha256(file: Mapping[str, Mapping[str, Mapping[str, str]]]) -> str:
    return file["archive_info"]["hashes"]["sha256"]


def _python() -> str:
    """The Python that locks are made for. Raises `UnavailableError`."""
    wanted = ".".join(map(str, PYTHON))
    here = f"{sys.platform}-{platform.machine()}"
    if here != PLATFORM:
        raise UnavailableError(f"recipes are locked for {PLATFORM}, and this is {here}; install them there")
    if sys.version_info[:2] == PYTHON:
        return sys.executable
    other = shutil.which(f"python{wanted}")
    if other is None:
        raise UnavailableError(f"recipes are locked for Python {wanted}; install it, so that PATH has python{wanted}")
    return other


def _remove(recipe: Recipe) -> None:
    shutil.rmtree(recipe.environment, ignore_errors=True)


def _call(words: Sequence[str], failure: str, folder: Path | None = None) -> None:
    """Runs a command, in ``folder``. Raises `FetchError` with the last line that says what went wrong."""
    env = {name: value for name, value in os.environ.items() if name not in _CLEARED}
    try:
        done = subprocess.run(
            words, cwd=folder, env=env, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL
        )
    except OSError as error:
        raise FetchError(f"{failure}: {error.strerror}") from error
    if done.returncode:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR:")]
        raise FetchError(f"{failure}: {(errors or lines or ['it says nothing'])[-1].removeprefix('ERROR:').strip()}")


def _print_lock(requirements: Sequence[str]) -> None:
    """Resolves requirements for this Python and prints their lock."""
    options = ("--dry-run", "--ignore-installed", "--only-binary", ":all:", "--report", "-")
    words = [_python(), *_PIP, "--quiet", "install", *options, *requirements]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(done.returncode)  # pip has said why
    print(f"# {PLATFORM}, Python {'.'.join(map(str, PYTHON))}: {', '.join(requirements)}")
    print(lock_of(json.loads(done.stdout)), end="")


if __name__ == "__main__":
    if sys.argv[1:2] != ["lock"] or not sys.argv[2:]:
        sys.exit("usage: python -m unmask.bench.fetch.recipes lock REQUIREMENT ...")
    _print_lock(sys.argv[2:])
