"""The split of a data set, written out for an anonymizer that only its owners can run."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from pydantic import BaseModel

from unmask.bench.core.cards import DatasetCard
from unmask.bench.core.errors import ConfigError, ImageError, counted
from unmask.bench.core.files import make_folder
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.spec import Spec
from unmask.bench.core.split import NAMES, PARTS, SPLIT, Part, Split, SplitFile, SplitNames, SplitSource
from unmask.bench.data import Dataset, open_dataset
from unmask.bench.data.identities import person_hashes
from unmask.bench.data.neutral import neutral_photo
from unmask.bench.data.opening import refuse_nested
from unmask.bench.run.jobs.executors import Progress
from unmask.bench.run.planning.auditing import background_of
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.run.planning.plan import other_datasets, planned_dataset
from unmask.bench.store.planned import PlannedDataset

README: Final = "README.txt"
_TIME: Final = 315_532_800
"""1980-01-01: the order in which files were written says nothing, and archives are the same."""
_USES: Final[dict[Part, str]] = {"tested": "test", "background": "background", "enrolment": "test"}
_MEANING: Final[dict[Part, str]] = {
    "tested": "what is released and attacked",
    "background": "other people, from whom attackers learn what the anonymizer does",
    "enrolment": "the tested photos once more, for attackers who compare with anonymized photos; anonymize them in a "
    "run of its own, with another seed where there is one, and copy nothing over from tested/",
}
_NOBODY: Final = """
There are no photos of other people (the data set has no other half, and --background named none): attackers who learn
cannot be tried.
"""
_TEXT: Final = """\
Photos for an audit of a face anonymizer that unmask cannot run itself.

1. Anonymize every photo of these folders, each into a new folder:
{folders}
   Keep the names of the files (another ending is fine) and the sizes of the pictures.

2. Run, from the folder that the split was exported from, with the new folders in place of OUT/...:
   {command}
{learning}
Give the anonymizer nothing but the folders named above. {split} and {names} say whom the photos show;
keep them here, together.
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    split: Split
    folder: Path
    command: str
    """What to run when the outputs are there."""

    def photos(self, part: Part) -> int:
        return sum(file.part == part for file in self.split.files)

    @property
    def unreadable(self) -> int:
        return sum(source.unreadable for source in self.split.sources)


def export_split(config: RunConfig, out: Path, *, root: Path | None, progress: Progress) -> Exported:
    """Writes the photos of the one data set of ``config`` that a run with its options would release, those that
    attackers would learn from, and what ``split.json`` says of them. The same options and photos give the same bytes.

    Raises `ConfigError` for a folder that is not empty, and what a run would raise: `DataError` for data that are not
    there or for people in both parts, `SpecError`, `UnknownNameError`.
    """
    refuse_nested(out, (*config.datasets, *config.background), root)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"--out {out} is not an empty folder; choose another one, or empty it")
    (text,) = config.datasets
    dataset = open_dataset(text, root=root)
    planned = planned_dataset(text, dataset, config.limit)
    people = {planned.label: person_hashes(dataset.refs[: config.limit])}
    background = background_of(config)
    others = other_datasets({"background": background}, people, config, root=root, progress=None)
    opened = [dataset, *(open_dataset(each, root=root) for each in background)]
    _refuse_shared_names(others)
    photos = _numbered([planned, *others])
    make_folder(out, private=True)
    progress.start("export", len(photos))
    writer = _Writer(out, {entry.label: data for entry, data in zip([planned, *others], opened, strict=True)})
    for photo in photos:
        writer.write(photo)
        progress.done(f"{photo.part}/{photo.number:06d}", skipped=False)
    progress.end()
    return writer.finished(config, [planned, *others])


def _refuse_shared_names(entries: Sequence[PlannedDataset]) -> None:
    """Outputs are matched by the photos' names: those of two data sets must not be equal."""
    names = Counter(name for entry in entries for name in entry.samples)
    if twice := sum(count > 1 for count in names.values()):
        raise ConfigError(
            f"{counted(twice, 'name')} of photos are in two of the backgrounds, and outputs could not be told apart; "
            "put them into one folder of photos, or name one --background"
        )


