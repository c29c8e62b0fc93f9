"""The x_fc_* fields and models that the platform adds to Odoo. `bootstrap` makes them.

Numbers of the catalogue are text in Odoo: a manual float there is a binary double, and a price of
0.0023 must reach the rating exactly.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """One manual field.

    `selection` holds (value, label) pairs. `relation` is the model of a many2one or one2many,
    `relation_field` a one2many's many2one there. `on_delete` says what a many2one does when its
    record goes; unset it is restrict where required, else set null. `only_for` names the pricing
    models whose form shows the field; empty is all.
    """

    name: str
    label: str
    type: str = "char"
    relation: str | None = None
    relation_field: str | None = None
    selection: tuple[tuple[str, str], ...] = ()
    required: bool = False
    index: bool = False
    help: str = ""
    on_delete: str | None = None
    only_for: tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    name: str
    label: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Unique:
    """Rows of `table` with all of `columns` set are told apart by them and by `optional`: pairs of
    a column and the SQL literal that an unset one counts as."""

    table: str
    columns: tuple[str, ...]
    optional: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.columns, *(column for column, _unset in self.optional))


AGGREGATIONS = (
    ("sum", "Sum"),
    ("count", "Count"),
    ("max", "Maximum"),
    ("last", "Last"),
    ("unique", "Unique count"),
    ("weighted_sum", "Weighted sum"),
)
ROUNDINGS = (("round", "Round"), ("ceil", "Up"), ("floor", "Down"))
# The pricing models as the rating knows them; a plan's minimum commitment is a charge as well.
MINIMUM_COMMITMENT = "minimum_commitment"
CHARGE_MODELS = (
    ("standard", "Standard"),
    ("package", "Package"),
    ("graduated", "Graduated"),
    ("graduated_percentage", "Graduated percentage"),
    ("volume", "Volume"),
    ("percentage", "Percentage"),
    ("dynamic", "Dynamic"),
    (MINIMUM_COMMITMENT, "Minimum commitment"),
)
TIERED = ("graduated", "graduated_percentage", "volume")
# What a filter says for any value that the metric knows, in Lago's word.
ALL_FILTER_VALUES = "__ALL_FILTER_VALUES__"
BILLING_TIMES = (("calendar", "Calendar"), ("anniversary", "Anniversary"))

NATIVE_FIELDS: dict[str, tuple[Field, ...]] = {
    "sale.order": (
        Field("x_fc_service_code", "Usage: service", index=True),
        Field("x_fc_external_id", "Usage: subscription id in the app", index=True),
        Field("x_fc_external_account_id", "Usage: account id in the app", index=True),
        Field("x_fc_plan_code", "Usage: plan code", index=True),
        Field("x_fc_command_key", "Usage: command that made it", index=True),
        Field(
            "x_fc_dual_run_key",
            "Usage: dual-run draft of",
            index=True,
            help="Subscription and first day of the period. A draft to compare: do not confirm it",
        ),
        Field("x_fc_billing_time", "Usage: billing time", "selection", selection=BILLING_TIMES),
        Field("x_fc_trial_end", "Usage: last day of the trial", "date"),
        Field(
            "x_fc_pauses",
            "Usage: paused days",
            help="First and last days, e.g. 2026-03-05..2026-03-10, 2026-05-01..",
        ),
    ),
    "res.partner": (
        # Tells a partner whose account link was not made yet from one that was never made.
        Field("x_fc_account_key", "Usage: account it was made for", index=True),
    ),
    "sale.order.line": (
        Field("x_fc_line_key", "Usage: line key", index=True),
        Field("x_fc_dual_run", "Usage: on a dual-run draft", "boolean"),
        Field("x_fc_period_start", "Usage: period start", "date"),
        Field("x_fc_period_end", "Usage: period end (exclusive)", "date"),
    ),
}

METRIC = Model(
    "x_fc_metric",
    "Usage metric",
    (
        Field("x_name", "Name", required=True),
        Field("x_code", "Code", required=True, index=True),
        Field("x_aggregation", "Aggregation", "selection", selection=AGGREGATIONS, required=True),
        Field("x_field_name", "Property that holds the value", help="Lago events; default: value"),
        Field("x_unit", "Unit", help="As the customer reads it, e.g. hours"),
        Field("x_recurring", "Recurring", "boolean", help="A period begins where the last ended"),
        Field("x_rounding_function", "Rounding", "selection", selection=ROUNDINGS),
        Field("x_rounding_precision", "Rounding digits", help="-2 is hundreds; empty is 0"),
        Field(
            "x_metric_filters",
            "Filter values",
            help='JSON, property to values: {"region": ["ca", "us"]}',
        ),
    ),
)

_PRICED = ("standard", "package")
CHARGE = Model(
    "x_fc_charge",
    "Usage charge",
    (
        Field("x_name", "Name on the invoice", required=True),
        Field("x_code", "Code", required=True, index=True),
        Field("x_plan_code", "Plan code", required=True, index=True),
        Field(
            "x_metric_id",
            "Metric",
            "many2one",
            relation="x_fc_metric",
            on_delete="restrict",
            help="Empty for a minimum commitment alone",
        ),
        Field(
            "x_charge_model", "Pricing model", "selection", selection=CHARGE_MODELS, required=True
        ),
        Field("x_unit_price", "Unit price", help="A decimal, e.g. 0.0023", only_for=_PRICED),
        Field("x_included", "Included quantity", help="A decimal; empty is 0"),
        Field("x_currency", "Currency", required=True, help="ISO 4217, e.g. CAD"),
        Field("x_product_id", "Product", "many2one", relation="product.product", required=True),
        Field("x_valid_from", "Valid from", "date", help="Prices the periods that begin then"),
        Field("x_valid_to", "Valid to", "date", help="Last day; empty is for ever"),
        Field("x_variant", "Variant", help="Short code of a filter variant; empty is the default"),
        Field("x_filter", "Filter", help='JSON, property to values: {"region": ["ca"]}'),
        Field("x_pricing_group_keys", "One line per", help="Properties, separated by commas"),
        Field("x_package_size", "Package size", only_for=("package",)),
        Field("x_free_units", "Free units", only_for=("package",)),
        Field("x_rate", "Rate, %", only_for=("percentage",)),
        Field("x_fixed_amount", "Fee per event", only_for=("percentage",)),
        Field("x_free_events", "Free events", only_for=("percentage",)),
        Field("x_free_amount", "Free amount", only_for=("percentage",)),
        Field("x_transaction_min", "Minimum per event", only_for=("percentage",)),
        Field("x_transaction_max", "Maximum per event", only_for=("percentage",)),
        Field("x_prorated", "Prorated", "boolean", help="Recurring metrics only"),
        Field("x_min_amount", "Minimum per period", help="Over all variants and groups"),
        Field(
            "x_tier_ids",
            "Tiers",
            "one2many",
            relation="x_fc_charge_tier",
            relation_field="x_charge_id",
            only_for=TIERED,
        ),
    ),
)

CHARGE_TIER = Model(
    "x_fc_charge_tier",
    "Usage charge tier",
    (
        Field(
            "x_charge_id",
            "Charge",
            "many2one",
            relation="x_fc_charge",
            required=True,
            index=True,
            on_delete="cascade",
        ),
        Field("x_from", "From", required=True, help="A decimal; the first tier's is 0"),
        Field("x_to", "To", help="Inclusive; empty on the last tier"),
        Field("x_unit_price", "Unit price"),
        Field("x_flat_amount", "Flat amount", help="Once, when the tier is reached"),
        Field("x_rate", "Rate, %", help="Graduated percentage"),
    ),
)

ACCOUNT_LINK = Model(
    "x_fc_account_link",
    "Usage account link",
    (
        Field("x_name", "Name"),
        Field("x_service_code", "Service", required=True, index=True),
        Field("x_external_account_id", "Account id in the app", required=True, index=True),
        Field("x_partner_id", "Customer", "many2one", relation="res.partner", required=True),
    ),
)

# In an order in which a model's many2ones find theirs.
CUSTOM_MODELS: tuple[Model, ...] = (METRIC, CHARGE, CHARGE_TIER, ACCOUNT_LINK)
# Edited inside the record they belong to, so they need no screens of their own.
INNER_MODELS = frozenset({CHARGE_TIER.name})

# Odoo enforces no uniqueness on a manual field by itself; this index does (odoo.md: measured).
UNIQUE_INDEXES: tuple[Unique, ...] = (
    Unique("sale_order_line", ("x_fc_line_key",)),
    Unique("sale_order", ("x_fc_command_key",)),
    Unique("sale_order", ("x_fc_dual_run_key",)),
    Unique("res_partner", ("x_fc_account_key",)),
    Unique("x_fc_metric", ("x_code",)),
    Unique(
        "x_fc_charge",
        ("x_plan_code", "x_code"),
        (("x_variant", "''"), ("x_valid_from", "'-infinity'")),
    ),
    Unique("x_fc_account_link", ("x_service_code", "x_external_account_id")),
)
# Once made by an earlier bootstrap: a charge had neither variants nor versions.
RETIRED_INDEXES = ("fusion_uq_x_fc_charge_x_plan_code",)
