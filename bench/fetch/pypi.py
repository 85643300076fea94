"""Downloads the archive of a Python package, wheel or sdist, without building or installing anything."""

from __future__ import annotations

import configparser
import logging
import os
import re
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import platformdirs
from pydantic import BaseModel, BeforeValidator, ConfigDict

from unmask.bench.core.errors import FetchError

Step = Callable[[int, int | None], None]
"""Called with bytes done and bytes in all (``None`` = unknown)."""

MAX_ARCHIVE = 4 << 30
"""No package that we take a file from is nearly as large (bytes)."""
_BUSY = re.compile(r"\b(408|429|5\d\d)\b")
"""HTTP answers that can be different a moment later."""

_SECTIONS: Final = ("global", "download", "install")
"""Of pip's configuration; later ones win."""


class TransientError(Exception):
    """Something that may work at the next try: no connection, a time-out, a server error."""


def download_archive(package: str, version: str, folder: Path, step: Step, *, sdist: bool) -> Path:
    """Downloads ``package==version`` into ``folder`` from wherever the user's pip would, and returns the archive.

    Wheels of other platforms and Python versions count too (one file is taken out, nothing is run); one that fits
    this machine is preferred. An sdist is never unpacked or built here. The index's own hash is checked.
    Raises `FetchError` when the index does not have it, `TransientError` when asking again may help.
    """
    # Imported late: `import unmask.bench.data` should not pull in an HTTP client.
    from unearth import PackageFinder
    from unearth.errors import UnpackError

    def report(link: Any, completed: int, total: int | None) -> None:
        if max(completed, total or 0) > MAX_ARCHIVE:
            raise FetchError(f"the archive of {package} {version} is larger than {MAX_ARCHIVE} bytes; refused")
        step(completed, total)

    kind = "sdist" if sdist else "wheel"
    try:
        config = read_pip_config()
    except ValueError as error:
        raise FetchError(f"{error}; correct it, or set PIP_CONFIG_FILE to another file") from error
    with _session(config) as session, _warnings() as warnings:
        # The library adds its default index only where no source is named.
        index = [config.index_url] if config.index_url else [source["url"] for source in PackageFinder().sources]
        try:
            finder = PackageFinder(
                session,
                index_urls=[] if config.no_index else [*index, *config.extra_index_url],
                find_links=config.find_links,
                ignore_compatibility=True,
                only_binary=[] if sdist else [package],
                no_binary=[package] if sdist else [],
            )
            if config.no_index:
                finder.sources = [source for source in finder.sources if source["type"] == "find_links"]
            match = next(iter(finder.find_matches(f"{package}=={version}")), None)
            if match is None:
                where = "pip's find-links" if config.no_index else "the package index that pip is set up to use"
                reason = f" ({warnings[-1]})" if warnings else ""
                message = f"{where} has no {kind} of {package} {version}{reason}"
                raise TransientError(message) if any(map(_BUSY.search, warnings)) else FetchError(message)
            return Path(finder.download(match.link, folder, download_reporter=report))
        except UnpackError as error:
            raise TransientError(f"{package} {version} arrived damaged: {_line(error)}") from error
        except (FetchError, TransientError):
            raise
        except _network_errors() as error:
            raise TransientError(f"{type(error).__name__}: {_line(error)}") from error
        except (ValueError, OSError) as error:
            raise FetchError(f"cannot download {package} {version}: {_line(error)}") from error


def _network_errors() -> tuple[type[Exception], ...]:
    # unearth's HTTP client has been renamed between its releases; its sessions' base errors share one name.
    from unearth.fetchers import sync

    client: Any = getattr(sync, "httpx2", None) or getattr(sync, "httpx", None)
    return (client.HTTPError, client.InvalidURL, client.StreamError)


