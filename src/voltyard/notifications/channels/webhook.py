"""Webhooks signed as Standard Webhooks asks (standardwebhooks.com, specification 1.0)."""

import base64
import hashlib
import hmac
from math import floor

import msgspec

from voltyard.notifications.channels.post import Poster
from voltyard.notifications.ports import Message, Undeliverable


class WebhookSender:
    """The receiver drops doubles by ``webhook-id``: it is the same at every attempt."""

    def __init__(self, poster: Poster) -> None:
        self._poster = poster

    async def send(self, message: Message) -> str:
        body = msgspec.json.encode(message.payload or {})
        answer = await self._poster.post(message.address, body, headers_of(message, body))
        if 200 <= answer.status < 300:
            return f"HTTP {answer.status}"
        if answer.status == 410:
            raise Undeliverable("HTTP 410: it wants to hear no more.", final=True, gone=True)
        raise Undeliverable(f"HTTP {answer.status}", detail=answer.text)

    async def close(self) -> None:
        await self._poster.close()


def headers_of(message: Message, body: bytes) -> dict[str, str]:
    """The newest secret's signature first; while a secret is being replaced, the old one's too."""
    stamp = str(floor(message.sent_at.timestamp()))
    signed = b".".join((str(message.id).encode(), stamp.encode(), body))
    return {
        "content-type": "application/json",
        "webhook-id": str(message.id),
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(signature(secret, signed) for secret in message.secrets),
        "idempotency-key": str(message.id),
    }


def signature(secret: str, signed: bytes) -> str:
    """``v1``: HMAC-SHA256 with the bytes that ``whsec_…`` writes in Base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
