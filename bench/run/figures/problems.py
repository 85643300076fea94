"""What a report says besides numbers: inputs nobody could use, and outputs that failed or were left as they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from unmask.bench.core.errors import counted
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.files import digest
from unmask.bench.core.values import Finding
from unmask.bench.run.figures.assemble import Originals
from unmask.bench.run.outputs.releases import output_rows
from unmask.bench.store.attack_rows import learnable, made_elsewhere
from unmask.bench.store.names import pseudonyms_of
from unmask.bench.store.planned import PlannedMethod
from unmask.bench.store.results import NO_FACE, InputRow, MethodProblem, Problem
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.store.tables import Table

_FAILED_BACKGROUND: Final = "photos of background people have no usable output, so that attackers learn from fewer"
_FAILED_ENROLMENT: Final = (
    "photos that attackers compare with have no usable output, so that nobody can be named by these"
)
_SAME: Final = (
    "pictures of the enrolment are the released ones, pixel for pixel: right where the method draws nothing by chance, "
    "or for each photo anew; where a run has a seed or key of its own, attackers compare under the same one here, and "
    "look stronger than somebody who has another. A face is never compared with its own photo"
)
_MOST_REASONS: Final = 3
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


def audit_findings(folder: RunFolder, plan: Plan, dataset: str, method: str) -> Iterator[Finding]:
    """What attackers of an audit lack: outputs of background people's photos, and of the tested photos once more, that
    a method failed on. And whether pictures made elsewhere are the released ones a second time."""
    learned = [d.label for d in plan.used_to("background")] if method in learnable(plan) else []
    for other in learned:
        for finding in _failed("background-failed", output_rows(folder, plan, other, method), _FAILED_BACKGROUND):
            # Later only the names of the tested data set are looked for.
            yield replace(finding, text=pseudonyms_of(plan.dataset(other)).hidden(finding.text))
    if method not in plan.again:
        return
    again, released = (output_rows(folder, plan, dataset, label) for label in (plan.again[method], method))
    yield from _failed("enrolment-failed", again, _FAILED_ENROLMENT)
    there = (again["sha256"] != "") & (released["sha256"] != "")
    many, same = int(there.sum()), int((there & (again["sha256"] == released["sha256"])).sum())
    if same and any(each.label == method and made_elsewhere(each, "enrolment") for each in plan.methods):
        yield Finding("enrolment-same", same, many, f"{same} of {many} {_SAME}")


def _failed(kind: str, outputs: Table, what: str) -> Iterator[Finding]:
    reasons = Counter(str(reason) for reason in outputs["error"] if reason)
    if failed := reasons.total():
        of, commonest = len(outputs["error"]), reasons.most_common(_MOST_REASONS)
        listed = "; ".join(f"{reason} ({count:,})" for reason, count in commonest)
        more = ", and other reasons" if len(reasons) > len(commonest) else ""
        yield Finding(kind, failed, of, f"{failed} of {of} {what}: {listed}{more}")


def outputs_digest(outputs: Table, variant: str) -> str:
    """A digest of all that a method gave for a data set, in one variant: releases with the same one are the same
    images, byte for byte, and failed on the same. '' = it gave nothing."""
    digests = outputs["sha256"].tolist()
    return digest([variant, *digests]) if any(digests) else ""
