"""Running a method that must know of all inputs before it can answer for one."""

from __future__ import annotations

from bench.core import registry
from bench.core.spec import parse_spec
from bench.run import opened
from bench.run.anonymize import anonymize_shard, is_anonymized, planned_method
from bench.run.shards import ShardJob


def anonymize_informed(job: ShardJob, doomed: frozenset[str] = frozenset()) -> bool:
    """`anonymize_shard`, for methods with an ``expect`` after telling them which inputs the whole data set has.

    Not only this run's: an output may belong to a photo that ``--limit`` leaves out.
    """
    spec = planned_method(job).spec
    if hasattr(registry.method_class(parse_spec(spec).name), "expect") and not is_anonymized(job):
        method = opened.method(spec, job.plan.settings.device)
        method.expect([ref.id for ref in job.open()[0].refs])  # type: ignore[attr-defined]
    return anonymize_shard(job, doomed)
