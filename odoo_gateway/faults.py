"""Which failures may cure and which not: one table for both transports."""

from __future__ import annotations

import ssl

from odoo_gateway.errors import OdooError, OdooRefusedError, OdooTransientError

TRANSIENT_HTTP = frozenset({408, 429, 500, 502, 503, 504})
# Odoo repeats the first three itself five times; when they reach us the transaction was rolled
# back. LockError: another transaction holds the record.
TRANSIENT_NAMES = frozenset(
    {
        "psycopg2.errors.SerializationFailure",
        "psycopg2.errors.LockNotAvailable",
        "psycopg2.errors.DeadlockDetected",
        "psycopg2.errors.QueryCanceled",
        "psycopg2.errors.AdminShutdown",
        "psycopg2.errors.IdleInTransactionSessionTimeout",
        "psycopg2.InterfaceError",
        "psycopg2.pool.PoolError",
        "odoo.sql_db.PoolError",
        "odoo.exceptions.ConcurrencyError",
        "odoo.exceptions.LockError",
    }
)
# psycopg2's class for both "the database restarts" and "there is no such database".
OPERATIONAL = "psycopg2.OperationalError"
TRANSIENT_WORDS = (
    "could not serialize access",
    "deadlock detected",
    "starting up",
    "shutting down",
)


def from_odoo(name: str, message: str) -> OdooError:
    """What Odoo said. `name` is its exception's class; the message becomes one line. Its `debug`,
    a traceback, must not come here."""
    message = " ".join(message.split()) or name or "Odoo refused without a word"
    transient = (
        name in TRANSIENT_NAMES
        or any(words in message for words in TRANSIENT_WORDS)
        or (name == OPERATIONAL and "does not exist" not in message)
    )
    if transient:
        return OdooTransientError(f"{message} ({name})")
    return OdooRefusedError(message, name=name)


def from_http(status: int, reason: str) -> OdooError:
    """An answer that is not Odoo's own: mostly a proxy's."""
    kind = OdooTransientError if status in TRANSIENT_HTTP else OdooRefusedError
    return kind(f"Odoo answered HTTP {status} {reason}")


def unreachable(reason: object) -> OdooError:
    """Nothing was sent."""
    if isinstance(reason, ssl.SSLCertVerificationError):
        return OdooRefusedError(f"Odoo's certificate is not valid: {reason}")
    return OdooTransientError(f"Odoo cannot be reached: {reason}")


def timed_out() -> OdooError:
    return OdooTransientError("Odoo did not answer in time; the work may have been done")


def lost(error: Exception) -> OdooError:
    return OdooTransientError(f"the connection to Odoo was lost ({type(error).__name__})")


def not_json() -> OdooError:
    return OdooTransientError("Odoo answered with something that is not JSON")
