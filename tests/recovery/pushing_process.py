"""A push in a process of its own, that a test may kill. Forked from a server that has imported all
that it needs, so that a hundred of them cost seconds."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

_PARTS = ["exports.usage_lines", "odoo_gateway.connect", "warehouse.engine"]


def start(database_url: str, odoo_url: str) -> tuple[BaseProcess, Connection]:
    """The process, and a pipe that says `ready` when the push begins and closes when it ends."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PARTS)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_push, args=(database_url, odoo_url, theirs), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _push(database_url: str, odoo_url: str, ready: Connection) -> None:
    from exports import usage_lines
    from odoo_gateway.connect import connect
    from warehouse.engine import make_engine

    usage_lines.KEYS_PER_READ = 9
    usage_lines.LINES_PER_CREATE = 3
    engine = make_engine(database_url)
    client = connect(odoo_url, "fusion", "admin", "admin")
    ready.send("ready")
    usage_lines.push(engine, client, database="here")
