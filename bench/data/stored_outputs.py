"""Methods whose outputs lie in a folder already: that folder is no part of a data set, and must answer for one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from unmask.bench.core import registry
from unmask.bench.core.errors import SpecError, UnmaskError
from unmask.bench.core.names import without_affixes
from unmask.bench.core.spec import Spec, without_seeds
from unmask.bench.data.dataset import Dataset


def output_paths(methods: Sequence[str]) -> list[Path]:
    """The folders of stored outputs that method SPECs name, and the files in them where these can lie beside inputs
    (``suffix=_anonymized``): in a data set's folder they are no inputs."""
    paths = []
    for spec in _stored(methods):
        folder = _folder(spec)
        prefix, suffix = (str(spec.params.get(name, "")) for name in ("prefix", "suffix"))
        paths.append(folder)
        if prefix or suffix:
            files = (path for path in folder.rglob("*") if without_affixes(path.stem, prefix, suffix) is not None)
            paths += [path for path in files if path.is_file()]
    return paths


def refuse_unmatched(methods: Sequence[str], datasets: Sequence[Dataset], *, clips: bool = False) -> None:
    """Raises `SpecError` for a folder of stored outputs that is the inputs' own, or that answers for no input at all.
    Before anything runs: otherwise every photo (or clip, where ``clips``) would become the same failure."""
    ids = [ref.id for dataset in datasets for ref in dataset.refs]
    for spec in _stored(methods) if ids else ():
        if not {"prefix", "suffix"} & set(spec.params):
            for dataset in datasets:
                _refuse_shared(spec, dataset)
        method: Any = registry.create_method(spec)
        reason = ""
        if clips:
            reason = method.mismatch(ids, clips=True) if hasattr(method, "clip") else ""
        elif hasattr(method, "mismatch"):
            reason = method.mismatch(ids)
        if reason:
            raise SpecError(reason)


def _refuse_shared(spec: Spec, dataset: Dataset) -> None:
    folder, inputs = _folder(spec), Path(dataset.where)
    if inputs.is_dir() and inputs.resolve().is_relative_to(folder):
        place = "is the data set's own folder" if inputs.resolve() == folder else "holds the data set's own folder"
        raise SpecError(
            f"outputs: {spec.params['dir']} {place}, so that inputs would pass for outputs; put the outputs into a "
            f"folder of their own, or write what is added to their names: {spec.text},suffix=_anonymized"
        )


def _stored(methods: Sequence[str]) -> Iterator[Spec]:
    for text in methods:
        spec, _ = without_seeds(registry.method_spec(text))
        with suppress(UnmaskError):  # said when the method is planned
            named = isinstance(spec.params.get("dir"), str)
            if named and getattr(registry.method_class(spec.name), "needs_names", False):
                yield spec


def _folder(spec: Spec) -> Path:
    return Path(str(spec.params["dir"])).expanduser().resolve()
