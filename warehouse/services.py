"""Which services there are."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from warehouse.tables import service


class UnknownServiceError(Exception):
    """No service has this code. The message names those there are, and what makes one."""


def known_services(connection: Connection) -> list[str]:
    """All codes, in order."""
    by_code = sa.select(service.c.service_code).order_by(service.c.service_code)
    return list(connection.execute(by_code).scalars())


def require_service(connection: Connection, service_code: str) -> None:
    """Raises UnknownServiceError."""
    known = known_services(connection)
    if service_code not in known:
        raise UnknownServiceError(
            f"There is no service {service_code!r}. Known: {', '.join(known) or 'none'};"
            " `fusion-billing service add` makes one."
        )
