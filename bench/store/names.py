"""Pseudonyms: results say ``photo-00012`` and ``person-00003``; who that is stands in ``RUN/names.json`` alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from pydantic import Field

from unmask.bench.store.atomic import write_json
from unmask.bench.store.json_files import read_model
from unmask.bench.store.schemas import Estimates, Strict

NAMES: Final = "names.json"
_IMAGE: Final = "jpe?g|jpe|jfif|png|apng|webp|gif|bmp|tiff?|jp2|p[gpnb]m|heic|heif|avif"
_FILE: Final = re.compile(rf"[^\s'\",;:()<>|]+\.(?:{_IMAGE})\b", re.IGNORECASE)
_PATH: Final = re.compile(r"(?<![\w:/.])(?:~|[A-Za-z]:)?[/\\][^\s'\",;:()<>|]+[/\\][^\s'\",;:()<>|]*")
A_FILE: Final = "(a file)"


class Pseudonyms:
    """Of one data set. ``samples``: ids in the plan's order; ``people``: their names, by first appearance."""

    def __init__(self, samples: Sequence[str], people: Iterable[str] = ()) -> None:
        self.photos = {sample: f"photo-{k:05d}" for k, sample in enumerate(samples, 1)}
        named = dict.fromkeys(str(name) for name in people if str(name))
        self.people = {name: f"person-{k:05d}" for k, name in enumerate(named, 1)}
        self._hidden: dict[str, str] = {}
        bare: dict[str, str] = {}
        for sample, shown in self.photos.items():
            for name in {PurePosixPath(sample).name, PurePosixPath(sample).stem}:
                # A name that several photos share tells of none.
                bare[name] = A_FILE if name in bare else shown
        self._bare = {**bare, **self.photos, **{shown: shown for shown in self.photos.values()}}
        # Others, such as ``1``, may be any word of a text; they are looked for as file names and between quotes only.
        told = {name for name in self._bare if (" " in name or name in self.photos) and {".", "/"} & set(name)}
        self._told = sorted(told, key=len, reverse=True)
        self._spaced = sorted((name for name in bare if " " in name), key=len, reverse=True)

    def photo(self, sample: str) -> str:
        return self.photos.get(sample, A_FILE)

    def face(self, face: str) -> str:
        """Of ``SAMPLE#K``."""
        sample, mark, number = face.rpartition("#")
        return f"{self.photo(sample)}{mark}{number}"

    def person(self, name: str) -> str:
        """'' stays ''."""
        return self.people.get(name, "")

    def hidden(self, text: str) -> str:
        """``text`` without file names and absolute paths: photos of the data set by their pseudonyms."""
        if text not in self._hidden:
            self._hidden[text] = self._hide(text)
        return self._hidden[text]

    def _hide(self, text: str) -> str:
        for name in self._told:
            if name in text:
                text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w/-])", self._bare[name], text)
        for name in self._spaced:
            if f"{name}." in text:
                text = re.sub(rf"(?<![\w-]){re.escape(name)}(?=\.(?:{_IMAGE})\b)", self._bare[name], text)
        text = re.sub(r"'([^']+)'", lambda found: f"'{self._bare.get(found[1], found[1])}'", text)
        text = _FILE.sub(lambda found: self._file(found[0]), text)
        return _PATH.sub("(a path)", text)

    def _file(self, name: str) -> str:
        """For a file's name that is no sample's id: of a photo by another extension, or of something else."""
        shown = self._bare.get(PurePosixPath(name).stem, A_FILE)
        # In another folder it need not be the photo that has its bare name.
        return A_FILE if "/" in name and shown not in name else shown


class DatasetNames(Strict):
    photos: dict[str, str]
    """Pseudonym -> id of the sample: its path in the data set."""
    people: dict[str, str]
    """Pseudonym -> the data set's name of a person."""


class Names(Strict):
    """``RUN/names.json``: the key to the pseudonyms, for the run's owner alone. Results stay readable without it."""

    schema_: Literal["unmask.names/1"] = Field(default="unmask.names/1", alias="schema")
    datasets: dict[str, DatasetNames]
    """By label."""

    def photo(self, dataset: str, shown: str) -> str:
        """The sample behind a pseudonym; the pseudonym itself where it is not known."""
        return self.datasets[dataset].photos.get(shown, shown) if dataset in self.datasets else shown

    def face(self, dataset: str, shown: str) -> str:
        photo, mark, number = shown.rpartition("#")
        return f"{self.photo(dataset, photo)}{mark}{number}"

    def person(self, dataset: str, shown: str) -> str:
        return self.datasets[dataset].people.get(shown, shown) if dataset in self.datasets else shown


def write_names(run: Path, pseudonyms: Mapping[str, Pseudonyms]) -> None:
    """``pseudonyms``: by label of the data set."""
    names = Names(
        datasets={
            label: DatasetNames(
                photos={shown: sample for sample, shown in each.photos.items()},
                people={shown: name for name, shown in each.people.items()},
            )
            for label, each in pseudonyms.items()
        }
    )
    write_json(run / NAMES, names.model_dump(mode="json", by_alias=True))


def read_names(run: Path) -> Names:
    """Without any where the run has none. Raises `StoreError` for a damaged file."""
    path = run / NAMES
    return read_model(Names, path) if path.exists() else Names(datasets={})


def without_names(estimates: Estimates, pseudonyms: Mapping[str, Pseudonyms]) -> Estimates:
    """The same numbers with pseudonyms for photos, and no file name or absolute path in any text."""
    return estimates.model_copy(
        update={
            "inputs": [
                row.model_copy(
                    update={
                        "problems": [
                            p.model_copy(update={"sample": names.photo(p.sample), "reason": names.hidden(p.reason)})
                            for p in row.problems
                        ],
                        "notes": [names.hidden(note) for note in row.notes],
                    }
                )
                for row, names in ((row, pseudonyms[row.dataset]) for row in estimates.inputs)
            ],
            "failures": [
                row.model_copy(update={"sample": names.photo(row.sample), "reason": names.hidden(row.reason)})
                for row, names in ((row, pseudonyms[row.dataset]) for row in estimates.failures)
            ],
            "findings": [
                row.model_copy(update={"text": pseudonyms[row.dataset].hidden(row.text)}) for row in estimates.findings
            ],
        }
    )


def with_names(estimates: Estimates, names: Names) -> Estimates:
    """The same with the photos' own names, for its owner's eyes."""
    return estimates.model_copy(
        update={
            "inputs": [
                row.model_copy(
                    update={
                        "problems": [
                            p.model_copy(update={"sample": names.photo(row.dataset, p.sample)}) for p in row.problems
                        ]
                    }
                )
                for row in estimates.inputs
            ],
            "failures": [
                row.model_copy(update={"sample": names.photo(row.dataset, row.sample)}) for row in estimates.failures
            ],
        }
    )
