"""The queue and its deliverers: at least once, in order, and nobody held up by anybody."""

from __future__ import annotations

import base64
import random
import signal
import ssl
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import timedelta

import delivering_process
import pytest
import sqlalchemy as sa
from receivers import OK, App, Heard, receiving, reset, status
from sqlalchemy.engine import Engine
from test_webhook_signing import hmac_sha256

from exports.webhooks import queue
from exports.webhooks.delivery import Bounds, Delivered, deliver
from exports.webhooks.queue import BACK_OFF_SECONDS, back_off
from exports.webhooks.sending import Sender
from warehouse.webhooks import TargetPolicy

SENDER = Sender(TargetPolicy(True, True), ssl.create_default_context(), timeout_seconds=1.0)


def run(engine: Engine, at_once: int = 16, each: int = 4) -> Delivered:
    return deliver(engine, SENDER, Bounds(at_once, each, seconds=60))


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        pause.wait(0.01)


def test_what_arrives_is_what_was_written_down_and_signed_for_its_endpoint(
    app: App, engine: Engine
) -> None:
    body = '{"webhook_type":"subscription.started","name":"Érable 🍁"}'
    with receiving() as receiver:
        app.endpoint(receiver.url)
        key = app.event(payload=body)
        assert run(engine) == Delivered(delivered=1, failed=0, dead=0, lost=0)
    (heard,) = receiver.heard
    assert heard.body == body.encode()
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["user-agent"].startswith("fusion-billing/")
    assert heard.headers["x-lago-unique-key"] == heard.headers["webhook-id"] == key
    assert heard.headers["x-lago-signature-algorithm"] == "hmac"
    secret = app.secret()
    assert heard.headers["x-lago-signature"] == hmac_sha256(secret.encode(), heard.body)
    sent_at = heard.headers["webhook-timestamp"]
    assert abs(int(sent_at) - time.time()) < 30
    signed = f"{key}.{sent_at}.".encode() + heard.body
    decoded = base64.b64decode(secret.removeprefix("whsec_"))
    assert heard.headers["webhook-signature"] == "v1," + hmac_sha256(decoded, signed)
    assert app.deliveries() == [("delivered", 1, 200, None)]
    assert app.deliveries("delivered_at is not null, lease, leased_until") == [(True, None, None)]
    assert run(engine) == Delivered(0, 0, 0, 0)


def test_the_key_is_the_same_in_every_attempt_and_the_signature_is_not(
    app: App, engine: Engine
) -> None:
    with receiving(status(500)) as receiver:
        app.endpoint(receiver.url)
        key = app.event()
        run(engine)
        until(lambda: int(time.time()) > int(receiver.heard[0].headers["webhook-timestamp"]))
        app.hurry()
        run(engine)
    first, second = receiver.heard
    assert first.key == second.key == key
    assert first.body == second.body
    assert first.headers["x-lago-signature"] == second.headers["x-lago-signature"]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


def test_after_ten_attempts_it_is_dead_and_the_next_may_go(app: App, engine: Engine) -> None:
    with receiving(status(503)) as receiver:
        app.endpoint(receiver.url)
        first, second = app.event(), app.event()
        for attempt in range(1, 11):
            assert app.deliveries("attempts")[0] == (attempt - 1,)
            died = attempt == 10  # and the next had its first attempt in the same run
            assert run(engine) == Delivered(0, 1, int(died), 0)
            app.hurry()
        assert receiver.keys == [first] * 10 + [second]
        assert app.deliveries() == [
            ("dead", 10, 503, "answered 503"),
            ("pending", 1, 503, "answered 503"),
        ]
        assert queue.replay(engine, service=app.code, dry_run=True) == 1
        assert app.deliveries("state")[0] == ("dead",)
        assert queue.replay(engine, service=app.code) == 1
        receiver.behaviour = status(200)
        assert run(engine) == Delivered(2, 0, 0, 0)
        assert receiver.keys[-2:] == [first, second], "the one that was dead is the older one"
        assert queue.replay(engine, service=app.code) == 0
        assert queue.replay(engine, events=[uuid.UUID(second)]) == 1
        run(engine)
        assert receiver.keys[-1] == second


def test_attempts_spread_over_two_days() -> None:
    assert len(BACK_OFF_SECONDS) == 9, "with the first attempt ten"
    assert 46 * 3600 < sum(BACK_OFF_SECONDS) < 50 * 3600
    assert list(BACK_OFF_SECONDS) == sorted(BACK_OFF_SECONDS)
    waits = {back_off(1) for _ in range(50)}
    assert len(waits) > 10, "receivers that fell together do not rise together"
    assert all(wait and timedelta(seconds=54) <= wait <= timedelta(seconds=66) for wait in waits)
    assert back_off(10) is None


