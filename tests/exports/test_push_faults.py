"""Lost answers and broken pushes: each line stands in Odoo exactly once in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from marts import Row
from pushing import Call, OdooWorld, WatchedClient, bill_lines, due, pushed
from sqlalchemy.engine import Engine

from exports import usage_lines
from exports.push_problems import Judge
from exports.usage_lines import push
from odoo_gateway.errors import OdooRefusedError, OdooTransientError

Fault = Callable[[Call], None]


class Killed(BaseException):
    """What a test throws into the push; nothing in the product catches it."""


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_lines, "KEYS_PER_READ", 10)
    monkeypatch.setattr(usage_lines, "LINES_PER_CREATE", 4)


def on_create(number: int, error: BaseException, *, times: int = 1) -> Fault:
    """Raises at the create of this number, counted from 1, and at the following `times` - 1."""
    seen = 0

    def fault(call: Call) -> None:
        nonlocal seen
        if call.method == "create":
            seen += 1
            if number <= seen < number + times:
                raise error

    return fault


def lost() -> OdooTransientError:
    return OdooTransientError("the connection to Odoo was lost (RemoteDisconnected)")


def assert_exactly_once(
    engine: Engine, world: OdooWorld, orders: list[int], lines: list[Row]
) -> None:
    standing = Counter(record["x_fc_line_key"] for record in world.lines(*orders))
    assert standing == Counter(line["line_key"] for line in lines)
    assert {row["state"] for row in pushed(engine).values()} == {"verified"}
    assert len(pushed(engine)) == len(lines)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_an_answer_lost_after_the_commit(fresh: Engine, world: OdooWorld, number: int) -> None:
    """The lines stand, and we were not told: found by their key, in the same push."""
    orders = world.orders(2)
    lines = bill_lines(fresh, world, *(due(orders[n % 2]) for n in range(15)))
    client = WatchedClient(world.client, after=on_create(number, lost()))
    assert push(fresh, client, database="here").verified == 15
    assert [call.rows for call in client.changes()] == [4, 4, 2, 4, 1]
    assert_exactly_once(fresh, world, orders, lines)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_call_lost_before_the_commit(fresh: Engine, world: OdooWorld, number: int) -> None:
    orders = world.orders(2)
    lines = bill_lines(fresh, world, *(due(orders[n % 2]) for n in range(15)))
    client = WatchedClient(world.client, before=on_create(number, lost()))
    assert push(fresh, client, database="here").verified == 15
    batches = [4, 4, 2, 4, 1]
    batches.insert(number, batches[number - 1])
    assert [call.rows for call in client.changes()] == batches
    assert_exactly_once(fresh, world, orders, lines)


def test_an_odoo_that_stays_away_ends_the_push_and_the_next_settles_it(
    fresh: Engine, world: OdooWorld
) -> None:
    orders = world.orders(2)
    lines = bill_lines(fresh, world, *(due(orders[n % 2]) for n in range(25)))
    client = WatchedClient(world.client, before=on_create(5, lost(), times=99))
    with pytest.raises(OdooTransientError):
        push(fresh, client, database="here")
    # The first read's worth is verified; of the second, eight were asked for.
    states = Counter(row["state"] for row in pushed(fresh).values())
    assert states == {"verified": 10, "sent": 8, "planned": 7}
    result = push(fresh, world.client, database="here")
    assert (result.pending, result.verified) == (15, 15)
    assert_exactly_once(fresh, world, orders, lines)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_an_answer_lost_on_a_batch_with_a_bad_line(
    fresh: Engine, world: OdooWorld, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that only Odoo knows to be bad: its product goes after it was judged. The repeat is
    refused for it: once, that stopped the whole push. It is the second batch's; its halves are
    creates number 3 and later."""
    monkeypatch.setattr(Judge, "problems", lambda self, lines: {})
    order = world.order()
    good = bill_lines(fresh, world, *(due(order, key=f"{order}-{n}") for n in range(9)))
    (bad,) = bill_lines(fresh, world, due(order, key=f"{order}-45", charge="cloud_x/gone"))
    with fresh.begin() as connection:
        connection.exec_driver_sql(
            "update marts.dim_charge set odoo_product_id = 999999 where charge_key = 'cloud_x/gone'"
        )
    client = WatchedClient(world.client, before=on_create(number, lost()))
    result = push(fresh, client, database="here")
    assert (result.verified, list(result.reasons)) == (9, [bad["line_key"]])
    standing = Counter(record["x_fc_line_key"] for record in world.lines(order))
    assert standing == Counter(line["line_key"] for line in good)


def test_a_time_out_whose_work_is_done_while_we_ask(fresh: Engine, world: OdooWorld) -> None:
    """Odoo goes on after our time-out: the lines appear between our look-up and our repeat, which
    the unique index then refuses. They are verified, not refused."""
    order = world.order()
    lines = bill_lines(fresh, world, *(due(order) for _ in range(4)))

    class Slow(WatchedClient):
        """The first create only reaches Odoo when the second is sent."""

        waiting: list[dict[str, object]] | None = None

        def create(self, model: str, values: list[dict[str, object]]) -> list[int]:
            if self.waiting is None:
                self.waiting = list(values)
                raise lost()
            if self.waiting:
                super().create(model, self.waiting)
                self.waiting = []
            return super().create(model, values)

    result = push(fresh, Slow(world.client), database="here")
    assert (result.verified, result.refused) == (4, 0)
    assert_exactly_once(fresh, world, [order], lines)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_push_killed_between_its_batches(fresh: Engine, world: OdooWorld, moment: str) -> None:
    orders = world.orders(3)
    lines = bill_lines(fresh, world, *(due(orders[n % 3]) for n in range(25)))
    for number in (2, 1, 3):
        client = WatchedClient(world.client, **{moment: on_create(number, Killed())})
        with pytest.raises(Killed):
            push(fresh, client, database="here")
    push(fresh, world.client, database="here")
    assert_exactly_once(fresh, world, orders, lines)


def on_call(number: int, error: BaseException) -> Fault:
    """Raises at the call of this number, whatever it is."""
    left = iter(range(1, 10_000))

    def fault(call: Call) -> None:
        if next(left) == number:
            raise error

    return fault


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_push_killed_at_any_call(fresh: Engine, world: OdooWorld, moment: str) -> None:
    """Whatever the call: a later push ends with each line once."""
    for number in range(1, 100):
        orders = world.orders(2)
        lines = bill_lines(fresh, world, *(due(orders[n % 2]) for n in range(6)))
        client = WatchedClient(world.client, **{moment: on_call(number, Killed())})
        try:
            push(fresh, client, database="here")
            killed = False
        except Killed:
            push(fresh, world.client, database="here")
            killed = True
        standing = Counter(record["x_fc_line_key"] for record in world.lines(*orders))
        assert standing == Counter(line["line_key"] for line in lines), number
        if not killed:
            break
    assert number > 5


def test_a_refusal_of_everything_is_told_line_by_line(fresh: Engine, world: OdooWorld) -> None:
    order = world.order()
    lines = bill_lines(fresh, world, *(due(order) for _ in range(3)))
    no = OdooRefusedError("You are not allowed to create", name="odoo.exceptions.AccessError")
    result = push(
        fresh, WatchedClient(world.client, before=on_create(1, no, times=99)), database="here"
    )
    assert result.reasons == {line["line_key"]: "You are not allowed to create" for line in lines}
    assert world.lines(order) == []
