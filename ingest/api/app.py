"""The application: routes, keys, errors and OpenAPI around one database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ASGIApp

from ingest.api.auth import BearerAuth, Keys
from ingest.api.catalogue import (
    get_billable_metric,
    get_billable_metrics,
    get_plan,
    get_plans,
)
from ingest.api.cost_bodies import REQUIRED as COST_FIELDS
from ingest.api.costs import post_costs
from ingest.api.customer_bodies import REQUIRED as CUSTOMER_FIELDS
from ingest.api.customers import get_customer, get_customers, post_customer
from ingest.api.database import Database
from ingest.api.direct import Direct, Endpoint
from ingest.api.events import (
    accept_event,
    accept_events,
    get_event,
    get_events,
    post_event,
    post_events,
)
from ingest.api.health import Probe, code_version, get_health
from ingest.api.limits import RateLimit
from ingest.api.marts import Company
from ingest.api.metrics import Metrics, get_metrics
from ingest.api.observe import Observer
from ingest.api.payloads import (
    REQUIRED,
    EventRequest,
    EventsRequest,
    UsageRequest,
)
from ingest.api.problems import EXCEPTION_HANDLERS
from ingest.api.subscription_bodies import REQUIRED as SUBSCRIPTION_FIELDS
from ingest.api.subscriptions import (
    delete_subscription,
    get_subscription,
    get_subscriptions,
    post_subscription,
)
from ingest.api.usage import accept_usage, post_usage
from ingest.api.usage_reading import get_current_usage, get_past_usage
from ingest.api.webhook_endpoints import (
    Receivers,
    delete_webhook_endpoint,
    get_webhook_endpoint,
    get_webhook_endpoints,
    post_webhook_endpoint,
    put_webhook_endpoint,
)
from ingest.api.webhook_payloads import REQUIRED as WEBHOOK_FIELDS
from ingest.api.writer import Writer
from warehouse.settings import Settings
from warehouse.webhooks import policy_of

PREFIXES = ("/api/billing/v1", "/api/v1")  # the second is what Lago's own clients ask for
_MEGABYTE = 1024 * 1024


class Parts(NamedTuple):
    """What the routes of one worker share."""

    settings: Settings
    database: Database
    metrics: Metrics
    writer: Writer
    keys: Keys
    rate_limit: RateLimit | None


def create_endpoint(settings: Settings, database_url: str, metrics: Metrics) -> Endpoint:
    """The endpoint on the warehouse at `database_url`. Connects when the first request needs it."""
    parts = _parts(settings, database_url, metrics)
    return Endpoint(
        _framework(parts),
        _direct_routes(parts),
        parts.keys,
        parts.rate_limit,
        settings.max_body_mb * _MEGABYTE,
        Observer(metrics),
    )


def create_app(settings: Settings, database_url: str) -> Litestar:
    """The same as Litestar alone knows it: all routes, and the OpenAPI document."""
    return _framework(_parts(settings, database_url, Metrics()))


def _parts(settings: Settings, database_url: str, metrics: Metrics) -> Parts:
    database = Database(database_url)
    rate = settings.rate_limit_per_second
    return Parts(
        settings,
        database,
        metrics,
        Writer(database, metrics),
        Keys(database),
        RateLimit(rate) if rate else None,
    )


def _direct_routes(parts: Parts) -> dict[str, Direct]:
    database, writer = parts.database, parts.writer
    strict = parts.settings.lago_strict_duplicates

    event = partial(accept_event, database=database, writer=writer, strict=strict)
    events = partial(accept_events, database=database, writer=writer, strict=strict)
    usage = partial(accept_usage, database=database, writer=writer)
    routes = {
        "/usage": Direct(UsageRequest, usage),
        "/events": Direct(EventRequest, event),
        "/events/batch": Direct(EventsRequest, events),
    }
    return {prefix + path: route for prefix in PREFIXES for path, route in routes.items()}


def _framework(parts: Parts) -> Litestar:
    settings, database, metrics, writer, keys, rate_limit = parts
    probe = Probe(database)
    strict = settings.lago_strict_duplicates
    company = Company(settings.company_timezone, settings.company_currency)
    receivers = Receivers(policy_of(settings))

    def bearer(app: ASGIApp) -> ASGIApp:
        return BearerAuth(app, keys, rate_limit)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        yield
        receivers.close()
        await writer.close()
        await database.close()

    routes = [
        post_usage,
        post_event,
        post_events,
        get_event,
        get_events,
        get_current_usage,
        get_past_usage,
        post_costs,
        get_billable_metrics,
        get_billable_metric,
        get_plans,
        get_plan,
        post_customer,
        get_customers,
        get_customer,
        post_subscription,
        get_subscriptions,
        get_subscription,
        delete_subscription,
        post_webhook_endpoint,
        get_webhook_endpoints,
        get_webhook_endpoint,
        put_webhook_endpoint,
        delete_webhook_endpoint,
        get_health,
    ]
    app = Litestar(
        route_handlers=[
            *(Router(prefix, route_handlers=routes, middleware=[bearer]) for prefix in PREFIXES),
            get_health,
            get_metrics,
        ],
        dependencies={
            "database": Provide(lambda: database, sync_to_thread=False),
            "metrics": Provide(lambda: metrics, sync_to_thread=False),
            "writer": Provide(lambda: writer, sync_to_thread=False),
            "probe": Provide(lambda: probe, sync_to_thread=False),
            "company": Provide(lambda: company, sync_to_thread=False),
            "receivers": Provide(lambda: receivers, sync_to_thread=False),
            "strict_duplicates": Provide(lambda: strict, sync_to_thread=False),
        },
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=[lifespan],
        logging_config=None,
        openapi_config=_openapi(),
        request_max_body_size=settings.max_body_mb * _MEGABYTE,
    )
    _mark_required(app)
    return app


def _openapi() -> OpenAPIConfig:
    scheme = SecurityScheme(type="http", scheme="bearer", description="A key of one service.")
    return OpenAPIConfig(
        title="Fusion Billing ingestion",
        version=code_version(),
        path="/schema",
        render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"])],
        components=Components(security_schemes={"bearer": scheme}),
        security=[{"bearer": []}],
    )


def _mark_required(app: Litestar) -> None:
    """Fields that the decoder lets pass, so that every error of a batch is named, are required."""
    required = REQUIRED | COST_FIELDS | CUSTOMER_FIELDS | SUBSCRIPTION_FIELDS | WEBHOOK_FIELDS
    for name, fields in required.items():
        schemas = app.openapi_schema.components.schemas or {}
        schemas[name].required = fields
