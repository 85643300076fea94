"""Whether a plan may go on in a run's folder, what it changes there, and whether its numbers are there already."""

from __future__ import annotations

from contextlib import suppress
from typing import Final, get_args

from pydantic.main import IncEx

from unmask.bench.core.claims import claim_folder, differences
from unmask.bench.core.errors import StoreError
from unmask.bench.core.files import digest, make_folder
from unmask.bench.core.settings import Audit
from unmask.bench.run.jobs.shards import output_jobs, score_jobs, shard_jobs
from unmask.bench.run.planning.sources import hash_arithmetic
from unmask.bench.store.documents import Locations, read_locations, read_model, write_json, write_locations
from unmask.bench.store.fits import fits_stamp
from unmask.bench.store.names import NAMES
from unmask.bench.store.purging import refuse_purged
from unmask.bench.store.run_folder import PLAN, RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.store.tables import read_arrow, table_stamp

CARD_CHANGED: Final = "the calibration card changed"


def settle_plan(folder: RunFolder, plan: Plan, locations: Locations) -> None:
    """Writes the plan down, or checks that the folder holds the same one, or one that it only adds to.

    A finished run may grow by methods and data sets, and a method that was edited, or whose files were replaced at
    their place, is made again: then the plan in force and its results stay until the new ones are complete.
    Raises `PlanMismatchError` with what else differs, `ConfigError` where nothing can be written.
    """
    with suppress(OSError):  # as `claim_folder` says better
        refuse_purged(folder)
        folder.finish_publication()

    def write() -> None:
        make_folder(folder.path, private=True)
        with suppress(PermissionError):  # somebody else's folder stays as open as they made it
            folder.path.chmod(0o700)
        write_json(folder.results / PLAN, plan)

    claim_folder(folder.plan_path, lambda: refused_changes(folder, plan, locations), write)
    folder.propose(plan)
    write_locations(folder.path, locations)


def refused_changes(folder: RunFolder, plan: Plan, locations: Locations) -> list[str]:
    """What keeps ``plan`` from going on in the run of ``folder``, as short phrases; empty = nothing."""
    new, edited = plan_changes(folder, plan, locations)
    allowed = {*new, *(f"methods: {label} changed" for label in edited)}
    return [phrase for phrase in compare_plans(folder.plan, plan) if phrase not in allowed]


def plan_changes(folder: RunFolder, plan: Plan, locations: Locations) -> tuple[list[str], list[str]]:
    """What ``plan`` adds to the one in force, as `compare_plans` words it, and the labels of the methods that are the
    same by their SPEC and its paths, but for their code or the content of their files."""
    old, places = folder.plan, read_locations(folder.path)
    added = [
        f"{field}: {item.label} is not in the old plan"
        for field in ("datasets", "methods")
        for item in getattr(plan, field)
        if item.label not in {entry.label for entry in getattr(old, field)}
    ]
    before = {method.label: method for method in old.methods}
    # Another variant of clips of a method that is there already would have it run again.
    added += [
        f"releases: {release.label} is not in the old plan"
        for release in plan.releases
        if release.method not in before or release.jpeg_quality is not None
    ]
    added += _audited_anew(old, plan)
    edited = [
        method.label
        for method in plan.methods
        if method.label in before
        and before[method.label] != method
        and before[method.label].spec == method.spec
        and places.methods.get(method.label, {}) == locations.methods.get(method.label, {})
    ]
    return added, edited


def _audited_anew(old: Plan, plan: Plan) -> list[str]:
    """What an audit brings that the run did not have, or not so full, as `compare_plans` words it: readings and attacks
    that are there stay."""
    levels = get_args(Audit)
    if levels.index(plan.settings.audit) <= levels.index(old.settings.audit):
        return []
    brought = ("attackers: ", "others: ", "metrics: ", "instruments: ")
    background = {f"others: {dataset.label} changed" for dataset in plan.used_to("background")}
    return [
        phrase
        for phrase in compare_plans(old, plan)
        if phrase in background
        or (phrase == CARD_CHANGED and _only_adds_points(old, plan))
        or phrase.startswith("audit: ")
        or (phrase.startswith(brought) and phrase.endswith("is not in the old plan"))
    ]


