"""The layout of a run folder, and reading it back.

A shard is an ordered list of items: up to 64 photos, or the frames of one clip. METHOD is a method's label, of clips in
``score/`` and ``timelines/`` a release's.

::

    RUN/plan.json                                    everything that decides the results
    RUN/next-plan.json                               a plan that is worked on while the results of plan.json stand
    RUN/provenance.json                              who, when, with which packages, on which machine
    RUN/prepare/DATASET/SHARD/images.parquet         one row an input, with its reason if it cannot be used
                             /faces.parquet          one row a face of an original
                             /INSTRUMENT[@REGION].parquet   readings on the originals
    RUN/outputs/DATASET/METHOD/SHARD/outputs.parquet one row an image: file, milliseconds, error
                                    /N.png           lossless, N = the image's number in the data set
    RUN/score/DATASET/METHOD/SHARD/outcomes.parquet  one row a face: outcome, where it was found again
                                  /extras.parquet    one row a face that is found where no original face is
                                  /INSTRUMENT[@REGION].parquet   readings on the outputs
                                  /RECOGNISER+extra.parquet      readings of the extra faces
    RUN/prepare/CLIPS/SHARD/clip.parquet             one row: size, rate, codec, or why it cannot be used
                           /frames.parquet           when each frame is shown
                           /faces.parquet            one row a face in a frame, with its track
                           /detections.parquet       one row a person in a frame
                           /people-TRACKER.parquet   who is who
                           /INSTRUMENT.parquet       readings of the faces
    RUN/outputs/CLIPS/METHOD/SHARD/VARIANT.mp4       lossless, matched, 56k
                                  /frames.parquet    one row a frame: milliseconds, error
                                  /written.parquet   one row a variant: bitrate, or why there is no file
    RUN/score/CLIPS/METHOD/SHARD/outcomes.parquet    one row a face in a frame: how it ended
                                /INSTRUMENT.parquet, people-TRACKER.parquet
    RUN/timelines/CLIPS/METHOD.parquet               clip, track, from, to, state
    RUN/calibration/operating_points.json            thresholds, where the run measured its own
    RUN/faces/DATASET/METHOD.parquet                 one row a face, one column a per-face metric
    RUN/estimates.json                               all numbers
    RUN/locations.json                               where data sets and the files of methods lie
    RUN/names.json                                   who the pseudonyms in estimates.json and faces/ are
    RUN/publishing/                                  new results on the way to their places
    RUN/purged.json                                  says that all but the figures was removed
    RUN/reproduction.json                            which published protocol it follows, if any
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from unmask.bench.core.errors import StoreError
from unmask.bench.store.atomic import write_json
from unmask.bench.store.beside import read_locations
from unmask.bench.store.json_files import read_model, read_object
from unmask.bench.store.names import Names, Pseudonyms, pseudonyms_of, read_names, with_names
from unmask.bench.store.publication import (
    ESTIMATES,
    FACES,
    NEXT_PLAN,
    OWN_CARD,
    PLAN,
    PROVENANCE,
    PURGED,
    TIMELINES,
    finish_publication,
)
from unmask.bench.store.results import Estimates
from unmask.bench.store.schemas import Plan
from unmask.bench.store.tables import read_arrow, read_table


class RunFolder:
    """A run on disk. Construct for paths, or `open` to read a finished one.

    ``results``: where plan, estimates and the rest of `bench.store.publication.RESULTS` lie, if not in the run itself.
    """

    def __init__(self, path: Path, results: Path | None = None, *, show_names: bool = False) -> None:
        self.path = path
        self._show_names = show_names
        self.results = path if results is None else results

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
        finish_publication(path)
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

    @property
    def plan_path(self) -> Path:
        return self.results / PLAN

    @property
    def next_plan_path(self) -> Path:
        return self.path / NEXT_PLAN

    @property
    def is_purged(self) -> bool:
        """Whether pictures, readings and names were removed."""
        return (self.path / PURGED).exists()

    @property
    def estimates_path(self) -> Path:
        return self.results / ESTIMATES

    @property
    def provenance_path(self) -> Path:
        return self.results / PROVENANCE

    @property
    def own_card_path(self) -> Path:
        return self.results / OWN_CARD

    @property
    def operating_points(self) -> dict[str, Any]:
        """The calibration card in force: the run's own if it has measured one, else the plan's."""
        if not self.own_card_path.is_file():
            return self.plan.operating_points
        return read_object(self.own_card_path)

    def plan_named(self, run: str) -> Plan:
        """The plan whose `Plan.run` is ``run``: the one in force, or the one that is being worked on.

        Raises `StoreError` where it is neither: another process has put a third plan there.
        """
        for path in (self.plan_path, self.next_plan_path):
            if path.exists():
                plan = read_model(Plan, path)
                if plan.run == run:
                    return plan
        raise StoreError(f"{self.path} holds another plan by now; is another process at work on it?")

    def propose(self, plan: Plan) -> None:
        """Writes down a plan that is worked on while the one in force, with its results, stays."""
        if self.plan_path.exists() and self.plan.run == plan.run:
            self.next_plan_path.unlink(missing_ok=True)
        else:
            write_json(self.next_plan_path, plan.model_dump(mode="json", by_alias=True))

    def prepare_dir(self, dataset: str, shard: int) -> Path:
        return self.path / "prepare" / dataset / f"{shard:05d}"

    def outputs_dir(self, dataset: str, method: str, shard: int) -> Path:
        return self.path / "outputs" / dataset / method / f"{shard:05d}"

    def score_dir(self, dataset: str, method: str, shard: int) -> Path:
        return self.path / "score" / dataset / method / f"{shard:05d}"

    def faces_path(self, dataset: str, method: str) -> Path:
        return self.results / FACES / dataset / f"{method}.parquet"

    def timelines_path(self, dataset: str, release: str) -> Path:
        return self.results / TIMELINES / dataset / f"{release}.parquet"

    @cached_property
    def plan(self) -> Plan:
        return read_model(Plan, self.plan_path)

    @cached_property
    def estimates(self) -> Estimates:
        found = read_model(Estimates, self.estimates_path, f"run `unmask score {self.path}`")
        return with_names(found, self.names) if self._show_names else found

    @cached_property
    def names(self) -> Names:
        """The key to the pseudonyms; empty where the run has none."""
        return read_names(self.path)

    def shown_name(self, dataset: str, sample: str) -> str:
        """What a page calls a photo or clip."""
        if self._show_names:
            return sample
        return self._pseudonyms[dataset].sample(sample)

    @cached_property
    def _pseudonyms(self) -> dict[str, Pseudonyms]:
        return {dataset.label: pseudonyms_of(dataset) for dataset in self.plan.datasets}

    def write_estimates(self, estimates: Estimates) -> None:
        """Seals them and writes them down."""
        write_json(self.estimates_path, estimates.sealed().model_dump(mode="json", by_alias=True))

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Empty where the file is missing: a run is complete without it."""
        if not self.provenance_path.is_file():
            return {}
        return read_object(self.provenance_path)

    def faces(self, dataset: str, method: str) -> pa.Table:
        """One row a face: face, sample, identity, age, gender, race, outcome, reason, and a float column named
        ``metric|instrument|region`` for each per-face metric."""
        table = read_arrow(self.faces_path(dataset, method), f"run `unmask score {self.path}`")
        own = {"face": self.names.face, "sample": self.names.sample, "identity": self.names.person}
        for column, name in own.items() if self._show_names else ():
            shown = pa.array([name(dataset, str(value)) for value in table.column(column).to_pylist()], pa.string())
            table = table.set_column(table.column_names.index(column), column, shown)
        return table

    def timelines(self, dataset: str, release: str) -> Mapping[str, NDArray[Any]]:
        """One row an unbroken stretch of one state of a face track: clip, track, from and to (s), state."""
        table = read_table(self.timelines_path(dataset, release))
        if self._show_names:
            table = {**table, "clip": np.array([self.names.sample(dataset, str(c)) for c in table["clip"]], np.str_)}
        return table

    def output_image(self, dataset: str, method: str, sample: str) -> Path | None:
        """The lossless output for a sample; ``None`` where the method gave none."""
        samples = next((d.samples for d in self.plan.datasets if d.label == dataset), [])
        if sample not in samples:
            return None
        number = samples.index(sample)
        folder = self.outputs_dir(dataset, method, number // self.plan.settings.shard_size)
        table = read_table(folder / "outputs.parquet")
        for name, file in zip(table["sample"], table["file"], strict=True):
            if name == sample and file:
                return folder / str(file)
        return None
