"""The thesis's protocol: which methods take part, by the part they play, and the SPEC that plays it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from unmask.bench.core import registry
from unmask.bench.core.errors import CheckpointError, ConfigError, UnavailableError, UnknownNameError, UnmaskError
from unmask.bench.core.spec import parse_spec
from unmask.bench.run.draws import SEEDS as DRAWS
from unmask.bench.run.draws import without_seeds
from unmask.bench.run.plan import CONTROL

ROLES: Final[Mapping[str, str]] = {
    "none": "none",
    "deepprivacy": "deepprivacy",
    "dp-att": "dp-att",
    "dp-att-s-dark": "dp-att-s:tone=dark",
    "dp-att-s-light": "dp-att-s:tone=light",
    "dp-att-s-l1-dark": "dp-att-s:checkpoint=shipped-l1,tone=dark",
    "dp-att-s-l1-light": "dp-att-s:checkpoint=shipped-l1,tone=light",
    "dp-stargan": "dp-stargan",
    "attgan": "attgan",
    "stargan": "stargan",
}
"""Part -> SPEC. ``shipped-l1``: trained for table 4.27 with L1 alone."""


COMPARED: Final = ("deepprivacy", "dp-att")
"""The parts whose privacy H1 and H2 compare; both draw faces by chance, so several draws are averaged."""
SEEDS: Final = 5


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays what."""

    specs: Mapping[str, str]
    """Part -> SPEC with the part as its label; the control first."""
    left_out: Mapping[str, str]
    """Part -> why nobody plays it."""


def choose_methods(asked: Sequence[str] = ()) -> Cast:
    """All parts that can be played here, or those ``asked`` for: a part, a part's own SPEC, or ``PART=SPEC``.

    Parts that were not asked for by name are left out with the reason where their method is not registered, cannot
    run here or has no weights. Raises `UnmaskError` for an asked one that cannot be played, and for no contestant.
    """
    if asked:
        chosen = dict(_part(text) for text in asked)
        for text in chosen.values():
            registry.create_method(without_seeds(parse_spec(text, positional="dir"))[0])
        left_out = dict.fromkeys((role for role in ROLES if role not in chosen and role != CONTROL), "not asked for")
    else:
        chosen, left_out = {}, {}
        for role, spec in ROLES.items():
            reason = _missing(spec)
            if reason:
                left_out[role] = reason
            else:
                chosen[role] = _labelled(role, spec)
    chosen.pop(CONTROL, None)
    if not chosen:
        why = ", ".join(f"{role} ({reason})" for role, reason in left_out.items())
        raise ConfigError(
            f"no method of the protocol can run here{': ' + why if why else ''}; let others stand in, for example "
            "--method deepprivacy=pixelate:blocks=8"
        )
    return Cast({CONTROL: CONTROL, **chosen}, left_out)


def _part(text: str) -> tuple[str, str]:
    """A part and the SPEC that plays it, out of what the user wrote. Raises `UnknownNameError`."""
    spec = parse_spec(text, positional="dir")
    named = text.split(":", 1)[0]
    if "=" in named:
        if spec.label not in ROLES:
            raise UnknownNameError("part of the thesis's protocol", spec.label, ROLES)
        return spec.label, text
    role = next((r for r, own in ROLES.items() if text.strip() == r or own == spec.text), None)
    if role is None:
        raise UnknownNameError("part of the thesis's protocol", text.strip(), ROLES)
    return role, _labelled(role, ROLES[role])


def with_seeds(text: str, seeds: int) -> str:
    """A part's SPEC that asks for the average of so many draws, unless it says itself how many."""
    if seeds == 1 or DRAWS in parse_spec(text, positional="dir").params:
        return text
    return f"{text}{',' if ':' in text else ':'}{DRAWS}={seeds}"


def _labelled(role: str, spec: str) -> str:
    return f"{role}={spec}"


def _missing(spec: str) -> str:
    """Why the method of a SPEC cannot take part; '' = it can."""
    try:
        _ = registry.create_method(parse_spec(spec)).card
    except UnknownNameError:
        return "not registered in this version"
    except (CheckpointError, UnavailableError) as error:
        return _one_line(error)
    return ""


def _one_line(error: UnmaskError) -> str:
    return " ".join(str(error).split())
