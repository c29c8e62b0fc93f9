"""A push in a process of its own, that a test may kill, or that kills itself at a call to Odoo.
Forked from a server that has imported all that it needs, so that a hundred of them cost seconds."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from odoo_world import Server

_PARTS = ["exports.usage_lines", "odoo_gateway.connect", "warehouse.engine", "pushing"]


@dataclass(frozen=True)
class Death:
    """At the push's call number `call` to Odoo: before it is sent, or `after` its answer came."""

    call: int
    after: bool


def start(
    database_url: str, server: Server, death: Death | None = None
) -> tuple[BaseProcess, Connection]:
    """The process, and a pipe: `ready` when the push begins, and at its end the calls it made."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PARTS)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_push, args=(database_url, server, death, theirs), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _push(database_url: str, server: Server, death: Death | None, pipe: Connection) -> None:
    from pushing import Call, WatchedClient

    from exports import usage_lines
    from exports.cutover import drafts
    from warehouse.engine import make_engine

    usage_lines.KEYS_PER_READ = 9
    usage_lines.LINES_PER_CREATE = 3
    drafts.QUOTATIONS_PER_CREATE = 2
    engine = make_engine(database_url)
    client = WatchedClient(server.connect())

    def die(call: Call, *, after: bool) -> None:
        if death == Death(len(client.calls), after):
            os.kill(os.getpid(), signal.SIGKILL)

    client.before = lambda call: die(call, after=False)
    client.after = lambda call: die(call, after=True)
    pipe.send("ready")
    usage_lines.push(engine, client, database="here")
    pipe.send(len(client.calls))
