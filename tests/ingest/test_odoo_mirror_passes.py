"""What a pass of the mirror reads, and what it finds that no write_date tells."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine, make_url

from ingest.odoo_mirror import BILLING, MASTER, MirrorCount, mirror, passes, progress
from ingest.odoo_mirror.progress import OVERLAP
from odoo_gateway.bootstrap import bootstrap
from odoo_gateway.client import Record
from odoo_gateway.connect import connect
from odoo_gateway.odoorpc_client import OdooRpcClient
from sandbox.odoo.launch import running_double
from warehouse.engine import make_engine
from warehouse.locks import session_lock
from warehouse.tables import ODOO_TABLES, odoo_mirror

BY_TABLE = {model.table: model for model in MASTER + BILLING}
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(scope="module")
def client() -> Iterator[OdooRpcClient]:
    with (
        tempfile.TemporaryDirectory(prefix="fusion-odoo-") as folder,
        running_double(Path(folder) / "odoo.db", db="fusion") as url,
    ):
        client = connect(url, "fusion", "admin", "admin", timeout=30)
        bootstrap(client)
        metrics(client, "first", 10)
        yield client


@pytest.fixture(autouse=True)
def forgotten(engine: Engine) -> None:
    """Each test begins with an empty mirror."""
    with engine.begin() as connection:
        for table in [odoo_mirror, *ODOO_TABLES.values()]:
            connection.execute(sa.delete(table))


def metrics(client: OdooRpcClient, name: str, count: int) -> list[int]:
    codes = [f"{name}_{number}" for number in range(count)]
    rows = [{"x_name": code, "x_code": code, "x_aggregation": "sum"} for code in codes]
    return client.create("x_fc_metric", rows)


def one(engine: Engine, client: Any, table: str, **options: Any) -> MirrorCount:
    return mirror(engine, client, [BY_TABLE[table]], **options)[table]


def settle(engine: Engine, client: Any, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passes until none reads anything: without an overlap, as soon as Odoo's clock is known to be
    past the last stamp, which is a second or two."""
    monkeypatch.setattr(progress, "OVERLAP", timedelta(0))
    until = time.monotonic() + 20
    while one(engine, client, table, odoo="a").read:
        assert time.monotonic() < until


def unwritten(engine: Engine) -> None:
    """As if all that is in Odoo had been written long before the next pass."""
    with engine.begin() as connection:
        connection.execute(sa.update(odoo_mirror).values(written_until=sa.func.now() + HOUR))


def record(engine: Engine, table: str, number: int) -> Record:
    columns = ODOO_TABLES[table].c
    with engine.connect() as connection:
        found: Record = connection.execute(
            sa.select(columns.record).where(columns.id == number, columns.deleted_at.is_(None))
        ).scalar_one()
    return found


def row(engine: Engine, table: str) -> Any:
    with engine.connect() as connection:
        return connection.execute(
            sa.select(odoo_mirror).where(odoo_mirror.c.table_name == table)
        ).one()


class Spy:
    """Counts reads; `stop` ends the n-th as a killed process would."""

    def __init__(self, client: OdooRpcClient, stop: int = 0) -> None:
        self._client, self.reads, self.stop = client, 0, stop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def search_read(self, *args: Any, **kwargs: Any) -> list[Record]:
        self.reads += 1
        if self.reads == self.stop:
            raise KeyboardInterrupt
        return self._client.search_read(*args, **kwargs)


