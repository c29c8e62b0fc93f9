"""Orders in the double of Odoo, ledger lines that belong on them, and a client that can fail."""

from __future__ import annotations

import datetime as dt
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from marts import SEPTEMBER, Row, insert, rated
from sqlalchemy.engine import Engine

from odoo_gateway.bootstrap import bootstrap
from odoo_gateway.client import Domain, OdooClient, OdooVersion, Record
from odoo_gateway.connect import connect
from sandbox.odoo.launch import running_double
from warehouse.tables import billed_line, billing_run

D = Decimal
ODOO_DB = "fusion"
CHARGE = "cloud_s/compute_hours"


def log_in(url: str) -> OdooClient:
    return connect(url, ODOO_DB, "admin", "admin", timeout=30)


@contextmanager
def bootstrapped_double() -> Iterator[str]:
    """The URL of a double that has the x_fc_* fields and models."""
    with (
        tempfile.TemporaryDirectory(prefix="fusion-odoo-") as folder,
        running_double(Path(folder) / "odoo.db", db=ODOO_DB) as url,
    ):
        bootstrap(log_in(url))
        yield url


@dataclass
class Call:
    method: str
    model: str
    rows: int  # records created or written

    @property
    def changes(self) -> bool:
        # `run` asks which unique indexes there are.
        return self.method not in ("search_read", "fields_get", "version", "run")


@dataclass
class WatchedClient:
    """Passes every call on to a real client and notes it. `before` and `after` may raise: a call
    that was never sent, an answer that was lost."""

    inner: OdooClient
    calls: list[Call] = field(default_factory=list)
    before: Callable[[Call], None] = lambda call: None
    after: Callable[[Call], None] = lambda call: None

    def changes(self) -> list[Call]:
        return [call for call in self.calls if call.changes]

    def _passed(self, call: Call, send: Callable[[], Any]) -> Any:
        self.calls.append(call)
        self.before(call)
        answer = send()
        self.after(call)
        return answer

    def version(self) -> OdooVersion:
        version: OdooVersion = self._passed(Call("version", "", 0), self.inner.version)
        return version

    def search_read(
        self,
        model: str,
        domain: Domain,
        fields: Sequence[str],
        *,
        order: str = "id",
        limit: int | None = None,
    ) -> list[Record]:
        found: list[Record] = self._passed(
            Call("search_read", model, 0),
            lambda: self.inner.search_read(model, domain, fields, order=order, limit=limit),
        )
        return found

    def create(self, model: str, values: Sequence[Mapping[str, Any]]) -> list[int]:
        ids: list[int] = self._passed(
            Call("create", model, len(values)), lambda: self.inner.create(model, values)
        )
        return ids

    def write(self, model: str, ids: Sequence[int], values: Mapping[str, Any]) -> None:
        self._passed(Call("write", model, len(ids)), lambda: self.inner.write(model, ids, values))

    def call(self, model: str, method: str, ids: Sequence[int], **kwargs: Any) -> Any:
        return self._passed(
            Call(method, model, len(ids)), lambda: self.inner.call(model, method, ids, **kwargs)
        )

    def fields_get(self, model: str) -> dict[str, Record]:
        fields: dict[str, Record] = self._passed(
            Call("fields_get", model, 0), lambda: self.inner.fields_get(model)
        )
        return fields


