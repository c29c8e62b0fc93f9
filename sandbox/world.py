"""The demo world: clients, accounts and subscriptions, the same for the same seed and date."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from zoneinfo import ZoneInfo

from sandbox.catalogue import NEXACLOUD, NEXACLUB, NEXADESK, NEXAMAPS
from sandbox.companies import Client, make_clients
from sandbox.model import Account, Subscription, World, add_months, anniversary
from sandbox.planting import plant

TORONTO = ZoneInfo("America/Toronto")
CLIENTS = 200
# Accounts by plan: 280 in all, so that some clients use several services.
ACCOUNTS = {
    "cloud_s": 60,
    "cloud_m": 30,
    "desk_team": 56,
    "desk_business": 24,
    "maps_growth": 70,
    "club_member": 40,
}
_SERVICE_OF = {
    "cloud_s": NEXACLOUD,
    "cloud_m": NEXACLOUD,
    "desk_team": NEXADESK,
    "desk_business": NEXADESK,
    "maps_growth": NEXAMAPS,
    "club_member": NEXACLUB,
}
_PREFIX = {NEXACLOUD: "nc", NEXADESK: "nd", NEXAMAPS: "nm", NEXACLUB: "club"}


def make_world(demo_date: date, *, seed: int = 19, zone: ZoneInfo = TORONTO) -> World:
    """The world on `demo_date`: two closed months and the open one, with all planted cases.

    The open month is that of two days ago, so that the closed ones have outlived their grace.
    """
    open_month = (demo_date - timedelta(days=2)).replace(day=1)
    first, second = add_months(open_month, -2), add_months(open_month, -1)
    rng = Random(f"fusion:{seed}:{first}")
    clients = make_clients(CLIENTS, rng)
    accounts: list[Account] = []
    subscriptions: list[Subscription] = []
    for number, (plan_code, client) in enumerate(_holders(clients, rng), start=1):
        service = _SERVICE_OF[plan_code]
        prefix = _PREFIX[service]
        account = Account(service, f"{prefix}-acct-{number:04d}", client.code)
        start, end = _life(service, first, second, rng)
        accounts.append(account)
        subscriptions.append(
            Subscription(
                service_code=service,
                external_id=f"{prefix}-sub-{number:04d}",
                external_account_id=account.external_id,
                client_code=client.code,
                plan_code=plan_code,
                billing_time="anniversary" if service == NEXACLUB else "calendar",
                start_date=start,
                end_date=end,
                next_invoice_date=_next_invoice(service, start, second),
                size=0 if rng.randrange(7) == 0 else rng.randint(50, 1000),
            )
        )
    return plant(
        World(
            demo_date=demo_date,
            seed=seed,
            zone=zone,
            first=first,
            second=second,
            open=open_month,
            clients=clients,
            accounts=tuple(accounts),
            subscriptions=tuple(subscriptions),
        )
    )


def _holders(clients: tuple[Client, ...], rng: Random) -> list[tuple[str, Client]]:
    """Every client once, the rest of the accounts as a second or third service of a client."""
    plans = [plan for plan, count in ACCOUNTS.items() for _ in range(count)]
    rng.shuffle(plans)
    held: dict[str, set[str]] = {client.code: set() for client in clients}
    holders: list[tuple[str, Client]] = []
    for number, plan_code in enumerate(plans):
        service = _SERVICE_OF[plan_code]
        client = clients[number] if number < len(clients) else rng.choice(clients)
        while service in held[client.code]:
            client = rng.choice(clients)
        held[client.code].add(service)
        holders.append((plan_code, client))
    return holders


def _life(service: str, first: date, second: date, rng: Random) -> tuple[date, date | None]:
    """Most started before the first month; one in twelve within the closed months; a few end."""
    lot = rng.randrange(36)
    if lot == 0 or lot == 1:
        return first.replace(day=rng.randint(8, 22)), None
    if lot == 2:
        return second.replace(day=rng.randint(8, 22)), None
    months_ago = rng.randint(2, 26)
    if service == NEXACLUB and lot < 12:
        # Month ends, where clamping shows.
        last_day = add_months(first, 1 - months_ago) - timedelta(days=1)
        return last_day, None
    start = add_months(first, -months_ago).replace(day=rng.randint(1, 28))
    end = second.replace(day=rng.randint(10, 24)) if lot == 3 and service != NEXACLUB else None
    return start, end


def _next_invoice(service: str, start: date, second: date) -> date:
    """The first period start that falls in or after `second`: the first invoice of the demo."""
    if start >= second:
        return start
    if service != NEXACLUB:
        return second
    months = (second.year - start.year) * 12 + second.month - start.month
    due = anniversary(start, months)
    return due if due >= second else anniversary(start, months + 1)
