"""Signatures against the published vector of Standard Webhooks, and against HMAC by hand."""

from __future__ import annotations

import base64
import hashlib

from exports.webhooks.signing import headers


def hmac_sha256(key: bytes, message: bytes) -> str:
    """RFC 2104, spelt out."""
    key = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + message).digest()
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).digest()
    return base64.b64encode(outer).decode()


def test_the_published_vector() -> None:
    """From the reference implementations of Standard Webhooks."""
    signed = headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signed["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert signed["webhook-timestamp"] == "1614265330"


def test_lagos_signature_is_over_the_body_with_the_secret_as_text() -> None:
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", '{"name":"Érable"}'.encode()
    signed = headers(secret, "id", 1, body)
    assert signed["X-Lago-Signature"] == hmac_sha256(secret.encode(), body)
    assert (signed["X-Lago-Signature-Algorithm"], signed["X-Lago-Unique-Key"]) == ("hmac", "id")
