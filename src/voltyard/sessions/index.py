"""The sessions in memory: open ones all, ended ones the last few thousand, by every key."""

from collections import OrderedDict
from collections.abc import Iterator
from uuid import UUID

from voltyard.sessions.fold import Tracked
from voltyard.sessions.tokens import key

ENDED_MAX = 4_000

RefKey = tuple[UUID, str]


class Index:
    """One ``Tracked`` per session; two messages about one session find the same object."""

    def __init__(self) -> None:
        self._by_id: dict[UUID, Tracked] = {}
        self._by_ref: dict[RefKey, Tracked] = {}
        self._by_start: dict[RefKey, Tracked] = {}
        self._by_message: dict[RefKey, Tracked] = {}
        self._open: dict[UUID, Tracked] = {}
        self._open_of: dict[UUID, dict[UUID, Tracked]] = {}
        self._current: dict[UUID, Tracked] = {}
        self._by_token: dict[tuple[UUID, str], dict[UUID, Tracked]] = {}
        self._token_of: dict[UUID, tuple[UUID, str]] = {}
        self._ended: OrderedDict[UUID, Tracked] = OrderedDict()

    def put(self, tracked: Tracked) -> None:
        """Add it, or bring its keys up to date after a change."""
        session = tracked.session
        keys = (session.transaction_ref, session.start_key, session.start_message, session.id_token)
        if session.open and tracked.keys == keys:
            self._put_current(tracked)
            return
        tracked.keys = keys if session.open else None
        self._by_id[session.id] = tracked
        self._by_ref[(session.station_id, session.transaction_ref)] = tracked
        self._by_start[(session.station_id, session.start_key)] = tracked
        if session.start_message:
            self._by_message[(session.station_id, session.start_message)] = tracked
        self._put_token(tracked)
        if session.open:
            self._open[session.id] = tracked
            self._open_of.setdefault(session.station_id, {})[session.id] = tracked
            self._ended.pop(session.id, None)
            self._put_current(tracked)
            return
        self._close(tracked)
        self._ended[session.id] = tracked
        self._ended.move_to_end(session.id)
        while len(self._ended) > ENDED_MAX:
            _, oldest = self._ended.popitem(last=False)
            self.drop(oldest)

    def drop(self, tracked: Tracked) -> None:
        """Forget it; the next message about it is answered from the database."""
        session = tracked.session
        tracked.keys = None
        self._by_id.pop(session.id, None)
        for table, text in (
            (self._by_ref, session.transaction_ref),
            (self._by_start, session.start_key),
            (self._by_message, session.start_message or ""),
        ):
            if table.get((session.station_id, text)) is tracked:
                del table[(session.station_id, text)]
        self._ended.pop(session.id, None)
        self._close(tracked)
        self._drop_token(tracked)

    def rename(self, tracked: Tracked, former_ref: str) -> None:
        """Its reference was changed: free the former one."""
        if self._by_ref.get((tracked.session.station_id, former_ref)) is tracked:
            del self._by_ref[(tracked.session.station_id, former_ref)]
        self.put(tracked)

    def get(self, session_id: UUID) -> Tracked | None:
        return self._by_id.get(session_id)

    def by_ref(self, station_id: UUID, ref: str) -> Tracked | None:
        return self._by_ref.get((station_id, ref))

    def by_start(self, station_id: UUID, start_key: str) -> Tracked | None:
        return self._by_start.get((station_id, start_key))

    def by_message(self, station_id: UUID, message_key: str) -> Tracked | None:
        return self._by_message.get((station_id, message_key))

    def current(self, evse_id: UUID) -> Tracked | None:
        """The open session of an EVSE; of several the one that started last."""
        return self._current.get(evse_id)

    def open(self) -> list[Tracked]:
        return list(self._open.values())

    def open_of(self, station_id: UUID) -> list[Tracked]:
        return list(self._open_of.get(station_id, {}).values())

    def open_on(self, station_id: UUID, evse_id: UUID) -> list[Tracked]:
        return [found for found in self.open_of(station_id) if found.session.evse_id == evse_id]

    def open_with_token(self, org_id: UUID, value: str) -> list[Tracked]:
        found = self._by_token.get((org_id, key(value)), {})
        return [tracked for tracked in found.values() if tracked.session.open]

    def ended_of(self, station_id: UUID) -> Iterator[Tracked]:
        """Of those that are still kept, the last to end first."""
        return (
            found
            for found in reversed(self._ended.values())
            if found.session.station_id == station_id
        )

    def known_elsewhere(self, station_id: UUID, ref: str) -> bool:
        """Whether another station has an open session of that reference."""
        return any(
            found.session.transaction_ref == ref and found.session.station_id != station_id
            for found in self._open.values()
        )

    def __iter__(self) -> Iterator[Tracked]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def _close(self, tracked: Tracked) -> None:
        session = tracked.session
        self._open.pop(session.id, None)
        siblings = self._open_of.get(session.station_id, {})
        siblings.pop(session.id, None)
        if not siblings:
            self._open_of.pop(session.station_id, None)
        if session.evse_id is not None and self._current.get(session.evse_id) is tracked:
            del self._current[session.evse_id]

    def _put_current(self, tracked: Tracked) -> None:
        evse_id = tracked.session.evse_id
        if evse_id is None:
            return
        known = self._current.get(evse_id)
        newer = known is None or tracked.session.started_at >= known.session.started_at
        if known is None or newer or not known.session.open:
            self._current[evse_id] = tracked

    def _put_token(self, tracked: Tracked) -> None:
        session = tracked.session
        wanted = (session.org_id, key(session.id_token)) if session.id_token else None
        if self._token_of.get(session.id) == wanted:
            return
        self._drop_token(tracked)
        if wanted is not None:
            self._token_of[session.id] = wanted
            self._by_token.setdefault(wanted, {})[session.id] = tracked

    def _drop_token(self, tracked: Tracked) -> None:
        known = self._token_of.pop(tracked.session.id, None)
        if known is not None:
            holders = self._by_token.get(known, {})
            holders.pop(tracked.session.id, None)
            if not holders:
                self._by_token.pop(known, None)