def _only_adds_points(old: Plan, plan: Plan) -> bool:
    """Whether the calibration card is the same but for recognisers that the old plan did not have."""
    before, after = old.operating_points, plan.operating_points
    parts = ("points", "instruments")
    grows = all(after.get(part, {}).get(n) == v for part in parts for n, v in before.get(part, {}).items())
    return grows and {**before, **dict.fromkeys(parts)} == {**after, **dict.fromkeys(parts)}


def refuse_half_made(folder: RunFolder) -> None:
    """Raises `StoreError` where outputs of the plan in force are being replaced by those of an edited method."""
    if not folder.next_plan.exists():
        return
    before = {method.label: method.identity for method in folder.plan.methods}
    for method in read_model(Plan, folder.next_plan).methods:
        if before.get(method.label, method.identity) != method.identity:
            raise StoreError(
                f"{folder.path}: method {method.label} changed and is half-way through being run again; "
                "run the same `unmask run` to the end first"
            )


def announce_changes(folder: RunFolder, plan: Plan, locations: Locations) -> list[str]:
    """What a finished run will have anew under ``plan``, as lines for a person. Raises `StoreError` for a purged
    run."""
    try:
        refuse_purged(folder)
        if not folder.estimates_path.exists() or refused_changes(folder, plan, locations):
            return []
    except OSError:  # no place for a run, as `settle_plan` will say
        return []
    added, edited = plan_changes(folder, plan, locations)
    news = [phrase for phrase in added if phrase.endswith("is not in the old plan")]
    new = [phrase.replace("is not in the old plan", "is new") for phrase in news if not phrase.startswith("releases")]
    if any(phrase.startswith("audit: ") for phrase in added):
        new.append(f"audit {plan.settings.audit}: attackers who know the methods are tried")
    again = [f"method {label} changed (its code, version or files): anonymized again" for label in edited]
    return [*(f"{phrase}; what is there stays" for phrase in new), *again]


def compare_plans(old: Plan, new: Plan) -> list[str]:
    """What differs between two plans, as short phrases; empty = the same run."""
    notes: IncEx = {"__all__": {"notes"}}
    excluded: IncEx = {"run": True, "schema_": True, "datasets": notes, "others": notes}
    a, b = (plan.model_dump(mode="json", exclude=excluded) for plan in (old, new))
    card_changed = a.pop("operating_points") != b.pop("operating_points")
    settings = differences(a.pop("settings"), b.pop("settings"))
    return [*differences(a, b), *settings, *([CARD_CHANGED] if card_changed else [])]


def hash_evidence(folder: RunFolder, plan: Plan) -> str:
    """sha256 over everything that `bench.run.reduce.reduce_run` makes numbers of: plan, tables, and code. Every table
    is read and its seal checked. Raises `StoreError` for one that is missing or was changed."""
    tables = []
    folders = [
        *(folder.prepare_dir(job.dataset, job.shard) for job in shard_jobs(plan)),
        *(folder.outputs_dir(job.dataset, job.method, job.shard) for job in output_jobs(plan)),
        *(folder.score_dir(job.dataset, job.method, job.shard) for job in score_jobs(plan)),
    ]
    for path in (place.local for each in folders for place in each.children()):
        if path.suffix == ".parquet":
            tables.append([str(path.relative_to(folder.path)), table_stamp(read_arrow(path))])
    tables += [
        [str(p.relative_to(folder.path)), fits_stamp(p)] for p in sorted(folder.path.glob("attacks/*/*/*.safetensors"))
    ]
    notes = [dataset.notes for dataset in plan.datasets]
    return digest([plan.run, notes, tables, hash_arithmetic([metric.name for metric in plan.metrics])])


def is_reduced(folder: RunFolder, plan: Plan, made_from: str) -> bool:
    """Whether the folder's results were made from just this, and are all there and intact."""
    try:
        published = RunFolder.open(folder.path)
        origin = {"made_from": made_from, "estimates": published.estimates.seal}
        if published.plan.run != plan.run or not origin.items() <= published.provenance.items():
            return False
        for dataset in plan.datasets:
            read = published.timelines if dataset.kind == "clips" else published.faces
            for label in plan.labels_of(dataset):
                read(dataset.label, label)
        _ = published.operating_points, published.names
    except StoreError:
        return False
    return (folder.path / NAMES).exists()
