"""Plans, data sets, instruments and methods, opened once per process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from unmask.bench.core import registry
from unmask.bench.core.errors import DataError, SpecError, UnavailableError, one_line
from unmask.bench.core.protocols import Attacker, Detector, FaceInstrument, ImageInstrument, Method
from unmask.bench.core.spec import file_target, parse_spec, without_folder
from unmask.bench.core.types import SampleRef
from unmask.bench.core.video import Tracker
from unmask.bench.data import Dataset, open_dataset
from unmask.bench.data.dataset import fingerprint
from unmask.bench.data.stored_outputs import output_paths
from unmask.bench.fetch.packages import fetch_all
from unmask.bench.run.planning.sources import hash_code
from unmask.bench.store.documents import located_dataset, located_method
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan


@lru_cache(maxsize=32)
def open_instrument(spec: str, device: str) -> Any:
    """The instrument of a SPEC, its files fetched and its network loaded; typed where it is used, or below. Raises
    `UnavailableError` where a package that the network needs cannot be imported."""
    instrument = registry.create_instrument(parse_spec(spec))
    files = fetch_all(instrument.card.files)
    try:
        if isinstance(instrument, type):
            return instrument.open(files, device)  # type: ignore[attr-defined]
        instrument.load(files, device)
    except ImportError as error:
        reason = f"needs a package that cannot be imported: {one_line(error)}; see unmask doctor"
        raise UnavailableError(f"{spec} {reason}") from error
    return instrument


def detector(name: str, device: str) -> Detector:
    return cast(Detector, open_instrument(name, device))


def face_instrument(name: str, device: str) -> FaceInstrument:
    return cast(FaceInstrument, open_instrument(name, device))


def image_instrument(name: str, device: str) -> ImageInstrument:
    return cast(ImageInstrument, open_instrument(name, device))


def tracker(spec: str, device: str) -> Tracker:
    return cast(Tracker, open_instrument(spec, device))


def method_class(spec: str, code: str = "") -> type[Method]:
    """The class of a method's SPEC. ``code``: as for `method`."""
    name = registry.method_spec(spec).name
    if code and file_target(name) is not None and hash_code(name) != code:
        raise SpecError(
            f"{without_folder(name)} was changed after this run was planned: give the same `unmask run` again, which "
            "anonymizes anew, or put the file back"
        )
    return registry.method_class(name)


@lru_cache(maxsize=16)
def attacker(spec: str, device: str) -> Attacker:
    """The attacker of a SPEC, loaded. Raises `SpecError`, `UnknownNameError` and `UnavailableError`."""
    instance = registry.create_attacker(parse_spec(spec))
    if instance.card.files:
        instance.load(fetch_all(instance.card.files), device)  # type: ignore[attr-defined]
    return instance


@lru_cache(maxsize=4)
def method(spec: str, device: str, code: str = "") -> Method:
    """The method of a plan's SPEC, loaded. ``code``: what the plan says that its code is, '' = whatever it is; raises
    `SpecError` where the class is in a file that is another one by now."""
    _ = method_class(spec, code)
    instance = registry.create_method(registry.method_spec(spec))
    instance.load(fetch_all(instance.card.files), device)
    return instance


@lru_cache(maxsize=4)
def plan(run: Path, name: str) -> Plan:
    """The plan of a run by its `Plan.run`."""
    return RunFolder(run).plan_named(name)


def data(run: Path, plan: Plan, label: str, root: Path | None) -> tuple[Dataset, Mapping[str, SampleRef]]:
    """A data set of a run, from where it lies now, with its entries by id; opened once per process. Raises `DataError`
    where it is not at its place, or something else is there."""
    spec = located_dataset(run, label, plan.dataset(label).spec)
    apart = output_paths([located_method(run, m.origin, m.spec) for m in plan.methods])
    return _opened(run, plan.run, label, spec, root, tuple(apart))


@lru_cache(maxsize=8)
def _opened(
    run: Path, plan_run: str, label: str, spec: str, root: Path | None, apart: tuple[Path, ...]
) -> tuple[Dataset, Mapping[str, SampleRef]]:
    planned = plan(run, plan_run).dataset(label)
    clips = planned.kind == "clips"
    elsewhere = f"if it was moved, name its folder: unmask score {run} --locate {label}=FOLDER"
    try:
        dataset = open_dataset(spec, clips=clips, root=root, exclude=apart)
    except (DataError, SpecError) as error:
        hint = f"; {elsewhere}" if "path" in registry.dataset_spec(spec).params or spec != planned.spec else ""
        raise DataError(f"data set {label}: {error}{hint}") from error
    refs = {ref.id: ref for ref in dataset.refs}
    chosen = [refs[name] for name in planned.samples if name in refs]
    same = {dataset.card.fingerprint} if clips else {dataset.card.fingerprint, fingerprint(chosen)}
    if planned.card.fingerprint not in same:
        what = "clips or annotations" if clips else "images or labels"
        raise DataError(f"data set {label}: {spec} holds other {what} than the run's; put them back, or {elsewhere}")
    return dataset, refs
