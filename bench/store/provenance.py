"""Who made a run's numbers: packages, commit, machine. Kept apart from the numbers, which must not depend on it."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distribution, requires, version
from pathlib import Path
from typing import Any

import psutil

from unmask import __version__
from unmask.bench.core.cards import OWN_WEIGHTS, InstrumentCard
from unmask.bench.store.schemas import Plan


def gather_provenance(plan: Plan) -> dict[str, Any]:
    """Package versions, weights and data fingerprints, config, seed, commit, device and machine of this process."""
    return {
        "unmask": __version__,
        "commit": commit(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": plan.run,
        "seed": plan.settings.seed,
        "device": plan.settings.device,
        "settings": plan.settings.model_dump(mode="json"),
        "data": {d.label: d.card.fingerprint for d in plan.datasets},
        "weights": {
            card.name: _weights(card) for card in (*plan.measuring, *(part.card for part in plan.people_parts))
        },
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
        wanted = requires("unmask") or []
    except PackageNotFoundError:
        return {}
    names = [line.split(";")[0].split("[")[0].strip() for line in wanted if "extra ==" not in line]
    found = {}
    for name in names:
        bare = name
        for mark in "<>=!~ ":
            bare = bare.split(mark)[0]
        try:
            found[bare] = version(bare)
        except PackageNotFoundError:
            found[bare] = "missing"
    return dict(sorted(found.items()))


def commit() -> str:
    """The checkout's commit, "+changes" if files differ from it; the wheel's version where there is no checkout."""
    top = Path(__file__).resolve().parents[2]
    if not (top / ".git").exists():
        return f"wheel {distribution('unmask').version}" if _installed() else "unknown"
    try:
        head = _git(top, "rev-parse", "HEAD")
        changed = _git(top, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+changes" if changed else "")


def _installed() -> bool:
    try:
        distribution("unmask")
    except PackageNotFoundError:
        return False
    return True


def _git(top: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(top), *arguments], capture_output=True, text=True, check=True, timeout=20)
    return done.stdout.strip()


def processor() -> str:
    """The processor's name where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
