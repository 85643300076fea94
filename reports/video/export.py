"""Every estimate as CSV, for people who publish results."""

from __future__ import annotations

import csv
import io

from unmask.reports.runs import Column
from unmask.reports.video.view import VideoView

_HEAD = (
    *("dataset", "run", "contestant", "method", "quality", "role", "metric", "instrument", "group", "unit"),
    *("value", "low", "high", "n", "unscored", "chance", "rank_best", "rank_worst", "note"),
)


def to_csv(view: VideoView) -> str:
    """One line an estimate, numbers unrounded (shares in 0..1); an empty field = not measured."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    write.writerow(_HEAD)
    for row in view.estimates.estimates:
        contestant = view.contestants[row.method]
        role = "control" if view.is_control(contestant) else "contestant"
        rank = None
        if row.group == "all":
            rank = view.rank(row.dataset, row.method, Column(row.metric, row.instrument, row.region or ""))
        who = (row.dataset, view.key, row.method, contestant.method, contestant.variant, role)
        what = (row.metric, row.instrument, row.group, view.metrics[row.metric].unit)
        numbers = (row.value, row.low, row.high, row.n, row.unscored, row.chance)
        ends = (rank.best, rank.worst) if rank else (None, None)
        write.writerow([*who, *what, *numbers, *ends, row.note])
    return out.getvalue()
