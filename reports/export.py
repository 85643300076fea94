"""The leaderboards as CSV, Markdown and LaTeX, for people who publish results."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from unmask.bench.store.view import ALL, Column
from unmask.reports.boards import Board, Entrant
from unmask.reports.cells import Cell
from unmask.reports.leaderboard import Leaderboard

_CSV_HEAD: Final = (
    "dataset,run,label,method,variant,role,metric,instrument,region,group,unit,"
    "value,low,high,n,unscored,chance,chance_low,chance_high,rank_best,rank_worst,note\n"
)
_LEGEND: Final = (
    "In brackets the 95 % interval; * = best, or not clearly worse than the best; the control is not ranked, and "
    "methods of several runs are not ranked against each other."
)
_MARKDOWN: Final = str.maketrans({**{c: f"\\{c}" for c in "\\|`*_[]"}, "<": "&lt;", ">": "&gt;"})
_LATEX: Final = str.maketrans(
    {
        **{c: f"\\{c}" for c in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "\N{MINUS SIGN}": "$-$",
        "\N{EN DASH}": "--",
        "\N{NO-BREAK SPACE}": "~",
        "\N{UPWARDS ARROW}": r"$\uparrow$",
        "\N{DOWNWARDS ARROW}": r"$\downarrow$",
    }
)


def to_csv(boards: Sequence[Leaderboard]) -> str:
    """The leaderboards, one line a method and metric, numbers unrounded (shares in 0..1); an empty field = not
    measured."""
    return _csv(
        (table.board, line.entrant, head.column, ALL)
        for table in boards
        for line in table.lines
        for head in table.heads
    )


def all_to_csv(boards: Sequence[Board]) -> str:
    """Every estimate, of everybody and of groups, in the same form."""
    return _csv(
        (board, entrant, column, group)
        for board in boards
        for entrant in board.entrants
        for column in entrant.run.columns(board.dataset)
        for group in (ALL, *(row.group for row in entrant.run.groups(board.dataset, entrant.label, column)))
        if entrant.run.row(board.dataset, entrant.label, column, group) is not None
    )


def _csv(cells: Iterable[tuple[Board, Entrant, Column, str]]) -> str:
    out = io.StringIO()
    out.write(_CSV_HEAD)
    write = csv.writer(out, lineterminator="\n")
    for board, entrant, column, group in cells:
        run, label = entrant.run, entrant.label
        row = run.row(board.dataset, label, column, group)
        reason = board.reason_against(run, column)
        numbers: list[object] = [None] * 10
        if row is not None and not reason:
            rank = board.rank(entrant, column) if group == ALL else None
            ends = [rank.best, rank.worst] if rank else [None, None]
            chance = [row.chance, row.chance_low, row.chance_high]
            numbers = [row.value, row.low, row.high, row.n, row.unscored, *chance, *ends]
        release = run.releases[label]
        role = "control" if entrant.control else "contestant"
        note = f"not comparable: {reason}" if reason else row.note if row else ""
        who = (board.dataset, run.key, label, release.method, release.variant, role)
        write.writerow([*who, *column.key, group, board.metric(column).unit, *numbers, note])
    return out.getvalue()


def to_markdown(boards: Sequence[Leaderboard]) -> str:
    """A table a data set: value (95 % interval); ``*`` marks the best and the ties with it."""
    parts = []
    for table in boards:
        heads = ["Method", "Outcome", *(f"{h.card.title} {h.arrow}".strip() + f" ({h.sub})" for h in table.heads)]
        rows = [[line.entrant.name, line.outcomes.text, *map(_markdown_cell, line.cells)] for line in table.lines]
        rows.append(["chance level", "", *table.chance])
        body = [_markdown_row(heads), f"| {' | '.join(['---'] * len(heads))} |", *map(_markdown_row, rows)]
        body += ["", _markdown_text(_apart(table).strip())] if table.apart else []
        parts.append(
            f"## {_markdown_text(table.board.title)}: {table.board.size}{_few(table)}\n\n" + "\n".join(body) + "\n"
        )
    return "\n".join([*parts, f"{_LEGEND}\n"])


def to_latex(boards: Sequence[Leaderboard]) -> str:
    """A ``booktabs`` table a data set; interval under each value in small type."""
    parts = []
    for table in boards:
        heads = ["Method", *(f"{h.card.title} {h.arrow}".strip() for h in table.heads)]
        rows = [[_latex(line.entrant.name), *map(_latex_cell, line.cells)] for line in table.lines]
        rows.append(["chance level", *map(_latex, table.chance)])
        caption = f"{table.board.title}: {table.board.size}{_few(table)}. {_LEGEND}{_apart(table)}"
        parts.append(
            "% needs \\usepackage{booktabs}\n"
            f"\\begin{{table}}\n\\caption{{{_latex(caption)}}}\n"
            f"\\begin{{tabular}}{{l{'r' * len(table.heads)}}}\n\\toprule\n"
            + " & ".join(map(_latex, heads))
            + " \\\\\n\\midrule\n"
            + "".join(" & ".join(row) + " \\\\\n" for row in rows)
            + "\\bottomrule\n\\end{tabular}\n\\end{table}\n"
        )
    return "\n".join(parts)


def _few(table: Leaderboard) -> str:
    few = table.board.few
    return f"; few people allow few claims: attackers search {few:,}" if few else ""


def _apart(table: Leaderboard) -> str:
    """Which rows are not ranked among the others, as a sentence."""
    names = ", ".join(line.entrant.name for line in table.apart)
    return f" Not ranked among the others: {names}." if names else ""


def _markdown_cell(cell: Cell) -> str:
    text = cell.text + (" *" if cell.lead else "")
    return f"{text} ({cell.interval})" if cell.interval else text


def _markdown_row(texts: Iterable[str]) -> str:
    return "| " + " | ".join(map(_markdown_text, texts)) + " |"


def _markdown_text(text: str) -> str:
    return (" ".join(text.split()) if "\n" in text else text).translate(_MARKDOWN)


def _latex(text: str) -> str:
    return text.translate(_LATEX)


def _latex_cell(cell: Cell) -> str:
    text = _latex(cell.text) + ("$^*$" if cell.lead else "")
    return f"{text} {{\\scriptsize ({_latex(cell.interval)})}}" if cell.interval else text
