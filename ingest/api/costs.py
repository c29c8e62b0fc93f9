"""POST /costs: what providers charged, from apps that know it, per account or as a whole."""

from __future__ import annotations

from collections.abc import Mapping

from litestar import post

from ingest.api.auth import ServiceRequest
from ingest.api.body import json_only
from ingest.api.cost_bodies import CostsAnswer, CostsReceipt, CostsRequest, costs_of
from ingest.api.database import Connection, Database
from ingest.api.observe import note
from ingest.api.payloads import ExactJson
from ingest.api.problems import RESPONSES, invalid, parameter_missing
from ingest.api.rows import MOST_ITEMS
from ingest.costs.rows import API, CostRow
from warehouse.locks import lock_number

_TOLD_IN = "POST /costs"

# What is there already is looked at before it is written over: to say what became of each.
_LAND = """
with sent as (
    select
        cost_key, provider, sku, day::date as day, external_account_id,
        quantity::numeric as quantity, amount::numeric as amount, currency
    from
        unnest(
            $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
            $11::text[]
        ) as sent (
            cost_key, provider, sku, day, external_account_id, quantity, amount, currency
        )
),

known as (
    select
        sent.cost_key,
        (stored.quantity, stored.amount, stored.currency)
        is distinct from (sent.quantity, sent.amount, sent.currency) as differs
    from sent
    inner join raw.provider_cost as stored
        on stored.source = $1 and sent.cost_key = stored.cost_key
),

written as (
    insert into raw.provider_cost (
        source, service_code, file, cost_key, provider, sku, day, external_account_id, quantity,
        amount, currency
    )
    select $1, $2, $3, sent.*
    from sent
    left join known on sent.cost_key = known.cost_key
    where coalesce(known.differs, true)
    on conflict (source, cost_key) do update set
        quantity = excluded.quantity,
        amount = excluded.amount,
        currency = excluded.currency,
        file = $3,
        loaded_at = clock_timestamp()
)

select count(*) filter (where differs), count(*) filter (where not differs)
from known
"""


@post(
    "/costs",
    status_code=200,
    dto=ExactJson[CostsRequest],
    return_dto=None,
    guards=[json_only],
    responses=RESPONSES,
    summary="Post provider costs",
)
async def post_costs(
    data: CostsRequest, request: ServiceRequest, database: Database
) -> CostsAnswer:
    """Stores 1 to 10,000 costs, all or none; the answer leaves after the commit. A cost that was
    told before with another amount is corrected."""
    items = data.costs
    if items is None:
        raise parameter_missing("costs")
    if not items:
        raise invalid({"costs": ["no_costs"]})
    if len(items) > MOST_ITEMS:
        raise invalid({"costs": ["too_many_costs"]})
    costs = costs_of(items, request.auth)
    changed, same = await land_costs(database, request.auth, costs)
    receipt = CostsReceipt(
        accepted=len(costs) - changed - same,
        changed=changed,
        duplicates=same + len(items) - len(costs),
    )
    note(new_costs=receipt.accepted, changed_costs=changed, known_costs=receipt.duplicates)
    return CostsAnswer(receipt)


async def land_costs(
    database: Database, service_code: str, costs: Mapping[str, CostRow]
) -> tuple[int, int]:
    """Stores a service's costs, all or none; how many had been told otherwise, how many alike.

    Returns after the commit. Raises UnavailableError, RefusedError.
    """
    rows = costs.values()
    columns = [
        list(costs),
        [row.provider for row in rows],
        [row.sku for row in rows],
        [row.day.isoformat() for row in rows],
        [row.external_account_id for row in rows],
        [str(row.quantity) for row in rows],
        [str(row.amount) for row in rows],
        [row.currency for row in rows],
    ]

    async def work(connection: Connection) -> tuple[int, int]:
        async with connection.transaction():
            # One request of a service at a time: two with the same costs would count them twice.
            await connection.execute(
                "select pg_advisory_xact_lock($1)", lock_number(f"costs:{service_code}")
            )
            changed, same = await connection.fetchrow(_LAND, API, service_code, _TOLD_IN, *columns)
        return changed, same

    return await database.run(work)
