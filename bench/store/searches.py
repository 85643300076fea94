"""What attackers who know a method reached, kept for later questions: searches of faces, histograms of people's scores.

``RUN/searches/DATASET/METHOD/faces.parquet`` has one row an attack and face, ``people.parquet`` one row an attack and
person; photos and people stand by their pseudonyms. Of several trainings of an attacker they are of the best. They
outlive readings and embeddings. Whether an attack may be believed stands in ``estimates.json``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.errors import StoreError
from unmask.bench.core.evidence import FaceTruth, Units
from unmask.bench.core.stats.histograms import ScoreHistograms, even_edges
from unmask.bench.core.stats.identification import Searches
from unmask.bench.core.values import AttackScores, AttackTrial
from unmask.bench.store.names import Pseudonyms
from unmask.bench.store.storage import Storage
from unmask.bench.store.tables import read_table, table_key, write_table

SCHEMA: Final = "unmask.searches/1"
_ATTACK: Final = ("attacker", "channel")
_COUNTS: Final = ("genuine", "impostor", "nearest")


@dataclass(frozen=True, slots=True)
class StoredAttack:
    """One attack on one method. ``scores.person`` numbers the people of ``people``."""

    attacker: str
    channel: str
    face: NDArray[np.str_]
    """(N,) pseudonyms of the faces of people with a name; rank NaN = not searched."""
    people: NDArray[np.str_]
    """(P,) pseudonyms, in the order of the histograms."""
    scores: AttackScores

    def renamed(self, face: Callable[[str], str], person: Callable[[str], str]) -> StoredAttack:
        """With other names."""
        faces, people = (
            np.array([name(str(each)) for each in names], np.str_)
            for name, names in ((face, self.face), (person, self.people))
        )
        return replace(self, face=faces, people=people)


def write_searches(
    folder: Storage, trials: Sequence[AttackTrial], faces: Units, truth: FaceTruth, names: Pseudonyms
) -> None:
    """Of all attacks on one method that could be tried; nothing where there is none."""
    tried = [(trial, trial.scores) for trial in trials if trial.scores is not None]
    if not tried:
        return
    named = np.flatnonzero(truth.identity != "")
    person = np.array([names.person(str(name)) for name in truth.identity[named]], np.str_)
    face = np.array([names.face(str(name)) for name in faces.id[named]], np.str_)
    people, first = np.unique(person, return_index=True)
    searches: list[dict[str, NDArray[Any]]] = []
    histograms: list[dict[str, NDArray[Any]]] = []
    for trial, scores in tried:
        searches.append(
            {
                **_attack(trial, len(named)),
                "face": face,
                "person": person,
                "rank": scores.searches.rank[named],
                "genuine": scores.searches.genuine[named],
                "stranger": scores.searches.stranger[named],
            }
        )
        number = scores.person[named][first]
        counts = (scores.histograms.genuine, scores.histograms.impostor, scores.strangers)
        edges = scores.histograms.edges
        histograms.append(
            {
                **_attack(trial, len(people)),
                "person": people,
                "gallery": np.full(len(people), scores.people),
                "lowest": np.full(len(people), edges[0]),
                "highest": np.full(len(people), edges[-1]),
                **{name: each[number].astype(np.int32) for name, each in zip(_COUNTS, counts, strict=True)},
            }
        )
    for name, rows in (("faces", searches), ("people", histograms)):
        columns = {column: np.concatenate([each[column] for each in rows]) for column in rows[0]}
        write_table(folder / f"{name}.parquet", columns, SCHEMA)


def read_searches(folder: Storage, remedy: str) -> list[StoredAttack]:
    """In the order in which they were written. Raises `StoreError`, which ends in ``remedy``, where they are missing,
    damaged, or of another version of unmask."""
    searches, people = (_table(folder / f"{name}.parquet", remedy) for name in ("faces", "people"))
    attacks = dict.fromkeys(zip(*(people[column].tolist() for column in _ATTACK), strict=True))
    return [_stored(_rows(searches, attack), _rows(people, attack), *attack) for attack in attacks]


def _stored(faces: Mapping[str, Any], people: Mapping[str, Any], attacker: str, channel: str) -> StoredAttack:
    edges = even_edges(float(people["lowest"][0]), float(people["highest"][0]), people["genuine"].shape[1])
    genuine, impostor, nearest = (people[name].astype(np.int64) for name in _COUNTS)
    place = {name: number for number, name in enumerate(people["person"].tolist())}
    scores = AttackScores(
        np.array([place[name] for name in faces["person"].tolist()], np.int64),
        int(people["gallery"][0]),
        Searches(faces["rank"], faces["genuine"], faces["stranger"]),
        ScoreHistograms(genuine, impostor, edges),
        nearest,
    )
    return StoredAttack(attacker, channel, faces["face"], people["person"], scores)


def _attack(trial: AttackTrial, rows: int) -> dict[str, NDArray[Any]]:
    return {"attacker": np.full(rows, trial.attacker), "channel": np.full(rows, trial.channel)}


def _rows(table: Mapping[str, NDArray[Any]], attack: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    own = np.all([table[column] == value for column, value in zip(_ATTACK, attack, strict=True)], axis=0)
    return {name: values[own] for name, values in table.items()}


def _table(place: Storage, remedy: str) -> dict[str, NDArray[Any]]:
    if place.exists() and table_key(place) not in (SCHEMA, None):
        raise StoreError(f"{place.local} is of another version of unmask; {remedy}")
    return read_table(place, remedy)
