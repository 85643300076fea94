"""Recipes: how anonymizers that people install from PyPI are installed and run, each a folder of files.

``recipe.toml`` has the fields of `Recipe`; ``lock.txt`` every package with its version and hash, as pip reads it; a
script, where there is one, is run by the recipe's own Python and stands between the harness's folders and the tool's
ways. They lie in ``bench/recipes``; ``UNMASK_RECIPES`` names a folder with further ones.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from unmask.bench.core.cards import Scalar
from unmask.bench.core.errors import ConfigError, UnknownNameError
from unmask.bench.core.files import cache_dir, sha256_of
from unmask.bench.core.settings import Strict

VARIABLE: Final = "UNMASK_RECIPES"
STAMP: Final = "recipe.json"
"""The file in an environment that says what it was made from; written last."""
PYTHON: Final = (3, 11)
"""Version of Python that locks are made for, on `PLATFORM`."""
PLATFORM: Final = "linux-x86_64"
_SHIPPED: Final = Path(__file__).parents[1] / "recipes"
_OWN: Final = ("python", "script")
_OF_A_CALL: Final = ("input", "output", "seed", "device")


class Parameter(Strict):
    """A parameter of a tool that a SPEC may set; its type is that of its default."""

    default: bool | int | float | str
    low: float | None = None
    high: float | None = None
    """Bounds of a number, both allowed."""
    choices: tuple[str, ...] = ()
    """What a text may be."""
    meaning: Annotated[str, Field(min_length=1)]

    model_config = ConfigDict(coerce_numbers_to_str=False)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        number = type(self.default) in (int, float)
        if number and (self.low is None or self.high is None or not self.low <= self.default <= self.high):  # type: ignore[operator]
            raise ValueError("a number needs low and high, and a default from low to high")
        if isinstance(self.default, str) and self.default not in self.choices:
            raise ValueError("a text needs choices, and a default that is one of them")
        return self


class Recipe(Strict):
    """What ``recipe.toml`` says, and where it lies."""

    name: Annotated[str, Field(pattern="^[a-z][a-z0-9-]*$")]
    description: Annotated[str, Field(min_length=1)]
    """One sentence: what it does to a picture."""
    licence: Annotated[str, Field(min_length=1)]
    package: Annotated[str, Field(min_length=1)]
    """The package on PyPI."""
    version: Annotated[str, Field(min_length=1)]
    """The version of that package."""
    run: Annotated[str, Field(min_length=1)]
    """The command as `methods.command.Command` takes it, with ``{python}`` and ``{script}`` for the recipe's own
    Python and script, and ``{NAME}`` for each of `parameters`."""
    script: Annotated[str, Field(pattern=r"^([a-z_]+\.py)?$")] = ""
    """A file beside it, or one that several recipes share, beside the folders of ours."""
    prefix: str = ""
    suffix: str = ""
    """What the tool adds to names of files."""
    batch: Annotated[int, Field(ge=1, le=4096)] = 16
    memory: Annotated[int, Field(ge=1)] = 8192
    """MiB."""
    parameters: Mapping[str, Parameter] = {}
    limits: Annotated[str, Field(min_length=1)]
    """What a reader must know."""
    tested: Annotated[str, Field(min_length=1)]
    """What it was tried with, and when."""
    folder: Path

    @model_validator(mode="after")
    def _placeholders(self) -> Self:
        for name in self.parameters:
            if not name.isidentifier() or name in (*_OWN, *_OF_A_CALL, "name", "network"):
                raise ValueError(f"a parameter cannot be called {name!r}")
            if f"{{{name}}}" not in self.run:
                raise ValueError(f"run has no {{{name}}}")
        if not self.run.startswith("{python} "):
            raise ValueError("run must begin with {python}")
        return self

    @cached_property
    def lock_digest(self) -> str:
        """sha256 of ``lock.txt``."""
        return sha256_of(self.folder / "lock.txt")

    @cached_property
    def digest(self) -> str:
        """sha256 over all its files: another one is another method."""
        files = [self.folder / "recipe.toml", self.folder / "lock.txt", *([self.script_path] if self.script else [])]
        hashes = "".join(f"{file.name}\0{sha256_of(file)}\n" for file in files)
        return hashlib.sha256(hashes.encode()).hexdigest()

    @property
    def script_path(self) -> Path:
        own = self.folder / self.script
        return own if own.is_file() else _SHIPPED / self.script

    @property
    def environment(self) -> Path:
        """The folder of its environment, whether it is there or not; another lock has another one."""
        return cache_dir() / "recipes" / f"{self.name}-{self.lock_digest[:16]}"

    @property
    def python(self) -> Path:
        return self.environment / "bin" / "python"

    @property
    def is_installed(self) -> bool:
        """Whether its environment was made to the end, from this lock."""
        try:
            stamp = json.loads((self.environment / STAMP).read_text("utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(stamp, dict) and stamp.get("lock") == self.lock_digest and self.python.exists()

    def command(self, values: Mapping[str, Scalar]) -> str:
        """The command with its own Python, script and ``values`` of all parameters filled in."""
        filled = {
            "python": str(self.python),
            "script": str(self.script_path),
            **{name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values.items()},
        }
        words = shlex.split(self.run)
        for name, value in filled.items():
            words = [word.replace(f"{{{name}}}", value) for word in words]
        return shlex.join(words)


def recipe_folders() -> dict[str, Path]:
    """Name -> folder of every recipe: ours, then those below ``$UNMASK_RECIPES``, which cannot take over a name."""
    own = os.environ.get(VARIABLE, "").strip()
    places = [_SHIPPED, *([Path(own).expanduser().absolute()] if own else [])]
    folders: dict[str, Path] = {}
    for file in (file for place in places for file in sorted(place.glob("*/recipe.toml"))):
        folders.setdefault(file.parent.name, file.parent)
    return folders


def read_recipe(name: str) -> Recipe:
    """Raises `UnknownNameError`, and `ConfigError` with the file and the key that is wrong."""
    folders = recipe_folders()
    if name not in folders:
        raise UnknownNameError("recipe", name, folders)
    file = folders[name] / "recipe.toml"
    try:
        table = tomllib.loads(file.read_text("utf-8"))
        recipe = Recipe.model_validate({**table, "folder": file.parent})
        _ = recipe.digest
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "recipe"
        raise ConfigError(f"{file}: {where}: {first['msg']}") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"{getattr(error, 'filename', None) or file}: {getattr(error, 'strerror', None) or error}"
        ) from error
    if recipe.name != name:
        raise ConfigError(f"{file}: name is {recipe.name!r}, the folder's {name!r}; they must be the same")
    return recipe
