"""An anonymizer that people install from PyPI, run in an environment of its own as a program is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from unmask.bench.core.cards import MethodCard, Scalar
from unmask.bench.core.errors import SpecError, UnavailableError
from unmask.bench.core.recipes import Parameter, Recipe, read_recipe
from unmask.bench.core.types import Image, MethodFailure, Sample
from unmask.methods.command import Command
from unmask.methods.shared.programs import offline
from unmask.methods.shared.settings import Within, checked

_DIGITS: Final = 16
"""Of a digest on a card."""


class RecipeMethod:
    """Runs one of the tools that ``unmask recipe list`` shows.

    Parameters: ``name`` of the recipe; ``network`` as of ``command``; and the tool's own, which ``unmask recipe show
    NAME`` lists, each checked against the type and the range that the recipe states.
    """

    draws_by_sample: ClassVar[bool] = False
    """A program cannot be told by whom it should draw."""

    def __init__(self, *, name: str, network: str = "auto", **parameters: Scalar) -> None:
        """Raises `UnknownNameError`, `SpecError` for a parameter that the tool does not take, and `UnavailableError`
        where the recipe is not installed."""
        if "," in str(name):
            raise SpecError(f"recipe: write name=, as in recipe:name={str(name).partition(',')[0]},parameter=value")
        self._recipe = read_recipe(str(name))
        self._values = _checked(self._recipe, parameters)
        if not self._recipe.is_installed:
            raise UnavailableError(f"recipe {name!r} is not installed; run: unmask recipe install {name}")
        self._program = Command(
            run=self._recipe.command(self._values),
            version=self._recipe.version,
            batch=self._recipe.batch,
            network=network,  # type: ignore[arg-type]
            memory=self._recipe.memory,
            prefix=self._recipe.prefix,
            suffix=self._recipe.suffix,
        )

    @classmethod
    def located(cls, params: Mapping[str, Scalar]) -> dict[str, str]:
        """What plans leave out, see `Command.located`: that it must have no network where the card says so."""
        return {"network": "none"} if params.get("network") != "open" and offline() else {}

    @property
    def card(self) -> MethodCard:
        recipe, program = self._recipe, self._program.card
        return MethodCard(
            name="recipe",
            version="1",
            description=recipe.description,
            licence=recipe.licence,
            source=f"{recipe.package} {recipe.version} (PyPI)",
            params={
                "name": recipe.name,
                "network": self._program.network,
                **self._values,
                "package": recipe.package,
                "package_version": recipe.version,
                "lock": recipe.lock_digest[:_DIGITS],
                "recipe": recipe.digest[:_DIGITS],
                "network_cut_off": program.params["network_cut_off"],
            },
            detector="none",
            batch_size=recipe.batch,
            limits=f"{recipe.limits} {program.limits}",
        )

    @property
    def memory_mib(self) -> float:
        """The most memory that the tool was seen to take."""
        return self._program.memory_mib

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """Keeps the name of the device; the tool is started with every batch."""
        self._program.load(files, device)

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Sequence[Image | MethodFailure]:
        """As `Command.anonymize`."""
        return self._program.anonymize(batch, seed=seed)


def _checked(recipe: Recipe, parameters: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """A value for each parameter of the tool. Raises `SpecError`."""
    for name in parameters:
        if name not in recipe.parameters:
            takes = ", ".join(recipe.parameters) or "none"
            raise SpecError(f"recipe {recipe.name!r} has no parameter {name!r}; it takes: {takes}")
    return {
        name: checked(_type(each), parameters.get(name, each.default), f"recipe {recipe.name}: {name}", SpecError)
        for name, each in recipe.parameters.items()
    }


def _type(parameter: Parameter) -> Any:
    if isinstance(parameter.default, str):
        return Literal[parameter.choices]
    kind = type(parameter.default)
    if kind is bool or parameter.low is None or parameter.high is None:
        return kind
    return Annotated[kind, Within(parameter.low, parameter.high)]
