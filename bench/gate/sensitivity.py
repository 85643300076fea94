"""Whether a gate would notice: the candidate's own outputs, weakened, must come out worse than the candidate.

Weakened outputs are stored outputs mixed half with their originals; no method runs. They are read by the run's own
recognisers, and judged by the same rules as a candidate. A gate that does not find them worse is broken: its
instruments, thresholds or arithmetic see no difference where there is one. Where the candidate itself is hardly better
than no anonymization, weakening takes nothing from it, and nothing is shown either way.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.errors import UnmaskError, counted, one_line
from unmask.bench.core.files import digest
from unmask.bench.core.headlines import WORST, Key
from unmask.bench.core.spec import Spec
from unmask.bench.core.stats.resampling import ClusterResamples
from unmask.bench.core.types import Float, Image
from unmask.bench.core.values import UnitValues
from unmask.bench.data.dataset import fingerprint
from unmask.bench.gate.differences import Question, answers
from unmask.bench.gate.policy import Policy
from unmask.bench.gate.sides import DISTANCE, OUTCOMES, RATE, Side, side_of_run
from unmask.bench.gate.verdicts import rule
from unmask.bench.run.jobs import opened
from unmask.bench.run.jobs.executors import Progress
from unmask.bench.run.jobs.shards import Workplace, dataset_jobs
from unmask.bench.run.outputs.releases import release_items
from unmask.bench.run.planning.plan import planned_methods, without_paths
from unmask.bench.store.documents import Locations, read_locations, read_model, write_json
from unmask.bench.store.gating import Sensitivities, Sensitivity
from unmask.bench.store.names import pseudonyms_of
from unmask.bench.store.planned import CONTROL, Release
from unmask.bench.store.schemas import Plan
from unmask.bench.store.view import RunView

VERSION: Final = 1
"""Raise it whenever weakened outputs are made or judged otherwise."""
FACES: Final = 50
"""About so many are weakened: the first ones of a data set."""
LEAST_PEOPLE: Final = 10
"""Fewer cannot show a loss in spite of everything."""
WEAKENED: Final = "weakened"
SHARE: Final = 0.5
"""Of the original in a weakened output."""
KEPT: Final = "sensitivity.json"
_RATE: Final = f"{RATE}1e-3"


def sensitivities(
    view: RunView, method: str, datasets: Sequence[str], policy: Policy, progress: Progress
) -> list[Sensitivity]:
    """One for each data set; kept in the run, and made anew only where outputs, instruments or the policy changed."""
    kept = view.folder.path / KEPT
    key = digest([VERSION, view.key, method, policy.margins, [view.folder.plan.dataset(d).label for d in datasets]])
    if kept.is_file():
        try:
            before = read_model(Sensitivities, kept)
        except UnmaskError:
            before = None  # made anew
        if before is not None and before.key == key:
            return before.datasets
    results = [_sensitivity(view, method, name, policy, progress) for name in datasets]
    if all(each.verdict != "not tried" for each in results):
        write_json(kept, Sensitivities(key=key, datasets=results))
    return results


def _sensitivity(view: RunView, method: str, dataset: str, policy: Policy, progress: Progress) -> Sensitivity:
    def untried(reason: str) -> Sensitivity:
        return Sensitivity(dataset=dataset, verdict="not tried", text=f"{dataset}: sensitivity not shown: {reason}")

    if view.folder.is_purged:
        return untried("the run was purged of its outputs")
    own = side_of_run(view, dataset, method, policy)
    key: Key = (_RATE, WORST, "face")
    if not own.items(key):
        return untried(f"{_RATE} was not measured")
    control = side_of_run(view, dataset, view.controls(dataset)[0], policy)
    photos = _first_photos(view, dataset, own)
    hopeless = _hopeless(key, own, control, policy, len(photos))
    if hopeless:
        return Sensitivity(dataset=dataset, verdict="not shown", text=f"{dataset}: sensitivity not shown: {hopeless}")
    try:
        with tempfile.TemporaryDirectory(prefix="unmask-weakened-") as folder:
            weakened = _run_weakened(view, method, dataset, photos, Path(folder), progress)
    except UnmaskError as error:
        return untried(one_line(error))
    return _judged(key, dataset, own, weakened, policy)


def _hopeless(key: Key, own: Side, control: Side, policy: Policy, photos: int) -> str:
    """Why weakened outputs cannot come out worse; '' = they can. Judged by the first faces, as they will be."""
    first = np.arange(min(FACES, len(own.face)))
    people = len(set(own.person[first].tolist()))
    if people < LEAST_PEOPLE:
        return f"{counted(people, 'person', 'people')} in {counted(photos, 'photo')} are too few"
    names = list(own.items(key))
    reached, floor = (min(_mean(item.values) for item in _values(side, key, names, first)) for side in (own, control))
    if math.isnan(reached - floor):
        return "nothing was measured on the first faces"
    if reached - floor < 2 * policy.margin(own.cards[key[0]], reached):
        return f"the candidate ({reached:.3g}) is not better than no anonymization ({floor:.3g}) by twice the margin"
    return ""


def _mean(values: Float) -> float:
    """Of what was measured; NaN = nothing was."""
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else math.nan


def _first_photos(view: RunView, dataset: str, side: Side) -> list[str]:
    """Ids of the first photos that show `FACES` faces."""
    samples = {pseudonym: sample for sample, pseudonym in pseudonyms_of(view.planned(dataset)).samples.items()}
    photos = [face.rpartition("#")[0] for face in side.face.tolist()[:FACES]]
    return [samples[photo] for photo in dict.fromkeys(photos)]


def _run_weakened(
    view: RunView, method: str, dataset: str, photos: Sequence[str], folder: Path, progress: Progress
) -> Side:
    """The weakened outputs, scored; faces are called as in the candidate's run."""
    from unmask.bench.run.pipeline import run  # a gate that was judged before needs none of it

    images = folder / "images"
    mixed = _write_mixed(view, method, dataset, photos, images)
    spec = Spec("outputs", {"dir": str(images)}).text
    plan = _plan(view, dataset, mixed, f"{WEAKENED}={spec}")
    where = read_locations(view.folder.path)
    locations = Locations(
        datasets={name: places for name, places in where.datasets.items() if name == dataset},
        methods={WEAKENED: {"dir": str(images)}},
    )
    done = RunView(run(plan, folder / "run", locations=locations, root=None, workers=1, progress=progress))
    side = side_of_run(done, dataset, WEAKENED, Policy(metrics=(_RATE,)))
    ours, theirs = (pseudonyms_of(v.planned(dataset)).samples for v in (view, done))
    called = {theirs[sample]: ours[sample] for sample in mixed}
    faces = [f"{called[photo]}#{number}" for photo, _, number in (face.rpartition("#") for face in side.face.tolist())]
    return replace(side, face=np.array(faces, np.str_))


