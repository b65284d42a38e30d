"""Commands and events between rooms.

A command has one handler and its failure is raised. An event has many; one that fails is logged,
kept for retry, and stops nobody else. Events are published after the commit of what they tell.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

log = logging.getLogger(__name__)

E = TypeVar("E")
Handler = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Subscription:
    event: type
    name: str
    handler: Handler


class RetryStore(Protocol):
    """Where failed deliveries are kept until they succeed."""

    async def keep(self, event: object, handler: str, error: str) -> None: ...


class Bus:
    """In-process bus. Handlers of one event run one after the other, in subscription order."""

    def __init__(self, retries: RetryStore | None = None) -> None:
        self._subscriptions: dict[type, list[Subscription]] = {}
        self._retries = retries
        self.delivered = 0
        self.failed = 0

    def subscribe(
        self, event: type[E], handler: Callable[[E], Awaitable[None]], *, name: str
    ) -> None:
        """``name`` is stable: a delivery that failed is retried under it after a restart."""
        known = self._subscriptions.setdefault(event, [])
        if any(entry.name == name for entry in known):
            raise ValueError(f"{name} already subscribes to {event.__name__}")
        known.append(Subscription(event, name, handler))

    def events(self) -> dict[str, type]:
        """Every event type somebody listens to, by name."""
        return {event.__name__: event for event in self._subscriptions}

    async def publish(self, *events: object) -> None:
        for event in events:
            for entry in self._subscriptions.get(type(event), ()):
                await self._deliver(entry, event)

    async def redeliver(self, event: object, handler: str) -> None:
        """Deliver again to one handler; raises if it fails again."""
        for entry in self._subscriptions.get(type(event), ()):
            if entry.name == handler:
                await entry.handler(event)

    async def _deliver(self, entry: Subscription, event: object) -> None:
        try:
            await entry.handler(event)
        except Exception as error:
            self.failed += 1
            log.exception("handler %s failed on %s", entry.name, type(event).__name__)
            if self._retries is not None:
                await self._retries.keep(event, entry.name, repr(error))
        else:
            self.delivered += 1
