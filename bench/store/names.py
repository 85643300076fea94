"""Pseudonyms: results say ``photo-00012`` and ``person-00003``; who that is stands in ``RUN/names.json`` alone."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from unmask.bench.core.errors import REASON_LENGTH
from unmask.bench.core.settings import Strict
from unmask.bench.store.documents import read_model, write_json
from unmask.bench.store.planned import PlannedDataset
from unmask.bench.store.results import Estimates

NAMES: Final = "names.json"
_REMEDY: Final = "take it away: results stay readable, under pseudonyms"
_CLIP: Final = "mp4|m4v|mov|avi|mkv|webm|mpe?g|m2?ts|wmv|flv|3gp|y4m|h26[45]|hevc|264|265"
_IMAGE: Final = "jpe?g|jpe|jfif|png|apng|webp|gif|bmp|tiff?|jp2|p[gpnb]m|heic|heif|avif"
_PART: Final = r"[^\s'\",;:()<>|]"
_ENDING: Final = r"\.[A-Za-z]\w{0,6}\b"
_FILE: Final = re.compile(rf"{_PART}{{1,400}}{_ENDING}")
_IS_IMAGE: Final = re.compile(rf".+\.(?:{_IMAGE}|{_CLIP})", re.IGNORECASE)
_START: Final = (
    r"(?:\bfile:/+|(?<![\w/.\\])(?:~\w*[/\\]|[A-Za-z]:[/\\]|\\\\|"
    rf"\\(?={_PART}+\\)|(?!(?<=:)//)/))"
)
"""How an absolute path begins: ``/``, ``~``, a drive, a share, ``file:``; no address of the web does."""
_PATH: Final = re.compile(
    rf"{_START}{_PART}+(?: (?:{_PART}+ ){{0,2}}(?:{_PART}*[/\\]{_PART}+|{_PART}+[/\\]|{_PART}*{_ENDING}))*"
)
"""Up to its last folder or ending: names of folders may hold blanks."""
_QUOTED_PATH: Final = re.compile(rf"(['\"]){_START}[^'\"\n]{{1,4000}}\1")
_BEGINS: Final = re.compile(_START)
_LONGEST_NAME: Final = 255
A_FILE: Final = "(a file)"
A_FOLDER: Final = "(a folder)"
A_PATH: Final = "(a path)"


def pseudonyms_of(dataset: PlannedDataset, people: Iterable[str] = ()) -> Pseudonyms:
    return Pseudonyms(dataset.samples, people, word="clip" if dataset.kind == "clips" else "photo")


def hide_paths(text: str) -> str:
    """``text`` with "(a path)" for every absolute path."""
    return _PATH.sub(A_PATH, _QUOTED_PATH.sub(lambda path: f"{path[1]}{A_PATH}{path[1]}", text))


class Pseudonyms:
    """Of one data set. ``samples``: ids in the plan's order; ``people``: their names, by first appearance; ``word``:
    what a sample is."""

    def __init__(self, samples: Sequence[str], people: Iterable[str] = (), *, word: str = "photo") -> None:
        self.samples = {sample: f"{word}-{k:05d}" for k, sample in enumerate(samples, 1)}
        distinct = dict.fromkeys(str(name) for name in people if str(name))
        self.people = {name: f"person-{k:05d}" for k, name in enumerate(distinct, 1)}
        self._hidden: dict[str, str] = {}
        photos = {_folded(sample): pseudonym for sample, pseudonym in self.samples.items()}
        bare: dict[str, str] = {}
        for sample, pseudonym in photos.items():
            for name in {PurePosixPath(sample).name, PurePosixPath(sample).stem}:
                # A name that several photos share tells of none.
                bare[name] = A_FILE if name in bare else pseudonym
        folders = {part: A_FOLDER for sample in photos for part in PurePosixPath(sample).parts[:-1]}
        persons = {_folded(name): pseudonym for name, pseudonym in self.people.items()}
        self._bare = {**folders, **persons, **bare, **photos, **{pseudonym: pseudonym for pseudonym in photos.values()}}
        # Others, such as ``1``, may be any word of a text; they are looked for as file names and between quotes only.
        phrases = {name for name in (*bare, *photos) if (" " in name or name in photos) and {".", "/"} & set(name)}
        phrases |= {name for name in (*folders, *persons) if {" ", "_"} & set(name)}
        self._phrases = sorted(phrases, key=len, reverse=True)
        self._with_blank = sorted((name for name in bare if " " in name), key=len, reverse=True)
        self._in_order = sorted({*phrases, *self._with_blank})

    def sample(self, sample: str) -> str:
        return self.samples.get(sample, A_FILE)

    def face(self, face: str) -> str:
        """Of ``SAMPLE#K``."""
        sample, mark, number = face.rpartition("#")
        return f"{self.sample(sample)}{mark}{number}"

    def person(self, name: str) -> str:
        """'' stays ''."""
        return self.people.get(name, "")

    def hidden(self, text: str) -> str:
        """``text`` without file names and absolute paths: photos and people of the data set by their pseudonyms.

        Names are found in other capitals and other forms of accents too, and at the end of a text that was cut there.
        A name of one word that has no ending can be any word, and is hidden between quotes only.
        """
        if text not in self._hidden:
            self._hidden[text] = self._hide(text)
        return self._hidden[text]

    def _hide(self, text: str) -> str:
        text = hide_paths(self._without_cut_name(unicodedata.normalize("NFC", text)))
        folded = text.casefold()
        for name in self._phrases:
            if name in folded:
                text = _sub(rf"(?<![\w-]){re.escape(name)}(?![\w/-])", self._bare[name], text)
        for name in self._with_blank:
            if f"{name}." in folded:
                text = _sub(rf"(?<![\w-]){re.escape(name)}(?={_ENDING})", self._bare[name], text)
        text = re.sub(r"'([^']+)'", lambda quoted: f"'{self._bare.get(_folded(quoted[1]), quoted[1])}'", text)
        return _FILE.sub(lambda name: self._file(name[0]), text)

    def _without_cut_name(self, text: str) -> str:
        """A text as long as a reason can be may end within a name."""
        if len(text) < REASON_LENGTH:
            return text
        paths = [path.start() for path in _BEGINS.finditer(text) if path.start() > len(text) - _LONGEST_NAME]
        if paths:
            return f"{text[: paths[-1]]}{A_PATH}..."
        for word in re.finditer(r"(?<![\w-])\S", text):
            tail = _folded(text[word.start() :])
            at = bisect_left(self._in_order, tail)
            if at < len(self._in_order) and self._in_order[at].startswith(tail):
                return f"{text[: word.start()]}..."
        return text

    def _file(self, name: str) -> str:
        """For a file's name that is no sample's id: of a photo by another extension, or of something else."""
        pseudonym = self._bare.get(_folded(PurePosixPath(name).stem), "")
        if not _IS_IMAGE.fullmatch(name):
            return pseudonym or name
        # In another folder it need not be the photo that has its bare name.
        return A_FILE if not pseudonym or ("/" in name and pseudonym not in name) else pseudonym


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _sub(pattern: str, pseudonym: str, text: str) -> str:
    return re.sub(pattern, pseudonym, text, flags=re.IGNORECASE)