def test_a_failure_is_due_again_after_its_wait(app: App, engine: Engine) -> None:
    with receiving(reset) as receiver:
        app.endpoint(receiver.url)
        app.event()
        run(engine)
        waits = app.deliveries("extract(epoch from next_attempt_at - clock_timestamp())")
        assert 50 < waits[0][0] < 67
        assert run(engine) == Delivered(0, 0, 0, 0)


def test_a_later_event_of_a_subscription_waits_and_others_do_not(app: App, engine: Engine) -> None:
    failing = threading.Event()
    failing.set()
    with receiving() as receiver:
        app.endpoint(receiver.url)
        a1, a2 = app.event("a"), app.event("a")
        b1, b2, b3 = app.event("b"), app.event("b"), app.event("b")
        a3 = app.event("a")

        def stubborn(peer: object, heard: Heard) -> None:
            refused = heard.key == a1 and failing.is_set()
            peer.sendall(OK if not refused else OK.replace(b"200", b"500"))  # type: ignore[attr-defined]

        receiver.behaviour = stubborn
        run(engine)
        assert [key for key in receiver.keys if key != a1] == [b1, b2, b3]
        failing.clear()
        app.hurry()
        run(engine)
        assert receiver.keys[-3:] == [a1, a2, a3]


def test_an_endpoint_that_fails_does_not_hold_up_another_of_the_service(
    app: App, engine: Engine
) -> None:
    with receiving(status(500)) as bad, receiving() as good:
        app.endpoint(bad.url)
        app.endpoint(good.url)
        keys = [app.event("a"), app.event("a")]
        run(engine)
        assert good.keys == keys
        assert bad.keys == keys[:1]


def test_receivers_that_hang_do_not_hold_up_others(app: App, engine: Engine) -> None:
    """Five hang on sixteen subscriptions each: of sixteen places they hold ten for a second; the
    honest receiver's thirty subscriptions pass them by."""
    done: list[float] = []
    with receiving() as slow, receiving() as honest:
        slow.behaviour = slow.hang
        honest.behaviour = lambda peer, _: (done.append(time.monotonic()), peer.sendall(OK))[1]
        for number in range(5):
            app.endpoint(f"{slow.url}/{number}")
        for number in range(16):
            app.event(f"s{number}")
        other = App.make(engine)
        other.endpoint(honest.url)
        for number in range(30):
            other.event(f"s{number}")
        began = time.monotonic()
        report = run(engine, at_once=16, each=2)
        took = time.monotonic() - began
        assert len(done) == 30
        assert done[-1] - began < 4 < took, "the honest one was served first, the others later"
        assert slow.most_at_once <= 10
        assert (report.delivered, report.failed) == (30, 80)


def test_to_one_endpoint_only_so_many_go_at_once(app: App, engine: Engine) -> None:
    lock, now, seen = threading.Lock(), set[int](), list[int]()

    def slowly(peer: object, _: Heard) -> None:
        """Counted until before the answer: after it the next one may come at once."""
        with lock:
            now.add(id(peer))
            seen.append(len(now))
        threading.Event().wait(0.05)
        with lock:
            now.discard(id(peer))
        peer.sendall(OK)  # type: ignore[attr-defined]

    with receiving(slowly) as receiver:
        app.endpoint(receiver.url)
        for number in range(20):
            app.event(f"s{number}")
        assert run(engine, at_once=16, each=3).delivered == 20
        assert max(seen) == 3


def test_two_deliverers_at_once_deliver_once_and_in_order(
    app: App, engine: Engine, database_url: str
) -> None:
    def together(peer: object, _: Heard) -> None:
        """Nobody is answered before both are there: either has four under way at most."""
        until(lambda: receiver.most_at_once > 4, seconds=12)
        peer.sendall(OK)  # type: ignore[attr-defined]

    with receiving(together) as receiver:
        app.endpoint(receiver.url)
        app.endpoint(receiver.url + "/2")
        written = defaultdict(list)
        for number in range(240):
            name = f"s{number % 12}"
            written[name].append(app.event(name))
        processes = [delivering_process.start(database_url, at_once=4) for _ in range(2)]
        told = [process.communicate(timeout=60)[0] for process in processes]
        assert all(process.returncode == 0 for process in processes)
        heard: dict[str, list[str]] = defaultdict(list)
        for one in receiver.heard:
            heard[one.target].append(one.key)
        for target in ("/hooks", "/hooks/2"):
            assert len(heard[target]) == 240
            for keys in written.values():
                assert [key for key in heard[target] if key in keys] == keys
        assert Counter(app.deliveries("state, attempts")) == {("delivered", 1): 480}
        assert all("delivered=0" not in line for line in told), "both had a part in it"


