"""The double as an HTTP server: version, health, JSON-RPC as far as odoorpc goes, JSON-2."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sandbox.odoo import json2
from sandbox.odoo.environment import Environment
from sandbox.odoo.errors import Fault
from sandbox.odoo.rpc import VERSION, Account, dispatch

# A bug of the double must reach the client as an error, not as a lost connection.
JSON = "application/json; charset=utf-8"
BUGS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


class Server(ThreadingHTTPServer):
    """One call at a time, whatever the number of connections: calls are serializable."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], env: Environment, account: Account) -> None:
        super().__init__(address, Handler)
        self.env = env
        self.account = account
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]!s}:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    # One segment for head and body.
    wbufsize = -1

    def do_GET(self) -> None:
        if self._is_json2():
            self._json2()
            return
        known = self.path in ("/web/health", "/web/login")
        self._answer(200 if known else 404, {"status": "pass" if known else "not found"})

    def do_POST(self) -> None:
        if self._is_json2():
            self._json2()
            return
        body = self._body()
        try:
            request = json.loads(body)
            params = request.get("params") or {}
        except (ValueError, AttributeError):
            self._answer(400, {"error": "Invalid JSON data"})
            return
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request.get("id")}
        try:
            result = self._called(params)
            if result is not None:
                answer["result"] = result
        except Fault as fault:
            answer["error"] = _error(fault.name, str(fault), "")
        except BUGS as error:
            name = f"builtins.{type(error).__name__}"
            answer["error"] = _error(name, str(error), traceback.format_exc())
        self._answer(200, answer)

    def _called(self, params: dict[str, Any]) -> Any:
        if self.path == "/web/webclient/version_info":
            return VERSION
        if self.path != "/jsonrpc":
            raise Fault(f"404 Not Found: {self.path}")
        with self.server.lock:
            return dispatch(
                self.server.env,
                self.server.account,
                str(params.get("service")),
                str(params.get("method")),
                list(params.get("args") or []),
            )

    do_DELETE = do_PATCH = do_PUT = do_POST

    def _is_json2(self) -> bool:
        return self.path in json2.VERSIONS or f"{self.path}/".startswith(f"{json2.PREFIX}/")

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _json2(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        server, body = self.server, self._body()
        try:
            with server.lock:
                answer = json2.answer(
                    server.env, server.account, self.command, self.path, headers, body
                )
        except BUGS as error:
            bug = Fault(str(error))
            bug.name = f"builtins.{type(error).__name__}"
            answer = json2.refusal(bug, traceback.format_exc())
        self._answer(answer.status, answer.content, answer.headers)

    def _answer(self, status: int, content: Any, headers: Mapping[str, str] = {}) -> None:
        """`content` is a page where the headers say so, else what becomes JSON."""
        kind = headers.get("Content-Type", JSON)
        body = (json.dumps(content) if kind == JSON else content).encode()
        try:
            self.send_response(status)
            for name, value in {"Content-Type": kind, **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
        except ConnectionError:
            # The client lost patience; as with Odoo, the work is done all the same.
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the demo's own table says what happened."""


def _error(name: str, message: str, debug: str) -> dict[str, Any]:
    data = {
        "name": name,
        "message": message,
        "arguments": [message],
        "context": {},
        "debug": debug,
    }
    return {"code": 0, "message": "Odoo Server Error", "data": data}
