"""Both transports, against a server that fails on a real socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from failing_odoo import Failing, failing_odoo

from odoo_gateway.client import OdooClient
from warehouse.settings import OdooTransport


@pytest.fixture(params=OdooTransport)
def transport(request: pytest.FixtureRequest) -> OdooTransport:
    return OdooTransport(request.param)


@pytest.fixture
def failing(transport: OdooTransport) -> Iterator[tuple[Failing, OdooClient]]:
    with failing_odoo(transport) as both:
        yield both