@dataclass(frozen=True, slots=True)
class _Photo:
    part: Part
    number: int
    dataset: str
    """Label in a plan."""
    sample: str


def _numbered(entries: Sequence[PlannedDataset]) -> list[_Photo]:
    """All photos of all parts in the order of their numbers, which is drawn by chance within each part: neither names
    nor people follow it."""
    photos: list[_Photo] = []
    for part in PARTS:
        samples = [(entry, name) for entry in entries if entry.use == _USES[part] for name in entry.samples]
        draw = derive_seed(0, "split", part, *(entry.card.fingerprint for entry in entries))
        for place in np.random.default_rng(draw).permutation(len(samples)).tolist():
            entry, name = samples[place]
            photos.append(_Photo(part, len(photos) + 1, entry.label, name))
    return photos


class _Writer:
    """Writes photos one by one, and at the end what they are."""

    def __init__(self, out: Path, datasets: Mapping[str, Dataset]) -> None:
        self._out, self._datasets = out, datasets
        self._refs = {label: {ref.id: ref for ref in data.refs} for label, data in datasets.items()}
        self._files: list[SplitFile] = []
        self._names: dict[str, str] = {}
        self._unreadable: Counter[str] = Counter()

    def write(self, photo: _Photo) -> None:
        ref, store = self._refs[photo.dataset][photo.sample], self._datasets[photo.dataset].store
        folder = self._out / photo.part
        folder.mkdir(exist_ok=True)
        try:
            original = store.read(ref.id)
            data, ending = neutral_photo(original, ref.id)
        except ImageError:
            self._unreadable[photo.dataset] += photo.part != "enrolment"
            return
        path = folder / f"{photo.number:06d}{ending}"
        path.write_bytes(data)
        os.utime(path, (_TIME, _TIME))
        hashes = {"sha256": _sha256(data), "original_sha256": _sha256(original)}
        self._files.append(SplitFile(name=path.name, part=photo.part, **hashes))
        self._names[path.name] = photo.sample

    def finished(self, config: RunConfig, entries: Sequence[PlannedDataset]) -> Exported:
        names = _json(SplitNames(names=self._names))
        sources = [
            SplitSource(
                use="background" if entry.use == "background" else "test",
                spec=entry.spec,
                card=_plain(entry.card),
                photos=len(entry.samples),
                unreadable=self._unreadable[entry.label],
            )
            for entry in entries
        ]
        audit: Literal["quick", "full"] = "full" if config.audit == "full" else "quick"
        split = Split(audit=audit, limit=config.limit, sources=sources, files=self._files, names_sha256=_sha256(names))
        exported = Exported(split, self._out, _command(config, self._out, len(sources) > 1))
        # split.json comes last: without it nothing takes an export that was interrupted for a whole one.
        for name, data in ((NAMES, names), (README, _readme(exported).encode()), (SPLIT, _json(split))):
            (self._out / name).write_bytes(data)
        return exported


def _readme(exported: Exported) -> str:
    parts = [part for part in PARTS if exported.photos(part)]
    texts = [f"{part}/  {counted(exported.photos(part), 'photo')}: {_MEANING[part]}" for part in parts]
    folders = "\n".join(textwrap.fill(t, 116, initial_indent="   ", subsequent_indent="     ") for t in texts)
    learning = "" if "background" in parts else _NOBODY
    return _TEXT.format(folders=folders, command=exported.command, split=SPLIT, names=NAMES, learning=learning)


def _command(config: RunConfig, out: Path, learning: bool) -> str:
    """The run that reads the outputs."""
    folders = ["dir", *(["background"] if learning else []), "enrolment"]
    params = {name: f"OUT/{'tested' if name == 'dir' else name}" for name in folders}
    spec = Spec("outputs", {**params, "split": str(out / SPLIT)}, "theirs")
    words = ["unmask", "run", "--dataset", *config.datasets, "--method", f"theirs={spec.text}"]
    words += [word for text in config.background for word in ("--background", text)]
    words += ["--audit", config.audit, *(["--limit", str(config.limit)] if config.limit else [])]
    return shlex.join(words)


def _json(model: BaseModel) -> bytes:
    return (json.dumps(model.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False) + "\n").encode()


def _plain(card: DatasetCard) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(asdict(card)))
    return plain


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
