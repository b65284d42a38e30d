"""Every station's security at a glance, and the list of security events: what pages show."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from voltyard.alerts.model import Severity
from voltyard.alerts.service import AlertService
from voltyard.chargers.model import StationView
from voltyard.pki import store
from voltyard.pki.model import EventFilter, Profile, SecurityEvent, SecurityRow
from voltyard.tenancy import scope
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal

if TYPE_CHECKING:
    from voltyard.pki.service import PkiService

ENDS_WITHIN = timedelta(days=30)


class Concern(StrEnum):
    """What a station is looked for by."""

    BEHIND = "behind"
    """Told to use a higher profile, and has not come with it."""
    ENDS = "ends"
    """Its certificate ends within 30 days, or has."""
    NO_CERTIFICATE = "no_certificate"
    FAILED = "failed"
    """Its newest request came to nothing."""
    EVENTS = "events"
    """Security events that nobody has acknowledged."""
    CLEAR = "clear"
    """It speaks in the clear."""


@dataclass(frozen=True, slots=True)
class SecurityFilter:
    """``text`` is sought in identity, name, certificate subject and serial, case aside."""

    text: str = ""
    site_id: UUID | None = None
    profile: Profile | None = None
    concern: Concern | None = None
    station_ids: frozenset[UUID] | None = None


EVERY_STATION = SecurityFilter()
EVERY_EVENT = EventFilter()


class Overview:
    """All take who asks; another organisation's rows are not there."""

    def __init__(self, pki: "PkiService", alerts: AlertService) -> None:
        self._pki = pki
        self._alerts = alerts

    async def rows(
        self, who: Principal, wanted: SecurityFilter = EVERY_STATION
    ) -> list[SecurityRow]:
        """By identity."""
        require(who, Permission.VIEW)
        async with scope.transaction(self._pki.database, scope.of(who.org_id)) as tx:
            ids = wanted.station_ids
            held = {brief.station_id: brief for brief in await store.held(tx, ids)}
            newest = {brief.station_id: brief for brief in await store.newest(tx, ids)}
        events = self._open_events(who.org_id)
        rows = [
            SecurityRow(
                self._pki.security(who, view.station.id),
                view.station.name,
                view.station.site_id,
                view.station.ocpp_version or "",
                held.get(view.station.id),
                newest.get(view.station.id),
                events[view.station.id],
            )
            for view in self._pki.stations.list_stations(who.org_id)
            if ids is None or view.station.id in ids
        ]
        return [row for row in rows if self._fits(row, wanted)]

    def _open_events(self, org_id: UUID) -> Counter[UUID]:
        """Alerts by station; what is everyday does not count."""
        return Counter(
            UUID(alert.object_id)
            for alert in self._alerts.open_now(org_id)
            if alert.kind == "security_event" and alert.severity is not Severity.INFO
        )

    def _fits(self, row: SecurityRow, wanted: SecurityFilter) -> bool:
        if wanted.site_id is not None and row.site_id != wanted.site_id:
            return False
        if wanted.profile is not None and row.now is not wanted.profile:
            return False
        if wanted.concern is not None and not self._concerns(row, wanted.concern):
            return False
        text = wanted.text.casefold()
        held = row.held or row.newest
        told = [row.view.identity, row.name]
        told += [held.subject, held.serial or ""] if held is not None else []
        return not text or any(text in part.casefold() for part in told)

    def _concerns(self, row: SecurityRow, concern: Concern) -> bool:
        ends_at = row.not_after
        if concern is Concern.ENDS:
            return ends_at is not None and ends_at <= self._pki.clock.now() + ENDS_WITHIN
        return {
            Concern.BEHIND: row.behind,
            Concern.NO_CERTIFICATE: ends_at is None,
            Concern.FAILED: row.failed,
            Concern.EVENTS: row.open_events > 0,
            Concern.CLEAR: row.now is not None and not row.tls,
        }[concern]

    async def events(
        self, who: Principal, wanted: EventFilter, charger: str, *, limit: int, offset: int
    ) -> tuple[list[SecurityEvent], int]:
        """A page of them, newest first, and how many there are; ``charger`` is part of a name."""
        require(who, Permission.VIEW)
        if charger:
            wanted = _of_stations(wanted, self._named(who, charger))
        async with scope.transaction(self._pki.database, scope.of(who.org_id)) as tx:
            total = await store.count_events(tx, wanted)
            found = await store.events(tx, wanted, limit=limit, offset=offset)
        return found, total

    def _named(self, who: Principal, text: str) -> frozenset[UUID]:
        views: list[StationView] = list(self._pki.stations.list_stations(who.org_id))
        wanted = text.casefold()
        return frozenset(
            view.station.id
            for view in views
            if wanted in view.station.identity.casefold() or wanted in view.station.name.casefold()
        )

    async def event_kinds(self, who: Principal) -> list[str]:
        require(who, Permission.VIEW)
        async with scope.transaction(self._pki.database, scope.of(who.org_id)) as tx:
            return await store.event_kinds(tx)


def _of_stations(wanted: EventFilter, ids: frozenset[UUID]) -> EventFilter:
    return EventFilter(
        wanted.station_id,
        wanted.kind,
        wanted.critical,
        wanted.source,
        wanted.text,
        wanted.from_at,
        wanted.until_at,
        ids,
    )