def test_what_was_written_lately_is_read_again_and_then_nothing_but_the_new(
    engine: Engine, client: OdooRpcClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = len(client.search_read("x_fc_metric", [], ["id"]))
    first = one(engine, client, "metric", odoo="a")
    assert first == MirrorCount(read=total, changed=total, deleted=0)
    again = one(engine, client, "metric", odoo="a")
    assert (again.read, again.changed) == (total, 0), "a transaction could still commit"
    settle(engine, client, "metric", monkeypatch)
    spy = Spy(client)
    count = one(engine, spy, "metric", odoo="a")
    assert (count.read, count.changed, count.live) == (0, 0, total)
    assert spy.reads == 2, "what was written, and the ids"
    (new,) = metrics(client, "lately", 1)
    assert one(engine, client, "metric", odoo="a") == MirrorCount(read=1, changed=1, deleted=0)
    client.write("x_fc_metric", [new], {"x_unit": "GB"})
    assert one(engine, client, "metric", odoo="a") == MirrorCount(read=1, changed=1, deleted=0)


@pytest.mark.parametrize(("lasted", "seen"), [(OVERLAP, True), (OVERLAP + MINUTE, False)])
def test_what_commits_late_is_found(
    engine: Engine, client: OdooRpcClient, lasted: timedelta, seen: bool
) -> None:
    """Stamped `lasted` before the last pass began, and committed after it: that pass got the old
    values. A transaction that lasted longer is found by the next full read."""
    (late,) = metrics(client, f"late_{seen}", 1)
    one(engine, client, "metric")
    table = ODOO_TABLES["metric"]
    with engine.begin() as connection:
        (stamp,) = connection.execute(sa.select(table.c.write_date).where(table.c.id == late)).one()
        old = {**record(engine, "metric", late), "x_unit": "old"}
        connection.execute(sa.update(table).where(table.c.id == late).values(record=old))
        connection.execute(sa.update(odoo_mirror).values(written_until=stamp + lasted))
    one(engine, client, "metric")
    assert record(engine, "metric", late)["x_unit"] == (False if seen else "old")
    one(engine, client, "metric", full=True)
    assert record(engine, "metric", late)["x_unit"] is False


@pytest.mark.parametrize("reason", ["full", "a day", "another odoo", "fields", "row deleted"])
def test_everything_is_read_again(
    engine: Engine, client: OdooRpcClient, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = one(engine, client, "metric", odoo="a").read
    settle(engine, client, "metric", monkeypatch)
    options: dict[str, Any] = {"odoo": "b" if reason == "another odoo" else "a"}
    change: sa.Executable | None = None
    match reason:
        case "full":
            options["full"] = True
        case "a day":
            change = sa.update(odoo_mirror).values(full_at=odoo_mirror.c.full_at - 24 * HOUR)
        case "fields":
            change = sa.update(odoo_mirror).values(fields=["x_code"])
        case "row deleted":
            change = sa.delete(odoo_mirror)
    if change is not None:
        with engine.begin() as connection:
            connection.execute(change)
    count = one(engine, client, "metric", **options)
    assert (count.read, count.changed) == (total, 0)


def test_a_stamp_of_the_future_hides_nothing(engine: Engine, client: OdooRpcClient) -> None:
    """A clock that was a year ahead once must not make the mirror wait for a year."""
    one(engine, client, "metric")
    table = ODOO_TABLES["metric"]
    with engine.begin() as connection:
        connection.execute(
            sa.update(table).values(write_date=table.c.write_date + timedelta(days=365))
        )
    one(engine, client, "metric")
    (new,) = metrics(client, "future", 1)
    client.write("x_fc_metric", [new], {"x_unit": "GB"})
    one(engine, client, "metric")
    client.write("x_fc_metric", [new], {"x_unit": "TB"})
    assert one(engine, client, "metric").changed == 1
    assert record(engine, "metric", new)["x_unit"] == "TB"


def test_a_pass_killed_at_any_read_goes_on_where_it_was(
    engine: Engine, client: OdooRpcClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics(client, "kill", 5)
    ids = [each["id"] for each in client.search_read("x_fc_metric", [], ["id"])]
    monkeypatch.setattr(passes, "PAGE", 4)
    monkeypatch.setattr(passes, "SWEEP_PAGE", 6)
    whole = Spy(client)
    one(engine, whole, "metric")
    began: datetime | None = None
    for stop in range(1, whole.reads + 1):
        with engine.begin() as connection:
            connection.execute(sa.delete(odoo_mirror))
            connection.execute(sa.delete(ODOO_TABLES["metric"]))
        with pytest.raises(KeyboardInterrupt):
            one(engine, Spy(client, stop), "metric")
        landed = min(4 * (stop - 1), len(ids))
        under_way = row(engine, "metric")
        assert under_way.last_id == (ids[landed - 1] if landed else 0)
        assert under_way.read_at is None
        began = under_way.started_at
        count = one(engine, client, "metric")
        assert (count.read, count.changed, count.live) == (
            len(ids) - landed,
            len(ids) - landed,
            len(ids),
        )
        assert row(engine, "metric").read_at == began, "what was read before stays as old as it is"


def test_a_change_to_what_a_killed_pass_had_read_comes_with_the_pass_after(
    engine: Engine, client: OdooRpcClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [each["id"] for each in client.search_read("x_fc_metric", [], ["id"])]
    monkeypatch.setattr(passes, "PAGE", 4)
    with pytest.raises(KeyboardInterrupt):
        one(engine, Spy(client, stop=3), "metric")
    client.write("x_fc_metric", [ids[0]], {"x_unit": f"u{len(ids)}"})
    one(engine, client, "metric")
    assert record(engine, "metric", ids[0])["x_unit"] != f"u{len(ids)}"
    one(engine, client, "metric")
    assert record(engine, "metric", ids[0])["x_unit"] == f"u{len(ids)}"


def test_lines_enter_and_leave_with_their_order_though_nobody_wrote_them(
    engine: Engine, client: OdooRpcClient
) -> None:
    (product,) = client.create("product.product", [{"name": "Hours", "type": "service"}])
    (partner,) = client.create("res.partner", [{"name": "Client"}])
    (order,) = client.create("sale.order", [{"partner_id": partner}])
    line = {"order_id": order, "product_id": product, "price_unit": 3.0}
    lines = client.create("sale.order.line", [line, line])
    one(engine, client, "order_line")
    client.write("sale.order", [order], {"x_fc_external_id": "sub_entering"})
    unwritten(engine)
    count = one(engine, client, "order_line")
    assert (count.read, count.changed, count.live) == (2, 2, 2)
    assert record(engine, "order_line", lines[1])["price_unit"] == 3.0
    client.write("sale.order", [order], {"x_fc_external_id": False})
    unwritten(engine)
    assert one(engine, client, "order_line") == MirrorCount(read=0, changed=0, deleted=2)
    client.write("sale.order", [order], {"x_fc_external_id": "sub_entering"})
    unwritten(engine)
    assert one(engine, client, "order_line") == MirrorCount(read=2, changed=2, deleted=0)


def test_what_pointed_at_a_deleted_record_is_read_again(
    engine: Engine, client: OdooRpcClient
) -> None:
    """A plan and a tax go; the order and its line lose them without being written."""
    (plan,) = client.create("sale.subscription.plan", [{"name": "Short-lived"}])
    (partner,) = client.create("res.partner", [{"name": "Client"}])
    (product,) = client.create("product.product", [{"name": "Hours", "type": "service"}])
    tax, other = client.create(
        "account.tax", [{"name": name, "amount": 5.0} for name in ("Short-lived", "Lasting")]
    )
    values = {"partner_id": partner, "x_fc_external_id": "sub_plan", "plan_id": plan}
    (order,) = client.create("sale.order", [values])
    (line,) = client.create(
        "sale.order.line",
        [{"order_id": order, "product_id": product, "tax_ids": [(6, 0, [tax, other])]}],
    )
    mirror(engine, client)
    assert record(engine, "subscription", order)["plan_id"] == plan
    assert record(engine, "order_line", line)["tax_ids"] == [tax, other]
    client.call("sale.subscription.plan", "unlink", [plan])
    client.call("account.tax", "unlink", [tax])
    unwritten(engine)
    counts = mirror(engine, client)
    assert (counts["plan"].deleted, counts["tax"].deleted) == (1, 1)
    assert counts["subscription"] == MirrorCount(read=1, changed=1, deleted=0)
    assert counts["order_line"] == MirrorCount(read=1, changed=1, deleted=0)
    assert record(engine, "subscription", order)["plan_id"] is False
    assert record(engine, "order_line", line)["tax_ids"] == [other]
    unwritten(engine)
    assert mirror(engine, client)["order_line"].read == 0


def test_a_second_mirror_of_a_table_waits(engine: Engine, client: OdooRpcClient) -> None:
    done: list[MirrorCount] = []
    second = threading.Thread(target=lambda: done.append(one(engine, client, "metric")))
    with session_lock(engine, "odoo_mirror:metric", wait=True):
        second.start()
        waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        while True:
            with engine.connect() as connection:
                if connection.execute(sa.text(waiting)).scalar_one():
                    break
        assert done == []
    second.join(30)
    assert done[0].read > 0


def test_a_record_without_a_stamp_lands(engine: Engine, client: OdooRpcClient) -> None:
    """Odoo's own tables hold some that were put in by SQL."""

    class Unstamped(Spy):
        def search_read(self, *args: Any, **kwargs: Any) -> list[Record]:
            rows = super().search_read(*args, **kwargs)
            return [{**each, "write_date": False} for each in rows]

    assert one(engine, Unstamped(client), "metric").changed > 0
    with engine.connect() as connection:
        newest = connection.execute(sa.select(sa.func.max(ODOO_TABLES["metric"].c.write_date)))
        assert newest.scalar_one().year == 1970
    assert one(engine, client, "metric").changed > 0


@pytest.mark.parametrize("zone", ["America/Toronto", "Asia/Tokyo"])
def test_a_database_in_another_zone_reads_the_same(
    database_url: str, client: OdooRpcClient, zone: str
) -> None:
    """Odoo takes UTC, and PostgreSQL hands out its own zone: in Tokyo every change was nine hours
    too early to be read, until the daily full read."""
    name = make_url(database_url).database
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f"alter database \"{name}\" set timezone = '{zone}'")
    elsewhere = make_engine(database_url)
    asked: list[str] = []

    class Asked(Spy):
        def search_read(self, model: str, domain: Any, *args: Any, **kwargs: Any) -> list[Record]:
            asked.extend(each[2] for each in domain if each[0] == "write_date")
            return super().search_read(model, domain, *args, **kwargs)

    try:
        (changed,) = metrics(client, f"zone_{zone[:4]}", 1)
        one(elsewhere, client, "metric")
        client.write("x_fc_metric", [changed], {"x_unit": zone})
        one(elsewhere, Asked(client), "metric")
        assert record(elsewhere, "metric", changed)["x_unit"] == zone
        (said,) = asked
        since = datetime.fromisoformat(said).replace(tzinfo=UTC)
        assert timedelta(0) <= datetime.now(UTC) - since < HOUR
    finally:
        elsewhere.dispose()
        with psycopg.connect(database_url, autocommit=True) as admin:
            admin.execute(f'alter database "{name}" reset timezone')


def test_an_old_pass_begins_anew(
    engine: Engine, client: OdooRpcClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass that stood for days went on behind its last page, and told of success with nothing of
    those days read."""
    ids = [each["id"] for each in client.search_read("x_fc_metric", [], ["id"])]
    one(engine, client, "metric")
    monkeypatch.setattr(passes, "PAGE", 4)
    for options, read in (({}, len(ids) - 4), ({"full": True}, len(ids) - 4)):
        with pytest.raises(KeyboardInterrupt):
            one(engine, Spy(client, stop=2), "metric", **options)
        since = row(engine, "metric").since
        assert (since is None) == bool(options)
        assert one(engine, client, "metric").read == read, "a pass killed just now goes on"
        with pytest.raises(KeyboardInterrupt):
            one(engine, Spy(client, stop=2), "metric", **options)
        old, since = row(engine, "metric").started_at - OVERLAP, row(engine, "metric").since
        with engine.begin() as connection:
            connection.execute(sa.update(odoo_mirror).values(started_at=old))
        client.write("x_fc_metric", [ids[0]], {"x_unit": f"after {options}"})
        with pytest.raises(KeyboardInterrupt):
            one(engine, Spy(client, stop=1), "metric")
        under_way = row(engine, "metric")
        assert (under_way.since, under_way.last_id) == (since, 0)
        assert under_way.started_at > old + OVERLAP
        assert one(engine, client, "metric").read == len(ids)
        assert record(engine, "metric", ids[0])["x_unit"] == f"after {options}"
