"""The plan of a run as pydantic models; JSON schemas of it and of the results ship in ``bench/store/json_schemas/``.

A schema name ends in a version. Readers refuse a version they do not know rather than guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from unmask.bench.core.cards import InstrumentCard, Role
from unmask.bench.core.errors import ConfigError
from unmask.bench.core.files import digest
from unmask.bench.core.seeds import AGAIN, ONE_DRAW
from unmask.bench.core.settings import PlanSettings, Strict
from unmask.bench.core.values import CLIPS
from unmask.bench.store.planned import (
    Kind,
    PlannedAttacker,
    PlannedDataset,
    PlannedMethod,
    PlannedMetric,
    PlannedPart,
    Release,
    Use,
)

PLAN_SCHEMA: Final = "unmask.plan/3"
POINTS_SCHEMA: Final = "unmask.operating-points/1"


def _plain(value: object) -> object:
    """A read-only mapping as a dictionary. Raises TypeError for what JSON has nothing for."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


class Plan(Strict):
    """``RUN/plan.json``: everything that decides the results."""

    schema_: Literal["unmask.plan/3"] = Field(default=PLAN_SCHEMA, alias="schema")
    run: str
    """First 16 hex digits of the sha256 of the rest, as canonical JSON."""
    datasets: list[PlannedDataset]
    """Of use ``test``."""
    others: list[PlannedDataset] = Field(default=[])
    """Photos of the other uses: only recognisers read them."""
    methods: list[PlannedMethod]
    releases: list[Release]
    """Of the methods, the control's lossless one first."""
    detector: InstrumentCard
    """Finds the faces of the originals, and finds them again in the outputs."""
    instruments: list[InstrumentCard]
    """The others, in the order they run. Further detectors look where `detector` does not find a face again."""
    person_detector: PlannedPart | None = None
    """Finds people in clips; null without clips."""
    trackers: list[PlannedPart] = Field(default=[])
    """Follow people through clips; the first one leads the page."""
    face_tracker: PlannedPart | None = None
    """Links faces of the original to tracks, by the default recogniser's embeddings; null without clips."""
    attackers: list[PlannedAttacker] = Field(default=[])
    """Those who know the method, in the order they are shown."""
    metrics: list[PlannedMetric]
    operating_points: dict[str, Any]
    """The calibration card in use; empty ``points`` where the run calibrates itself."""
    settings: PlanSettings

    @model_validator(mode="after")
    def _separate_uses(self) -> Self:
        if any(d.use != "test" for d in self.datasets) or any(d.use == "test" for d in self.others):
            raise ValueError("datasets are of use test, others are not")
        return self

    @classmethod
    def sealed(cls, fields: dict[str, Any]) -> Self:
        """A plan of ``fields``, as it reads back from JSON, named by the hash of them.

        Raises `ConfigError` where a card, which may be a plug-in's, has a field of another type than its own.
        """
        try:
            plain = TypeAdapter(Any).dump_python(fields, mode="json", fallback=_plain, warnings=False)
            unnamed = cls.model_validate({"run": "", **plain})
        except (ValueError, TypeError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
            where = ".".join(str(part) for part in first["loc"]) or "a card"
            raise ConfigError(f"plan: {where}: {first['msg']}; see the fields of cards in unmask.bench.core") from error
        return unnamed.model_copy(update={"run": unnamed.content_name()})

    def changed(self, **fields: Any) -> Self:
        """The plan with other ``fields``, under the name that follows from them. Raises `ConfigError`."""
        return self.sealed({**self.model_dump(exclude={"run", "schema_"}), **fields})

    def content_name(self) -> str:
        """What ``run`` must be: the first 16 hex digits of the sha256 of the rest, as canonical JSON; notes on the
        data sets apart, which say how they were read on this machine. What is not asked for is left out where plans
        did not have it once, so that they keep their names."""
        body = self.model_dump(mode="json", exclude={"run", "schema_"})
        for dataset in (*body["datasets"], *body["others"]):
            dataset.pop("notes", None)
            if not dataset["wide"]:
                del dataset["wide"]
        return digest(body)[:16]

    @property
    def measuring(self) -> list[InstrumentCard]:
        """Every instrument that has no parameters, the detector first."""
        return [self.detector, *self.instruments]

    @property
    def recognisers(self) -> list[str]:
        """Their names, in the order they run."""
        return [card.name for card in self.instruments_of("recogniser")]

    @property
    def headline_instruments(self) -> list[str]:
        """The instruments that speak for a metric (`bench.core.headlines.headline_keys`), the first one first."""
        defaults = self.settings.default_recogniser, self.settings.default_attributes, "standard"
        return [*defaults, *(part.label for part in self.trackers)]

    @property
    def people_parts(self) -> list[PlannedPart]:
        """The person detector and the trackers, if there are clips."""
        return [*([self.person_detector] if self.person_detector else []), *self.trackers]

    def part(self, name: Literal["person_detector", "face_tracker"]) -> PlannedPart:
        """What every plan with clips has. Raises `ConfigError` in one without."""
        part: PlannedPart | None = getattr(self, name)
        if part is None:
            raise ConfigError(f"the plan has no {name}: it was made for photos alone")
        return part

    def datasets_of(self, kind: Kind) -> list[PlannedDataset]:
        return [dataset for dataset in self.datasets if dataset.kind == kind]

    def of(self, kind: Kind) -> Plan:
        """The same with the data sets of one kind only and what is asked of them; it keeps the plan's name."""
        metrics = [metric for metric in self.metrics if kind in metric.kinds]
        releases = [release for release in self.releases if release.kind in (None, kind)]
        return self.model_copy(update={"datasets": self.datasets_of(kind), "metrics": metrics, "releases": releases})

    def dataset(self, label: str) -> PlannedDataset:
        """One of any use."""
        return next(dataset for dataset in (*self.datasets, *self.others) if dataset.label == label)

    def release(self, label: str) -> Release:
        """One that is scored, or the lossless one of a method that has no results of its own."""
        again = [Release(label=m.label, method=m.label) for m in self.methods if m.again_of]
        return next(release for release in (*self.releases, *again) if release.label == label)

    def method_of(self, label: str) -> str:
        """The label of the method that made a release; ``label`` itself where it is a method's."""
        return next((release.method for release in self.releases if release.label == label), label)

    def used_to(self, use: Use) -> list[PlannedDataset]:
        return [dataset for dataset in (*self.datasets, *self.others) if dataset.use == use]

    def reading(self, dataset: PlannedDataset, label: str = "") -> Plan:
        """The same with the instruments that read a data set (and a release of it); it keeps the plan's name."""
        roles: set[str] = {"recogniser"}
        names: set[str] = set()
        if dataset.use == "test" and not self._is_again(label):
            if dataset.kind == "photos":
                return self
            roles |= {"detector"} if self.looks_closely(dataset) else set()
            names = {need for metric in self.metrics if "clips" in metric.kinds for need in metric.needs}
        cards = [c for c in self.instruments if c.role in roles or {c.name, f"role:{c.role}"} & names]
        return self.model_copy(update={"instruments": cards})

    def looks_closely(self, dataset: PlannedDataset, label: str = "") -> bool:
        """Whether recognisers try looks of a data set's faces and read faces elsewhere, and second detectors are asked:
        of photos always; of clips, which have hundreds of times as many faces, where a metric of photos is asked about
        faces that are found again or recognised; never of what only attackers learn from or compare with."""
        if dataset.use == "background" or self._is_again(label):
            return False
        of_photos = (metric for metric in self.metrics if "clips" in metric.kinds and CLIPS not in metric.needs)
        needs = {need for metric in of_photos for need in metric.needs}
        return dataset.kind == "photos" or bool(needs & {"role:recogniser", self.detector.name})

    def _is_again(self, label: str) -> bool:
        return any(method.label == label and method.again_of for method in self.methods)

    @property
    def again(self) -> dict[str, str]:
        """Method -> the same under another seed. Not in it: pictures that were made elsewhere, and only once; the
        control, which needs no run."""
        return {method.again_of: method.label for method in self.methods if method.draw == AGAIN}

    @property
    def one_draw(self) -> dict[str, str]:
        """Method -> the same with one draw a person."""
        return {method.again_of: method.label for method in self.methods if method.draw == ONE_DRAW}

    @property
    def audited(self) -> list[str]:
        """Labels of the methods that attackers learn about, and of the releases that they look at: lossless ones of
        first draws."""
        return [method.label for method in self.methods if method.origin == method.label]

    @property
    def views(self) -> list[str]:
        """What attackers have recognisers read besides released faces (`bench.core.views`)."""
        return list(dict.fromkeys(planned.view for planned in self.attackers if planned.view))

    def releases_of(self, dataset: PlannedDataset) -> list[Release]:
        """What is scored of a data set: every method lossless, and in the variants that its kind has."""
        return [each for each in self.releases if each.kind in (None, dataset.kind)]

    def labels_of(self, dataset: PlannedDataset) -> list[str]:
        return [each.label for each in self.releases_of(dataset)]

    def instruments_of(self, *roles: Role) -> list[InstrumentCard]:
        """Those of some roles, the detector left out."""
        return [card for card in self.instruments if card.role in roles]
