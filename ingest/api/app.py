"""The application: routes, keys, errors and OpenAPI around one database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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
from ingest.api.database import Database
from ingest.api.events import get_event, get_events, post_event, post_events
from ingest.api.health import Probe, code_version, get_health
from ingest.api.marts import Company
from ingest.api.payloads import REQUIRED
from ingest.api.problems import EXCEPTION_HANDLERS
from ingest.api.usage import post_usage
from ingest.api.usage_reading import get_current_usage, get_past_usage
from warehouse.settings import Settings

PREFIXES = ("/api/billing/v1", "/api/v1")  # the second is what Lago's own clients ask for
_MEGABYTE = 1024 * 1024


def create_app(settings: Settings, database_url: str) -> Litestar:
    """The endpoint on the warehouse at `database_url`. Connects when the first request needs it."""
    database = Database(database_url)
    probe = Probe(database)
    strict = settings.lago_strict_duplicates
    company = Company(settings.company_timezone, settings.company_currency)

    def bearer(app: ASGIApp) -> ASGIApp:
        return BearerAuth(app, keys)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        await database.open()
        yield
        await database.close()

    routes = [
        post_usage,
        post_event,
        post_events,
        get_event,
        get_events,
        get_current_usage,
        get_past_usage,
        get_billable_metrics,
        get_billable_metric,
        get_plans,
        get_plan,
        get_health,
    ]
    keys = Keys(database)
    app = Litestar(
        route_handlers=[
            *(Router(prefix, route_handlers=routes, middleware=[bearer]) for prefix in PREFIXES),
            get_health,
        ],
        dependencies={
            "database": Provide(lambda: database, sync_to_thread=False),
            "probe": Provide(lambda: probe, sync_to_thread=False),
            "company": Provide(lambda: company, sync_to_thread=False),
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
    for name, fields in REQUIRED.items():
        schemas = app.openapi_schema.components.schemas or {}
        schemas[name].required = fields
