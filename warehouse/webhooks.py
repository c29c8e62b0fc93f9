"""What the HTTP endpoint that registers receivers and the deliverer agree on: which events there
are, and where they may be sent.

A receiver's URL comes from outside, and the deliverer stands inside: without a check it would
knock at the door of whatever a URL names, such as a cloud's metadata service.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from warehouse.settings import Settings

WEBHOOK_TYPES = (
    "subscription.started",
    "subscription.terminated",
    "invoice.created",
    "invoice.payment_status_updated",
    "invoice.payment_overdue",
    "invoice.voided",
)
MOST_ENDPOINTS = 10  # a service, as in Lago

_LONGEST_URL = 2_000
# Less than the RFC allows, so that no two parsers can read two hosts out of one URL.
_URL = re.compile(
    r"https?://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\.?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?"
    r"(?:[/?][\w!$&'()*+,;=:@/?.~%-]*)?",
    re.ASCII | re.IGNORECASE,
)
_INSIDE = (".localhost", ".local", ".internal", ".home.arpa")
_AZURE_METADATA = ipaddress.ip_address("168.63.129.16")  # public by its number alone
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")  # RFC 8215; Python before 3.13 lets it pass


class TargetRefusedError(Exception):
    """A webhook must not be sent there. The message is a code such as `private_address`."""


class Target(NamedTuple):
    """A receiver's address: host as in the URL, without brackets."""

    scheme: str
    host: str
    port: int


class TargetPolicy(NamedTuple):
    """Which targets are allowed beside public addresses over https."""

    allow_private: bool = False
    allow_http: bool = False


def policy_of(settings: Settings) -> TargetPolicy:
    """WEBHOOK_ALLOW_PRIVATE opens this machine, private networks and plain http."""
    return TargetPolicy(settings.webhook_allow_private, settings.webhook_allow_private)


def parse_target(url: str, policy: TargetPolicy) -> Target:
    """Scheme, host and port of a URL, as far as can be judged without asking a name server.

    Raises TargetRefusedError: `url_is_invalid`, `https_is_required`, `private_address`.
    """
    if len(url) > _LONGEST_URL or not _URL.fullmatch(url):
        raise TargetRefusedError("url_is_invalid")
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host.encode("idna")  # labels of at most 63 characters, none of them empty
    except ValueError:
        raise TargetRefusedError("url_is_invalid") from None
    if parts.port == 0:
        raise TargetRefusedError("url_is_invalid")
    if parts.scheme != "https" and not policy.allow_http:
        raise TargetRefusedError("https_is_required")
    target = Target(parts.scheme, host, port)
    literal = _literal(target)
    if literal is not None:
        require_allowed([literal], policy)
    elif not policy.allow_private and _is_inside(host):
        raise TargetRefusedError("private_address")
    return target


def require_allowed(addresses: Sequence[str], policy: TargetPolicy) -> None:
    """Raises TargetRefusedError `private_address` where one of the addresses that a name stands
    for is not public: loopback, private, link-local, multicast, reserved, or metadata."""
    if not policy.allow_private and not all(map(_is_public, addresses)):
        raise TargetRefusedError("private_address")


def _literal(target: Target) -> str | None:
    """The address that the host is in numbers, in any of the spellings that a resolver takes:
    `127.1`, `0x7f000001` and `2130706433` are all this machine."""
    try:
        found = socket.getaddrinfo(
            target.host, target.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    except (OSError, ValueError):
        return None
    return str(found[0][4][0])


def _is_inside(host: str) -> bool:
    name = host.rstrip(".")
    return "." not in name or name.endswith(_INSIDE)


def _is_public(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        # An IPv4 address in IPv6's clothes is judged as what it is.
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(str(inner))
        if address.scope_id is not None or address.is_site_local or address in _LOCAL_NAT64:
            return False
    # Reserved: `::7f00:1`, for one, is 127.0.0.1 in an older suit.
    is_special = address.is_multicast or address.is_reserved
    return address.is_global and not is_special and address != _AZURE_METADATA
