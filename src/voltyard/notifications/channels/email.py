"""E-mail by SMTP, to the server that the settings name."""

import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, parseaddr
from urllib.parse import unquote, urlsplit

import aiosmtplib

from voltyard.clock import Clock
from voltyard.errors import Invalid
from voltyard.notifications.ports import Message, Undeliverable

_PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}


@dataclass(frozen=True, slots=True)
class Server:
    """``smtps``: TLS from the beginning; ``smtp``: STARTTLS is demanded; ``smtp+plain``: none."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = ""


def read_server(url: str) -> Server:
    """``smtps://user:password@host:465``. Raises Invalid."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Invalid("this is no address of a mail server", code="smtp") from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/"):
        raise Invalid("begins with smtps://, smtp:// or smtp+plain:// and a host", code="smtp")
    return Server(
        parts.scheme,
        parts.hostname,
        port or _PORTS[parts.scheme],
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )


class EmailSender:
    """One connection a message: notifications are few."""

    def __init__(self, clock: Clock, server: Server, sender: str, timeout_s: float) -> None:
        self._clock = clock
        self._server = server
        self._sender = sender
        self._timeout_s = timeout_s

    async def send(self, message: Message) -> str:
        try:
            async with self._clock.timeout(self._timeout_s):
                refused, answer = await self._sent(written(message, self._sender))
        except TimeoutError:
            raise Undeliverable(f"No answer within {self._timeout_s:g} s.") from None
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [refusal.code for refusal in error.recipients]
            final = bool(codes) and all(code >= 500 for code in codes)
            raise Undeliverable("The address is refused.", final=final, detail=str(error)) from None
        except aiosmtplib.SMTPResponseException as error:
            text = f"{error.code} {error.message}"
            raise Undeliverable(text[:300], final=error.code >= 500) from None
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as error:
            raise Undeliverable("The mail server is not reached.", detail=repr(error)) from None
        if refused:
            raise Undeliverable("The address is refused.", detail=str(refused))
        return answer

    async def _sent(self, mail: EmailMessage) -> tuple[object, str]:
        server = self._server
        return await aiosmtplib.send(
            mail,
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password or None,
            use_tls=server.scheme == "smtps",
            start_tls=server.scheme == "smtp",
            timeout=self._timeout_s,
        )

    async def close(self) -> None:
        """Nothing is kept open."""


def written(message: Message, sender: str) -> EmailMessage:
    """The Message-ID is that of the notification: a server or a reader drops doubles by it."""
    name, address = parseaddr(sender)
    mail = EmailMessage()
    mail["From"] = formataddr((name, address))
    mail["To"] = message.address
    mail["Subject"] = " ".join(message.subject.split())[:200]
    mail["Date"] = format_datetime(message.created_at)
    mail["Message-ID"] = f"<{message.id}@{address.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    if message.severity.rank == 2:
        mail["Importance"] = "high"
    mail.set_content(message.body)
    return mail
