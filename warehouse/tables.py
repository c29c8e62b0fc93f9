"""The tables of `raw` (landed as received) and `ops` (what we decided and did). Marts are dbt's.

Money and quantities are unconstrained `numeric`: what an app sent survives digit for digit.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB
from sqlalchemy.types import UserDefinedType

metadata = sa.MetaData()

_now = sa.text("clock_timestamp()")


class XID8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "xid8"


def _timestamp(name: str, *, default: bool = False, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(
        name,
        sa.TIMESTAMP(timezone=True),
        nullable=nullable,
        server_default=_now if default else None,
    )


# --- raw: counters ---------------------------------------------------------------------------

ingest_batch = sa.Table(
    "ingest_batch",
    metadata,
    sa.Column("batch_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    # The writing transaction. A build takes the batches below the oldest transaction still
    # running: ids and clocks are handed out before commit, so "newer than last seen" loses rows.
    sa.Column("xid", XID8, nullable=False, server_default=sa.text("pg_current_xact_id()")),
    sa.Column("service_code", sa.Text),
    sa.Column("counters", sa.Integer, nullable=False),
    sa.Column("duplicates", sa.Integer, nullable=False, server_default="0"),
    _timestamp("received_at", default=True),
    schema="raw",
)

usage_counter = sa.Table(
    "usage_counter",
    metadata,
    sa.Column("service_code", sa.Text, primary_key=True),
    # '' where a Lago event names no subscription: still deduplicated.
    sa.Column("external_subscription_id", sa.Text, primary_key=True),
    sa.Column("transaction_id", sa.Text, primary_key=True),
    sa.Column("batch_id", sa.BigInteger, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    # delta: what happened in the window; cumulative: a meter reading at window_end;
    # event: one Lago event, whose value the metric finds in `properties`.
    sa.Column("kind", sa.Text, nullable=False),
    _timestamp("window_start"),
    _timestamp("window_end"),
    sa.Column("value", sa.Numeric),
    sa.Column("revision", sa.Integer, nullable=False, server_default="0"),
    sa.Column("properties", JSONB, nullable=False, server_default="{}"),
    sa.Column("precise_total_amount_cents", sa.Numeric),
    sa.Column("payload_hash", BYTEA, nullable=False),
    _timestamp("received_at", default=True),
    sa.CheckConstraint("kind in ('delta', 'cumulative', 'event')", name="usage_counter_kind"),
    sa.CheckConstraint("window_end >= window_start", name="usage_counter_window"),
    # Batch ids grow with the table, so block ranges find them; a btree entry a counter costs more.
    sa.Index(
        "usage_counter_batch_range",
        "batch_id",
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on", "pages_per_range": 32},
    ),
    # Apps report in order of time, so block ranges find a day as well.
    sa.Index(
        "usage_counter_window_range",
        "window_start",
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on", "pages_per_range": 32},
    ),
    # A meter's reading before and after, however long ago; a delta or an event costs no entry.
    sa.Index(
        "usage_counter_readings",
        "service_code",
        "external_subscription_id",
        "code",
        "window_end",
        "window_start",
        postgresql_where=sa.text("kind = 'cumulative'"),
    ),
    sa.Index(
        "usage_counter_revisions",
        "service_code",
        "external_subscription_id",
        "code",
        "window_start",
        postgresql_where=sa.text("revision > 0"),
    ),
    schema="raw",
)

event_conflict = sa.Table(
    "event_conflict",
    metadata,
    sa.Column("conflict_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("service_code", sa.Text, nullable=False),
    sa.Column("external_subscription_id", sa.Text, nullable=False),
    sa.Column("transaction_id", sa.Text, nullable=False),
    sa.Column("payload", JSONB, nullable=False),
    sa.Column("payload_hash", BYTEA, nullable=False),
    _timestamp("received_at", default=True),
    # A client that retries its contradiction for ever does not fill the table.
    sa.UniqueConstraint(
        "service_code",
        "external_subscription_id",
        "transaction_id",
        "payload_hash",
        name="event_conflict_once",
    ),
    schema="raw",
)

# --- raw: Odoo's mirror ----------------------------------------------------------------------


def _odoo_table(name: str) -> sa.Table:
    """One Odoo model, as its RPC returned each record; dbt's staging gives it types."""
    return sa.Table(
        f"odoo_{name}",
        metadata,
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        _timestamp("write_date"),
        sa.Column("record", JSONB, nullable=False),
        _timestamp("mirrored_at", default=True),
        # Set when an id sweep no longer finds the record; a deleted order line stays explainable.
        _timestamp("deleted_at", nullable=True),
        schema="raw",
    )


