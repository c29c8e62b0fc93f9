"""The headers of a webhook: Lago's, and those of Standard Webhooks 1.0.0."""

from __future__ import annotations

import base64
import hashlib
import hmac

SECRET_PREFIX = "whsec_"  # noqa: S105


def headers(secret: str, unique_key: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Signs `body` for one attempt; `timestamp` is the attempt's, in epoch seconds.

    `secret` is `whsec_` and base64. Standard Webhooks signs with the decoded bytes over id, time
    and body; Lago's receivers hold the key as text and sign the body alone, so theirs is the
    secret as it was shown. The unique key is the same in every attempt.
    """
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = b".".join((unique_key.encode(), str(timestamp).encode(), body))
    return {
        "X-Lago-Signature": _hmac(secret.encode(), body),
        "X-Lago-Signature-Algorithm": "hmac",
        "X-Lago-Unique-Key": unique_key,
        "webhook-id": unique_key,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + _hmac(key, signed),
    }


def _hmac(key: bytes, message: bytes) -> str:
    return base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
