"""From an action to its handler, and from a command to its calls: what each OCPP version fills."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from voltyard.chargers.commands import Command, CommandResult
from voltyard.chargers.model import StationRef
from voltyard.ocpp.framing import ErrorWords
from voltyard.ocpp.instants import NO_TIME, read_instant
from voltyard.ocpp.ports import Chargers, Sessions
from voltyard.ocpp.reader import Reader, check
from voltyard.ocpp.wire import Wire

_DETAIL_MAX = 200


class Exchange:
    """One call from a charger while it is handled: who asks, when it came, what was odd.

    ``held``: the charger is approved and was told to wait for its fail-safe limit.
    """

    __slots__ = ("chargers", "flags", "held", "message_id", "received_at", "sessions", "station")

    def __init__(
        self,
        chargers: Chargers,
        sessions: Sessions,
        station: StationRef,
        message_id: str,
        received_at: datetime,
    ) -> None:
        self.chargers = chargers
        self.sessions = sessions
        self.station = station
        self.message_id = message_id
        self.received_at = received_at
        self.flags: list[str] = []
        self.held = False

    def flag(self, name: str, detail: str = "") -> None:
        """Note an oddity that does not stop the message."""
        self.flags.append(name)
        self.chargers.flag(self.station, name, detail[:_DETAIL_MAX])

    @property
    def undated(self) -> bool:
        """Whether some instant so far was none, and is when the call came."""
        return not NO_TIME.isdisjoint(self.flags)

    def instant(self, text: str | None) -> datetime:
        at, flags = read_instant(text, self.received_at)
        for name in flags:
            self.flag(name, text or "")
        return at


Handler = Callable[[Exchange, Any], Awaitable[Wire | None]]


class State(StrEnum):
    """How far a message is: handled or sent, or acknowledged and kept in the log."""

    DONE = "done"
    LOGGED = "logged"


@dataclass(frozen=True, slots=True)
class Message:
    """One row of a version's registry; made by the functions of registry.py.

    ``handler`` answers a charger that calls it; ``sent`` is how far we are with calling it
    ourselves, None where only chargers may. ``response`` is None where none is ever sent.
    """

    action: str
    block: str
    request: type[Wire]
    response: type[Wire] | None
    handler: Handler | None = None
    received: State | None = None
    sent: State | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A message a charger may call, made ready: its reader built once."""

    message: Message
    reader: Reader
    handler: Handler


def table(messages: Mapping[str, Message]) -> Mapping[str, Entry]:
    return {
        action: Entry(message, Reader(message.request), message.handler)
        for action, message in messages.items()
        if message.handler is not None
    }


def ours(messages: Mapping[str, Message]) -> frozenset[str]:
    """Actions only we may call: a charger that calls one is told NotSupported."""
    return frozenset(action for action, message in messages.items() if message.handler is None)


Answer = Callable[[Any], CommandResult]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One call to a charger.

    ``replaces`` names what it makes obsolete in the queue; ``secret`` keeps its payload out of
    the message log.
    """

    action: str
    request: Wire
    reader: Reader
    answer: Answer
    replaces: tuple[object, ...] | None = None
    secret: bool = False
    triggers: str | None = None


Expressed = tuple[Sequence[Outgoing], Callable[[Sequence[CommandResult]], CommandResult]]


def single(outgoing: Outgoing) -> Expressed:
    """A command that takes one call."""
    return (outgoing,), lambda results: results[0]


class Dialect(Protocol):
    """One OCPP version: its words, its routes and how it expresses commands."""

    @property
    def version(self) -> str: ...

    @property
    def words(self) -> ErrorWords: ...

    @property
    def routes(self) -> Mapping[str, Entry]: ...

    @property
    def known_actions(self) -> frozenset[str]:
        """Actions the version has and we do not answer: NotSupported, not NotImplemented."""

    def express(self, command: Command, now: datetime) -> Expressed:
        """The calls that carry a command; raises Invalid when this version has none."""


@dataclass(frozen=True, slots=True)
class Version:
    """A Dialect put together from a version's parts."""

    version: str
    words: ErrorWords
    routes: Mapping[str, Entry]
    known_actions: frozenset[str]
    expression: Callable[[Command, datetime], Expressed] = field(repr=False)

    def express(self, command: Command, now: datetime) -> Expressed:
        calls, combine = self.expression(command, now)
        for outgoing in calls:
            check(outgoing.request)
        return calls, combine
