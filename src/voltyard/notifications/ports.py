"""What notifications need of others: words, places, secrets at rest, and ways to send."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.alerts.model import Alert, Severity
from voltyard.errors import VoltyardError
from voltyard.sites.model import Site
from voltyard.tenancy.model import Organisation, User

T = TypeVar("T")
Teller = Callable[[Alert, str, ZoneInfo], tuple[str, str]]
"""The title and the sentence of an alert in a locale, times of a zone."""
RunBlocking = Callable[[Callable[[], Any]], Awaitable[Any]]


class Sites(Protocol):
    """``SiteService`` is one."""

    async def all(self) -> Sequence[Site]: ...


class Organisations(Protocol):
    """``TenancyService`` is one."""

    async def organisations(self) -> Sequence[Organisation]: ...


class People(Protocol):
    """``TenancyService`` is one."""

    async def users(self, principal: Any) -> Sequence[User]: ...


class Sealer(Protocol):
    """Secrets at rest."""

    def seal(self, text: str, about: str) -> bytes: ...

    def open(self, sealed: bytes, about: str) -> str:
        """Raises Invalid."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel sends. ``secrets``: of a webhook the newest first; of a chat its address.

    ``sent_at`` is now; ``created_at`` is the same at every attempt, as ``id`` is.
    """

    id: UUID
    address: str
    subject: str
    body: str
    severity: Severity
    topic: str
    created_at: datetime
    sent_at: datetime
    payload: Mapping[str, Any] | None = None
    secrets: tuple[str, ...] = ()


class Undeliverable(VoltyardError):
    """It did not arrive, or nobody knows whether. ``final``: trying again is useless.

    ``gone``: the receiver asks never to be told anything again.
    """

    code = "undeliverable"

    def __init__(
        self,
        message: str,
        *,
        final: bool = False,
        gone: bool = False,
        retry_after_s: float | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(message, detail=detail)
        self.final = final
        self.gone = gone
        self.retry_after_s = retry_after_s


class Sender(Protocol):
    """One way to send."""

    async def send(self, message: Message) -> str:
        """The receiver's answer, in short. Raises Undeliverable."""

    async def close(self) -> None: ...
