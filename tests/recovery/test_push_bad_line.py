"""The push over a line on which a third of all calls goes wrong: each line stands once in the end,
on the double and on the real Odoo that ODOO_TEST_URL names, over both transports."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Iterator

import pytest
from bad_line import FATES, bad_line
from marts import start_afresh
from odoo_world import Server
from pushing import OdooWorld
from servers import MAKERS, choices
from sqlalchemy.engine import Engine
from test_push_killed import _assert_each_stands_once, _ledger

from exports import usage_lines
from exports.usage_lines import push
from odoo_gateway.bootstrap import bootstrap
from odoo_gateway.errors import OdooTransientError
from warehouse.settings import OdooTransport

pytestmark = pytest.mark.odoo_real
SEEDS = range(6)
PUSHES = 60  # at most, until all stands


@pytest.fixture(scope="module", params=choices(*OdooTransport), ids="-".join)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    where, transport = request.param
    with MAKERS[where](transport) as server:
        bootstrap(server.connect())
        yield server


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_lines, "KEYS_PER_READ", 9)
    monkeypatch.setattr(usage_lines, "LINES_PER_CREATE", 3)


def test_whatever_the_line_loses_each_line_stands_once(engine: Engine, server: Server) -> None:
    met: Counter[str] = Counter()
    ended = 0
    for seed in SEEDS:
        start_afresh(engine)
        world = OdooWorld.make(server.connect())
        lines = _ledger(engine, world, random.Random(seed), 24)
        with bad_line(server.url, seed) as (proxy, url):
            client = dataclasses.replace(server, url=url).connect()
            proxy.share = 0.3
            for _ in range(PUSHES):
                try:
                    result = push(engine, client, database="here")
                except OdooTransientError:
                    ended += 1
                    continue
                if result.pending == result.verified:
                    break
            met += proxy.met
        # What an answer was lost of may have been refused for a moment; a good line settles it.
        push(engine, world.client, database="here")
        _assert_each_stands_once(engine, world, lines, f"seed {seed}")
    print(dict(met), f"{ended} pushes ended early")
    assert set(met) == set(FATES), "a fate was not met: more seeds"
    assert ended, "no push ended early: the line is too good"