ODOO_TABLES = {
    name: _odoo_table(name)
    for name in (
        "account_link",
        "base_line",
        "charge",
        "charge_tier",
        "currency",
        "currency_rate",
        "invoice",
        "invoice_line",
        "metric",
        "order_line",
        "partner",
        "plan",
        "product",
        "subscription",
        "tax",
    )
}

# An app asks for its own customers and subscriptions, by their ids there.
for _name, _table, _fields in (
    ("odoo_account_link_of_app", "account_link", ("x_service_code", "x_external_account_id")),
    ("odoo_subscription_of_app", "subscription", ("x_fc_service_code", "x_fc_external_id")),
):
    sa.Index(_name, *(ODOO_TABLES[_table].c.record[field].astext for field in _fields))

# --- raw: what apps ask of Odoo --------------------------------------------------------------

command = sa.Table(
    "command",
    metadata,
    sa.Column("command_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("service_code", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # customer | subscription | termination
    sa.Column("external_customer_id", sa.Text, nullable=False),
    sa.Column("external_id", sa.Text, nullable=False),  # of the customer or the subscription
    sa.Column("payload", JSONB, nullable=False),
    # Over what the payload means: a repeat of the newest command of its kind is no new one.
    sa.Column("payload_hash", BYTEA, nullable=False),
    _timestamp("received_at", default=True),
    sa.CheckConstraint("kind in ('customer', 'subscription', 'termination')", name="command_kind"),
    sa.Index("command_of_customer", "service_code", "external_customer_id", "command_id"),
    sa.Index("command_of_subject", "service_code", "kind", "external_id", "command_id"),
    schema="raw",
)

# --- raw: costs and the apps' own billing ----------------------------------------------------

provider_cost = sa.Table(
    "provider_cost",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("cost_key", sa.Text, primary_key=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("sku", sa.Text, nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("service_code", sa.Text),  # null: shared by all services
    # Set where the provider bills per account; null is a cost the whole service shares.
    sa.Column("external_account_id", sa.Text),
    sa.Column("quantity", sa.Numeric, nullable=False),
    sa.Column("amount", sa.Numeric, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("file", sa.Text, nullable=False),
    _timestamp("loaded_at", default=True),
    sa.Index("provider_cost_day", "day"),
    schema="raw",
)

# What an app's old biller charged, credited or paid back: a document whose content changed is a new
# version, and the old one stays. The greatest version counts.
app_invoice = sa.Table(
    "app_invoice",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),  # lago | stripe
    sa.Column("external_invoice_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),  # invoice | credit_note | refund
    sa.Column("service_code", sa.Text, nullable=False),
    sa.Column("invoice_number", sa.Text),
    sa.Column("external_account_id", sa.Text),
    sa.Column("corrects_invoice_id", sa.Text),  # the invoice that a credit note or refund is about
    sa.Column("status", sa.Text, nullable=False),  # the biller's word
    sa.Column("is_billed", sa.Boolean, nullable=False),  # false: a draft, or void
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("issued_on", sa.Date),
    # As the document states them, in major units; null where it does not. Credit notes and refunds
    # are negative. Net is after discounts and before tax.
    sa.Column("net_amount", sa.Numeric),
    sa.Column("discount_amount", sa.Numeric),
    sa.Column("tax_amount", sa.Numeric),
    sa.Column("total_amount", sa.Numeric),
    sa.Column("content_sha256", BYTEA, nullable=False),  # of the document, keys sorted
    sa.Column("payload", JSONB, nullable=False),
    sa.Column("file", sa.Text, nullable=False),
    _timestamp("loaded_at", default=True),
    sa.CheckConstraint("kind in ('invoice', 'credit_note', 'refund')", name="app_invoice_kind"),
    schema="raw",
)

app_billing_line = sa.Table(
    "app_billing_line",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),  # lago | stripe
    sa.Column("external_invoice_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, server_default="1"),  # of its app_invoice
    sa.Column("external_line_id", sa.Text, primary_key=True),
    sa.Column("service_code", sa.Text, nullable=False),
    sa.Column("invoice_number", sa.Text),
    sa.Column("external_account_id", sa.Text),
    sa.Column("external_subscription_id", sa.Text),
    sa.Column("item_type", sa.Text, nullable=False),  # charge | subscription | other
    sa.Column("metric_code", sa.Text),
    _timestamp("period_from", nullable=True),
    _timestamp("period_to", nullable=True),
    sa.Column("quantity", sa.Numeric),
    sa.Column("amount", sa.Numeric, nullable=False),  # net of tax and discounts, major units
    sa.Column("discount_amount", sa.Numeric, nullable=False, server_default="0"),  # not in amount
    sa.Column("is_proration", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("tax_amount", sa.Numeric, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("issued_on", sa.Date),
    sa.Column("payload", JSONB, nullable=False),
    sa.Column("file", sa.Text, nullable=False),
    _timestamp("loaded_at", default=True),
    schema="raw",
)

# --- ops -------------------------------------------------------------------------------------

service = sa.Table(
    "service",
    metadata,
    sa.Column("service_code", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    _timestamp("created_at", default=True),
    sa.CheckConstraint(
        "service_code ~ '^[a-z][a-z0-9_]{1,30}$'", name="service_code_is_a_short_name"
    ),
    schema="ops",
)

api_key = sa.Table(
    "api_key",
    metadata,
    sa.Column("key_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("service_code", sa.Text, sa.ForeignKey("ops.service.service_code"), nullable=False),
    sa.Column("sha256", BYTEA, nullable=False, unique=True),
    sa.Column("hint", sa.Text, nullable=False),  # the key's last four characters
    _timestamp("created_at", default=True),
    _timestamp("expires_at", nullable=True),
    _timestamp("revoked_at", nullable=True),
    schema="ops",
)

billing_run = sa.Table(
    "billing_run",
    metadata,
    sa.Column("run_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("run_date", sa.Date, nullable=False),
    sa.Column("service_code", sa.Text),  # null: every service
    sa.Column("build_id", sa.Text, nullable=False),  # which dbt build it billed from
    # The build took the batches of every transaction below this one (stg_usage__snapshot).
    sa.Column("high_water_xid", XID8, nullable=False),
    sa.Column("catalog_sha256", sa.Text, nullable=False),
    sa.Column("code_version", sa.Text, nullable=False),
    sa.Column("lines", sa.Integer, nullable=False),
    sa.Column("adjustments", sa.Integer, nullable=False),
    sa.Column("amount", sa.Numeric, nullable=False),
    sa.Column("lines_sha256", sa.Text, nullable=False),
    # What stood on the other side of the difference; null on runs before revision 0004.
    sa.Column("lines_desired", sa.BigInteger),
    sa.Column("counters_rated", sa.BigInteger),
    _timestamp("run_at", default=True),
    schema="ops",
)

billed_line = sa.Table(
    "billed_line",
    metadata,
    sa.Column("line_key", sa.Text, primary_key=True),
    # The line of fct_rated_lines it bills; an adjustment is `<rated_line_key>~<adjustment_no>`.
    sa.Column("rated_line_key", sa.Text, nullable=False),
    sa.Column("adjustment_no", sa.Integer, nullable=False),
    sa.Column("run_id", sa.BigInteger, sa.ForeignKey("ops.billing_run.run_id"), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),  # period | late_usage | correction | void
    sa.Column("service_code", sa.Text, nullable=False),
    sa.Column("account_key", sa.Text, nullable=False),
    sa.Column("subscription_key", sa.Text, nullable=False),
    sa.Column("odoo_order_id", sa.BigInteger, nullable=False),
    sa.Column("plan_code", sa.Text, nullable=False),
    sa.Column("metric_code", sa.Text),  # null: a plan's minimum commitment
    sa.Column("charge_key", sa.Text, nullable=False),
    sa.Column("period_start", sa.Date, nullable=False),
    sa.Column("period_end", sa.Date, nullable=False),  # exclusive
    sa.Column("tier", sa.Integer, nullable=False),
    # Differences to what was billed before; on the first line of a period, the whole.
    sa.Column("quantity_used", sa.Numeric, nullable=False),
    sa.Column("quantity_included", sa.Numeric, nullable=False),
    sa.Column("quantity_billed", sa.Numeric, nullable=False),
    sa.Column("unit_price", sa.Numeric),  # null where no price per unit made the amount
    sa.Column("amount", sa.Numeric, nullable=False),
    sa.Column("amount_precise", sa.Numeric, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    # What the line's text and `explain` need, as it was when it was billed: a charge that left
    # the catalogue can still be credited under its name. Null on lines before revision 0004.
    sa.Column("charge_model", sa.Text),
    sa.Column("variant", sa.Text),
    sa.Column("group_key", sa.Text),
    sa.Column("flat_amount", sa.Numeric),
    sa.Column("package_size", sa.Numeric),
    sa.Column("odoo_charge_id", sa.BigInteger),
    sa.Column("charge_name", sa.Text),
    sa.Column("unit", sa.Text),
    sa.Column("odoo_product_id", sa.BigInteger),
    _timestamp("billed_at", default=True),
    sa.UniqueConstraint("rated_line_key", "adjustment_no", name="billed_line_once"),
    schema="ops",
)

# What each incremental roll-up of dbt has taken from raw, written in the transaction that changes
# the roll-up. Deleting a row makes the next build roll everything up anew.
rollup_progress = sa.Table(
    "rollup_progress",
    metadata,
    sa.Column("rollup", sa.Text, primary_key=True),
    sa.Column("rules", sa.Integer, nullable=False),  # version of the SQL that made its rows
    sa.Column("high_water_xid", XID8, nullable=False),
    sa.Column("batches", sa.BigInteger, nullable=False),  # as many lay below that line
    sa.Column("last_run_id", sa.BigInteger, nullable=False),  # newest billing run it knew, or 0
    sa.Column("definitions", JSONB, nullable=False),  # metric code -> what it was rolled up by
    _timestamp("rolled_up_at", default=True),
    schema="ops",
)

# How far the rating got: written by dbt's last model, where all tests before it passed.
rating_progress = sa.Table(
    "rating_progress",
    metadata,
    sa.Column("only_row", sa.Boolean, primary_key=True, server_default="true"),
    sa.Column("rated_xid", XID8, nullable=False),
    sa.Column("rules", sa.Text, nullable=False),  # hash of catalogue, settings and code
    _timestamp("rated_at", default=True),
    sa.CheckConstraint("only_row", name="rating_progress_one_row"),
    schema="ops",
)

rated_subscription = sa.Table(
    "rated_subscription",
    metadata,
    sa.Column("service_code", sa.Text, primary_key=True),
    sa.Column("external_subscription_id", sa.Text, primary_key=True),
    sa.Column("terms", sa.Text, nullable=False),  # hash of what it was rated by
    sa.Column("periods_until", sa.Date),
    schema="ops",
)

# How far each Odoo model has been mirrored. Deleting a row makes the next pass read it whole.
odoo_mirror = sa.Table(
    "odoo_mirror",
    metadata,
    sa.Column("table_name", sa.Text, primary_key=True),  # raw.odoo_<table_name>
    sa.Column("odoo", sa.Text, nullable=False),  # which database it was read from
    sa.Column("fields", ARRAY(sa.Text), nullable=False),  # others now, and all is read again
    # When the last complete pass began by our clock, Odoo's had come to `written_until` or further;
    # all that was committed by then has landed.
    _timestamp("written_until", nullable=True),
    _timestamp("read_at", nullable=True),
    _timestamp("full_at", nullable=True),  # when the last complete pass over everything began
    # The pass under way: when it began, from which write_date on it reads (null: everything), up
    # to which id it has landed.
    _timestamp("started_at", nullable=True),
    _timestamp("since", nullable=True),
    sa.Column("last_id", sa.BigInteger, nullable=False, server_default="0"),
    schema="ops",
)

odoo_push = sa.Table(
    "odoo_push",
    metadata,
    sa.Column("line_key", sa.Text, sa.ForeignKey("ops.billed_line.line_key"), primary_key=True),
    # planned: due; sent: asked of Odoo, the answer not yet settled; drafted: on a quotation that
    # bills nothing (dual run), read back and equal to the cent; verified: the same on the
    # subscription's order; invoiced: on a posted invoice, equal with its tax; refused, differs:
    # `problem` names why, `reason` carries Odoo's words.
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("problem", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("odoo_order_id", sa.BigInteger, nullable=False),
    sa.Column("odoo_line_id", sa.BigInteger),
    sa.Column("subtotal", sa.Numeric),
    sa.Column("tax", sa.Numeric),
    _timestamp("pushed_at", default=True),
    sa.CheckConstraint(
        "state in ('planned', 'sent', 'drafted', 'verified', 'invoiced', 'refused', 'differs')",
        name="odoo_push_state",
    ),
    schema="ops",
)

# What became of a command in Odoo; commands of one customer are applied in their order.
command_state = sa.Table(
    "command_state",
    metadata,
    sa.Column(
        "command_id", sa.BigInteger, sa.ForeignKey("raw.command.command_id"), primary_key=True
    ),
    # pending; applied; retrying: Odoo was away, again at next_attempt_at; ambiguous: several
    # partners fit; refused: `reason` says why.
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    _timestamp("next_attempt_at", nullable=True),
    sa.Column("odoo_partner_id", sa.BigInteger),
    sa.Column("odoo_order_id", sa.BigInteger),
    _timestamp("applied_at", nullable=True),
    _timestamp("updated_at", default=True),
    sa.CheckConstraint(
        "state in ('pending', 'applied', 'retrying', 'ambiguous', 'refused')",
        name="command_state_state",
    ),
    schema="ops",
)

# Where a service hears of its customers' lifecycle.
webhook_endpoint = sa.Table(
    "webhook_endpoint",
    metadata,
    sa.Column(
        "endpoint_id", sa.Uuid, primary_key=True, server_default=sa.text("gen_random_uuid()")
    ),
    sa.Column("service_code", sa.Text, sa.ForeignKey("ops.service.service_code"), nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("name", sa.Text),
    sa.Column("signature_algo", sa.Text, nullable=False),
    sa.Column("event_types", ARRAY(sa.Text)),  # null: all
    sa.Column("secret", sa.Text, nullable=False),  # signs, so it cannot be kept as a hash
    _timestamp("created_at", default=True),
    _timestamp("updated_at", default=True),
    sa.UniqueConstraint("service_code", "url", name="webhook_endpoint_once"),
    sa.CheckConstraint("signature_algo in ('hmac')", name="webhook_endpoint_algo"),
    schema="ops",
)

# Services that are told: from their first pass on, everything that happens is written down.
webhook_service = sa.Table(
    "webhook_service",
    metadata,
    sa.Column("service_code", sa.Text, sa.ForeignKey("ops.service.service_code"), primary_key=True),
    _timestamp("since", default=True),
    schema="ops",
)

# The outbox: what happened, written once, whoever may listen. What nobody was to hear, such as
# all that had happened before a service's first endpoint, has no delivery.
webhook_event = sa.Table(
    "webhook_event",
    metadata,
    sa.Column("event_id", sa.Uuid, primary_key=True, server_default=sa.text("gen_random_uuid()")),
    sa.Column("event_no", sa.BigInteger, sa.Identity(always=True), nullable=False, unique=True),
    # What happened to what, e.g. `invoice.created:odoo:17`: the same change is told once.
    sa.Column("source_key", sa.Text, nullable=False, unique=True),
    sa.Column("service_code", sa.Text, sa.ForeignKey("ops.service.service_code"), nullable=False),
    sa.Column("webhook_type", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),  # subscription:<external id> | invoice:<id>
    # started, terminated | created, voided, succeeded, failed, overdue
    sa.Column("fact", sa.Text, nullable=False),
    sa.Column("ordering_key", sa.Text, nullable=False),  # the subscription
    sa.Column("payload", sa.Text, nullable=False),  # the body, byte for byte as it is signed
    _timestamp("created_at", default=True),
    # Every pass asks what was told of each subject last, and needs no payload for it.
    sa.Index(
        "webhook_event_told",
        "service_code",
        "subject",
        "event_no",
        postgresql_include=["fact", "ordering_key"],
    ),
    schema="ops",
)

webhook_delivery = sa.Table(
    "webhook_delivery",
    metadata,
    sa.Column(
        "endpoint_id",
        sa.Uuid,
        sa.ForeignKey("ops.webhook_endpoint.endpoint_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("event_id", sa.Uuid, sa.ForeignKey("ops.webhook_event.event_id"), primary_key=True),
    # The event's, so that who comes first is read off one index.
    sa.Column("event_no", sa.BigInteger, nullable=False),
    sa.Column("ordering_key", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="pending"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    _timestamp("next_attempt_at", default=True),
    # Who is at it, and until when: after that it is anybody's again.
    sa.Column("lease", sa.Uuid),
    _timestamp("leased_until", nullable=True),
    sa.Column("last_status", sa.Integer),
    sa.Column("last_error", sa.Text),
    _timestamp("first_attempt_at", nullable=True),
    _timestamp("delivered_at", nullable=True),
    sa.CheckConstraint("state in ('pending', 'delivered', 'dead')", name="webhook_delivery_state"),
    sa.Index(
        "webhook_delivery_queue",
        "endpoint_id",
        "ordering_key",
        "event_no",
        postgresql_where=sa.text("state = 'pending'"),
    ),
    schema="ops",
)

# Which metric's usage a shared cost follows. SKU `*` stands for every other SKU of the provider.
cost_driver = sa.Table(
    "cost_driver",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("metric_code", sa.Text, nullable=False),
    _timestamp("updated_at", default=True),
    schema="ops",
)

# Cost files of the drop folder that were loaded, by name and content: not loaded again, so that a
# correction which came in another way stays.
dropped_file = sa.Table(
    "dropped_file",
    metadata,
    sa.Column("file", sa.Text, primary_key=True),
    sa.Column("content_sha256", BYTEA, primary_key=True),
    _timestamp("loaded_at", default=True),
    schema="ops",
)

# Who bills a service's periods, as it was decided, one row a decision; nothing is changed or taken
# out. A period is under the newest decision that is in force on its first day (`effective_from`
# null: always); under none it is in shadow.
cutover = sa.Table(
    "cutover",
    metadata,
    sa.Column("change_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("service_code", sa.Text, sa.ForeignKey("ops.service.service_code"), nullable=False),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("effective_from", sa.Date),
    sa.Column("changed_by", sa.Text, nullable=False),
    sa.Column("note", sa.Text),
    sa.Column("gate", JSONB),  # what the gate said then
    _timestamp("changed_at", default=True),
    sa.CheckConstraint("phase in ('shadow', 'dual_run', 'live', 'retired')", name="cutover_phase"),
    sa.Index("cutover_of_service", "service_code", "change_id"),
    schema="ops",
)

month_close = sa.Table(
    "month_close",
    metadata,
    sa.Column("month", sa.Date, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("files", ARRAY(sa.Text), nullable=False),
    sa.Column("lines", sa.Integer, nullable=False),
    sa.Column("amount", sa.Numeric, nullable=False),
    sa.Column("lines_sha256", sa.Text, nullable=False),
    sa.Column("margin_sha256", sa.Text),
    sa.Column("code_version", sa.Text, nullable=False),
    _timestamp("closed_at", default=True),
    schema="ops",
)
