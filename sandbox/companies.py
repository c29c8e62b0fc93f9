"""Made-up companies with addresses: mostly in Ontario, some across Canada, one American."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

# Twenty draws: twelve Ontario, three Quebec, two Alberta, two British Columbia, one Nova Scotia.
_PROVINCES = ("ON",) * 12 + ("QC",) * 3 + ("AB",) * 2 + ("BC",) * 2 + ("NS",)
_CITIES = {
    "ON": (("Toronto", "M5V"), ("Ottawa", "K1P"), ("Hamilton", "L8P"), ("London", "N6A")),
    "QC": (("Montréal", "H2Y"), ("Québec", "G1R"), ("Gatineau", "J8X")),
    "AB": (("Calgary", "T2P"), ("Edmonton", "T5J")),
    "BC": (("Vancouver", "V6B"), ("Victoria", "V8W")),
    "NS": (("Halifax", "B3J"),),
}
_FIRST = (
    "Algonquin", "Aurora", "Bayview", "Birchwood", "Bluenose", "Bytown", "Cabot", "Carleton",
    "Cedar Ridge", "Champlain", "Credit River", "Don Valley", "Evergreen", "Fundy", "Georgian",
    "Granite", "Humber", "Huron", "Jasper", "Kawartha", "Kootenay", "Lakeshore", "Laurentian",
    "Maple Leaf", "Muskoka", "Niagara", "Nipissing", "Northern", "Okanagan", "Prairie", "Rideau",
    "Rouge", "Saint-Laurent", "Selkirk", "Superior", "Tamarack", "Temiskaming", "Trillium",
    "Wellington", "Yonge",
)  # fmt: skip
_SECOND = (
    "Analytics", "Bakery", "Builders", "Clinic", "Courier", "Dental", "Design", "Electric",
    "Farms", "Foods", "Freight", "Legal", "Logistics", "Lumber", "Marine", "Media", "Outfitters",
    "Pharma", "Realty", "Robotics", "Software", "Solar", "Studio", "Tours", "Veterinary",
)  # fmt: skip
_STREETS = ("King St W", "Queen St E", "Main St", "Elm Ave", "Front St", "Industrial Rd", "Mill Rd")


@dataclass(frozen=True)
class Client:
    """One company: one res.partner in Odoo. `code` is Odoo's partner reference."""

    code: str
    name: str
    street: str
    city: str
    province: str
    country: str
    postal_code: str
    email: str


def make_clients(count: int, rng: Random) -> tuple[Client, ...]:
    """`count` clients with distinct names; the last one is American. At most 1,000."""
    names = [f"{first} {second}" for first in _FIRST for second in _SECOND]
    return tuple(
        _client(number, name, rng, american=number == count)
        for number, name in enumerate(rng.sample(names, count), start=1)
    )


def _client(number: int, name: str, rng: Random, *, american: bool) -> Client:
    province = "NY" if american else rng.choice(_PROVINCES)
    city, prefix = ("Buffalo", "14202") if american else rng.choice(_CITIES[province])
    suffix = "ltée" if province == "QC" else rng.choice(("Inc.", "Ltd.", "Corp."))
    domain = name.lower().replace(" ", "-") + ".example"
    street = f"{rng.randint(1, 1999)} {rng.choice(_STREETS)}"
    postal = prefix if american else f"{prefix} {rng.randint(1, 9)}A{rng.randint(1, 9)}"
    return Client(
        code=f"FC-{number:04d}",
        name=f"{name} {suffix}",
        street=street,
        city=city,
        province=province,
        country="US" if american else "CA",
        postal_code=postal,
        email=f"accounts@{domain}",
    )
