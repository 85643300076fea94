"""A small http server on this machine whose behaviour a test decides: ranges, broken connections, redirects."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What is served, how badly, and what was asked."""

    base: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    """Path -> body."""
    types: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    etags: dict[str, str] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)
    """The next answers stop after so many bytes of body."""
    statuses: list[int] = field(default_factory=list)
    """The next answers have these statuses and no body."""
    redirects: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """(path, headers) of every request."""

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]


@contextmanager
def serving() -> Iterator[FileServer]:
    """Serves on a free port of the loopback interface until the block ends."""
    state = FileServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.requests.append((self.path, dict(self.headers.items())))
            if state.statuses:
                self.send_response(state.statuses.pop(0))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if self.path in state.redirects:
                self.send_response(302)
                self.send_header("Location", state.redirects[self.path])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if self.path not in state.files:
                self.send_error(404)
                return
            body, start = state.files[self.path], 0
            asked = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
            unchanged = self.headers.get("If-Range") in (None, state.etags.get(self.path))
            if asked and state.ranges and unchanged:
                start = int(asked.group(1))
                if start >= len(body):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(body) - start))
            self.send_header("Content-Type", state.types.get(self.path, "application/octet-stream"))
            if self.path in state.etags:
                self.send_header("ETag", state.etags[self.path])
            self.end_headers()
            end = start + state.cut_after.pop(0) if state.cut_after else len(body)
            with suppress(BrokenPipeError, ConnectionResetError):  # a client may refuse in the middle
                self.wfile.write(body[start:end])

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    state.base = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
