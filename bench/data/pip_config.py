"""Which package index pip would ask: its environment variables and configuration files, read without pip.

A user behind a mirror, a proxy or a private certificate has told pip about it already; the same settings serve us.
File locations and precedence: pip's documentation, "Configuration".
"""

from __future__ import annotations

import configparser
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import platformdirs

_SECTIONS = ("global", "download", "install")
"""Later ones win."""


@dataclass(frozen=True, slots=True)
class PipConfig:
    """The settings of pip that say where packages come from."""

    index_url: str | None = None
    """``None`` = the default index."""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    """Use ``find_links`` alone."""
    trusted_hosts: tuple[str, ...] = ()
    cert: str | None = None
    """A file or folder with the certificate authorities to trust."""
    client_cert: str | None = None
    proxy: str | None = None
    timeout: float = 15.0
    """Seconds."""


def read_pip_config() -> PipConfig:
    """The settings in force now. Raises ``ValueError`` with the file's name when one cannot be read."""
    values: dict[str, str] = {}
    for path in _files():
        values.update(_read(path))
    for name, value in os.environ.items():
        if name.startswith("PIP_") and value:
            values[name[4:].lower().replace("_", "-")] = value
    return PipConfig(
        index_url=values.get("index-url") or None,
        extra_index_urls=tuple(values.get("extra-index-url", "").split()),
        find_links=tuple(values.get("find-links", "").split()),
        no_index=values.get("no-index", "").strip().lower() in ("1", "true", "yes", "on", "y", "t"),
        trusted_hosts=tuple(values.get("trusted-host", "").split()),
        cert=values.get("cert") or None,
        client_cert=values.get("client-cert") or None,
        proxy=values.get("proxy") or None,
        timeout=_seconds(values.get("timeout", "")),
    )


def _files() -> list[Path]:
    """Configuration files that pip would read, weakest first."""
    named = os.environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    base = "pip.ini" if sys.platform == "win32" else "pip.conf"
    found = [Path(folder) / "pip" / base for folder in reversed(_site_folders())]
    if sys.platform not in ("win32", "darwin"):
        found.append(Path("/etc") / base)
    if not (named and Path(named).exists()):
        legacy = Path.home() / ("pip" if sys.platform == "win32" else ".pip") / base
        found += [legacy, _user_folder() / base]
    found.append(Path(sys.prefix) / base)
    if named:
        found.append(Path(named))
    return [path for path in found if path.is_file()]


def _site_folders() -> list[str]:
    return platformdirs.site_config_dir(multipath=True).split(os.pathsep)


def _user_folder() -> Path:
    if sys.platform == "win32":
        return Path(platformdirs.user_config_dir("pip", appauthor=False, roaming=True))
    if sys.platform == "darwin":
        library = Path(platformdirs.user_data_dir("pip", appauthor=False))
        return library if library.is_dir() else Path.home() / ".config" / "pip"
    return Path(platformdirs.user_config_dir("pip", appauthor=False))


def _read(path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8", errors="surrogateescape"), source=str(path))
    except (configparser.Error, OSError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"pip's configuration file {path} cannot be read: {reason}") from error
    values: dict[str, str] = {}
    for section in _SECTIONS:
        if parser.has_section(section):
            values.update({name.replace("_", "-"): value for name, value in parser.items(section) if value})
    return values


def _seconds(text: str) -> float:
    try:
        return max(float(text), 1.0)
    except ValueError:
        return 15.0
