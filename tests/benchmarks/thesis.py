"""``make bench-thesis``: what the learned methods claim, on the thesis's protocol (`unmask reproduce thesis`).

Needs utkface and, for the thesis's kind of crop, celeba-identity and lfw (set UNMASK_DATA). Runs every part of the
protocol that has weights, prints the figures as Markdown (`bench/design/learned-methods.md` quotes them), and fails if
a claim does not hold; the thesis's own figures are aims: missing one is told, not failed. About four hours on two
cores. UNMASK_BENCH_OUT=FOLDER keeps the run, so that it can be resumed and looked at, and writes sheets of pictures
beside it, to FOLDER-sheets. The tables beside the thesis's own are in its report, thesis.html.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.printing import cell, print_claims
from tests.benchmarks.sheet import BESIDE, write_sheets
from unmask.bench.cli.progress import PlainProgress
from unmask.bench.store.documents import read_reproduction
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.view import WORST, RunView
from unmask.bench.study.thesis import ThesisSettings, choose_methods, prepare_thesis, run_thesis
from unmask.reports.build import build_report
from unmask.reports.thesis.decisions import Range
from unmask.reports.thesis.hypotheses import decide
from unmask.reports.thesis.published import load_published
from unmask.reports.thesis.results import Results
from unmask.reports.thesis.tables import beside, pictures, quality_over_crops

FOUND, ARCFACE = "detection_rate", "mobilefacenet"
CALIBRATED, EXCESS, THESIS = "deid_rate@1e-3", "excess_match@1e-3", "deid_rate_thesis_cosine"
GENDER, AGE = "gender_estimated_correct", "age_group_estimated_correct"
QUALITY = (
    ("PSNR", "psnr", "standard"),
    ("SSIM", "ssim", "standard"),
    ("LPIPS (AlexNet)", "lpips_alex", "lpips-alex"),
    ("FID", "fid", "inception"),
)


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(os.environ.get("UNMASK_BENCH_OUT") or scratch)
        workers = os.cpu_count() or 1
        cast = choose_methods()
        prepared = prepare_thesis(cast, ThesisSettings(), root=None, workers=workers, progress=PlainProgress())
        folder = run_thesis(prepared, out, root=None, workers=workers, progress=PlainProgress())
        build_report([folder], folder.path / "report")
        results = opened(folder)
        print_figures(results)
        print_hypotheses(results)
        print_final_solutions(results)
        print_crops(results)
        kept = out != Path(scratch)
        for sheet in write_sheets({**cast.specs, **BESIDE}, out.with_name(f"{out.name}-sheets")) if kept else ():
            print(f"sheet: {sheet}")
        return check(results)


def opened(folder: RunFolder) -> Results:
    reproduction = read_reproduction(folder.path)
    assert reproduction is not None
    return Results(RunView(folder), reproduction)


def print_figures(results: Results) -> None:
    given = results.run.inputs(results.reproduction.dataset)
    assert given is not None
    print(f"\n{given.images} photos, {given.faces} faces; labels by {results.labelling}\n")
    estimators = (results.labelling, *results.other_estimators)
    columns = [("found again", FOUND, results.judge.name, "face")]
    columns += [("missed", "outcome_missed", results.judge.name, "face")]
    columns += [(f"de-id. {name}", CALIBRATED, name, "face") for name in (*results.recognisers, WORST)]
    columns += [("own matches above strangers'", EXCESS, WORST, "face")]
    columns += [("de-id., thesis's 0.3", THESIS, ARCFACE, "face")]
    columns += [(f"gender, {name}", GENDER, name, "face") for name in estimators]
    columns += [(f"age group, {name}", AGE, name, "face") for name in estimators]
    columns += [(head, metric, name, "image") for head, metric, name in QUALITY]
    print("| method | " + " | ".join(head for head, *_ in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for role in results.roles:
        cells = [cell(results.estimate(role, *column)) for _, *column in columns]
        print(f"| {role} | " + " | ".join(cells) + " |")
    for role, why in results.reproduction.left_out.items():
        print(f"\nNot run: {role}: {why}")


def print_hypotheses(results: Results) -> None:
    print()
    for decided in decide(load_published(), results):
        own = f", by the thesis's own bar {decided.own_verdict}" if decided.own else ""
        print(f"- {decided.hypothesis.name}: {decided.verdict}{own}. {decided.remark}")


def print_final_solutions(results: Results) -> None:
    """Table 4.28, the thesis's final solutions, with ours beside them."""
    table = next(table for table in load_published().tables if table.number == "4.28")
    print(f"\n| table {table.number}: thesis / ours | " + " | ".join(column.title for column in table.columns) + " |")
    print("|---" * (len(table.columns) + 1) + "|")
    for group, lines in beside(table, results):
        for line in lines:
            cells = [f"{printed} / {cell(ours)}" for printed, ours, _ in line.pairs]
            print(f"| {group}: {line.title} | " + " | ".join(cells) + " |")


def print_crops(results: Results) -> None:
    """Image quality over whole photos and over wide crops, the thesis's numbers before them."""
    places = [
        f"{dataset}, {'wide crops' if region == 'wide' else 'whole photos'}" for dataset, region in pictures(results)
    ]
    print("\n| part | criterion | thesis | " + " | ".join(places) + " |")
    print("|---" * (len(places) + 3) + "|")
    for part in quality_over_crops(load_published(), results):
        for title, _, printed, ours in part.lines:
            numbers = [f"{cell(number)}{'' if number.n is None else f', n = {number.n}'}" for number in ours]
            print(f"| {part.role} | {title} | {printed or '-'} | " + " | ".join(numbers) + " |")
    for spec, reason in results.reproduction.wide_left_out.items():
        print(f"\nNot measured: {spec}: {reason}")


def check(results: Results) -> int:
    """0 if every claim holds. Claims are about the numbers as they are, not about their intervals: those decide the
    hypotheses."""
    judge, labels = results.judge.name, results.labelling
    claims = [_at_least("DeepPrivacy: faces found again", results.estimate("deepprivacy", FOUND, judge), 0.9292)]
    thesis = results.estimate("deepprivacy", THESIS, ARCFACE)
    claims.append(_at_least("DeepPrivacy: de-identified by the thesis's threshold", thesis, 0.974))
    left = results.estimate("deepprivacy", EXCESS, WORST)
    told = f"DeepPrivacy: own matches above strangers' of the same group {cell(left)}, at most 0.01"
    claims.append((told, left.value is not None and left.value <= 0.01))
    for what, metric in (("gender", GENDER), ("age group", AGE)):
        gain = results.difference("dp-att", "deepprivacy", metric, labels)
        claims.append(_at_least(f"DP-ATT: {what} kept more often than by DeepPrivacy, by", gain, 0.10))
    for name in results.recognisers:
        own = results.estimate("dp-att", CALIBRATED, name)
        claims.append((f"DP-ATT: its own de-identification is measured by {name}: {cell(own)}", own.value is not None))
    above = results.estimate("dp-att", EXCESS, WORST)
    claims.append((f"DP-ATT: what is left of the person is measured: {cell(above)}", above.value is not None))
    tone = next(decided for decided in decide(load_published(), results) if decided.hypothesis.name == "H3")
    claims += [(f"DP-ATT-S: {clause.question}", clause.answer == "yes") for clause in tone.clauses]
    return print_claims(claims)


def _at_least(what: str, given: Range, bar: float) -> tuple[str, bool]:
    return f"{what} {cell(given)}, at least {bar:g}", given.value is not None and given.value >= bar


if __name__ == "__main__":
    sys.exit(main())
