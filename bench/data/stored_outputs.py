"""Methods whose outputs lie in folders already: such folders are no part of a data set, and must answer for one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from unmask.bench.core import registry
from unmask.bench.core.errors import SpecError, UnmaskError
from unmask.bench.core.images import IMAGE_EXTENSIONS
from unmask.bench.core.names import OutputPattern, output_pattern, without_affixes
from unmask.bench.core.spec import Spec, without_seeds
from unmask.bench.core.split import Part, read_split
from unmask.bench.core.video import CLIP_EXTENSIONS
from unmask.bench.data.dataset import Dataset

_FOLDERS: Final[dict[Part, str]] = {"tested": "dir", "background": "background", "enrolment": "enrolment"}
"""Part of an audit's photos -> the parameter that names the folder with what was made of them."""


def output_paths(methods: Sequence[str]) -> list[Path]:
    """The folders of stored outputs that method SPECs name, and the files in them where these can lie beside inputs
    (``suffix=_anonymized``): in a data set's folder they are no inputs. Raises `SpecError` for a wrong pattern."""
    paths = []
    for spec in (spec for whole in _stored(methods) for _, spec in _parts(whole)):
        folder = _folder(spec)
        paths.append(folder)
        if _tells_apart(spec):
            paths += [
                path for path in folder.rglob("*") if _is_output(spec, path.relative_to(folder)) and path.is_file()
            ]
    return paths


def _tells_apart(spec: Spec) -> bool:
    """Whether outputs have names that tell them from inputs, so that both can lie in one folder."""
    pattern = _pattern(spec)
    return (
        any(str(spec.params.get(name, "")) for name in ("prefix", "suffix")) if pattern is None else pattern.tells_apart
    )


def _is_output(spec: Spec, path: Path) -> bool:
    """Whether a path in the folder of outputs is that of one, by its name."""
    pattern = _pattern(spec)
    if pattern is not None:
        return pattern.called(path.as_posix()) is not None
    prefix, suffix = (str(spec.params.get(name, "")) for name in ("prefix", "suffix"))
    return without_affixes(path.stem, prefix, suffix) is not None


def _pattern(spec: Spec) -> OutputPattern | None:
    return output_pattern(spec.params, IMAGE_EXTENSIONS | CLIP_EXTENSIONS)


def part_spec(spec: Spec, part: Part) -> Spec:
    """The SPEC of stored outputs whose ``dir`` answers for a part of an audit's photos; that of any other method as it
    is."""
    params_for = getattr(registry.method_class(spec.name), "params_for", None)
    return spec if params_for is None else replace(spec, params=params_for(spec.params, part))


def refuse_unmatched(
    methods: Sequence[str], datasets: Sequence[Dataset], *, background: Sequence[Dataset] = (), clips: bool = False
) -> None:
    """Raises `SpecError` for a folder of stored outputs that is the inputs' own, or that answers for no input at all.
    Before anything runs: otherwise every photo (or clip, where ``clips``) would become the same failure.

    ``background``: the photos that attackers of an audit learn from.
    """
    for whole in _stored(methods):
        for part, spec in _parts(whole):
            inputs = background if part == "background" else datasets
            if clips and part != "tested":
                continue
            if not clips:
                _refuse_other_split(whole, part, inputs)
            if any(dataset.refs for dataset in inputs):
                _refuse_unanswered(spec, inputs, clips)


def _refuse_unanswered(spec: Spec, datasets: Sequence[Dataset], clips: bool) -> None:
    if not _tells_apart(spec):
        for dataset in datasets:
            _refuse_shared(spec, dataset)
    method: Any = registry.create_method(spec)
    ids = [ref.id for dataset in datasets for ref in dataset.refs]
    reason = ""
    if clips:
        reason = method.mismatch(ids, clips=True) if hasattr(method, "clip") else ""
    elif hasattr(method, "mismatch"):
        reason = method.mismatch(ids)
    if reason:
        raise SpecError(reason)


def _refuse_other_split(spec: Spec, part: Part, datasets: Sequence[Dataset]) -> None:
    if not (split := str(spec.params.get("split", ""))):
        return
    exported = read_split(Path(split).expanduser()).fingerprints["background" if part == "background" else "test"]
    for dataset in datasets:
        if dataset.card.fingerprint not in exported:
            raise SpecError(
                f"outputs: split={split} was not exported from the photos of {dataset.card.name} as they are now, and "
                "names in it could mean others; run the split's own data set and background, or export them anew"
            )


def _refuse_shared(spec: Spec, dataset: Dataset) -> None:
    folder, inputs = _folder(spec), Path(dataset.where)
    if inputs.is_dir() and inputs.resolve().is_relative_to(folder):
        place = "is the data set's own folder" if inputs.resolve() == folder else "holds the data set's own folder"
        named = Spec(spec.name, {key: value for key, value in spec.params.items() if key != "pattern"}).text
        added = "suffix=_anonymized" if _pattern(spec) is None else "pattern={folder}/{stem}_anonymized.{ext}"
        raise SpecError(
            f"outputs: {spec.params['dir']} {place}, so that inputs would pass for outputs; put the outputs into a "
            f"folder of their own, or write what is added to their names: {named},{added}"
        )


def _stored(methods: Sequence[str]) -> Iterator[Spec]:
    for text in methods:
        spec, _ = without_seeds(registry.method_spec(text))
        with suppress(UnmaskError):  # said when the method is planned
            named = isinstance(spec.params.get("dir"), str)
            if named and getattr(registry.method_class(spec.name), "needs_names", False):
                yield spec


def _parts(spec: Spec) -> Iterator[tuple[Part, Spec]]:
    """Each part of an audit's photos of which there are outputs, with the SPEC whose ``dir`` they are."""
    for part, name in _FOLDERS.items():
        if part == "tested":
            yield part, spec
        elif spec.params.get(name, "") != "" and (own := part_spec(spec, part)) != spec:
            yield part, own


def _folder(spec: Spec) -> Path:
    return Path(str(spec.params["dir"])).expanduser().resolve()
