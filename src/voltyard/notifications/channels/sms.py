"""Text messages by the HTTP interfaces of providers, in the shapes of two of them."""

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

import msgspec

from voltyard.notifications.channels.post import Answer, Poster
from voltyard.notifications.ports import Message, Undeliverable

LONGEST = 459
"""Three parts of a joined message in the GSM alphabet; fewer in others."""


@dataclass(frozen=True, slots=True)
class SmsAccount:
    """``sender`` is the number or the name that messages come from."""

    url: str
    user: str
    secret: str
    sender: str


@dataclass(frozen=True, slots=True)
class Request:
    url: str
    body: bytes
    headers: dict[str, str]
    auth: tuple[str, str] | None


class Provider(Protocol):
    """The shape of one provider's interface."""

    def request(self, account: SmsAccount, to: str, text: str, id: str) -> Request: ...

    def read(self, answer: Answer) -> str:
        """The provider's id of the message. Raises Undeliverable."""


FORM = {"content-type": "application/x-www-form-urlencoded"}


class Twilio:
    """``POST /2010-04-01/Accounts/{account}/Messages.json``, a form with HTTP Basic."""

    def request(self, account: SmsAccount, to: str, text: str, id: str) -> Request:
        url = f"{account.url.rstrip('/')}/2010-04-01/Accounts/{account.user}/Messages.json"
        form = urlencode({"To": to, "From": account.sender, "Body": text})
        headers = FORM | {"i-twilio-idempotency-token": id, "idempotency-key": id}
        return Request(url, form.encode(), headers, (account.user, account.secret))

    def read(self, answer: Answer) -> str:
        said = _object(answer)
        if 200 <= answer.status < 300:
            return str(said.get("sid", ""))
        text = f"HTTP {answer.status}: {said.get('message', '')}".strip(": ")
        raise Undeliverable(text, final=400 <= answer.status < 500, detail=answer.text)


class Vonage:
    """``POST /sms/json``, a form; the answer is HTTP 200 with a status of each part."""

    TRY_AGAIN = frozenset({"1", "5", "10", "11"})
    """Throttled, internal error, too many binds, not ready."""

    def request(self, account: SmsAccount, to: str, text: str, id: str) -> Request:
        fields = {
            "api_key": account.user,
            "api_secret": account.secret,
            "from": account.sender,
            "to": to.lstrip("+"),
            "text": text,
            "type": "text" if text.isascii() else "unicode",
            "client-ref": id,
        }
        headers = FORM | {"idempotency-key": id}
        url = f"{account.url.rstrip('/')}/sms/json"
        return Request(url, urlencode(fields).encode(), headers, None)

    def read(self, answer: Answer) -> str:
        parts = _object(answer).get("messages")
        if answer.status != 200 or not isinstance(parts, list) or not parts:
            final = 400 <= answer.status < 500
            raise Undeliverable(f"HTTP {answer.status}", final=final, detail=answer.text)
        wrong = next((part for part in parts if str(part.get("status")) != "0"), None)
        if wrong is None:
            return str(parts[0].get("message-id", ""))
        status = str(wrong.get("status"))
        text = f"status {status}: {wrong.get('error-text', '')}"
        raise Undeliverable(text, final=status not in self.TRY_AGAIN)


PROVIDERS: dict[str, Provider] = {"twilio": Twilio(), "vonage": Vonage()}


class SmsSender:
    """The id goes along in each provider's own field, so that it can drop a double."""

    def __init__(self, provider: Provider, account: SmsAccount, poster: Poster) -> None:
        self._provider = provider
        self._account = account
        self._poster = poster

    async def send(self, message: Message) -> str:
        text = shortened(message.body)
        asked = self._provider.request(self._account, message.address, text, str(message.id))
        answer = await self._poster.post(asked.url, asked.body, asked.headers, asked.auth)
        return self._provider.read(answer)

    async def close(self) -> None:
        await self._poster.close()


def shortened(body: str) -> str:
    """Narrow spaces and dashes are not in the GSM alphabet and would halve what fits."""
    plain = " ".join(body.replace("\u202f", " ").replace("–", "-").split())
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 3] + "..."


def _object(answer: Answer) -> dict[str, object]:
    try:
        said = msgspec.json.decode(answer.text)
    except msgspec.DecodeError:
        return {}
    return said if isinstance(said, dict) else {}
