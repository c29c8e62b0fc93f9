"""Lifecycle webhooks: what the mirror shows becomes events, and what is due is sent."""

from datetime import datetime

import dagster as dg

from dagster_project.resources import Warehouse
from exports.webhooks import queue
from exports.webhooks.delivery import Bounds, deliver, make_sender
from exports.webhooks.outbox import emit
from warehouse.webhooks import policy_of

_SHOWN = 20


class WebhookConfig(dg.Config):
    """`replay_dead` makes every dead letter due again first; nothing new is begun after `seconds`:
    what is still due then is the next run's."""

    replay_dead: bool = False
    seconds: float = 60.0


@dg.asset(
    key=["ops", "webhook_delivery"],
    group_name="webhooks",
    kinds={"postgres"},
    description="Starts, ends, invoices and payments, told to the apps that asked for them.",
    deps=[
        ["raw", "odoo_subscription"],
        ["raw", "odoo_order_line"],
        ["raw", "odoo_invoice"],
        ["raw", "odoo_invoice_line"],
    ],
)
def webhooks(config: WebhookConfig, warehouse: Warehouse) -> dg.MaterializeResult[None]:
    settings = warehouse.settings
    with warehouse.engine() as engine:
        replayed = queue.replay(engine) if config.replay_dead else 0
        emitted = emit(engine, datetime.now(settings.zone).date(), settings.zone)
        sender = make_sender(policy_of(settings))
        sent = deliver(engine, sender, Bounds(seconds=config.seconds))
        dead = queue.deliveries(engine, state="dead", most=_SHOWN)
    letters = [f"{one.event_id} {one.webhook_type} {one.url}: {one.last_error}" for one in dead]
    return dg.MaterializeResult(
        metadata={
            "events": emitted.events,
            "to endpoints": emitted.deliveries,
            "replayed": replayed,
            "delivered": sent.delivered,
            "failed": sent.failed,
            "died": sent.dead,
            "dead letters": letters,
        }
    )
