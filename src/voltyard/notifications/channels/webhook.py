"""Webhooks signed as Standard Webhooks asks (standardwebhooks.com, specification 1.0)."""

from datetime import UTC
from math import floor

import msgspec
from standardwebhooks import Webhook

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
    at = message.sent_at.astimezone(UTC)
    signatures = [
        Webhook(secret).sign(str(message.id), at, body.decode()) for secret in message.secrets
    ]
    return {
        "content-type": "application/json",
        "webhook-id": str(message.id),
        "webhook-timestamp": str(floor(at.timestamp())),
        "webhook-signature": " ".join(signatures),
        "idempotency-key": str(message.id),
    }
