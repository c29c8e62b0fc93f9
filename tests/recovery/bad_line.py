"""An HTTP proxy that a bad line to Odoo runs over: calls lost before Odoo has them, answers lost
after, bad gateways on either side of the work, transactions that PostgreSQL gave up."""

from __future__ import annotations

import http.client
import json
import random
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

FATES = ("lost before", "lost after", "502 before", "502 after", "503", "serialization")
_GAVE_UP = {
    "name": "psycopg2.errors.SerializationFailure",
    "message": "could not serialize access due to concurrent update",
    "arguments": ["could not serialize access due to concurrent update"],
    "context": {},
    "debug": "Traceback (most recent call last)",
}


class BadLine(ThreadingHTTPServer):
    """Passes every request on while `share` is 0; else that share of them meets a fate."""

    daemon_threads = True

    def __init__(self, upstream: str, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        parts = urlsplit(upstream)
        self.upstream = (parts.hostname or "", parts.port or 80)
        self.share = 0.0
        self.met: Counter[str] = Counter()
        self._dice = random.Random(seed)
        self._lock = threading.Lock()

    def fate(self) -> str:
        with self._lock:
            if self._dice.random() >= self.share:
                return "passes"
            fate = self._dice.choice(FATES)
            self.met[fate] += 1
            return fate

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was hung up on is no news."""


class _Passing(BaseHTTPRequestHandler):
    server: BadLine
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fate = self.server.fate()
        if fate == "lost before":
            return self._hang_up()
        if fate in ("502 before", "503"):
            return self._answer(int(fate[:3]), "text/html", b"<html>Bad Gateway</html>")
        if fate == "serialization":
            return self._gave_up()
        status, kind, answer = self._passed_on(body)
        if fate == "lost after":
            return self._hang_up()
        if fate == "502 after":
            return self._answer(502, "text/html", b"<html>Bad Gateway</html>")
        return self._answer(status, kind, answer)

    do_GET = do_POST

    def _passed_on(self, body: bytes) -> tuple[int, str, bytes]:
        kept = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in ("host", "connection", "content-length", "accept-encoding")
        }
        connection = http.client.HTTPConnection(*self.server.upstream, timeout=120)
        try:
            connection.request(self.command, self.path, body, kept)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Content-Type", ""), answer.read()
        finally:
            connection.close()

    def _gave_up(self) -> None:
        if self.path.startswith("/json/2/"):
            return self._answer(500, "application/json", json.dumps(_GAVE_UP).encode())
        error = {"code": 0, "message": "Odoo Server Error", "data": _GAVE_UP}
        content = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
        return self._answer(200, "application/json", content)

    def _answer(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def bad_line(upstream: str, seed: int) -> Iterator[tuple[BadLine, str]]:
    """The proxy before the server at `upstream`, and its own address."""
    with BadLine(upstream, seed) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
