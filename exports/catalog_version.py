"""The version of the catalogue: a hash over everything in it that shapes a price."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from exports.canonical import decimal_text

# All columns but names, so that a column that is added later cannot be forgotten here.
_NAMES = {"charge_name", "metric_name", "unit", "odoo_product_id"}
_QUERIES = (
    "select * from marts.dim_charge_version order by odoo_charge_id",
    'select * from marts.dim_metric order by metric_code collate "C"',
)
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def catalog_sha256(connection: Connection) -> str:
    """SHA-256 (hex) over every version of every charge, its tiers, and every metric, in a fixed
    order and form: the same prices give the same hash however their numbers are written. Names,
    units and products are left out. Source: marts.dim_charge_version, marts.dim_metric."""
    digest = hashlib.sha256()
    for query in _QUERIES:
        for row in connection.execute(sa.text(query)).mappings():
            digest.update(_text(row).encode())
    return digest.hexdigest()


def _text(row: Mapping[Any, Any]) -> str:
    values = {str(name): _plain(value) for name, value in row.items() if name not in _NAMES}
    return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, str):
        # Prices of tiers are text within JSON.
        return decimal_text(Decimal(value)) if _NUMBER.fullmatch(value) else value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
