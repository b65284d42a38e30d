"""The state of every EVSE now, in memory: what the console shows and the control steers by."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from voltyard.bus import Bus
from voltyard.chargers.events import (
    EvsesChanged,
    EvseStatusChanged,
    StationChanged,
    StationConnected,
    StationDisconnected,
)
from voltyard.chargers.model import PLUGGED, Evse, EvseStatus
from voltyard.records import replace
from voltyard.sessions.model import MeterReading, Session
from voltyard.sessions.ports import Outlets


@dataclass(frozen=True, slots=True)
class EvseLive:
    """``power_w``, ``soc_pct`` and ``offered_w`` are as last heard (``reading_at``).

    ``energy_wh`` is of the running session, or of the last while the vehicle stays plugged.
    """

    evse_id: UUID
    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    number: int
    name: str = ""
    bay_id: UUID | None = None
    node_id: UUID | None = None
    online: bool = False
    status: EvseStatus = EvseStatus.UNKNOWN
    status_at: datetime | None = None
    error_code: str | None = None
    plugged: bool = False
    session: Session | None = None
    power_w: float | None = None
    energy_wh: float | None = None
    soc_pct: float | None = None
    offered_w: float | None = None
    reading_at: datetime | None = None

    @property
    def session_id(self) -> UUID | None:
        return None if self.session is None else self.session.id

    @property
    def vehicle_id(self) -> UUID | None:
        return None if self.session is None else self.session.vehicle_id

    @property
    def duty_id(self) -> UUID | None:
        return None if self.session is None else self.session.duty_id

    @property
    def id_token(self) -> str | None:
        return None if self.session is None else self.session.id_token

    @property
    def charging_state(self) -> str | None:
        return None if self.session is None else self.session.charging_state


class Changes:
    """One consumer's view of what changed: which EVSEs, each once however often it changed.

    Bounded by the number of EVSEs; a slow consumer gets the newest state, never a backlog.
    """

    def __init__(self, site_id: UUID | None, org_id: UUID | None) -> None:
        self._site_id = site_id
        self._org_id = org_id
        self._evse_ids: set[UUID] = set()
        self._some = asyncio.Event()

    def touch(self, live: EvseLive) -> None:
        if self._site_id is not None and live.site_id != self._site_id:
            return
        if self._org_id is not None and live.org_id != self._org_id:
            return
        self._evse_ids.add(live.evse_id)
        self._some.set()

    def drain(self) -> set[UUID]:
        """What changed since the last call."""
        changed, self._evse_ids = self._evse_ids, set()
        self._some.clear()
        return changed

    async def wait(self) -> None:
        """Until something changed."""
        await self._some.wait()


class LiveBoard:
    """Fed by the session service after each commit and by charger events."""

    def __init__(self, outlets: Outlets) -> None:
        self._outlets = outlets
        self._live: dict[UUID, EvseLive] = {}
        self._of_site: dict[UUID | None, set[UUID]] = {}
        self._subscribers: set[Changes] = set()

    def subscribe(self, bus: Bus) -> None:
        """Listen to chargers; call before other handlers that read the board."""
        bus.subscribe(EvseStatusChanged, self._on_status, name="live.status")
        bus.subscribe(EvsesChanged, self._on_evses, name="live.evses")
        bus.subscribe(StationChanged, self._on_station, name="live.station")
        bus.subscribe(StationConnected, self._on_station, name="live.connected")
        bus.subscribe(StationDisconnected, self._on_station, name="live.disconnected")

    def load(self, running: Iterable[Session]) -> None:
        """At start, from the database: all EVSEs and the open sessions on them."""
        for evse in self._outlets.evses():
            self._refresh(evse)
        for session in sorted(running, key=lambda session: session.started_at):
            self.session_changed(session)

    def of(self, evse_id: UUID) -> EvseLive | None:
        known = self._live.get(evse_id)
        if known is None:
            evse = self._outlets.evse(evse_id)
            known = None if evse is None else self._refresh(evse)
        return known

    def site(self, site_id: UUID) -> Sequence[EvseLive]:
        """Every EVSE of a site, by name."""
        found = [self._live[evse_id] for evse_id in self._of_site.get(site_id, ())]
        return sorted(found, key=lambda live: (live.name, live.number))

    def station(self, station_id: UUID) -> Sequence[EvseLive]:
        found = (self.of(evse.id) for evse in self._outlets.outlets(station_id))
        return sorted((live for live in found if live), key=lambda live: live.number)

    def running(self, site_id: UUID) -> Sequence[EvseLive]:
        """The EVSEs of a site on which a session runs."""
        ids = self._of_site.get(site_id, ())
        found = (self._live[evse_id] for evse_id in ids)
        return [live for live in found if live.session is not None and live.session.open]

    def all(self) -> Sequence[EvseLive]:
        """Of every organisation, for voltyard's own work."""
        return list(self._live.values())

    def changes(self, *, site_id: UUID | None = None, org_id: UUID | None = None) -> Changes:
        """A feed of changed EVSEs; give it back with ``forget`` when nobody looks any more."""
        feed = Changes(site_id, org_id)
        self._subscribers.add(feed)
        return feed

    def forget(self, feed: Changes) -> None:
        self._subscribers.discard(feed)

    def session_changed(self, session: Session, reading: MeterReading | None = None) -> None:
        """The session as it is now; one that ended stays shown until the vehicle leaves."""
        if session.evse_id is None:
            return
        live = self.of(session.evse_id)
        if live is None or self._outdated(live, session):
            return
        if not session.open and not live.plugged:
            self._put(_emptied(live))
            return
        power_w = session.power_w if session.power_w is not None else live.power_w
        changes: dict[str, Any] = {
            "session": session,
            "energy_wh": session.energy_wh,
            "plugged": live.plugged or session.open,
            "power_w": power_w if session.open else 0.0,
        }
        if session.soc_last_pct is not None:
            changes["soc_pct"] = session.soc_last_pct
        self._put(replace(live, **changes, **_read(live, reading)))

    def reading(self, evse_id: UUID, reading: MeterReading) -> None:
        """A reading outside of any session."""
        live = self.of(evse_id)
        if live is None:
            return
        changes = _read(live, reading)
        if changes and reading.power_w is not None:
            changes["power_w"] = reading.power_w
        if changes and reading.soc_pct is not None:
            changes["soc_pct"] = reading.soc_pct
        self._put(replace(live, **changes))

    async def _on_status(self, event: EvseStatusChanged) -> None:
        evse = self._outlets.evse(event.evse_id)
        if evse is not None:
            self._refresh(evse)

    async def _on_evses(self, event: EvsesChanged) -> None:
        for evse_id in event.evse_ids:
            evse = self._outlets.evse(evse_id)
            if evse is not None:
                self._refresh(evse)

    async def _on_station(
        self, event: StationChanged | StationConnected | StationDisconnected
    ) -> None:
        for evse in self._outlets.outlets(event.station_id):
            self._refresh(evse)

    def _refresh(self, evse: Evse) -> EvseLive:
        known = self._live.get(evse.id) or EvseLive(
            evse.id, evse.org_id, evse.site_id, evse.station_id, evse.number
        )
        running = known.session is not None and known.session.open
        live = replace(
            known,
            site_id=evse.site_id,
            name=evse.name,
            bay_id=evse.bay_id,
            node_id=evse.node_id,
            online=self._outlets.is_connected(evse.station_id),
            status=evse.status,
            status_at=evse.status_at,
            error_code=evse.error_code,
            plugged=evse.status in PLUGGED or running,
        )
        if not live.plugged and live.session is not None:
            live = _emptied(live)
        return self._put(live)

    def _put(self, live: EvseLive) -> EvseLive:
        known = self._live.get(live.evse_id)
        if known is not None and known.session is live.session and known == live:
            return live
        if known is None or known.site_id != live.site_id:
            if known is not None:
                self._of_site.get(known.site_id, set()).discard(live.evse_id)
            self._of_site.setdefault(live.site_id, set()).add(live.evse_id)
        self._live[live.evse_id] = live
        for feed in self._subscribers:
            feed.touch(live)
        return live

    @staticmethod
    def _outdated(live: EvseLive, session: Session) -> bool:
        """A late word about a former session does not hide the one that runs."""
        shown = live.session
        return (
            shown is not None
            and shown.id != session.id
            and (shown.started_at > session.started_at or (shown.open and not session.open))
        )


def _read(live: EvseLive, reading: MeterReading | None) -> dict[str, Any]:
    """What a reading changes, unless a newer one is shown already."""
    if reading is None or (live.reading_at is not None and reading.at < live.reading_at):
        return {}
    offered_w = live.offered_w if reading.offered_w is None else reading.offered_w
    return {"reading_at": reading.at, "offered_w": offered_w}


def _emptied(live: EvseLive) -> EvseLive:
    return replace(
        live, session=None, power_w=0.0, energy_wh=None, soc_pct=None, offered_w=None, plugged=False
    )
