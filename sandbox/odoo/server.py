"""The double as an HTTP server, as far as odoorpc goes: version, JSON-RPC, health."""

from __future__ import annotations

import json
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sandbox.odoo.environment import Environment
from sandbox.odoo.errors import Fault
from sandbox.odoo.rpc import VERSION, Account, dispatch

# A bug of the double must reach the client as an error, not as a lost connection.
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
        known = self.path in ("/web/health", "/web/login")
        self._answer(200 if known else 404, {"status": "pass" if known else "not found"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
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

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
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
