"""The doctor's look at PostgreSQL: reachable, new enough, migrated, safe, and with its services."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import sqlalchemy as sa
from sqlalchemy.engine import Connection, make_url

from cli.findings import Finding, failed, ok, warning
from warehouse.embedded import EmbeddedServerError
from warehouse.engine import WarehouseError, connected
from warehouse.migrate import require_migrated
from warehouse.settings import FusionEnv, Settings

OLDEST = 15
ROLES = ("fusion_ingest", "fusion_transform", "fusion_reader")

# A snapshot shows no row of a transaction at or above its xmax, unless the row was written by
# another cluster's transaction and came here in a dump.
_ALIEN = sa.text("""
    select count(*), max(xid::text::numeric), pg_snapshot_xmax(pg_current_snapshot())::text
    from raw.ingest_batch
    where xid >= pg_snapshot_xmax(pg_current_snapshot())
""")
_KEYS = sa.text("""
    select service.service_code,
        count(*) filter (
            where api_key.revoked_at is null
            and (api_key.expires_at is null or api_key.expires_at > clock_timestamp())
        ) as valid
    from ops.service
    left join ops.api_key on service.service_code = api_key.service_code
    group by 1 order by 1
""")


def findings(settings: Settings) -> Iterator[Finding]:
    """A database that does not answer is one failed line."""
    try:
        with connected(settings) as engine, engine.connect() as connection:
            yield _version(connection, settings)
            commit, fsync = (_setting(connection, n) for n in ("synchronous_commit", "fsync"))
            yield durability(commit, fsync, settings.fusion_env)
            try:
                require_migrated(engine)
            except WarehouseError as error:
                yield failed("migrations", str(error), "Run `fusion-billing migrate`.")
                return
            yield ok("migrations", "up to date")
            for check in _MIGRATED:
                yield check(connection)
    except (WarehouseError, EmbeddedServerError) as error:
        yield failed("database", str(error), "Start PostgreSQL, or mend DATABASE_URL.")
    except sa.exc.DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        yield failed("database", f"a check was refused: {reason}", "Use a user who may read it.")


def _setting(connection: Connection, name: str) -> str:
    return str(connection.execute(sa.text(f"show {name}")).scalar_one())


def _version(connection: Connection, settings: Settings) -> Finding:
    name = _setting(connection, "server_version").split()[0]
    where = "the embedded server"
    if settings.database_url:
        where = make_url(settings.database_url).render_as_string(hide_password=True)
    if int(_setting(connection, "server_version_num")) < OLDEST * 10_000:
        return failed(
            "database", f"PostgreSQL {name} at {where}", f"Use PostgreSQL {OLDEST} or newer."
        )
    return ok("database", f"PostgreSQL {name}, {where}")


def durability(commit: str, fsync: str, env: FusionEnv) -> Finding:
    """Acknowledged means durable; a server that lives for the time of a CI run need not be."""
    found = f"synchronous_commit {commit}, fsync {fsync}"
    if commit == "off" or (fsync == "off" and env is not FusionEnv.CI):
        return failed(
            "durability",
            f"{found}: a crash can lose counters that were acknowledged",
            "Set both to on for this server, database and user.",
        )
    return ok("durability", found)


def _roles(connection: Connection) -> Finding:
    present = {str(row[0]) for row in connection.execute(sa.text("select rolname from pg_roles"))}
    missing = [role for role in ROLES if role not in present]
    if missing:
        return failed(
            "roles",
            f"missing: {', '.join(missing)}; roles do not travel with a dump of one database",
            "Create them: `create role … nologin` for each, with the grants of migration 0001.",
        )
    return ok("roles", ", ".join(ROLES))


def _transaction_ids(connection: Connection) -> Finding:
    batches, highest, next_id = connection.execute(_ALIEN).one()
    if not batches:
        return ok("transaction ids", "no batch is ahead of this server's transactions")
    return failed(
        "transaction ids",
        f"{batches} batches of counters carry transaction ids up to {highest}, this server is at "
        f"{next_id}: they were dumped from another cluster, and builds would not see them",
        "With the endpoint stopped: update raw.ingest_batch set xid = '3' where xid >= "
        "pg_current_xact_id(); docs/runbook.md says why.",
    )


def _keys(connection: Connection) -> Finding:
    services = {row[0]: row[1] for row in connection.execute(_KEYS)}
    if not services:
        return warning(
            "services", "none", "Run `fusion-billing service add CODE`, then `key create CODE`."
        )
    without = [code for code, valid in services.items() if not valid]
    if without:
        return warning(
            "services",
            f"{len(services)}; without a valid key: {', '.join(without)}",
            f"Run `fusion-billing key create {without[0]}` if the app sends counters.",
        )
    return ok("services", f"{', '.join(services)}; {sum(services.values())} valid keys")


_MIGRATED: tuple[Callable[[Connection], Finding], ...] = (_roles, _transaction_ids, _keys)
