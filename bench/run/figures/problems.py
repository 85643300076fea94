"""What a report says besides numbers: inputs nobody could use, and outputs that failed or were left as they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from unmask.bench.core.errors import counted
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.files import digest
from unmask.bench.core.values import Finding
from unmask.bench.run.figures.assemble import Originals
from unmask.bench.store.results import NO_FACE, InputRow, MethodProblem, Problem
from unmask.bench.store.schemas import PlannedMethod
from unmask.bench.store.tables import Table

_UNPLACED: Final = "in no face of their own, so that they count for nobody (pixels of the upright picture are meant)"


def input_row(originals: Originals, notes: Sequence[str]) -> InputRow:
    """What went in of a set of photos; ``notes``: what reading it had to say already."""
    inputs = originals.inputs
    unplaced = int(inputs["unplaced_labels"].sum())
    readable = inputs["readable"]
    empty = set(originals.images.id[originals.faces_per_image == 0].tolist())
    problems = [
        Problem(sample=str(sample), reason=NO_FACE if ok else str(reason))
        for sample, ok, reason in zip(inputs["sample"], readable, inputs["reason"], strict=True)
        if not ok or str(sample) in empty
    ]
    about = [f"{counted(unplaced, 'label')} with x and y {_UNPLACED}"] if unplaced else []
    for note, count in sorted(Counter(str(note) for note in inputs["note"] if note).items()):
        about.append(f"{counted(count, 'picture')} with {note}: the values are taken for sRGB")
    return InputRow(
        dataset=originals.dataset,
        images=len(readable),
        faces=len(originals.faces),
        unreadable=int((~readable).sum()),
        without_face=len(empty),
        problems=problems,
        notes=[*notes, *about],
    )


def failures(evidence: Evidence, outputs: Table, method: PlannedMethod, label: str) -> list[MethodProblem]:
    """A row a photo that one draw of a method failed on; ``outputs``: its `output_rows`, ``label``: of its results."""
    draw = f"draw {method.draw}: " if method.draw else ""
    return [
        MethodProblem(dataset=evidence.dataset, method=label, sample=str(sample), reason=f"{draw}{reason}")
        for sample, reason in zip(evidence.images.id, outputs["error"], strict=True)
        if reason
    ]


def output_findings(outputs: Table, inputs: Table) -> Iterator[Finding]:
    """How many of a method's outputs are their inputs, pixel for pixel, and how many show nothing of them. Both are
    `output_rows`; ``inputs``: the control's."""
    there = outputs["sha256"] != ""
    many, same = int(there.sum()), int((there & (outputs["sha256"] == inputs["sha256"])).sum())
    if same:
        text = f"{same} of {many} outputs are the inputs themselves, pixel for pixel: nothing was done to them"
        yield Finding("unchanged", same, many, text)
    unlike = int(outputs["unlike"].sum())
    if unlike:
        text = (
            f"{unlike} of {many} outputs show nothing of their inputs outside the faces either: other photos, or "
            "changed from edge to edge"
        )
        yield Finding("unlike", unlike, many, text)


def outputs_digest(outputs: Table, variant: str) -> str:
    """A digest of all that a method gave for a data set, in one variant: releases with the same one are the same
    images, byte for byte, and failed on the same. '' = it gave nothing."""
    digests = outputs["sha256"].tolist()
    return digest([variant, *digests]) if any(digests) else ""