@contextmanager
def _session(config: PipConfig) -> Iterator[Any]:
    from unearth.auth import MultiDomainBasicAuth
    from unearth.fetchers.sync import PyPIClient

    options: dict[str, Any] = {}
    if config.cert is not None or config.client_cert is not None:
        options["verify"] = _trust(config)
    if config.proxy is not None:
        options["proxy"] = config.proxy if "://" in config.proxy else f"http://{config.proxy}"
    with PyPIClient(
        trusted_hosts=config.trusted_host, timeout=config.timeout, follow_redirects=True, **options
    ) as session:
        urls = [url for url in (config.index_url, *config.extra_index_url) if url]
        session.auth = MultiDomainBasicAuth(prompting=False, index_urls=urls)
        yield session


def _trust(config: PipConfig) -> ssl.SSLContext:
    """Whom to trust, and who we are, as pip's ``cert`` and ``client-cert`` say."""
    try:
        folder = config.cert if config.cert is not None and Path(config.cert).is_dir() else None
        context = ssl.create_default_context(cafile=None if folder else config.cert, capath=folder)
        if config.client_cert is not None:
            context.load_cert_chain(config.client_cert)
    except OSError as error:
        setting = " or ".join(name for name in (config.cert, config.client_cert) if name)
        raise FetchError(
            f"the certificate {setting} cannot be read ({_line(error)}); correct pip's settings"
        ) from error
    return context


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """What the library would log (an index that answers 404 or is not trusted), kept for our own message."""
    warnings: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warnings.append(_line(record.getMessage()))

    logger, listener = logging.getLogger("unearth"), Listener(logging.WARNING)
    before = logger.propagate
    logger.addHandler(listener)
    logger.propagate = False
    try:
        yield warnings
    finally:
        logger.removeHandler(listener)
        logger.propagate = before


def _line(error: object) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _seconds(text: str) -> float:
    try:
        return max(float(text), 1.0)
    except ValueError:
        return 15.0


Words = Annotated[tuple[str, ...], BeforeValidator(str.split)]
Switch = Annotated[bool, BeforeValidator(lambda text: text.strip().lower() in ("1", "true", "yes", "on", "y", "t"))]


class PipConfig(BaseModel):
    """The settings of pip that say where packages come from, by pip's names for them.

    A user behind a mirror, a proxy or a private certificate has configured pip already; the same settings apply here.
    """

    model_config = ConfigDict(frozen=True, alias_generator=lambda field: field.replace("_", "-"))

    index_url: str | None = None
    """``None`` = the default index."""
    extra_index_url: Words = ()
    find_links: Words = ()
    no_index: Switch = False
    """Use ``find_links`` alone."""
    trusted_host: Words = ()
    cert: str | None = None
    """A file or folder with the certificate authorities to trust."""
    client_cert: str | None = None
    proxy: str | None = None
    timeout: Annotated[float, BeforeValidator(_seconds)] = 15.0
    """Seconds."""


def read_pip_config() -> PipConfig:
    """The settings in force now, from pip's environment variables and configuration files, read without pip.

    File locations and precedence: pip's documentation, "Configuration". Raises ``ValueError`` with the file's name when
    one cannot be read.
    """
    values: dict[str, str] = {}
    for path in _config_files():
        values.update(_settings(path))
    for name, value in os.environ.items():
        if name.startswith("PIP_") and value:
            values[name[4:].lower().replace("_", "-")] = value
    return PipConfig.model_validate(values)


def _config_files() -> list[Path]:
    """Configuration files that pip would read, weakest first."""
    named = os.environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    base = "pip.ini" if sys.platform == "win32" else "pip.conf"
    site = platformdirs.site_config_dir(multipath=True).split(os.pathsep)
    paths = [Path(folder) / "pip" / base for folder in reversed(site)]
    if sys.platform not in ("win32", "darwin"):
        paths.append(Path("/etc") / base)
    if not (named and Path(named).exists()):
        legacy = Path.home() / ("pip" if sys.platform == "win32" else ".pip") / base
        paths += [legacy, _user_folder() / base]
    paths.append(Path(sys.prefix) / base)
    if named:
        paths.append(Path(named))
    return [path for path in paths if path.is_file()]


def _user_folder() -> Path:
    folder = Path(platformdirs.user_config_dir("pip", appauthor=False, roaming=True))
    return Path.home() / ".config" / "pip" if sys.platform == "darwin" and not folder.is_dir() else folder


def _settings(path: Path) -> dict[str, str]:
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