def test_a_killed_deliverer_loses_nothing(app: App, engine: Engine, database_url: str) -> None:
    with receiving() as receiver:
        receiver.behaviour = receiver.hang
        app.endpoint(receiver.url)
        keys = [app.event("a"), app.event("a"), app.event("b")]
        process = delivering_process.start(database_url)
        until(lambda: len(receiver.heard) == 2)
        process.kill()
        assert process.wait(20) == -signal.SIGKILL
        assert app.deliveries("state, attempts") == [("pending", 0)] * 3
        receiver.behaviour = status(200)
        assert run(engine) == Delivered(0, 0, 0, 0), "the leases of the dead are kept"
        app.lapse()
        assert run(engine) == Delivered(3, 0, 0, 0)
        assert sorted(receiver.keys[:2]) == sorted([keys[0], keys[2]])
        assert Counter(receiver.keys) == {keys[0]: 2, keys[1]: 1, keys[2]: 2}
        assert receiver.keys.index(keys[1]) > receiver.keys.index(keys[0])


@pytest.mark.parametrize("seed", range(6))
def test_killed_at_random_everything_arrives_in_order(
    app: App, engine: Engine, database_url: str, seed: int
) -> None:
    """A receiver may hear an event twice, never after a later one of its subscription was heard
    for the first time."""
    dice = random.Random(seed)
    with receiving() as receiver:
        receiver.behaviour = lambda peer, _: (threading.Event().wait(0.005), peer.sendall(OK))[1]
        app.endpoint(receiver.url)
        written = defaultdict(list)
        for number in range(150):
            name = f"s{number % 5}"
            written[name].append(app.event(name))
        process = delivering_process.start(database_url, at_once=4)
        until(lambda: len(receiver.heard) >= dice.randint(1, 60))
        process.kill()
        process.wait(20)
        app.lapse()
        assert run(engine).delivered > 0
        firsts = list(dict.fromkeys(receiver.keys))
        assert len(firsts) == 150
        for keys in written.values():
            assert [key for key in firsts if key in keys] == keys
        assert Counter(app.deliveries("state")) == {("delivered",): 150}


def test_a_lease_that_ran_out_leaves_the_verdict_to_the_next(app: App, engine: Engine) -> None:
    app.endpoint("http://127.0.0.1:9/")
    app.event()
    (late,) = queue.claim(engine, 1, 1)
    assert queue.claim(engine, 1, 1) == []
    app.lapse()
    (second,) = queue.claim(engine, 1, 1)
    assert queue.settle(engine, late, 200, None) is None
    assert queue.settle(engine, second, 500, "answered 500") == "pending"
    assert app.deliveries() == [("pending", 1, 500, "answered 500")]


def test_an_endpoint_that_is_deleted_meanwhile_is_no_error(app: App, engine: Engine) -> None:
    def delete(peer: object, _: Heard) -> None:
        with engine.begin() as connection:
            connection.execute(
                sa.text("delete from ops.webhook_endpoint where service_code = :code"),
                {"code": app.code},
            )
        peer.sendall(OK)  # type: ignore[attr-defined]

    with receiving(delete) as receiver:
        app.endpoint(receiver.url)
        app.event("a")
        app.event("a")
        assert run(engine) == Delivered(0, 0, 0, 1)
        assert len(receiver.heard) == 1


def test_when_the_time_is_up_nothing_new_is_begun(app: App, engine: Engine) -> None:
    with receiving() as receiver:
        app.endpoint(receiver.url)
        app.event()
        assert deliver(engine, SENDER, Bounds(seconds=0)) == Delivered(0, 0, 0, 0)
        assert receiver.connections == 0


def test_a_target_inside_is_refused_at_delivery(app: App, engine: Engine) -> None:
    """An endpoint of the time when it was allowed."""
    closed = Sender(TargetPolicy(), ssl.create_default_context())
    with receiving() as receiver:
        app.endpoint(receiver.url)
        app.event()
        assert deliver(engine, closed) == Delivered(0, 1, 0, 0)
        assert receiver.connections == 0
    assert app.deliveries() == [("pending", 1, None, "target refused: https_is_required")]


def test_a_secret_shows_in_no_repr(app: App, engine: Engine) -> None:
    app.endpoint("http://127.0.0.1:9/")
    app.event()
    (claimed,) = queue.claim(engine, 1, 1)
    assert claimed.secret.startswith("whsec_")
    assert "whsec_" not in repr(claimed)
