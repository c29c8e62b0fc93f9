"""The ids that Lago's objects carry, the same wherever an object is shown."""

from __future__ import annotations

import uuid

_NAMESPACE = uuid.UUID("c3a8f9de-6f5e-5d3c-9a53-0f4b6f1f0a77")


def lago_id(kind: str, *parts: str) -> str:
    """The stable uuid that Lago's `lago_id` asks for, derived from our own key of the thing."""
    return str(uuid.uuid5(_NAMESPACE, "\0".join((kind, *parts))))
