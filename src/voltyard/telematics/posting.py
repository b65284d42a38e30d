"""Messages that others post to a connection's own address: proven by signature, then taken in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from voltyard.errors import Invalid, NotFound, TooMany
from voltyard.telematics.model import POSTS, Connection, Kind, Outcome, Told
from voltyard.telematics.polling import Poller
from voltyard.telematics.reading import items_of
from voltyard.telematics.service import TelematicsService
from voltyard.telematics.signatures import check_samsara, check_standard
from voltyard.telematics.sources.samsara import told_in

A_MINUTE_MAX = 600


@dataclass(slots=True)
class _Pace:
    minute: int = -1
    count: int = 0


class PostDesk:
    """Unsigned messages change nothing but a count."""

    def __init__(self, room: TelematicsService, poller: Poller) -> None:
        self._room = room
        self._poller = poller
        self._paces: dict[str, _Pace] = {}

    async def receive(
        self, key: str, headers: Mapping[str, str], body: bytes
    ) -> Sequence[Outcome | str]:
        """What became of each item; a text is why it could not be read.

        Raises NotFound for an address of nobody, Unauthenticated for a wrong signature, TooMany,
        Invalid for what cannot be read at all.
        """
        connection = self._room.by_key(key)
        if connection is None or connection.kind not in POSTS:
            raise NotFound("There is nothing at this address.")
        self._paced(key)
        now, secrets = self._room.clock.now(), self._room.secrets(connection.id).signing
        if connection.kind is Kind.SAMSARA:
            check_samsara(headers, body, secrets, now)
            return await self._samsara(connection, body)
        check_standard(headers, body, secrets, now)
        try:
            items = items_of(body, connection.access.fields, {})
        except Invalid as error:
            self._room.failed(connection.id, error.message)
            raise
        return await self._taken(connection, items)

    async def _samsara(self, connection: Connection, body: bytes) -> Sequence[Outcome]:
        """An event that holds statistics is taken; any other says that there is news."""
        try:
            event = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Invalid("The message is no JSON.") from None
        told = list(told_in(event))
        outcomes = await self._room.heard(connection, told)
        if not told:
            self._poller.soon(connection)
        return outcomes

    async def _taken(
        self, connection: Connection, items: Sequence[Told | str]
    ) -> Sequence[Outcome | str]:
        told = [item for item in items if isinstance(item, Told)]
        outcomes = iter(await self._room.heard(connection, told))
        faults = [item for item in items if isinstance(item, str)]
        if faults:
            self._room.failed(connection.id, faults[0])
        return [item if isinstance(item, str) else next(outcomes) for item in items]

    def _paced(self, key: str) -> None:
        pace = self._paces.setdefault(key, _Pace())
        minute = int(self._room.clock.monotonic_s() // 60)
        if pace.minute != minute:
            pace.minute, pace.count = minute, 0
        pace.count += 1
        if pace.count > A_MINUTE_MAX:
            said = f"More than {A_MINUTE_MAX} messages a minute."
            raise TooMany(said, fields={"retry_after_s": "60"})
