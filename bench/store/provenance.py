"""Who made a run's numbers: packages, commit, machine. Kept apart from the numbers, which must not depend on it."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import psutil
from packaging.requirements import Requirement

from unmask import __version__
from unmask.bench.core.cards import OWN_WEIGHTS, InstrumentCard
from unmask.bench.store.schemas import Plan


def gather_provenance(plan: Plan) -> dict[str, Any]:
    """Package versions, weights and data fingerprints, config, seed, commit, device and machine of this process."""
    cards = (*plan.measuring, *(part.card for part in plan.people_parts))
    return {
        "unmask": __version__,
        "commit": commit(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": plan.run,
        "seed": plan.settings.seed,
        "device": plan.settings.device,
        "settings": plan.settings.model_dump(mode="json"),
        "data": {d.label: d.card.fingerprint for d in (*plan.datasets, *plan.others)},
        "weights": {card.name: _weights(card) for card in cards},
        "method_weights": {m.label: dict(m.card.weights) for m in plan.methods if m.card.weights},
        "python": platform.python_version(),
        "packages": packages(),
        "machine": {
            "system": platform.system(),
            "architecture": platform.machine(),
            "processor": processor(),
            "cores": os.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        },
    }


def _weights(card: InstrumentCard) -> dict[str, str]:
    """What of an instrument's files -> sha256; ``own`` for a file that the user brought."""
    own = {"own": str(card.params[OWN_WEIGHTS])} if OWN_WEIGHTS in card.params else {}
    return {file.key: file.sha256 for file in card.files} | own


def packages() -> dict[str, str]:
    """Name -> version of unmask's own requirements as installed."""
    try:
        lines = requires("unmask") or []
    except PackageNotFoundError:
        return {}
    names = sorted({Requirement(line).name for line in lines if "extra ==" not in line})
    return {name: _version(name) for name in names}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def commit() -> str:
    """The checkout's commit, "+changes" if files differ from it; the wheel's version where there is no checkout."""
    top = Path(__file__).resolve().parents[2]
    if not (top / ".git").exists():
        installed = _version("unmask")
        return "unknown" if installed == "missing" else f"wheel {installed}"
    git = partial(subprocess.run, cwd=top, capture_output=True, text=True, check=True, timeout=20)
    try:
        head = git(["git", "rev-parse", "HEAD"]).stdout.strip()
        changed = git(["git", "status", "--porcelain", "--untracked-files=no"]).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return head + ("+changes" if changed else "")


def processor() -> str:
    """The processor's name where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
