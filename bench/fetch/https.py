"""Downloads one pinned file over https: mirrors in order, resumed where it broke off, published only when verified."""

from __future__ import annotations

import http.client
import ipaddress
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from unmask.bench.core.errors import ChecksumError, DataError, FetchError
from unmask.bench.core.files import sha256_of
from unmask.bench.core.types import FetchProgress
from unmask.bench.fetch import cache
from unmask.bench.fetch.archives import safe_extract

MAX_BYTES = 64 << 30
"""Bound on files whose size is not pinned."""
_CHUNK = 1 << 18
_TIMEOUT = 30.0
"""Seconds without a byte."""
_NETWORK_ERRORS = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError)
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP answers that can be different a moment later."""


def download(
    urls: Sequence[str],
    sha256: str,
    size: int | None,
    dest: Path,
    *,
    progress: FetchProgress | None = None,
    pauses: Sequence[float] = (1.0, 4.0, 10.0),
) -> Path:
    """Puts the file with this sha256 at ``dest``, unless it is there already, and returns ``dest``.

    Each mirror of ``urls`` is tried in turn, and asked again after each of ``pauses`` (seconds) where that can help.
    A broken-off download lies beside ``dest`` and is continued, also by a later call and from another mirror; if the
    continued file has the wrong hash (it changed meanwhile), it is fetched once more from its start.
    ``size``: exact bytes; ``None`` = not stated (at most `MAX_BYTES`).
    Plain http is refused except from this machine itself, and so are redirects to anything but https.
    Raises `FetchError` (with each mirror's reason) or `ChecksumError` when no mirror has the bytes we pinned.
    """
    if not urls:
        raise FetchError(f"there is no address for {dest.name}; put the file at {dest} by hand")
    for url in urls:
        _require_secure(url)
    if cache.holds(dest, sha256):
        return dest
    errors: list[FetchError] = []
    with cache.lock(f"https:{dest.absolute()}"):
        if cache.holds(dest, sha256):
            return dest
        part = dest.with_name(f".part-{sha256[:16]}-{dest.name}")
        pinned = _Pinned(dest.name, sha256, size, part, progress, tuple(pauses))
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            for url in urls:
                try:
                    pinned.complete(url)
                    part.replace(dest)
                    return dest
                except FetchError as error:
                    errors.append(error)
        except OSError as error:
            raise FetchError(f"cannot write {dest}: {error.strerror or error}") from error
    reasons = "; ".join(map(str, errors))
    kind = ChecksumError if any(isinstance(error, ChecksumError) for error in errors) else FetchError
    raise kind(f"cannot fetch {dest.name}: {reasons}. Put the file at {dest} by hand (sha256 {sha256})")


def download_unpacked(
    name: str, urls: Sequence[str], sha256: str, size: int | None, holds: str, *, progress: FetchProgress | None = None
) -> Path:
    """The folder ``holds`` of a pinned archive, unpacked below the cache; it is there only when it is complete.

    Raises as `download` and `safe_extract` do, and `DataError` where the archive holds no such folder.
    """
    final = cache.cache_dir() / "datasets" / name
    archive = cache.content_path(sha256, Path(urlsplit(urls[0]).path).name or "archive")
    download(urls, sha256, size, archive, progress=progress)
    with cache.lock(f"dataset:{name}"), cache.work_folder() as folder:
        if (final / holds).is_dir():
            return final / holds
        unpacked = folder / name
        safe_extract(archive, unpacked)
        if not (unpacked / holds).is_dir():
            raise DataError(f"the archive of {name} holds no folder {holds!r}; its layout has changed")
        shutil.rmtree(final, ignore_errors=True)
        final.parent.mkdir(parents=True, exist_ok=True)
        unpacked.replace(final)
    # Unpacked and verified: the archive would only take the same space again.
    archive.unlink(missing_ok=True)
    return final / holds


@dataclass(frozen=True, slots=True)
class _Pinned:
    """A file on its way; see `download`."""

    name: str
    sha256: str
    size: int | None
    part: Path
    """Where it grows."""
    progress: FetchProgress | None
    pauses: tuple[float, ...]

    def complete(self, url: str) -> None:
        """Fills ``part`` from one mirror until its hash is right; a wrong whole file is removed."""
        # The beginning may be of an older state of the file, or of another mirror's: then once more from the start.
        for _ in range(2):
            resumed = self._fill(url)
            if sha256_of(self.part) == self.sha256:
                return
            self.part.unlink()
            if not resumed:
                break
        raise ChecksumError(f"{_host(url)} has other bytes than the pinned ones, do not use them")

    def _fill(self, url: str) -> bool:
        """Downloads into ``part``, continuing what is there; whether the file was pieced together."""
        validator: str | None = None
        resumed = False
        for pause in (*self.pauses, None):
            done = self.part.stat().st_size if self.part.exists() else 0
            if self.size is not None and done == self.size:
                return True
            if self.size is not None and done > self.size:
                self.part.unlink()
                done = 0
            try:
                with _open(url, done, validator) as answer:
                    continued = answer.status == http.client.PARTIAL_CONTENT
                    if continued and not re.match(rf"bytes {done}-", answer.headers.get("Content-Range", "")):
                        raise http.client.HTTPException("the server sent another part than the one requested")
                    resumed = resumed or (continued and done > 0)
                    # Only a tag that is not weak may be sent again (RFC 9110, section 13.1.5).
                    tag = str(answer.headers.get("ETag") or "W/")
                    validator = None if tag.startswith("W/") else tag
                    self._copy(answer, done if continued else 0)
                return resumed
            except urllib.error.HTTPError as error:
                reason = f"{_host(url)} answered {error.code} {error.reason}"
                if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and done:
                    # Nothing to continue: the file there is shorter than what lies here.
                    self.part.unlink()
                elif error.code not in _BUSY:
                    raise FetchError(reason) from error
            except _NETWORK_ERRORS as error:
                cause = getattr(error, "reason", None) or error
                reason = f"{_host(url)}: {' '.join(str(cause).split()) or type(cause).__name__}"
                if isinstance(cause, ssl.SSLCertVerificationError):
                    raise FetchError(reason) from error
            if pause is None:
                raise FetchError(reason)
            time.sleep(pause)
        raise AssertionError("unreachable")

    def _copy(self, answer: http.client.HTTPResponse, start: int) -> None:
        """Writes an answer's body; raises when it ends early, `FetchError` when it is not the size it should be."""
        length, host = answer.headers.get("Content-Length", ""), _host(answer.geturl())
        total = start + int(length) if length.isdigit() else None
        limit = self.size if self.size is not None else MAX_BYTES
        if total is not None and (total > limit or (self.size is not None and total != self.size)):
            raise FetchError(f"{host} offers {total} bytes, not {limit}; the file there is another one")
        done = start
        with self.part.open("r+b" if start else "wb") as sink:
            sink.seek(start)
            while chunk := answer.read(_CHUNK):
                done += len(chunk)
                if done > limit:
                    raise FetchError(f"{host} sends more than {limit} bytes; the file there is another one")
                sink.write(chunk)
                if self.progress is not None:
                    self.progress(self.name, done, total)
        expected = self.size if self.size is not None else total
        if expected is not None and done < expected:
            # http.client does not tell a connection that closed early from the end of the body.
            raise http.client.HTTPException(f"the connection closed after {done} of {expected} bytes")


def _open(url: str, done: int, validator: str | None) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity", "User-Agent": "unmask"})
    if done:
        request.add_header("Range", f"bytes={done}-")
        if validator is not None:
            # Changed since the part before: the server then sends the whole file.
            request.add_header("If-Range", validator)
    handlers: list[urllib.request.BaseHandler] = [_SecureRedirects()]
    if _is_loopback(url):
        handlers.append(urllib.request.ProxyHandler({}))
    answer: http.client.HTTPResponse = urllib.request.build_opener(*handlers).open(request, timeout=_TIMEOUT)
    return answer


class _SecureRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https only (and within this machine)."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        _require_secure(newurl)
        if urlsplit(newurl).scheme != "https" and not _is_loopback(req.full_url):
            raise FetchError(f"{_host(req.full_url)} redirects to an address of this machine; refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _require_secure(url: str) -> None:
    scheme = urlsplit(url).scheme
    if scheme != "https" and not (scheme == "http" and _is_loopback(url)):
        raise FetchError(f"{scheme or 'no'} address for a download from {_host(url)}; only https is used")


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host(url: str) -> str:
    """The host alone: addresses can carry a user's credentials."""
    return urlsplit(url).hostname or "an address without a host"
