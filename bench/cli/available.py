"""What this machine has, read by every listing: instruments with the files that are cached, and copies of data sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from unmask.bench.core import registry
from unmask.bench.core.cards import InstrumentCard, PackageFile
from unmask.bench.core.errors import BrokenPluginError, UnavailableError, UnknownNameError, UnmaskError
from unmask.bench.fetch import packages

if TYPE_CHECKING:
    from unmask.bench.data.catalog import DatasetEntry


@dataclass(frozen=True, slots=True)
class InstrumentRow:
    """One registered instrument on this machine."""

    name: str
    card: InstrumentCard | None
    """``None`` = it cannot be loaded."""
    reason: str
    """Why it cannot be loaded; empty if it can."""
    cached: tuple[bool, ...]
    """For each of the card's files, whether its verified bytes are in the cache."""
    broken: bool = False
    """Whether loading failed for another reason than a missing optional package."""

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(file.size for file in self.files)

    @property
    def files(self) -> tuple[PackageFile, ...]:
        return self.card.files if self.card is not None else ()

    @property
    def state(self) -> Literal["cached", "partly cached", "not cached", "needs no files", "unavailable", "broken"]:
        if self.card is None:
            return "broken" if self.broken else "unavailable"
        if not self.cached:
            return "needs no files"
        if all(self.cached):
            return "cached"
        return "partly cached" if any(self.cached) else "not cached"

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        if self.card is None:
            return {"name": self.name, "state": self.state, "reason": self.reason}
        card, cached = self.card, zip(self.files, self.cached, strict=True)
        keys = ("name", "version", "role", "description", "licence", "source", "limits", "default")
        files = [{**asdict(file), "path": str(packages.cache_path(file)), "cached": here} for file, here in cached]
        return {**{key: getattr(card, key) for key in keys}, "size": self.size, "state": self.state, "files": files}


def instrument_row(name: str) -> InstrumentRow:
    """Loads an instrument's class (this may import its deep-learning library) and looks for its files.

    Raises `UnknownNameError`.
    """
    try:
        card = registry.unsettled_card(name)
    except UnavailableError as error:
        return InstrumentRow(name, None, str(error), (), broken=isinstance(error, BrokenPluginError))
    except UnknownNameError:
        raise
    except Exception as error:
        # One plug-in that fails while it is imported must not hide all the others.
        reason = f"cannot be loaded: {type(error).__name__}: {' '.join(str(error).split())}"
        return InstrumentRow(name, None, reason, (), broken=True)
    return InstrumentRow(name, card, "", tuple(packages.cached(file) is not None for file in card.files))


def instrument_rows(names: Sequence[str] = ()) -> list[InstrumentRow]:
    """The named instruments, or all."""
    return [instrument_row(name) for name in names or registry.names("instrument")]


def dataset_places(root: Path | None) -> list[tuple[str, DatasetEntry | None, str]]:
    """Every data set of the catalogue by name, with where its copy lies, '' = it is not here; of a plug-in that cannot
    be used there is no entry, and the reason instead of a place. ``root`` as for `open_dataset`.

    Raises `ConfigError` where the catalogue's file is wrong.
    """
    # Imported here: reading the catalogue brings pydantic, which instruments do not need.
    from unmask.bench.data.catalog import dataset_names, find_entry
    from unmask.bench.data.opening import is_available

    places: list[tuple[str, DatasetEntry | None, str]] = []
    for name in dataset_names():
        try:
            entry = find_entry(name)
        except UnmaskError as error:
            places.append((name, None, str(error)))
        else:
            places.append((name, entry, is_available(entry, root)))
    return places


def entry_facts(entry: DatasetEntry) -> dict[str, Any]:
    """What the catalogue says of a data set, for programs and for whoever asks for it by name."""
    return entry.model_dump(mode="json", exclude={"sources", "probe_people"})
