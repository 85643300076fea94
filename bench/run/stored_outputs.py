"""Methods whose outputs lie in a folder already: that folder is no part of a data set, and must answer for one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from unmask.bench.core import registry
from unmask.bench.core.cards import MethodCard
from unmask.bench.core.errors import SpecError, UnmaskError
from unmask.bench.core.files import sha256_of
from unmask.bench.core.names import without_affixes
from unmask.bench.core.spec import Spec
from unmask.bench.data import Dataset
from unmask.bench.data.folders import clip_files
from unmask.bench.run.draws import without_seeds
from unmask.bench.store.schemas import PlannedMethod

NAME: Final = "outputs"


def is_given(method: PlannedMethod) -> bool:
    """Whether the method's outputs are clips that lie in a folder already."""
    return method.card.name == NAME


def planned_given(method: PlannedMethod) -> PlannedMethod:
    """The plan's entry, fingerprinted over the clips in the folder rather than images."""
    folder = output_folder(method)
    total, names = hashlib.sha256(), clip_files(folder)
    for name in names:
        total.update(f"{name}\0{sha256_of(folder / name)}\n".encode("utf-8", "surrogateescape"))
    if not names:
        raise SpecError(f"outputs: {folder} holds no clips; write outputs:dir=PATH with the anonymized clips")
    card = MethodCard(
        name=NAME,
        version="3",
        description="Clips anonymized elsewhere, read from a folder and matched by file name.",
        licence="as the clips",
        source="the folder given",
        params={"dir": "(a folder)", "clips": len(names), "fingerprint": total.hexdigest()},
        limits="Nothing is known of how the clips were made. A clip that two inputs of one data set would share is an "
        "error for both. Where both clips have as many frames, frame is compared "
        "with frame, else each frame of the input with what the output shows at its time. A clip of another size or "
        "length is a failure. Its time is that of reading files.",
    )
    return method.model_copy(update={"card": card})


def output_folder(method: PlannedMethod) -> Path:
    """Where a method's clips lie that were made elsewhere."""
    return Path(str(registry.method_spec(method.spec).params["dir"])).expanduser()


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


def refuse_unmatched(methods: Sequence[str], datasets: Sequence[Dataset]) -> None:
    """Raises `SpecError` for a folder of stored outputs that is the inputs' own, or that answers for no input at all.

    Before anything runs: otherwise every image would become the same failure.
    """
    ids = [ref.id for dataset in datasets for ref in dataset.refs]
    for spec in _stored(methods):
        if not {"prefix", "suffix"} & set(spec.params):
            for dataset in datasets:
                _refuse_shared(spec, dataset)
        mismatch = getattr(registry.create_method(spec), "mismatch", None)
        reason = mismatch(ids) if mismatch is not None else ""
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


def _stored(methods: Sequence[str]) -> list[Spec]:
    found = []
    for text in methods:
        spec, _ = without_seeds(registry.method_spec(text))
        if not isinstance(spec.params.get("dir"), str):
            continue
        try:
            stored = getattr(registry.method_class(spec.name), "needs_names", False)
        except UnmaskError:  # said when the method is planned
            continue
        if stored:
            found.append(spec)
    return found


def _folder(spec: Spec) -> Path:
    return Path(str(spec.params["dir"])).expanduser().resolve()
