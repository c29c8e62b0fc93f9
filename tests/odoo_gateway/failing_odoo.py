"""A server that logs everybody in, over both transports, and then fails as it is told to."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from odoo_gateway.client import OdooClient
from odoo_gateway.connect import connect
from odoo_gateway.json2_client import Json2Client
from odoo_gateway.odoorpc_client import OdooRpcClient
from warehouse.settings import OdooTransport

KEY = "s3cret-key-of-odoo"
VERSION = {
    "server_version": "19.0",
    "server_version_info": [19, 0, 0, "final", 0, ""],
    "server_serie": "19.0",
    "protocol_version": 1,
}
VERSION_PATHS = ("/web/webclient/version_info", "/json/version")
# Odoo's statuses of its own errors over JSON-2; the others are 500.
STATUSES = {"UserError": 422, "ValidationError": 422, "AccessError": 403, "MissingError": 404}


@dataclass(frozen=True)
class Page:
    """What a proxy answers."""

    status: int
    text: str = "<html>Bad Gateway</html>"
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Refusal:
    """Odoo's own error, in the shape of whichever transport asks."""

    name: str
    message: str
    debug: str = f"Traceback (most recent call last): {KEY}"


# How a connection ends that brings no answer.
HANG_UP, RESET, HALF, SILENCE = "hang up", "reset", "half an answer", "silence"


@dataclass(frozen=True)
class Result:
    value: Any = None


Answer = Page | Refusal | Result | str


@dataclass(frozen=True)
class Seen:
    model: str
    method: str
    arguments: Any  # JSON-RPC: [args, kwargs]; JSON-2: the body


class Failing(ThreadingHTTPServer):
    """`script` is answered first, call by call, then `always`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.always: Answer = Result([])
        self.script: deque[Answer] = deque()
        self.versions_fail = False
        self.closes_after_answers = False
        self.released = threading.Event()
        self.sockets: list[socket.socket] = []
        self.seen: list[Seen] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self.sockets.append(request)
        super().process_request(request, client_address)


class Handler(BaseHTTPRequestHandler):
    server: Failing
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        self._act(None)

    def do_POST(self) -> None:
        self._act(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _act(self, body: Any) -> None:
        if self.path in VERSION_PATHS and not self.server.versions_fail:
            short = {"version": "19.0", "version_info": VERSION["server_version_info"]}
            self._result(short if body is None else VERSION)
            return
        if self.path == "/jsonrpc" and body["params"]["service"] == "common":
            self._result(2)
            return
        seen = self._asked(body)
        if seen.method == "context_get":
            self._result({"lang": "en_US", "uid": 2})
        elif seen.model == "res.users":
            self._result([{"id": 2, "login": "admin"}])
        else:
            self.server.seen.append(seen)
            script = self.server.script
            self._answer(script.popleft() if script else self.server.always)

    def _asked(self, body: Any) -> Seen:
        if self.path.startswith("/json/2/"):
            return Seen(*self.path.split("/")[3:5], body)
        if self.path != "/jsonrpc":
            return Seen("", "version", None)
        _db, _uid, _key, model, method, *arguments = body["params"]["args"]
        return Seen(model, method, arguments)

    def _answer(self, answer: Answer) -> None:
        match answer:
            case Page(status, text, encoding):
                self._send(status, "text/html", text, encoding)
            case Result(value):
                self._result(value)
            case Refusal(name, message, debug):
                error = {"name": name, "message": message, "arguments": [message], "debug": debug}
                if self._is_json2():
                    status = STATUSES.get(name.rpartition(".")[2], 500)
                    self._send(status, "application/json", json.dumps(error))
                else:
                    wrapped = {"code": 0, "message": "Odoo Server Error", "data": error}
                    self._send(200, "application/json", json.dumps({"error": wrapped}))
            case _:
                self._break(str(answer))

    def _is_json2(self) -> bool:
        return self.path.startswith("/json/")

    def _result(self, value: Any) -> None:
        whole = value if self._is_json2() else {"jsonrpc": "2.0", "id": 1, "result": value}
        self._send(200, "application/json", json.dumps(whole))

    def _break(self, how: str) -> None:
        if how == SILENCE:
            self.server.released.wait(10)
        elif how == HALF:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            self.wfile.flush()
        elif how == RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        if how != SILENCE:
            self.rfile.close()
            self.connection.close()

    def _send(self, status: int, kind: str, text: str, encoding: str = "utf-8") -> None:
        body = text.encode(encoding)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        if self.server.closes_after_answers:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None: ...


@contextmanager
def failing_odoo(transport: OdooTransport) -> Iterator[tuple[Failing, OdooClient]]:
    """The server and a client that is logged in and repeats without waiting long."""
    server = Failing()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        client = connect(server.url, "odoo", "admin", KEY, timeout=5, transport=transport)
        assert isinstance(client, OdooRpcClient | Json2Client)
        client.pauses = tuple(0.002 for _pause in client.pauses)
        yield server, client
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        for each in server.sockets:  # kept alive by clients
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        thread.join()
