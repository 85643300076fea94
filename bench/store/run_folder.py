"""The layout of a run folder, and reading it back.

A shard is an ordered list of items: up to 64 photos, or the frames of one clip. METHOD is a method's label, of clips in
``score/`` and ``timelines/`` a release's.

::

    RUN/plan.json                                    everything that decides the results
    RUN/next-plan.json                               a plan that is worked on while the results of plan.json stand
    RUN/provenance.json                              who, when, with which packages, on which machine
    RUN/prepare/DATASET/SHARD/images.parquet         photos: one row an input, with its reason if it cannot be used
                             /clip.parquet           clips: one row: size, rate, codec, or why it cannot be used
                             /frames.parquet         clips: when each frame is shown
                             /faces.parquet          one row a face of an original, in clips with its track
                             /detections.parquet     clips: one row a person in a frame
                             /people-TRACKER.parquet        clips: who is who
                             /INSTRUMENT[@REGION].parquet   readings on the originals
    RUN/outputs/DATASET/METHOD/SHARD/outputs.parquet one row an image or frame: milliseconds, error, of photos the file
                                    /N.png           photos: lossless, N = the image's number in the data set
                                    /VARIANT.mp4     clips: lossless, matched, 56k
                                    /written.parquet clips: one row a variant: bitrate, sha256, or why there is none
    RUN/score/DATASET/METHOD/SHARD/outcomes.parquet  one row a face: outcome, where it was found again
                                  /extras.parquet    one row a face that is found where no original face is
                                  /INSTRUMENT[@REGION].parquet, people-TRACKER.parquet   readings on the outputs
                                  /RECOGNISER+extra.parquet      readings of the extra faces
    RUN/attacks/DATASET/METHOD/ATTACKER@RECOGNISER.safetensors   what attackers have learned of the method
    RUN/timelines/DATASET/METHOD.parquet             clips: clip, track, from, to, state
    RUN/calibration/operating_points.json            thresholds, where the run measured its own
    RUN/faces/DATASET/METHOD.parquet                 one row a face, one column a per-face metric
    RUN/searches/DATASET/METHOD/faces.parquet        one row a face and attack: where it was named, with which scores
                               /people.parquet       one row a person and attack: histograms of the scores
    RUN/estimates.json                               all numbers
    RUN/locations.json                               where data sets and the files of methods lie
    RUN/names.json                                   who the pseudonyms in estimates.json, faces/, searches/ are
    RUN/sensitivity.json                             whether a gate finds the run's weakened outputs worse
    RUN/gate/                                        what gates said of it, unless they wrote elsewhere
    RUN/publishing/                                  new results on the way to their places
    RUN/purged.json                                  says that all but the figures was removed
    RUN/reproduction.json                            which published protocol it follows, if any
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from unmask.bench.core.errors import StoreError
from unmask.bench.store.documents import read_locations, read_model, read_object, write_json
from unmask.bench.store.names import Names, Pseudonyms, pseudonyms_of, read_names, with_names
from unmask.bench.store.results import Estimates
from unmask.bench.store.schemas import Plan
from unmask.bench.store.searches import StoredAttack, read_searches
from unmask.bench.store.storage import Folder, Storage
from unmask.bench.store.tables import read_arrow, read_table, strings_to_arrow

PUBLISHING: Final = "publishing"
PURGED: Final = "purged.json"
"""Says that a run's pictures, readings and names were removed; its results stay."""
PLAN: Final = "plan.json"
NEXT_PLAN: Final = "next-plan.json"
ESTIMATES: Final = "estimates.json"
PROVENANCE: Final = "provenance.json"
FACES: Final = "faces"
TIMELINES: Final = "timelines"
SEARCHES: Final = "searches"
OWN_CARD: Final = "calibration/operating_points.json"
RESULTS: Final = (FACES, TIMELINES, SEARCHES, OWN_CARD, PROVENANCE, PLAN, ESTIMATES)
"""What is replaced together, in this order."""