@dataclass
class OdooWorld:
    """Customers and confirmed orders in the double; one product for usage."""

    client: OdooClient
    country: int
    partner: int
    product: int

    @classmethod
    def make(cls, client: OdooClient) -> OdooWorld:
        (province,) = client.search_read(
            "res.country.state",
            [("code", "=", "ON"), ("country_id.code", "=", "CA")],
            ["country_id"],
        )
        place = {"country_id": province["country_id"], "state_id": province["id"]}
        (partner,) = client.create("res.partner", [{"name": "Client", **place}])
        usage = {"name": "Usage", "type": "service", "invoice_policy": "delivery"}
        (product,) = client.create("product.product", [usage])
        return cls(client, province["country_id"], partner, product)

    def orders(self, number: int, partner: int | None = None) -> list[int]:
        values = [
            {"partner_id": partner or self.partner, "x_fc_external_id": uuid.uuid4().hex}
            for _ in range(number)
        ]
        ids = self.client.create("sale.order", values)
        self.client.call("sale.order", "action_confirm", ids)
        return ids

    def order(self) -> int:
        return self.orders(1)[0]

    def lines(self, *orders: int) -> list[Record]:
        fields = (
            "order_id",
            "product_id",
            "name",
            "product_uom_qty",
            "qty_delivered",
            "price_unit",
            "x_fc_line_key",
            "x_fc_period_start",
            "x_fc_period_end",
        )
        return self.client.search_read("sale.order.line", [("order_id", "in", orders)], fields)


def due(
    order: int,
    used: str = "30",
    price: str = "0.12",
    *,
    key: str = "",
    charge: str = CHARGE,
    amount: str | None = None,
    reason: str = "period",
) -> Row:
    """A ledger line of its own subscription for an order; no quota."""
    line = rated(f"nexacloud:{key or uuid.uuid4().hex[:12]}", charge, SEPTEMBER, included="0")
    rated_key = line.pop("line_key")
    number = 0 if reason == "period" else 1
    quantity = D(used)
    return {
        **line,
        "line_key": f"{rated_key}~{number}" if number else rated_key,
        "rated_line_key": rated_key,
        "adjustment_no": number,
        "reason": reason,
        "odoo_order_id": order,
        "quantity_used": quantity,
        "quantity_billed": quantity,
        "unit_price": D(price),
        "amount_precise": quantity * D(price),
        "amount": D(amount) if amount else (quantity * D(price)).quantize(D("0.01"), ROUND_HALF_UP),
    }


def decided(
    engine: Engine, phase: str, *, service: str = "nexacloud", starts: dt.date | None = None
) -> None:
    """A decision of the cutover, whatever speaks against it."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into ops.service (service_code, name) values (:service, :service)"
                " on conflict do nothing"
            ),
            {"service": service},
        )
        connection.execute(
            sa.text(
                "insert into ops.cutover (service_code, phase, effective_from, changed_by)"
                " values (:service, :phase, :starts, 'test')"
            ),
            {"service": service, "phase": phase, "starts": starts},
        )


def bill_lines(
    engine: Engine, world: OdooWorld, *lines: Row, run_date: dt.date = SEPTEMBER
) -> list[Row]:
    """Writes lines of one run into the ledger, and their charges into marts.dim_charge where
    missing. A service on which nothing is decided is live."""
    with engine.connect() as connection:
        known = connection.execute(sa.text("select service_code from ops.cutover")).scalars()
        undecided = {line["service_code"] for line in lines} - set(known)
    for service in sorted(undecided):
        decided(engine, "live", service=service)
    with engine.begin() as connection:
        run_id = connection.execute(
            sa.insert(billing_run).returning(billing_run.c.run_id),
            {
                "run_date": run_date,
                "build_id": "build",
                "high_water_xid": "1",
                "catalog_sha256": "",
                "code_version": "test",
                "lines": len(lines),
                "adjustments": 0,
                "amount": 0,
                "lines_sha256": "",
            },
        ).scalar_one()
        connection.execute(sa.insert(billed_line), [{**line, "run_id": run_id} for line in lines])
        known = set(
            connection.execute(sa.text("select charge_key from marts.dim_charge")).scalars()
        )
        charges = sorted({line["charge_key"] for line in lines} - known)
        insert(
            connection,
            "marts.dim_charge",
            [
                {
                    "charge_key": charge,
                    "charge_name": "Compute",
                    "unit": "hours",
                    "odoo_product_id": world.product,
                }
                for charge in charges
            ],
        )
    return list(lines)


def pushed(engine: Engine) -> dict[str, Row]:
    """ops.odoo_push by line key."""
    with engine.connect() as connection:
        rows = connection.execute(sa.text("select * from ops.odoo_push")).mappings()
        return {row["line_key"]: dict(row) for row in rows}
