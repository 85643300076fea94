"""Whether cards say what a reader of the results needs."""

from __future__ import annotations

import inspect
import io
from contextlib import redirect_stdout
from typing import Final

from unmask.bench.core import registry
from unmask.bench.core.errors import UnmaskError, one_line
from unmask.bench.core.spec import Spec
from unmask.bench.run.contracts.verdicts import Ledger

_TEXTS: Final = ("name", "version", "description", "licence", "source")


def check_card(ledger: Ledger, spec: Spec) -> tuple[str, bool]:
    """The verdict on a method's card; returns who finds its faces (`MethodCard.detector`), and whether another seed may
    give other images (``by_chance``).

    The method is made in this process, after its own has shown that this does no harm: runs read the card here too.
    What it prints then is left out: standard output may be JSON.
    """
    try:
        with redirect_stdout(io.StringIO()):
            method = registry.create_method(spec)
            card, by_chance = method.card, bool(getattr(method, "by_chance", True))
    except UnmaskError as error:
        ledger.break_("card", one_line(error))
        return "none", True
    empty = [name for name in _TEXTS if not str(getattr(card, name)).strip()]
    if empty:
        ledger.break_("card", f"its card has no {', no '.join(empty)}")
    for key, parameter in inspect.signature(type(method)).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            lacking = [name for name in spec.params if name not in card.params]
            if lacking:
                ledger.break_("card", f"its card's params lack {lacking[0]!r}: two settings would look like one method")
        elif parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            ledger.break_("card", f"its parameter {key!r} is not keyword-only")
        elif key not in card.params:
            ledger.break_("card", f"its card's params lack {key!r}: two settings would look like one method")
    ledger.keep("card")
    return card.detector, by_chance