class RunFolder:
    """A run in a storage. Construct for places, or `open` to read a finished one.

    ``results``: where `RESULTS` lie, if not in the run itself.
    """

    def __init__(self, path: Path, results: Storage | None = None, *, show_names: bool = False) -> None:
        self.path = path
        self.storage: Storage = Folder(path)
        self.results: Storage = self.storage if results is None else results
        self._show_names = show_names

    @classmethod
    def open(cls, path: Path, *, show_names: bool = False) -> RunFolder:
        """``show_names``: give the photos' own names, from ``names.json``, instead of pseudonyms.

        Raises `StoreError` if ``path`` is not a finished run.
        """
        cls.planned(path)
        folder = cls(path, show_names=show_names)
        if not folder.estimates_path.exists():
            raise StoreError(f"{path} is not finished (no estimates.json); run the same `unmask run` again to go on")
        if folder.plan.run != folder.estimates.run:
            raise StoreError(f"{path} mixes two runs: estimates.json is of another plan; run `unmask score {path}`")
        return folder

    @classmethod
    def planned(cls, path: Path) -> RunFolder:
        """A run that was at least begun. Raises `StoreError` if ``path`` holds no plan."""
        folder = cls(path)
        folder.finish_publication()
        if not folder.plan_path.exists():
            if (path / "video-plan.json").is_file():
                raise StoreError(
                    f"{path} is a run over clips by an older version of unmask; run the same `unmask video` again with "
                    "another --out"
                )
            raise StoreError(f"{path} is not a run folder (no plan.json); give the --out folder of `unmask run`")
        # Not every command needs what stands in them; that one is broken must not come out at the next.
        read_locations(path)
        read_names(path)
        return folder

    @contextmanager
    def replacing_results(self) -> Iterator[RunFolder]:
        """Yields the run with a place of its own for new `RESULTS`. On success they replace the old ones, all or none
        of them whenever a process is killed; else they are removed."""
        with (self.storage / PUBLISHING).replacing(last=ESTIMATES) as results:
            yield RunFolder(self.path, results)
            self.finish_publication()
        self.finish_publication()

    def finish_publication(self) -> None:
        """Moves new results to their places where all of them are published, which ``publishing/estimates.json`` says.

        Whoever opens a run after a crash goes on with it. Raises `StoreError`.
        """
        source = self.storage / PUBLISHING
        if not (source / ESTIMATES).exists():
            return
        try:
            for name in RESULTS:
                (source / name).move(self.storage / name)
            source.remove()
        except StoreError as error:
            hint = "new results wait there to be moved to their places; open the run from where it can be written to"
            raise StoreError(f"{error}; {source.local}: {hint}") from error

    @property
    def plan_path(self) -> Path:
        return (self.results / PLAN).local

    @property
    def estimates_path(self) -> Path:
        return (self.results / ESTIMATES).local

    @property
    def next_plan(self) -> Storage:
        return self.storage / NEXT_PLAN

    @property
    def is_purged(self) -> bool:
        """Whether pictures, readings and names were removed."""
        return (self.storage / PURGED).exists()

    @property
    def operating_points(self) -> dict[str, Any]:
        """The calibration card in force: the run's own if it has measured one, else the plan's."""
        card = self.results / OWN_CARD
        return read_object(card) if card.exists() else self.plan.operating_points

    def plan_named(self, run: str) -> Plan:
        """The plan whose `Plan.run` is ``run``: the one in force, or the one that is being worked on.

        Raises `StoreError` where it is neither: another process has put a third plan there.
        """
        for place in (self.results / PLAN, self.next_plan):
            if place.exists():
                plan = read_model(Plan, place)
                if plan.run == run:
                    return plan
        raise StoreError(f"{self.path} holds another plan by now; is another process at work on it?")

    def propose(self, plan: Plan) -> None:
        """Writes down a plan that is worked on while the one in force, with its results, stays."""
        if self.plan_path.exists() and self.plan.run == plan.run:
            self.next_plan.remove()
        else:
            write_json(self.next_plan, plan)

    def prepare_dir(self, dataset: str, shard: int) -> Storage:
        return self.storage / "prepare" / dataset / f"{shard:05d}"

    def outputs_dir(self, dataset: str, method: str, shard: int) -> Storage:
        return self.storage / "outputs" / dataset / method / f"{shard:05d}"

    def score_dir(self, dataset: str, method: str, shard: int) -> Storage:
        return self.storage / "score" / dataset / method / f"{shard:05d}"

    def attacks_dir(self, dataset: str, method: str) -> Storage:
        return self.storage / "attacks" / dataset / method

    def faces_path(self, dataset: str, method: str) -> Storage:
        return self.results / FACES / dataset / f"{method}.parquet"

    def timelines_path(self, dataset: str, release: str) -> Storage:
        return self.results / TIMELINES / dataset / f"{release}.parquet"

    def searches_dir(self, dataset: str, method: str) -> Storage:
        return self.results / SEARCHES / dataset / method

    @cached_property
    def plan(self) -> Plan:
        return read_model(Plan, self.results / PLAN)

    @cached_property
    def estimates(self) -> Estimates:
        estimates = read_model(Estimates, self.results / ESTIMATES, f"run `unmask score {self.path}`")
        return with_names(estimates, self.names) if self._show_names else estimates

    @cached_property
    def names(self) -> Names:
        """The key to the pseudonyms; empty where the run has none."""
        return read_names(self.path)

    def shown_name(self, dataset: str, sample: str) -> str:
        """What a page calls a photo or clip."""
        return sample if self._show_names else self._pseudonyms[dataset].sample(sample)

    @cached_property
    def _pseudonyms(self) -> dict[str, Pseudonyms]:
        return {dataset.label: pseudonyms_of(dataset) for dataset in self.plan.datasets}

    def write_estimates(self, estimates: Estimates) -> None:
        """Seals them and writes them down."""
        write_json(self.results / ESTIMATES, estimates.sealed())

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Empty where the file is missing: a run is complete without it."""
        place = self.results / PROVENANCE
        return read_object(place) if place.exists() else {}

    def faces(self, dataset: str, method: str) -> pa.Table:
        """One row a face: face, sample, identity, age, gender, race, outcome, reason, and a float column named
        ``metric|instrument|region`` for each per-face metric."""
        table = read_arrow(self.faces_path(dataset, method), f"run `unmask score {self.path}`")
        own = {"face": self.names.face, "sample": self.names.sample, "identity": self.names.person}
        for column, name in own.items() if self._show_names else ():
            names = strings_to_arrow([name(dataset, str(value)) for value in table.column(column).to_pylist()])
            table = table.set_column(table.column_names.index(column), column, names)
        return table

    def searches(self, dataset: str, method: str) -> list[StoredAttack]:
        """What each attacker who knows the method reached by each channel. Raises `StoreError` where nobody was
        asked."""
        attacks = read_searches(self.searches_dir(dataset, method), f"run `unmask score {self.path}`")
        if not self._show_names:
            return attacks
        face, person = partial(self.names.face, dataset), partial(self.names.person, dataset)
        return [attack.renamed(face, person) for attack in attacks]

    def timelines(self, dataset: str, release: str) -> Mapping[str, NDArray[Any]]:
        """One row an unbroken stretch of one state of a face track: clip, track, from and to (s), state."""
        table = read_table(self.timelines_path(dataset, release))
        if self._show_names:
            table = {**table, "clip": np.array([self.names.sample(dataset, str(c)) for c in table["clip"]], np.str_)}
        return table

    def output_image(self, dataset: str, method: str, sample: str) -> Path | None:
        """The lossless output for a sample; ``None`` where the method gave none. ``method``: its label, or that of a
        release of it."""
        method = self.plan.method_of(method)
        samples = next((d.samples for d in self.plan.datasets if d.label == dataset), [])
        if sample not in samples:
            return None
        number = samples.index(sample)
        folder = self.outputs_dir(dataset, method, number // self.plan.settings.shard_size)
        table = read_table(folder / "outputs.parquet")
        for name, file in zip(table["sample"], table["file"], strict=True):
            if name == sample and file:
                return (folder / str(file)).local
        return None
