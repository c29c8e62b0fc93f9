"""A pass over the commands in a process of its own, which kills itself at one boundary of a call to
Odoo. Forked from a server that has imported all that it needs."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.process import BaseProcess
from typing import Any

_PARTS = ["exports.commands.applying", "odoo_gateway.connect", "warehouse.engine"]


def start(database_url: str, odoo_url: str, call: int, *, answered: bool) -> BaseProcess:
    """The process. It dies at its nth call, before it is sent or when it was `answered`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PARTS)
    process = context.Process(
        target=_apply, args=(database_url, odoo_url, call, answered), daemon=True
    )
    process.start()
    return process


class _Deadly:
    """Passes every call on, but for the one at which the process dies."""

    def __init__(self, inner: Any, call: int, answered: bool) -> None:
        self._inner = inner
        self._left = call
        self._answered = answered

    def __getattr__(self, name: str) -> Any:
        def called(*args: Any, **kwargs: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._answered:
                os.kill(os.getpid(), signal.SIGKILL)
            answer = getattr(self._inner, name)(*args, **kwargs)
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        return called


def _apply(database_url: str, odoo_url: str, call: int, answered: bool) -> None:
    from zoneinfo import ZoneInfo

    from exports.commands.applying import apply_commands
    from odoo_gateway.connect import connect
    from warehouse.engine import make_engine

    client: Any = _Deadly(connect(odoo_url, "fusion", "admin", "admin"), call, answered)
    apply_commands(
        make_engine(database_url), client, database="here", zone=ZoneInfo("America/Toronto")
    )
