"""Whose folder it is: one that holds a plan takes further work under the same plan only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from unmask.bench.core.errors import ConfigError, PlanMismatchError
from unmask.bench.core.files import TEMP_PREFIX


def claim_folder(plan: Path, compare: Callable[[], Sequence[str]], write: Callable[[], None]) -> None:
    """Has ``write`` put a plan at the path ``plan``, or ``compare`` say how the one that is there differs, if at all.

    Raises `PlanMismatchError` where it differs, `ConfigError` where the folder holds something else or cannot be
    written.
    """
    folder = plan.parent
    try:
        if plan.exists():
            phrases = compare()
            if phrases:
                raise PlanMismatchError(str(folder), phrases)
            return
        if folder.exists() and not all(path.name.startswith(TEMP_PREFIX) for path in folder.iterdir()):
            raise ConfigError(f"{folder} is not empty and holds no {plan.name}; choose another --out")
        write()
    except OSError as error:
        raise ConfigError(f"cannot write to {folder} ({error.strerror}); choose another --out") from error


def differences(
    old: Mapping[str, Any], new: Mapping[str, Any], *, free: Collection[str] = (), where: str = ""
) -> list[str]:
    """What differs between two plans as plain JSON, a short phrase each, such as ``settings.seed: 0 before, 1 now`` or
    ``methods: blur changed``; empty = the same plan.

    Objects are compared key by key, but for the keys ``free``; lists whose entries have a label or a name by entry.
    ``where``: what the phrases begin with.
    """
    phrases: list[str] = []
    for key in dict.fromkeys((*old, *new)):
        a, b = old.get(key), new.get(key)
        if a == b or key in free:
            continue
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            phrases += differences(a, b, free=free, where=f"{where}{key}.")
        elif isinstance(a, list) and isinstance(b, list):
            phrases += _listed(f"{where}{key}", a, b)
        elif isinstance(a, Mapping | list) or isinstance(b, Mapping | list):
            phrases.append(f"{where}{key} changed")
        else:
            phrases.append(f"{where}{key}: {a} before, {b} now")
    return phrases


def _listed(field: str, old: Sequence[Any], new: Sequence[Any]) -> list[str]:
    if not all(isinstance(entry, Mapping) and _name(entry) for entry in (*old, *new)):
        return [f"{field} changed"]
    before, after = ({_name(entry): entry for entry in entries} for entries in (old, new))
    phrases = [f"{field}: {name} is not in the old plan" for name in after if name not in before]
    phrases += [f"{field}: {name} is only in the old plan" for name in before if name not in after]
    phrases += [f"{field}: {name} changed" for name in after if name in before and before[name] != after[name]]
    if [name for name in before if name in after] != [name for name in after if name in before]:
        phrases.append(f"{field}: another order")
    return phrases or [f"{field} changed"]  # entries of one name


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry.get("label") or entry.get("name") or "")
