"""`python -m sandbox.odoo --port N --state FILE [--today DATE]`: the double as a process."""

from __future__ import annotations

import argparse
import signal
import threading
from datetime import date
from pathlib import Path
from types import FrameType

from sandbox.odoo.registry import environment
from sandbox.odoo.rpc import Account
from sandbox.odoo.server import Server
from sandbox.odoo.storage import Store


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    store = Store(options.state)
    env = environment(store, options.today)
    account = Account(options.user, options.key, options.db)
    server = Server((options.host, options.port), env, account)

    def stop(number: int, frame: FrameType | None) -> None:
        # shutdown() waits for the loop to end, and a signal handler runs inside that loop.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"Odoo double listens on {server.url}", flush=True)
    server.serve_forever(poll_interval=0.05)
    server.server_close()
    with server.lock:
        store.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox.odoo", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8069, help="0 takes a free one")
    parser.add_argument("--state", type=Path, required=True, help="SQLite file; made when missing")
    parser.add_argument(
        "--today",
        type=date.fromisoformat,
        help="what orders and invoices take for today; create_date and write_date stay real",
    )
    parser.add_argument("--user", default="admin")
    parser.add_argument("--key", default="admin")
    parser.add_argument("--db", help="the only database name to accept; default: any")
    return parser


if __name__ == "__main__":
    main()
