"""The one place where a change that may need a second person is let through or held."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from voltyard.approvals.model import OUTDATED, Change, Kind, Proposal
from voltyard.errors import Conflict
from voltyard.tenancy.approved import ApprovedPrincipal
from voltyard.tenancy.model import Principal

T = TypeVar("T")

BECAUSE: ContextVar[str] = ContextVar("because", default="")
"""Why the request that is being answered is made, where it says so."""


class Held(Exception):
    """Within a transaction: undo it, this waits. ``Gate.guarding`` turns it into Proposed."""

    def __init__(self, kind: Kind, change: Change) -> None:
        super().__init__(change.action)
        self.kind = kind
        self.change = change


class Proposed(Exception):
    """No failure: what was asked for is kept as a proposal and waits for a second person."""

    def __init__(self, proposal: Proposal) -> None:
        super().__init__(proposal.subject)
        self.proposal = proposal


@dataclass(frozen=True, slots=True)
class Action(Generic[T]):
    """How a kind of change is carried out: ``run`` with its data, as the proposer.

    What ``run`` returns is shown as the result. ``provable``: it writes its audit in the
    transaction of the change and does nothing beside, so that the audit proves it after a crash.
    """

    name: str
    data: type[T]
    run: Callable[[Principal, T], Awaitable[Mapping[str, Any]]]
    provable: bool = True


class Gate(Protocol):
    """``ApprovalService`` is one. Rooms ask it in the services that do the change."""

    def carries_out(self, action: Action[Any]) -> None:
        """Once, when the application is put together."""

    def waits(self, who: Principal, kind: Kind) -> bool:
        """Whether a change of that kind by them would wait."""

    def check(
        self, who: Principal, kind: Kind, make: Callable[[], Change], *, needed: bool = True
    ) -> None:
        """Return to let it through; ``needed``: whether this very change is a dangerous one.

        Raises Held, and Conflict (code ``proposal_outdated``) for an approved change whose base
        is another than what ``make`` finds now. ``make`` may be slow; it is called if need be.
        """

    def guarding(self, who: Principal) -> AbstractAsyncContextManager[None]:
        """Around the transaction that asks ``check``. Raises Proposed."""


class OpenGate:
    """Where nobody asks for approval, as in tests of single rooms."""

    def carries_out(self, action: Action[Any]) -> None:
        return

    def waits(self, who: Principal, kind: Kind) -> bool:
        return False

    def check(
        self, who: Principal, kind: Kind, make: Callable[[], Change], *, needed: bool = True
    ) -> None:
        check_base(who, make)

    @asynccontextmanager
    async def guarding(self, who: Principal) -> AsyncIterator[None]:
        yield


def check_base(who: Principal, make: Callable[[], Change]) -> bool:
    """Whether it is an approved change; Conflict if what it rested on has changed since."""
    if not isinstance(who, ApprovedPrincipal):
        return False
    if make().base != who.base:
        raise Conflict("What this rested on has changed meanwhile.", code=OUTDATED)
    return True


def fingerprint(*things: object) -> str:
    """Of plain values and dataclasses; the same for the same content, in any process."""
    encoded = msgspec.json.encode(things, order="deterministic")
    return hashlib.sha256(encoded).hexdigest()