def _write_mixed(view: RunView, method: str, dataset: str, photos: Sequence[str], folder: Path) -> list[str]:
    """Ids of the photos whose output was there to be weakened."""
    plan, wanted, written = view.plan, set(photos), []
    place = Workplace(view.folder.path).place
    for job in dataset_jobs(plan, view.planned(dataset), method):
        if wanted.isdisjoint(place(job).samples):
            continue
        for chunk in release_items(place(job)):
            for released in chunk:
                if released.item.id in wanted and released.usable is not None:
                    path = folder / PurePosixPath(released.item.id)
                    path = path.with_name(f"{path.name}.png") if not path.suffix else path.with_suffix(".png")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    cv2.imwrite(str(path), mix(released.original, released.usable)[..., ::-1])
                    written.append(released.item.id)
    return written


def mix(original: Image, output: Image) -> Image:
    """(H, W, 3) half of either."""
    return np.asarray(np.round(SHARE * original.astype(np.float32) + (1 - SHARE) * output), np.uint8)


def _plan(view: RunView, dataset: str, photos: Sequence[str], spec: str) -> Plan:
    """The candidate's plan, over these photos alone, for what tells whether faces are recognised."""
    plan, planned = view.plan, view.planned(dataset)
    _, refs = opened.data(view.folder.path, plan, dataset, None)
    card = replace(planned.card, fingerprint=fingerprint([refs[name] for name in photos]))
    control, weak = planned_methods((CONTROL, spec))
    wanted = {_RATE, DISTANCE, *OUTCOMES}
    return plan.changed(
        datasets=[planned.model_copy(update={"samples": list(photos), "card": card, "notes": []})],
        others=[],
        methods=[control, without_paths(weak)],
        releases=[Release(label=each.label, method=each.label) for each in (control, weak)],
        instruments=[each for each in plan.instruments if each.role in ("recogniser", "detector")],
        metrics=[metric for metric in plan.metrics if any(each.name in wanted for each in metric.cards)],
        attackers=[],
        operating_points=dict(view.operating_points),
        settings=plan.settings.model_copy(update={"audit": "none", "calibration": "shipped", "limit": None}),
    )


def _judged(key: Key, dataset: str, own: Side, weakened: Side, policy: Policy) -> Sensitivity:
    card = own.cards[key[0]]
    places = {face: k for k, face in enumerate(own.face.tolist())}
    there = [k for k, face in enumerate(weakened.face.tolist()) if face in places]
    order = np.array([places[face] for face in weakened.face[there].tolist()], np.int64)
    names = [name for name in own.items(key) if name in weakened.items(key)]
    people = np.unique(own.person[order], return_inverse=True)[1].astype(np.int64)
    sides = _values(own, key, names, order), _values(weakened, key, names, np.array(there, np.int64))
    question = Question(card, key[1], key[2], sides[0], sides[1])
    (answer,) = answers(question, ClusterResamples(people), np.ones((1, len(order)), np.bool_))
    (ruling,) = rule([answer.loss], [policy.margin(card, answer.baseline)])
    worse = ruling.word == "worse"
    figures = f"loss {answer.loss.value:.3g} [{answer.loss.low:.3g}, {answer.loss.high:.3g}]"
    mixed = f"{counted(len(order), 'output')} mixed half with their originals"
    return Sensitivity(
        dataset=dataset,
        verdict="shown" if worse else "gate broken",
        text=f"{dataset}: {mixed} are found worse: {figures}"
        if worse
        else f"{dataset}: {mixed} are not found worse, but {ruling.word} ({figures}): this gate finds nothing",
        faces=len(order),
        loss=answer.loss.value,
        low=answer.loss.low,
        high=answer.loss.high,
    )


def _values(side: Side, key: Key, names: Sequence[str], order: NDArray[np.int64]) -> list[UnitValues]:
    items = side.items(key)

    def at(values: Float) -> Float:
        return np.asarray(values[order])

    return [
        replace(item, share=True, values=at(item.values), alternatives=tuple(map(at, item.alternatives)))
        for item in (items[name] for name in names)
        if isinstance(item, UnitValues)
    ]