class DatasetNames(Strict):
    samples: dict[str, str]
    """Pseudonym -> id of the photo or clip: its path in the data set."""
    people: dict[str, str]
    """Pseudonym -> the data set's name of a person."""


class Names(Strict):
    """``RUN/names.json``: the key to the pseudonyms, for the run's owner alone. Results stay readable without it."""

    schema_: Literal["unmask.names/2"] = Field(default="unmask.names/2", alias="schema")
    datasets: dict[str, DatasetNames]
    """By label."""

    def sample(self, dataset: str, pseudonym: str) -> str:
        """The sample behind a pseudonym; the pseudonym itself where it is not known."""
        return self.datasets[dataset].samples.get(pseudonym, pseudonym) if dataset in self.datasets else pseudonym

    def face(self, dataset: str, pseudonym: str) -> str:
        photo, mark, number = pseudonym.rpartition("#")
        return f"{self.sample(dataset, photo)}{mark}{number}"

    def person(self, dataset: str, pseudonym: str) -> str:
        return self.datasets[dataset].people.get(pseudonym, pseudonym) if dataset in self.datasets else pseudonym


def write_names(run: Path, pseudonyms: Mapping[str, Pseudonyms]) -> None:
    """``pseudonyms``: by label of the data set."""

    def by_pseudonym(names: Mapping[str, str]) -> dict[str, str]:
        return {pseudonym: name for name, pseudonym in names.items()}

    datasets = {
        label: DatasetNames(samples=by_pseudonym(each.samples), people=by_pseudonym(each.people))
        for label, each in pseudonyms.items()
    }
    write_json(run / NAMES, Names(datasets=datasets))


def read_names(run: Path) -> Names:
    """Without any where the run has none. Raises `StoreError` for a damaged file."""
    path = run / NAMES
    return read_model(Names, path, _REMEDY) if path.exists() else Names(datasets={})


def without_names(estimates: Estimates, pseudonyms: Mapping[str, Pseudonyms]) -> Estimates:
    """The same numbers with pseudonyms for photos, and no file name or absolute path in any text."""
    return _reworded(
        estimates,
        lambda dataset, sample: pseudonyms[dataset].sample(sample),
        lambda dataset, text: pseudonyms[dataset].hidden(text),
    )


def with_names(estimates: Estimates, names: Names) -> Estimates:
    """The same with the photos' own names, for its owner's eyes."""
    return _reworded(estimates, names.sample, lambda dataset, text: text)


_NAMES_IN: Final = ("sample", "clip")
_TEXTS_IN: Final = ("reason", "notes", "text", "problem", "damage", "error")
"""Fields of the rows that can name photos, people and files."""


def _reworded(estimates: Estimates, sample: Callable[[str, str], str], text: Callable[[str, str], str]) -> Estimates:
    """``sample`` and ``text`` take a data set's label and what a field of a row says."""

    def reworded(row: BaseModel, dataset: str) -> BaseModel:
        changes: dict[str, Any] = {}
        for field, value in row:
            if field == "problems":
                changes[field] = [reworded(problem, dataset) for problem in value]
            elif field in (*_NAMES_IN, *_TEXTS_IN):
                change = sample if field in _NAMES_IN else text
                each = value if isinstance(value, list) else [value]
                texts = [change(dataset, one) for one in each]
                changes[field] = texts if isinstance(value, list) else texts[0]
        return row.model_copy(update=changes)

    tables = ("inputs", "failures", "findings", "clips", "results")
    return estimates.model_copy(
        update={table: [reworded(row, row.dataset) for row in getattr(estimates, table)] for table in tables}
    )
